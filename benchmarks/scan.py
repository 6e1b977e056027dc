"""How well does scanning find precursors, how many false calls does it make, and how fast is it?

usage: MIRNBDEV_DATA=... python benchmarks/scan.py rules|speed|candidates|train|thresholds|genome [chunks]

rules: the 379 precursors of Bell and Hendrix (2021) with their neighbours, and 200 random windows of chromosome 21, by
the rules as they stand and with one number changed; a few minutes. speed: 60 kb of chromosome 21 on one core, in one
piece and in thirteen.

candidates: fold chromosome 21, shuffled and as it is, and precursors planted into shuffled sequence; 100 kb at a time,
a minute or two each, kept in out/genome, so that it may be stopped. `chunks`: how many of each kind.
train: the weights for scanning, fine-tuned on candidates of the training side; some ten minutes.
thresholds: probabilities at which shuffled sequence gives so many calls per Mb; written into the card of these weights.
genome: the tables of the page, from what is kept in out/genome. `candidates` comes before all three.
"""

import json
import re
import time
from collections.abc import Callable
from functools import cache, lru_cache
from itertools import chain, product
from pathlib import Path
from random import Random
from typing import NamedTuple
from unittest.mock import patch

import joblib
import numpy as np
import pandas as pd
from common import bootstrap, main, write

from mirnbdev import scan
from mirnbdev.cnn import SCANNER, Detector
from mirnbdev.data import (
    GENOME,
    data_file,
    dinucleotide_shuffle,
    kin_between,
    read_candidates,
    read_genomic,
    read_mirbase,
    read_region,
)
from mirnbdev.factors import CORE_FACTORS, measure_factors
from mirnbdev.genome import MARGIN
from mirnbdev.hairpin import Hairpin, Record, axis, open_whole, reverse_complement
from mirnbdev.sets import detection_records, detection_set, fold_frame
from mirnbdev.training import WEIGHTS

CHANGED = [{}, dict(span=80), dict(span=150), dict(min_pairs=14), dict(min_pairs=20), dict(flank=0), dict(flank=20)]
RULES = {', '.join(f'{k} {x}' for k, x in rules.items()) or 'as they stand': rules for rules in CHANGED}
COVERED = 0.8  # of a precursor: least share in the hairpin
COLUMNS = {1: 'name', 5: 'drosha_5p', 8: 'drosha_3p', 9: 'start', 10: 'end', 11: 'sequence'}
PART, FIVE_KB = slice(1_240_000, 1_300_000), 5000


def with_neighbours():
    "Precursors with their genomic neighbours; first, last: what Drosha cuts out; start, end: miRBase's precursor."
    d = pd.read_csv(data_file('cutsites/deepmircut_set.txt'), sep='\t', header=None)
    d = d[~d[0].str.contains('_x')].rename(columns=COLUMNS)
    first, last = d.drosha_5p.str.split(',').str[1], d.drosha_3p.str.split(',').str[0]
    return d[['name', 'sequence', 'start', 'end']].assign(first=first.astype(int), last=last.astype(int))


def random_windows(n=200, size=200):
    "Random windows of chromosome 21."
    region, rng = read_region()[0], Random(1)
    starts = [rng.randrange(len(region) - size) for _ in range(n)]
    return [Record(str(i), region[i : i + size]) for i in starts]


def loop(f):
    "First and last position of the terminal loop."
    s = axis(f.hairpin.structure)
    return f.start + s.rfind('(') + 1, f.start + s.find(')') - 1


def is_found(found, row, start, end):
    "Does a hairpin cover most of start to end, with its terminal loop between the cuts?"
    covers = lambda f: min(f.end, end) - max(f.start, start) + 1 >= COVERED * (end - start + 1)
    return any(covers(f) and row.first <= loop(f)[0] and loop(f)[1] <= row.last for f in found)


def measure(records, windows, **rules):
    "Share of precursors that are found, and number of hairpins in 200 nt."
    found = list(scan.find_many(map(Record, records.name, records.sequence), **rules))
    rows = list(zip(found, records.itertuples()))
    inside = [len(f) for f in scan.find_many(windows, **rules)]
    return {
        'miRBase': np.mean([is_found(f, r, r.start, r.end) for f, r in rows]),
        'Drosha': np.mean([is_found(f, r, r.first, r.last) for f, r in rows]),
        'hairpins per 200 nt': 200 * sum(map(len, found)) / records.sequence.str.len().sum(),
        'in random windows': np.mean(inside),
    }


def measure_rules(records, windows, names=tuple(RULES)):
    "A row for each of `RULES`; what two of them fold alike is folded once."
    once = {f.__name__: lru_cache(None)(f) for f in (scan.local_structures, scan.fold)}
    with patch.multiple(scan, **once):
        return pd.DataFrame({name: measure(records, windows, **RULES[name]) for name in names}).T


def rules():
    "All precursors, all rules."
    write('scan_rules', measure_rules(with_neighbours(), random_windows()).round(3))


def speed():
    "Seconds of one core; small pieces find the same."
    part = read_region()[0][PART]
    start = time.perf_counter()
    whole = scan.find_hairpins(part)
    seconds = time.perf_counter() - start
    with patch.object(scan, 'PIECE', FIVE_KB):
        assert scan.find_hairpins(part) == whole
    rate = seconds / len(part) * 1e5
    write(
        'scan_speed',
        pd.DataFrame({'one core': {'hairpins': len(whole), 's per 100,000 nt': round(rate, 1)}}).T,
        seeds=0,
    )


