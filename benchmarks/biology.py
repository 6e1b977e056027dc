"""Measure where the detector's attributions lie.

usage: MIRNBDEV_DATA=... python benchmarks/biology.py regions|profiles|seqlets|determinants

Each command writes tables into benchmarks/results/, where the page on biology finds them. All hairpins are of the test
side, one of each cluster of relatives. On one core: regions 15 minutes and profiles 10 (most of it mutagenesis),
seqlets and determinants five each.
"""

import re
from functools import cache

import numpy as np
import pandas as pd
from common import bootstrap, main, side, write
from scipy.stats import false_discovery_control, rankdata

from mirnbdev.biology import (
    WIDTH,
    best_match,
    circular_shifts,
    context_scores,
    cut_profile,
    find_seqlets,
    group_seqlets,
    length_and_loop,
    matched_difference,
    plant_motif,
    region_test,
    regions,
    seqlet_logo,
    transfer_arms,
    transferred_regions,
    weight_matrix,
)
from mirnbdev.cnn import Detector
from mirnbdev.data import dinucleotide_shuffle, read_mirbase
from mirnbdev.encoding import UP, column_word, encode, hairpin_flags
from mirnbdev.factors import arm_positions, factor_table, ghg_sites, stem_of
from mirnbdev.hairpin import Record, fold_many, pair_table
from mirnbdev.saliency import attribute, nucleotide_map, nucleotide_scores

METHOD = 'integrated_gradients'
MUTATED = 100  # Hairpins of each clade, with two arms, that are mutated
CONTROLS = 200  # Hairpins that are shown to other detectors
LIAR = dict(epochs=3, train=4000, validation=1000)  # Of the detector with shuffled labels
PLANTED_IN = 200  # Hairpins of each clade, with two arms, in which determinants are planted
GROUPS = 4  # Of seqlets
LEAST = 10  # Hairpins with and without a determinant, for a difference
ARMS = ['start_5p', 'end_5p', 'start_3p', 'end_3p']
CUTS = ("outer cut, 5' arm", "inner cut, 5' arm", "inner cut, 3' arm", "outer cut, 3' arm")  # In the order of ARMS
CLADES = {'animals': 'Metazoa', 'plants': 'Viridiplantae'}

# ---- hairpins and scores


def shipped(hairpins, method=METHOD):
    "Attributions of the shipped detector."
    return attribute(Detector.load(), hairpins, method)


@cache
def precursors():
    "Held-out precursors of at most 100 columns, one of each cluster, those with two known arms first; and hairpins."
    d = read_mirbase()
    known = d.start_5p.notna() | d.start_3p.notna()
    d = d[(d.split == 'test') & d.sequence.str.fullmatch('[ACGU]+') & known].sample(frac=1, random_state=0)
    d = d.assign(both=d.start_5p.notna() & d.start_3p.notna()).sort_values('both', ascending=False, kind='stable')
    d = d.drop_duplicates('cluster')
    d = d[d.clade.isin(CLADES.values())]
    hairpins = list(fold_many((Record(n, s) for n, s in zip(d.name, d.sequence)), n_jobs=-1))
    keep = np.array([not hairpin_flags(h) for h in hairpins], bool)
    return d[keep].reset_index(drop=True), [h for h, k in zip(hairpins, keep) if k]


def of_clade(clade):
    "Records, hairpins, and known arms of one clade."
    d, hairpins = precursors()
    rows = np.flatnonzero(d.clade == CLADES[clade])
    arms = d.iloc[rows][ARMS].to_numpy(float, na_value=np.nan)
    return d.iloc[rows].reset_index(drop=True), [hairpins[i] for i in rows], arms


def with_two_arms(clade):
    "Hairpins of one clade whose arms are both known, and their arms."
    d, hairpins, arms = of_clade(clade)
    rows = np.flatnonzero(d.both)
    return [hairpins[i] for i in rows], arms[rows].astype(int)


@cache
def pseudo_hairpins():
    "Held-out pseudo-hairpins, one of each cluster."
    s = side('test')
    first = s.records[s.records.label == 0].drop_duplicates('cluster').index
    return [s.hairpins[i] for i in first]


@cache
def shuffled_labels():
    "A detector that learned labels without meaning."
    s, check, shuffle = side('train'), side('validation'), np.random.default_rng(0).permutation
    some, few = shuffle(len(s.hairpins))[: LIAR['train']], shuffle(len(check.hairpins))[: LIAR['validation']]
    take = lambda s, rows: ([s.hairpins[i] for i in rows], shuffle(s.records.label.to_numpy()[rows]))
    return Detector(epochs=LIAR['epochs']).fit(*take(s, some), take(check, few))


def ink(hairpins):
    "Coloured pixels of each nucleotide."
    images = encode(hairpins).images
    return [nucleotide_scores((x != 255).any(-1).astype(float), h) for x, h in zip(images, hairpins)]


def size(scores):
    "Without their sign."
    return list(map(np.abs, scores))


def relative(scores):
    "In units of the hairpin's mean |score|."
    return [s / np.abs(s).mean() for s in scores]


def mean_interval(x):
    "The mean of `x` with its interval: value, low, high."
    return bootstrap(lambda i: x[i].mean(), np.arange(len(x))).iloc[0]


# ---- regions


@cache
def mutated(clade):
    "Mean loss of the logit by substitution, refolded."
    d, hairpins, _ = of_clade(clade)
    return shipped(hairpins[: min(MUTATED, d.both.sum())], 'mutagenesis').nucleotides


def score_sets(clade, hairpins):
    "What is tested: the detector's attributions, and controls that know less; name -> scores."
    signed = shipped(hairpins).nucleotides
    plain, place = size(signed), context_scores(hairpins, size(signed), pairing=False)
    context = context_scores(hairpins, plain)
    yield 'detector, size', plain
    yield 'detector, for a precursor', [s.clip(0) for s in signed]
    yield 'place only', place
    yield 'place and pairing only', context
    yield 'detector, beyond place and pairing', [s - c for s, c in zip(relative(plain), context)]
    yield 'ink', ink(hairpins)
    for name, other in {'random weights': Detector(), 'shuffled labels': shuffled_labels()}.items():
        yield name, size(attribute(other, hairpins[:CONTROLS], METHOD).nucleotides)
    yield 'occlusion, size', size(shipped(hairpins, 'occlusion').nucleotides)
    yield 'mutagenesis, size', size(mutated(clade))


@cache
def pseudo_scores():
    "Attributions of pseudo-hairpins."
    return shipped(pseudo_hairpins()).nucleotides


def in_pseudo_hairpins(hairpins, arms):
    "The test of pseudo-hairpins with the arms of precursors."
    both, shapes = ~np.isnan(arms).any(1), np.array(list(map(length_and_loop, hairpins)))
    theirs = (transfer_arms(length_and_loop(h), shapes[both], arms[both], 1)[0] for h in pseudo_hairpins())
    return region_test(
        size(pseudo_scores()), (circular_shifts(regions(h, *a)) for h, a in zip(pseudo_hairpins(), theirs))
    )


def in_regions(clade):
    "Both nulls for each score; and pseudo-hairpins."
    _, hairpins, arms = of_clade(clade)
    masks, moved = [regions(h, *a) for h, a in zip(hairpins, arms)], list(transferred_regions(hairpins, arms))
    for name, scores in score_sets(clade, hairpins):
        yield (clade, name, 'shifted'), region_test(scores, map(circular_shifts, masks))
        yield (clade, name, 'transferred'), region_test(scores, moved).drop('terminal loop')
    yield (clade, 'pseudo-hairpins', 'shifted'), in_pseudo_hairpins(hairpins, arms)


def all_regions():
    "All tests, corrected together."
    index = ['clade', 'scores', 'null']
    d = pd.concat(dict(t for clade in CLADES for t in in_regions(clade)), names=index).reset_index()
    d['q'] = false_discovery_control(d.p)
    digits = dict.fromkeys(['excess', 'low', 'high', 'rank'], 4)
    write('biology_regions', d.set_index([*index, 'region']).round(digits))


# ---- profiles


def profiles():
    "Around the four cuts, by integrated gradients and by mutagenesis, signed."
    out = {}
    for clade in CLADES:
        _, hairpins, arms = of_clade(clade)
        both = {'integrated gradients': shipped(hairpins).nucleotides, 'mutagenesis': mutated(clade)}
        for name, scores in both.items():
            for k, cut in enumerate(CUTS):
                known = np.flatnonzero(~np.isnan(arms[: len(scores), k]))
                out[clade, name, cut] = cut_profile([scores[i] for i in known], arms[known, k])
    write('biology_profiles', pd.concat(out, names=['clade', 'scores', 'cut']).round(4))