# ---- the weights that are compared; those that a scan uses come first

OURS, PLAIN = 'our detector for scanning', 'our detector'
NETWORKS = {OURS: SCANNER, PLAIN: WEIGHTS}

# ---- candidates of a chromosome, shuffled and as it is

KEPT = Path('out/genome')
CHUNK, BLOCK = 100_000, 10_000  # nt that are kept in one file; nt that are shuffled together
CHOSEN, REPORTED = range(12), range(24, 12, -1)  # Chunks that are shuffled for the thresholds, and for the tables
TEACHING = range(2 * len(CHOSEN))  # Chunks to train on: those for the thresholds, shuffled twice more
NATURAL = [12, 13, *chain(*zip(range(14, 25), range(11, 0, -1)))]  # As they are; the first two hold three precursors
SHUFFLED, TAUGHT, NATURE, PLANTED = 'shuffled', 'taught', 'chromosome', 'planted'
LEARNED, CHECKED = 'planted-train', 'planted-validation'  # Planted precursors of the other two sides
OF = 6  # Of so many blocks of the chromosome the first gave the detector negatives; see benchmarks/splits.py ..
TAUGHT_BLOCKS = (0, 1, 2)  # .. and these the weights for scanning


@lru_cache(2)
def shuffled(k, kind=SHUFFLED):
    "Chunk `k` of the chromosome, each block shuffled; to train on: those for the thresholds, in other orders."
    text, seed = (natural(k), k) if kind == SHUFFLED else (natural(k % len(CHOSEN)), f'{kind} {k}')
    return ''.join(dinucleotide_shuffle(text[i : i + BLOCK], f'{seed} {i}') for i in range(0, CHUNK, BLOCK))


@cache
def stretch():
    "The letters of the chromosome."
    return read_region()[0]


def natural(k):
    "Chunk `k` of the chromosome as it is."
    return stretch()[k * CHUNK : (k + 1) * CHUNK]


def all_candidates(record, both_strands=True):
    "The candidates of a record on its own, also those that overlap."
    pieces = scan.pieces(record, both_strands=both_strands)
    return [pair for p in pieces for pair in local_and_alone(p)]


def local_and_alone(piece):
    "The hairpins of a piece, each as it folds among its neighbours and alone."
    return [(f, alone) for f in scan.local_hairpins(piece) if (alone := scan.fold_alone(f))]


def as_table(pairs):
    "Candidates, one a row; `local`: the structure among the neighbours."
    of = lambda h: (h.sequence, h.structure, h.mfe)
    rows = [(f.hairpin.name, *f[1:], *of(f.hairpin), local.hairpin.structure) for local, f in pairs]
    return pd.DataFrame(rows, columns=['record', 'start', 'end', 'strand', 'sequence', 'structure', 'mfe', 'local'])


def path_of(name):
    "Where a table of candidates is kept."
    return KEPT / f'{name}.tsv.gz'


def kept(name):
    "Read a table of candidates."
    return pd.read_csv(path_of(name), sep='\t')


def keep(name, make):
    "Write the table of candidates that `make` gives, unless it is there."
    path = path_of(name)
    if not path.exists():
        KEPT.mkdir(parents=True, exist_ok=True)
        start = time.process_time()
        d = as_table(make())
        d.to_csv(part := path.with_suffix('.part'), sep='\t', index=False, compression='gzip')
        part.rename(path)
        print(f'{name}: {len(d):,} candidates, {time.process_time() - start:.0f} s', flush=True)


def keep_chunk(kind, k):
    "Candidates of one chunk."
    text = natural(k) if kind == NATURE else shuffled(k, kind)
    keep(f'{kind}-{k:02}', lambda: all_candidates(Record(f'{kind}-{k}', text)))


# ---- precursors planted into shuffled sequence

CLADES = ('Mammalia', 'Vertebrata', 'Arthropoda', 'Nematoda', 'Viridiplantae')
ANIMALS, PLANTS = CLADES[:-1], CLADES[-1]
REAL = 'real flanks'
EACH, ALL = 100, 10_000  # Precursors of a clade, at most
BESIDE = 300  # nt of shuffled sequence on each side, out of reach of what lies beyond
NEAR, SHORT = 60, 500  # nt on each side of precursors to train on; nt that are shuffled for them


class Planted(NamedTuple):
    "A precursor in shuffled sequence. Positions count from 1, along all of it."

    accession: str
    group: str
    cluster: int
    sequence: str  # Without what is shuffled
    start: int  # Of the precursor
    end: int
    arms: list  # First and last position of each known mature microRNA


def shuffled_part(i):
    "Some shuffled sequence of the chunks for the tables."
    return shuffled(REPORTED[i % 2])[i * 997 % (CHUNK - 2 * BESIDE) :]


def shuffled_anew(split):
    "What gives short parts of the chromosome in an order that no chunk has, nor the other side."
    part = lambda i: stretch()[i * 9973 % (len(stretch()) - SHORT) :][:SHORT]
    return lambda i: dinucleotide_shuffle(part(i), f'{split} {i}')


class Side(NamedTuple):
    "Which precursors are planted, how many of a clade, and into what."

    split: str
    each: int
    around: Callable  # Number -> shuffled sequence
    beside: int  # nt of it on each side