# ---- seqlets


def column_scores(pixels):
    "(n, 2, 100) from (n, 25, 100)."
    return np.stack([pixels[:, :UP].sum(1), pixels[:, UP:].sum(1)], 1)


def negatives(hairpins):
    "Words of two kinds of negatives."
    shuffled = (Record(h.name, dinucleotide_shuffle(h.sequence, seed=i)) for i, h in enumerate(hairpins))
    folded = [h for h in fold_many(shuffled, n_jobs=-1) if not hairpin_flags(h)]
    return {
        'pseudo-hairpins': [column_word(h) for h in pseudo_hairpins()],
        'shuffled': [column_word(h) for h in folded],
    }


def group_row(words, plants, some, sets):
    "What a group of seqlets is like, and how often its pattern is in each of `sets`."
    pattern = weight_matrix(words, some)
    least = np.median(best_match([words[i] for i in some.hairpin], pattern))
    to_end = [len(words[i]) - s for i, s in zip(some.hairpin, some.start)]
    row = {
        'members': len(some),
        'score': some.score.mean(),
        'columns from the loop': some.from_loop.median(),
        'columns from the end': np.median(to_end) - WIDTH,
        'plants': plants[some.hairpin].mean(),
    }
    share = lambda k: mean_interval(best_match(sets[k], pattern) >= least).rename(lambda c: f'{k} {c}')
    return row, [share(k) for k in sets]


def overlap(number, again, g):
    "Share of a group's members, and of those of the likest group of another seed, that both have."
    pairs = [(number == g, again == o) for o in range(GROUPS)]
    return max((a & b).sum() / (a | b).sum() for a, b in pairs)


def seqlets():
    "Found and grouped in one half of the precursors, counted in the other half and in two kinds of negatives."
    d, hairpins = precursors()
    words, scores = [column_word(h) for h in hairpins], column_scores(shipped(hairpins).pixels)
    half = np.arange(len(words)) % 2
    sets = {'precursors': [w for w, k in zip(words, half) if k], **negatives(hairpins)}
    words, scores = [w for w, k in zip(words, half) if not k], scores[half == 0]
    plants, rows, logos = d.clade[half == 0].eq(CLADES['plants']).to_numpy(), {}, {}
    for sign, what in ((1, 'for a precursor'), (-1, 'against')):
        found = find_seqlets(words, scores, sign)
        number, again = (group_seqlets(words, scores, found, GROUPS, seed) for seed in (0, 1))
        for g in range(GROUPS):
            row, counted = group_row(words, plants, found[number == g], sets)
            row['overlap with another seed'] = overlap(number, again, g)
            rows[what, g + 1] = pd.concat([pd.Series(row), *counted])
            logos[what, g + 1] = seqlet_logo(words, scores, found[number == g])
    write('biology_seqlets', pd.DataFrame(rows).T.rename_axis(['seqlets', 'group']).round(3), 2)
    logos = pd.concat(logos, names=['seqlets', 'group']).droplevel(2)
    write('biology_logos', logos.set_index(['column', 'arm', 'letter'], append=True).round(4))


# ---- motifs where they stand


def opposite(h, positions):
    "Nucleotides in the columns that face `positions`."
    owner = nucleotide_map(h, 2 * len(h))
    columns = np.isin(owner, positions).any(0)
    return np.setdiff1d(owner[:, columns], [-1, *positions])


def places(h, a, b, c, d):
    "Known determinants: name -> nucleotides where it would be, and whether it is there; only where `h` reaches so far."
    s, (i, j), overhang = h.sequence, stem_of(h).pairs[0], arm_positions(h, a, b, c, d)
    found = {'UGU or GUG in the terminal loop': (range(i, j + 1), bool(re.search('UGU|GUG', s[i : j + 1])))}
    if a >= 14:
        found["basal UG, 14 nt before the 5' cut"] = (range(a - 14, a - 12), s[a - 14 : a - 12] == 'UG')
    if a >= 8:
        triple, sites = [a - 7, a - 6, a - 5], {x for x, _ in ghg_sites(h)}
        found["mismatched GHG, 5-7 nt before the 5' cut"] = (opposite(h, triple), bool(set(triple) & sites))
    if d + 22 <= len(s):
        behind = bool(re.search('C..C', s[d + 16 : d + 22]))
        found["CNNC, 16-18 nt behind the 3' cut"] = (range(d + 16, d + 22), behind)
    return found | {
        "U first in the 5' arm": ([a], s[a] == 'U'),
        "U first in the 3' arm": ([c], s[c] == 'U'),
        '2-nt overhang at the outer cuts': ([d - 2, d - 1], overhang.drosha_overhang == 2),
        '2-nt overhang at the inner cuts': ([b - 2, b - 1], overhang.dicer_overhang == 2),
    }


def at_motifs(clade):
    "Score where a determinant is, minus score at the same place of the most similar hairpin without it."
    hairpins, arms = with_two_arms(clade)
    scores = relative(shipped(hairpins).nucleotides)
    covariates = factor_table(hairpins, ['length', 'gc', 'paired_fraction', 'terminal_loop']).assign(before=arms[:, 0])
    all_places = [places(h, *a) for h, a in zip(hairpins, arms)]
    for name in dict.fromkeys(k for p in all_places for k in p):
        rows = [i for i, p in enumerate(all_places) if name in p and len(p[name][0])]
        has = np.array([all_places[i][name][1] for i in rows])
        row = dict(reached=len(rows) / len(hairpins), compared=len(rows), present=int(has.sum()))
        if min(has.sum(), (~has).sum()) >= LEAST:
            value = np.array([scores[i][list(all_places[i][name][0])].mean() for i in rows])
            row |= matched_difference(value, has, covariates.iloc[rows]).iloc[0].to_dict()
        yield (clade, name), row


# ---- motifs planted


def change(h, start, letters, pairs=True):
    "`plant_motif`, or None if it does not fit."
    return plant_motif(h, start, letters, pairs) if 0 <= start <= len(h) - len(letters) else None


def in_first_loop(h, letters):
    "Letters at the start of the terminal loop."
    return change(h, stem_of(h).pairs[0][0] + 1, letters, False)


def ghg(h, a, triple):
    "A mismatched triple that faces the three nucleotides around 6 nt before the 5' cut; None if these are not paired."
    partner = pair_table(h.structure)
    j = [partner[k] for k in (a - 7, a - 6, a - 5)] if a >= 8 else [-1]
    if min(j) < 0 or j[0] - j[2] != 2:
        return None
    return change(plant_motif(h, j[2], triple), a - 6, 'A', False)


def mismatch(h, k, broken):
    "Position `k` and its partner swapped, or the same letter on both sides; None if it is not paired."
    partner = pair_table(h.structure)[k] if 0 <= k < len(h) else -1
    if partner < 0:
        return None
    x, y = h.sequence[k], h.sequence[partner]
    return plant_motif(h, partner, x, False) if broken else plant_motif(plant_motif(h, k, y, False), partner, x, False)


# Name -> make(h, a, c, what), what is planted, and what in the control: the same place, often the same letters in
# another order. `a` and `c` are the first nucleotides of the arms.
PLANTED = {
    "basal UG, 14 nt before the 5' cut": (lambda h, a, c, x: change(h, a - 14, x), 'UG', 'GU'),
    "UG, 9 nt before the 5' cut (wrong place)": (lambda h, a, c, x: change(h, a - 9, x), 'UG', 'GU'),
    'UGU at the start of the terminal loop': (lambda h, a, c, x: in_first_loop(h, x), 'UGU', 'UUG'),
    "mismatched GHG, 6 nt before the 5' cut": (lambda h, a, c, x: ghg(h, a, x), 'GAG', 'CAC'),
    "U first in the 5' arm": (lambda h, a, c, x: change(h, a, x), 'U', 'A'),
    "U first in the 3' arm": (lambda h, a, c, x: change(h, c, x), 'U', 'A'),
    "mismatch at nt 11 of the 5' arm": (lambda h, a, c, x: mismatch(h, a + 10, x), True, False),
    "mismatch 6 nt before the 5' cut": (lambda h, a, c, x: mismatch(h, a - 6, x), True, False),
}