PLANTS_OF = {
    PLANTED: Side('test', EACH, shuffled_part, BESIDE),
    LEARNED: Side('train', ALL, shuffled_anew('train'), NEAR),
    CHECKED: Side('validation', 150, shuffled_anew('validation'), NEAR),
}


def plant(row, kind, sequence=None, group=None):
    "Give a precursor, with its flanks if `sequence` holds them, its place in shuffled sequence."
    sequence = sequence or row.sequence
    first = PLANTS_OF[kind].beside + sequence.find(row.sequence)
    places = [(row.start_5p, row.end_5p), (row.start_3p, row.end_3p)]
    arms = [(first + a + 1, first + b) for a, b in places if not pd.isna(a)]
    return Planted(row.accession, group or row.group, row.cluster, sequence, first + 1, first + len(row.sequence), arms)


def surrounded(sequence, around, n):
    "Put a sequence between `n` nt of shuffled sequence on each side."
    return around[:n] + sequence + around[n : 2 * n]


@cache
def side(split):
    "miRBase's precursors of one side, whose letters are known."
    d = read_mirbase()
    return d[(d.split == split) & d.sequence.str.fullmatch('[ACGU]+')].set_index('accession', drop=False)


def plant_clade(clade, kind):
    "A random sample of the precursors of a clade."
    d = side(PLANTS_OF[kind].split)
    d = d[d.group == clade].sample(frac=1, random_state=0)[: PLANTS_OF[kind].each]
    return [plant(row, kind) for row in d.itertuples(index=False)]


def plant_with_flanks(kind):
    "Precursors of Bell and Hendrix (2021) with their genomic neighbours."
    d = side(PLANTS_OF[kind].split)
    rows = [line.split('\t') for line in data_file('cutsites/deepmircut_set.txt').read_text().splitlines()]
    wide = {r[2]: r[11] for r in rows if '_x' not in r[0] and r[2] in d.index}
    rows = [row for row in d.loc[list(wide)].itertuples(index=False) if row.sequence in wide[row.accession]]
    return [plant(row, kind, wide[row.accession], REAL) for row in rows]


@cache
def planted(group, kind=PLANTED):
    "The planted precursors of a clade, or those with real flanks."
    return plant_with_flanks(kind) if group == REAL else plant_clade(group, kind)


def file_of(group, kind=PLANTED):
    "Name of the file of a group of planted precursors."
    return f'{kind}-{group.replace(" ", "-")}'


def keep_planted(group, kind=PLANTED):
    "Candidates around each planted precursor, on its strand."
    side, plants = PLANTS_OF[kind], planted(group, kind)
    text = lambda i: surrounded(plants[i].sequence, side.around(i), side.beside)
    records = (Record(p.accession, text(i)) for i, p in enumerate(plants))
    keep(file_of(group, kind), lambda: [pair for r in records for pair in all_candidates(r, False)])


OTHERS, OTHERS_EACH = 'others', 3000  # Coding sequence and other RNA of the training side; records of each


def keep_others():
    "Candidates in and around what is no precursor, in shuffled sequence."
    d, around = detection_records('train'), shuffled_anew(OTHERS)
    d = d[d.source.isin(['cds', 'ncrna']) & d.sequence.str.fullmatch('[ACGU]+')]
    sequences = d.groupby('source').sample(OTHERS_EACH, random_state=0).sequence
    records = (Record(str(i), surrounded(s, around(i), NEAR)) for i, s in enumerate(sequences))
    keep(OTHERS, lambda: [pair for r in records for pair in all_candidates(r, False)])


# ---- random forests on the core factors

FOREST, TAUGHT_FOREST = 'random forest', 'random forest for scanning'  # Trained on what the two detectors were
METHODS = *NETWORKS, TAUGHT_FOREST, FOREST


@cache
def network(method):
    "The weights of a method."
    return Detector.load(NETWORKS[method])


@cache
def baseline(method):
    "A random forest, kept once it is trained; folding takes a quarter of an hour."
    from detector import forest

    path = KEPT / f'{method.replace(" ", "-")}.joblib'
    if not path.exists():
        d = detection_records('train')
        X, y = (fold_frame(d, n_jobs=1), d.label) if method == FOREST else training_sides(('structure',))[:2]
        joblib.dump(forest(0).fit(measure_factors(X), y), path)
    return joblib.load(path).set_params(n_jobs=1)


def candidates(chunks=len(NATURAL)):
    "All kinds in turn, so that those that are there are of all kinds."
    for kind, group in product(PLANTS_OF, (*CLADES, REAL)):
        keep_planted(group, kind)
    keep_others()
    for i in range(chunks):
        for kind, order in ((SHUFFLED, CHOSEN), (SHUFFLED, REPORTED), (TAUGHT, TEACHING), (NATURE, NATURAL)):
            if i < len(order):
                keep_chunk(kind, order[i])


# ---- what is kept, without overlaps and with scores

BY_ENERGY, BY_PROBABILITY = 'mfe', 'score'


def hairpins_of(d, structure='structure'):
    "The hairpins of rows of candidates; the number of the row is the name."
    columns = (d[c] for c in ('sequence', structure, 'mfe'))
    return [Hairpin(str(i), *row) for i, row in zip(d.index, zip(*columns))]


def scores_of(hairpins, method):
    "Logits of a detector, or the share of the votes of the forest."
    if method not in NETWORKS:
        return baseline(method).predict_proba(measure_factors(hairpins))[:, 1]
    return network(method).decision_function(hairpins)