def planted(clade):
    "What a planted determinant does to the logit, beside its control."
    hairpins, arms = with_two_arms(clade)
    hairpins, starts, detector = hairpins[:PLANTED_IN], arms[:PLANTED_IN, [0, 2]], Detector.load()
    for name, (make, *contents) in PLANTED.items():
        pairs = [[make(h, *s, x) for x in contents] for h, s in zip(hairpins, starts)]
        pairs = [p for p in pairs if None not in p]
        gain = np.subtract(*(detector.logits(encode(list(x)).images) for x in zip(*pairs)))
        yield (clade, name), dict(n=len(gain), **mean_interval(gain))


# ---- pairing, and correlations


def unpaired(clade):
    "By place from the 5' outer cut: how often unpaired, and its score beside that of a paired one at the same place."
    _, hairpins, arms = of_clade(clade)
    rows = np.flatnonzero(~np.isnan(arms[:, 0]))
    hairpins, cuts = [hairpins[i] for i in rows], arms[rows, 0].astype(int)
    scores, loops = relative(shipped(hairpins).nucleotides), [stem_of(h).pairs[0][0] for h in hairpins]
    for o in range(-14, 24):
        at = [(s, h, a + o) for s, h, a, loop in zip(scores, hairpins, cuts, loops) if 0 <= a + o < loop]
        x, free = np.array([s[k] for s, _, k in at]), np.array([h.structure[k] == '.' for _, h, k in at])
        difference = lambda i: x[i][free[i]].mean() - x[i][~free[i]].mean()
        row = bootstrap(difference, np.arange(len(x))).iloc[0]
        yield (clade, o), dict(n=len(x), unpaired=free.mean(), **row)


def partial_spearman(x, y, given):
    "Correlation of ranks, after what `given` explains of them linearly is taken away."
    g = np.column_stack([np.ones(len(x)), *(rankdata(c) for c in given)])
    rest = [r - g @ np.linalg.lstsq(g, r, rcond=None)[0] for r in (rankdata(x), rankdata(y))]
    return np.corrcoef(*rest)[0, 1]


def near_loop(h, score, reach=25):
    "Share of |score| on the nucleotides next to the terminal loop, without the loop."
    (i, j), score = stem_of(h).pairs[0], np.abs(score)
    return (score[max(i + 1 - reach, 0) : i + 1].sum() + score[j : j + reach].sum()) / score.sum()


CORRELATED = ('length', 'gc', 'mfe_per_nt', 'paired_fraction', 'stem_length', 'terminal_loop', 'largest_interruption')


def correlations(name, hairpins, scores):
    "Spearman of factors, and of where the score lies, with the logit; alone, and with length and GC held constant."
    t = factor_table(hairpins, list(CORRELATED))
    t['distance of the stem from 35 columns'] = (t.stem_length - 35).abs()
    t['share of the score within 25 nt of the terminal loop'] = [near_loop(h, s) for h, s in zip(hairpins, scores)]
    logit = Detector.load().logits(encode(hairpins).images)
    for k in t:
        held = [t[g].to_numpy() for g in ('length', 'gc') if g != k]
        for how, given in {'alone': [], 'length and GC held constant': held}.items():
            measure = lambda i: partial_spearman(t[k].to_numpy()[i], logit[i], [g[i] for g in given])
            yield (name, k, how), bootstrap(measure, np.arange(len(t))).iloc[0].to_dict()


def as_table(rows, *names):
    "Rows of several sets, one below the other."
    return pd.DataFrame(dict(row for part in rows for row in part)).T.rename_axis(names)


def determinants():
    "Motifs where they stand, motifs planted, pairing by place, and correlations."
    for name, rows in {'motifs': at_motifs, 'planted': planted, 'unpaired': unpaired}.items():
        what = 'place' if name == 'unpaired' else 'determinant'
        write(f'biology_{name}', as_table((rows(clade) for clade in CLADES), 'clade', what).round(4))
    _, hairpins = precursors()
    own, pseudo = shipped(hairpins).nucleotides, (pseudo_hairpins(), pseudo_scores())
    rows = [correlations('precursors', hairpins, own), correlations('pseudo-hairpins', *pseudo)]
    write('biology_correlations', as_table(rows, 'set', 'factor', 'how').round(3))


COMMANDS = dict(regions=all_regions, profiles=profiles, seqlets=seqlets, determinants=determinants)

if __name__ == '__main__':
    main(COMMANDS, __doc__)