def without_overlaps(d, by=BY_PROBABILITY):
    "Of candidates that overlap by more than half, those with the highest score, as in a scan, or the lowest energy."
    rank = d.mfe if by == BY_ENERGY else -d.score
    places = zip(d.index, d.sequence, d.structure, rank, d.start, d.end, d.strand)
    found = [scan.Found(Hairpin(str(i), s, t, r), *place) for i, s, t, r, *place in places]
    return d.loc[[int(f.hairpin.name) for f in scan.keep_lowest(found)]]


@cache
def scored(name, method=OURS, by=BY_PROBABILITY):
    "Candidates of one file with their scores, without overlaps."
    d = kept(name)
    d['score'] = scores_of(hairpins_of(d), method)
    return pd.concat(without_overlaps(x, by) for _, x in d.groupby('record', sort=False))


def is_kept(kind, k):
    "Was this chunk folded?"
    return path_of(f'{kind}-{k:02}').exists()


def blocks_of(kind, k):
    "Blocks of a chunk, by number; of the chromosome those from which no negatives were taken."
    first = k * CHUNK // BLOCK
    return [b for b in range(first, first + CHUNK // BLOCK) if kind == SHUFFLED or b % OF not in TAUGHT_BLOCKS]


def megabases(kind, chunks):
    "How many Mb these chunks are, as far as they are kept."
    return sum(len(blocks_of(kind, k)) for k in chunks if is_kept(kind, k)) * BLOCK / 1e6


@cache
def calls(kind, chunks, method=OURS, by=BY_PROBABILITY):
    "Candidates of all kept chunks on both strands with their `block`, and which blocks there are."
    chunks = [k for k in chunks if is_kept(kind, k)]
    blocks = [b for k in chunks for b in blocks_of(kind, k)]
    d = [scored(f'{kind}-{k:02}', method, by).assign(offset=k * CHUNK) for k in chunks]
    d = pd.concat(d, ignore_index=True)
    d['block'] = (d.offset + d.start - 1) // BLOCK
    return d[d.block.isin(blocks)], np.array(blocks)


def covered(f, arms):
    "Share of the nucleotides of mature microRNAs that a candidate holds."
    inside = [max(0, min(f.end, b) - max(f.start, a) + 1) for a, b in arms]
    return sum(inside) / sum(b - a + 1 for a, b in arms)


def holds(f, arms):
    "Does a candidate hold the mature microRNAs in its arms?"
    s = axis(f.structure)
    middle = f.start + (s.rfind('(') + s.find(')')) / 2
    return covered(f, arms) >= COVERED and not any(a <= middle <= b for a, b in arms)


def best_of(plants, d):
    "The highest `score` of a hairpin that holds the mature microRNAs of each planted precursor; -inf: there is none."
    found = {name: list(x.itertuples()) for name, x in d.groupby('record')}
    held = lambda p: (f.score for f in found.get(p.accession, ()) if holds(f, p.arms))
    return np.array([max(held(p), default=-np.inf) for p in plants])


@cache
def best(group, method=OURS, by=BY_PROBABILITY):
    "The highest score of each planted precursor of the test side."
    return best_of(planted(group), scored(file_of(group), method, by))


# ---- second weights, for candidates as a scan cuts them

SCAN_EPOCHS, KEPT_RECORDS = 5, 4  # Epochs at most; of the detector's training set one record of so many
TRAINED_ON_CANDIDATES = (
    'candidates of a scan, alone and among their neighbours: precursors of the training clusters planted into shuffled '
    'sequence, or with their own neighbours (Bell and Hendrix 2021); what lies beside them; coding sequence and other '
    'RNA in shuffled sequence; hairpins of human chromosome 21, as it is and shuffled; and every fourth record of the '
    'training set of the detector'
)
SCANNER_LIMITS = (
    'For candidates of a scan, whose ends are not those of a precursor; hairpins one by one are for the detector. '
    'Thresholds are of one shuffled human chromosome: other backgrounds may score differently. Precursors whose '
    'outermost pairs lie more than 120 nt apart are cut by the scan.'
)


def beside(f, p):
    "Does a candidate lie outside a planted precursor?"
    return f.end < p.start or f.start > p.end


def labelled(group, kind):
    "Candidates of planted precursors with a label: 1, they hold the mature microRNAs; 0, they lie beside them."
    places = {p.accession: p for p in planted(group, kind)}
    d = kept(file_of(group, kind))
    rows = [(f, places[f.record]) for f in d.itertuples()]
    d['label'] = [1 if holds(f, p.arms) else 0 if beside(f, p) else -1 for f, p in rows]
    return d[d.label >= 0]


def off_limits():
    "How many positions before each lie in a hairpin that validates or tests the detector, or in a precursor."
    region, first = read_region()
    taken = np.zeros(len(region) + 1, int)
    genomic = read_genomic()
    for name in genomic.name[(genomic.split != 'train') & genomic.name.str.startswith('chr21:')]:
        start, end = map(int, name[:-1].split(':')[1].split('-'))
        taken[start - first + 1 : end - first + 2] = 1
    for _, arms in annotated().values():
        taken[arms[0][0] : arms[-1][1] + 1] = 1
    return np.cumsum(taken)


def natural_negatives():
    "Candidates of the chromosome in blocks that the tables leave out."
    d, before = pd.concat(negatives(f'{NATURE}-{k:02}').assign(k=k) for k in NATURAL), off_limits()
    start, end = d.start + d.k * CHUNK, d.end + d.k * CHUNK
    free = before[end] == before[start - 1]
    return d[((start - 1) // BLOCK % OF).isin(TAUGHT_BLOCKS) & free]


def negatives(name):
    "Candidates of a file, none of them a precursor."
    return kept(name).assign(label=0)


def as_set(*tables, structures=('structure',)):
    "Hairpins and labels, in each of some structures."
    d = pd.concat(tables, ignore_index=True)
    return [h for s in structures for h in hairpins_of(d, s)], [*d.label] * len(structures)


def training_sides(structures=('structure', 'local')):
    "What the weights are trained on, alone and among neighbours; what they are calibrated on."
    records, old = detection_set(detection_records('train')[::KEPT_RECORDS], 1)
    shuffles = [negatives(f'{TAUGHT}-{k:02}') for k in TEACHING]
    new = *(labelled(g, LEARNED) for g in (*CLADES, REAL)), natural_negatives(), *shuffles[1:], negatives(OTHERS)
    X, y = as_set(*new, structures=structures)
    check = as_set(*(labelled(g, CHECKED) for g in (*CLADES, REAL)), shuffles[0])
    return [*X, *old], [*y, *records.label], check


@cache
def found_on_validation(method):
    "Planted precursors of the validation side: are they found at each rate, and their clusters."
    at = {rate: threshold(rate, method) for rate in RATES}
    score = {g: best_of(planted(g, CHECKED), scored(file_of(g, CHECKED), method)) for g in (*CLADES, REAL)}
    clusters = {g: np.array([p.cluster for p in planted(g, CHECKED)]) for g in score}
    return {rate: {g: s >= t for g, s in score.items()} for rate, t in at.items()}, clusters


def weights():
    "Planted precursors of the validation side that both weights find, and the gain with its interval over clusters."
    rows = {}
    for rate, (name, groups) in product(RATES, GROUPS.items()):
        after, before = (np.concatenate([found_on_validation(m)[0][rate][g] for g in groups]) for m in (OURS, PLAIN))
        clusters = np.concatenate([found_on_validation(OURS)[1][g] for g in groups])
        share = lambda i: pd.Series(
            {PLAIN: before[i].mean(), OURS: after[i].mean(), 'gain': after[i].mean() - before[i].mean()}
        )
        rows[name, f'{rate} a Mb'] = dict(n=len(after), **text_of(bootstrap(share, clusters)))
    return pd.DataFrame(rows).T.rename_axis(['precursors', 'calls'])


SHARES = {'1 in 100': 0.01, '1 in 10': 0.1}  # Of windows without a precursor that are called


def windows():
    "Windows of 200 nt around validation records: share of precursors whose best hairpin is called, by both weights."
    from detector import best_scores, window
    from detector import candidates as hairpins_in

    d = detection_records('validation').query("source != 'shuffle'").reset_index(drop=True)
    inside, real, rows = hairpins_in([window(s, i) for i, s in enumerate(d.sequence)], True), d.label == 1, {}
    groups = {**GROUPS, 'all precursors': tuple(d.group[real].unique())}
    score = {m: best_scores([network(m)], inside)[0] for m in NETWORKS}
    for (words, share), (name, of) in product(SHARES.items(), groups.items()):
        keep = (real & d.group.isin(of)).to_numpy()
        found = {m: p[keep] > np.quantile(p[~real], 1 - share) for m, p in score.items()}
        if keep.any():
            shares = lambda i: pd.Series({m: x[i].mean() for m, x in found.items()})
            rows[name, words] = dict(n=keep.sum(), **text_of(bootstrap(shares, d.cluster[keep].to_numpy())))
    return pd.DataFrame(rows).T.rename_axis(['precursors', 'false calls'])


def train():
    "Fine-tune the shipped detector on candidates."
    X, y, check = training_sides()
    model = Detector(epochs=SCAN_EPOCHS).start_from_shipped().fit(X, y, check)
    model.card |= dict(trained_on=TRAINED_ON_CANDIDATES, limits=SCANNER_LIMITS)
    model.save(SCANNER)
    print(model.history.round(4).to_string(), model.card['records'], sep='\n')


# ---- thresholds

RATES = (1, 10, 100)  # Calls per Mb that have a name in the card
TAIL = 50  # Calls per Mb from which on logits are taken to fall off exponentially
CURVE = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000)  # Calls per Mb of the card's curve


def score_at(scores, mb, rate):
    "The least score of the `rate` best calls per Mb."
    return np.sort(scores)[-max(1, round(rate * mb))]


def tail_score_at(scores, mb, rate):
    "The same; where calls are few, from an exponential tail, whose one number is the mean excess (Hill 1975)."
    if rate >= TAIL:
        return score_at(scores, mb, rate)
    least = score_at(scores, mb, TAIL)
    return least + (scores[scores > least] - least).mean() * np.log(TAIL / rate)


def shuffled_scores(chunks, method=OURS, by=BY_PROBABILITY):
    "Scores of the candidates of shuffled chunks, and how many Mb these are."
    return calls(SHUFFLED, chunks, method, by)[0].score.to_numpy(), megabases(SHUFFLED, chunks)


def threshold(rate, method=OURS, by=BY_PROBABILITY):
    "The score that so many calls per Mb reach in the chunks that are there to choose it."
    at = tail_score_at if method in NETWORKS else score_at  # a forest's votes have no tail
    return at(*shuffled_scores(CHOSEN, method, by), rate)


def thresholds():
    "Write the thresholds into the card of the weights for scanning, and nothing else."
    path, model = SCANNER / 'detector.json', network(OURS)
    probability = lambda rate: round(float(model.probability(threshold(rate))), 6)
    mb = megabases(SHUFFLED, CHOSEN)
    entry = dict(
        thresholds={str(rate): probability(rate) for rate in RATES},
        curve=[[rate, probability(rate)] for rate in CURVE],
        measured_on=f'{mb:.1f} Mb of human chromosome 21, dinucleotides shuffled in blocks of 10 kb, both strands',
    )
    card = json.loads(path.read_text(encoding='utf-8')) | dict(scan=entry)
    with open_whole(path) as f:
        json.dump(card, f, indent=1)
    print(json.dumps(entry, indent=1))


# ---- tables

EARLY = 6000  # Accession numbers up to here: of the first years of miRBase
GROUPS = {'animals': ANIMALS, **{c: (c,) for c in ANIMALS}, 'plants': (PLANTS,), 'animals, real flanks': (REAL,)}


def group_scores(groups, method=OURS, by=BY_PROBABILITY):
    "Scores of planted precursors, and their clusters."
    scores = np.concatenate([best(g, method, by) for g in groups])
    return scores, np.array([p.cluster for g in groups for p in planted(g)])


def early(groups):
    "Which planted precursors are among the first entries of miRBase?"
    return np.array([int(p.accession[2:]) <= EARLY for g in groups for p in planted(g)])


def text_of(t):
    "Value and interval as text."
    return {k: f'{r.value:.3f} ({r.low:.3f}-{r.high:.3f})' for k, r in t.iterrows()}


def recall_row(scores, clusters, method):
    "Recall at each rate, with its interval over clusters; and the share that is a candidate at all."
    at = {f'{rate} a Mb': threshold(rate, method) for rate in RATES}
    found = lambda i: pd.Series(
        {'candidate': np.isfinite(scores[i]).mean()} | {k: (scores[i] >= t).mean() for k, t in at.items()}
    )
    return dict(n=len(scores), clusters=len(set(clusters)), **text_of(bootstrap(found, clusters)))


def recall():
    "Planted precursors found at each rate of false calls, by group and method."
    out = {}
    for name, groups in GROUPS.items():
        out |= {(name, m): recall_row(*group_scores(groups, m), m) for m in METHODS}
    for name, is_in in (('animals, early entries', early(ANIMALS)), ('animals, later entries', ~early(ANIMALS))):
        rows = {m: group_scores(ANIMALS, m) for m in METHODS}
        out |= {(name, m): recall_row(scores[is_in], clusters[is_in], m) for m, (scores, clusters) in rows.items()}
    return pd.DataFrame(out).T.rename_axis(['precursors', 'method'])


def rate_of(kind, chunks, method, least):
    "False calls per Mb from a score on, with an interval over blocks."
    d, blocks = calls(kind, chunks, method)
    d = false_of_chromosome(method) if kind == NATURE else d
    counts = d.block[d.score >= least].value_counts().reindex(blocks, fill_value=0).to_numpy()
    t = bootstrap(lambda i: counts[i].mean() * 1e6 / BLOCK, blocks).iloc[0]
    return f'{t.value:.1f} ({t.low:.1f}-{t.high:.1f})'


SETS = {
    'shuffled, to choose': (SHUFFLED, CHOSEN),
    'shuffled, others': (SHUFFLED, REPORTED),
    'chromosome': (NATURE, tuple(NATURAL)),
}


def own_logit(model):
    "The logit at the threshold of a detector's card."
    c, p = model.card['calibration'], model.threshold
    return (np.log(p / (1 - p)) - c['intercept']) / c['slope']


def rates():
    "Calls per Mb at each threshold, where it was chosen and elsewhere."
    at, out = {(m, f'{r} a Mb'): threshold(r, m) for m in METHODS for r in RATES}, {}
    at[PLAIN, "the detector's own"] = own_logit(network(PLAIN))
    for (m, name), t in at.items():
        p = network(m).probability(t) if m in NETWORKS else t
        out[m, name] = dict(probability=round(float(p), 4)) | {k: rate_of(*x, m, t) for k, x in SETS.items()}
    sizes = {k: f'{megabases(*x):.2f}' for k, x in SETS.items()}
    out['', 'Mb'] = dict(probability='') | sizes
    return pd.DataFrame(out).T.rename_axis(['method', 'threshold'])


def false_scores(kind, method):
    "Scores of all false calls, of shuffled sequence or of the chromosome as it is, and how many Mb these are."
    if kind == SHUFFLED:
        return shuffled_scores((*CHOSEN, *REPORTED), method)
    return false_of_chromosome(method).score.to_numpy(), megabases(NATURE, NATURAL)


def curve():
    "Recall against calls per Mb, of shuffled sequence and of the chromosome as it is."
    out = {}
    for kind, method in product((SHUFFLED, NATURE), METHODS):
        scores, mb = false_scores(kind, method)
        at = {rate: score_at(scores, mb, rate) for rate in CURVE if rate * mb >= 1}
        for name in ('animals', 'plants', 'animals, real flanks'):
            found, clusters = group_scores(GROUPS[name], method)
            t = bootstrap(lambda i: pd.Series({r: (found[i] >= x).mean() for r, x in at.items()}), clusters)
            out |= {(kind, name, method, r): row for r, row in t.iterrows()}
    return pd.DataFrame(out).T.rename_axis(['false calls in', 'precursors', 'method', 'calls a Mb']).round(3)


def overlaps():
    "Of candidates that overlap, the lowest energy or the highest probability: recall at equal calls per Mb."
    rows, found = {}, {by: shuffled_scores((*CHOSEN, *REPORTED), OURS, by) for by in (BY_ENERGY, BY_PROBABILITY)}
    at = {by: {r: score_at(*scores, r) for r in RATES} for by, scores in found.items()}
    for name in ('animals', 'plants', 'animals, real flanks'):
        scores = {by: group_scores(GROUPS[name], OURS, by) for by in at}
        clusters = scores[BY_ENERGY][1]
        for r in RATES:
            share = lambda by, i: (scores[by][0][i] >= at[by][r]).mean()
            both = lambda i: pd.Series({'by energy': share(BY_ENERGY, i), 'by probability': share(BY_PROBABILITY, i)})
            t = bootstrap(lambda i: pd.concat([both(i), pd.Series({'gain': both(i).diff().iloc[1]})]), clusters)
            rows[name, f'{r} a Mb'] = text_of(t)
    return pd.DataFrame(rows).T.rename_axis(['precursors', 'calls'])


# ---- the screen before folding alone


@cache
def in_both(name):
    "Candidates of one file, those that overlap too, with log odds alone and among their neighbours."
    d = kept(name)
    odds = lambda structure: log_odds(scores_of(hairpins_of(d, structure), OURS))
    return d.assign(alone=odds('structure'), beside=odds('local'))


def log_odds(logits):
    "Calibrated log odds of the weights for scanning."
    c = network(OURS).card['calibration']
    return c['slope'] * logits + c['intercept']


def called(d, least, margin):
    "Calls of a scan, without overlaps, with or without the screen."
    d = d[(d.alone >= least) & (d.beside >= least - margin)].assign(score=d.alone)
    return pd.concat([without_overlaps(x) for _, x in d.groupby('record')]) if len(d) else d


def screen():
    "At each rate: what is folded alone, and what is called and found with the screen and without."
    shuffles = [in_both(f'{SHUFFLED}-{k:02}') for k in REPORTED if is_kept(SHUFFLED, k)]
    shuffles = pd.concat(shuffles, ignore_index=True)
    mb, rows = shuffles.record.nunique() * CHUNK / 1e6, {}
    for rate in RATES:
        least, row = log_odds(threshold(rate)), {}
        row['folded alone'] = f'{(shuffles.beside >= least - MARGIN).mean():.4f}'
        for how, margin in (('with', MARGIN), ('without', np.inf)):
            row[f'false calls a Mb, {how}'] = f'{len(called(shuffles, least, margin)) / mb:.1f}'
            hits = lambda g: np.isfinite(best_of(planted(g), called(in_both(file_of(g)), least, margin)))
            for name, groups in (('animals', ANIMALS), ('plants', (PLANTS,)), ('real flanks', (REAL,))):
                row[f'{name}, {how}'] = f'{np.concatenate([hits(g) for g in groups]).mean():.3f}'
        rows[f'{rate} a Mb'] = row
    return pd.DataFrame(rows).T.rename_axis('calls')


# ---- the chromosome itself


def annotated():
    "The precursors in the stretch: name -> strand, and first and last position of each mature microRNA in it."
    region, first = read_region()
    text = data_file(GENOME.replace('.fa', '.mirbase22.gff3')).read_text()
    rows = [line.split('\t') for line in text.splitlines() if line and line[0] != '#']
    named = {re.search('ID=(.*?);', r[8])[1]: re.search('Name=([^;]*)', r[8])[1] for r in rows}
    out = {}
    for r in rows:
        if r[2] == 'miRNA':
            name = named[re.search('Derives_from=(.*)', r[8])[1]]
            out.setdefault(name, (r[6], []))[1].append((int(r[3]) - first + 1, int(r[4]) - first + 1))
    return out


@cache
def chromosome(method=OURS):
    "Calls in the chromosome, best first, with their place in it and the annotated precursor that they hold or face."
    d = calls(NATURE, tuple(NATURAL), method)[0].sort_values('score', ascending=False).reset_index(drop=True)
    d['start'], d['end'] = d.start + d.offset, d.end + d.offset
    d['holds'] = d['faces'] = ''
    for name, (strand, arms) in annotated().items():
        for f in d[(d.end >= arms[0][0]) & (d.start <= arms[-1][1])].itertuples():
            if f.strand != strand:
                d.loc[f.Index, 'faces'] = name
            elif holds(f, arms):
                d.loc[f.Index, 'holds'] = name
    return d


def false_of_chromosome(method=OURS):
    "Calls in the chromosome that do not lie on an annotated precursor, of either strand."
    d = chromosome(method)
    return d[(d.holds == '') & (d.faces == '')]


def precursors():
    "The annotated precursors of the chromosome: probability, rank, and calls per Mb down to it."
    d, mb, model, out = chromosome(), megabases(NATURE, NATURAL), network(OURS), {}
    for name in annotated():
        rank = d.index[d.holds == name].min()
        above = d[: rank + 1]
        real = above.holds[above.holds != ''].nunique()
        out[name] = {
            'probability': round(float(model.probability(d.score[rank])), 5),
            'rank': rank + 1,
            'false calls above it': (above.holds == '').sum(),
            '.. on the other strand of one': (above.faces != '').sum(),
            'false calls per Mb': round((above.holds == '').sum() / mb, 2),
            'precision': round(real / (real + (above.holds == '').sum()), 3),
        }
    return pd.DataFrame.from_dict(out, 'index').rename_axis('precursor')


WORD, COPIES = 16, 3  # Letters of a word; how often it stands in the 2.5 Mb, on both strands, to be called repeated
REPEATED = 0.5  # Share of its words that are repeated, from which a hairpin is called a repeat


def word_codes(text):
    "A number for each word of `WORD` letters."
    letters = np.array(['ACGU'.index(c) for c in text], np.uint64)
    return np.lib.stride_tricks.sliding_window_view(letters, WORD) @ (4 ** np.arange(WORD, dtype=np.uint64))


@cache
def words():
    "Words of the chromosome's both strands, and how often each stands there."
    both = np.concatenate([word_codes(stretch()), word_codes(reverse_complement(stretch()))])
    return np.unique(both, return_counts=True)


def repeated_share(sequence):
    "Share of the words of a sequence that are repeated in the chromosome."
    codes, n = words()
    w = word_codes(sequence)
    at = np.minimum(np.searchsorted(codes, w), len(codes) - 1)
    return (np.where(codes[at] == w, n[at], 0) >= COPIES).mean()


def kinds(d):
    "What hairpins are: rows of candidates -> columns of properties."
    h = hairpins_of(d)
    t = pd.DataFrame(measure_factors(h), d.index, columns=list(CORE_FACTORS))
    t['repeated'] = [repeated_share(s) for s in d.sequence]
    return t


def share_of(t, least_entropy):
    "Shares and medians of one set of hairpins."
    return {
        'n': len(t),
        'GC, median': round(t.gc.median(), 3),
        'mfe per nt, median': round(t.mfe_per_nt.median(), 3),
        'paired fraction, median': round(t.paired_fraction.median(), 3),
        'repeats': round((t.repeated > REPEATED).mean(), 3),
        'low complexity': round((t.dinucleotide_entropy < least_entropy).mean(), 3),
        'inverted repeats': round(((t.interruptions <= STRAIGHT) & (t.pairs >= LONG)).mean(), 3),
    }


STRAIGHT, LONG = 2, 25  # Most interruptions and fewest pairs of a hairpin that looks like an inverted repeat
TOP = 100  # Calls per Mb whose nature is told
DRAWN = 10  # False calls that are drawn
KNOWN = 'ncrna'


def false_calls():
    "What the false calls of the chromosome are, beside all its candidates, and found precursors."
    false, least = false_of_chromosome(), network(PLAIN).card['range']['dinucleotide_entropy'][0]
    top = {f'calls, {r} a Mb': false[false.score >= threshold(r)] for r in (10, TOP)}
    some = false.sample(min(len(false), 5000), random_state=0)
    shuffles = calls(SHUFFLED, REPORTED)[0]
    sets = {'candidates': some, **top, f'shuffled, calls, {TOP} a Mb': shuffles[shuffles.score >= threshold(TOP)]}
    out = {name: share_of(kinds(x), least) for name, x in sets.items()}
    return pd.DataFrame.from_dict(out, 'index').rename_axis('hairpins')


def human_mature():
    "Mature microRNAs of the human entries of miRBase: letters -> name."
    d, out = read_mirbase(), {}
    for arm in ('5p', '3p'):
        rows = d[d.name.str.startswith('hsa-') & d[f'start_{arm}'].notna()]
        places = zip(rows.sequence, rows[f'start_{arm}'].astype(int), rows[f'end_{arm}'].astype(int))
        out |= dict(zip((s[a:b] for s, a, b in places), rows[f'mature_{arm}']))
    return out


def best_false():
    "The best false calls of the chromosome, to be drawn; `holds`: a human microRNA, letter for letter."
    d, first, model = false_of_chromosome().head(DRAWN), read_region()[1], network(OURS)
    t, known = kinds(d), read_candidates((KNOWN,))
    kin = kin_between(list(d.sequence), list(known.sequence))
    relatives = {i: known.family[j] for i, j in kin.tolist()}
    mature = human_mature()
    held = [next((name for x, name in mature.items() if x in s), '') for s in d.sequence]
    place = [f'chr21:{f.start + first - 1}-{f.end + first - 1}{f.strand}' for f in d.itertuples()]
    return pd.DataFrame(
        dict(
            probability=model.probability(d.score).round(4),
            gc=t.gc.round(2),
            repeated=t.repeated.round(2),
            kin=[relatives.get(i, '') for i in range(len(d))],
            holds=held,
            mfe=d.mfe,
            sequence=d.sequence,
            structure=d.structure,
        )
    ).set_axis(pd.Index(place, name='place'))


def genome():
    "All tables of the page."
    tables = [weights, windows, recall, rates, curve, overlaps, screen, precursors, false_calls, best_false]
    for make in tables:
        write(f'genome_{make.__name__}', make())


COMMANDS = dict(rules=rules, speed=speed, candidates=candidates, train=train, thresholds=thresholds, genome=genome)

if __name__ == '__main__':
    main(COMMANDS, __doc__)
