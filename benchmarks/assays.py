"""Hold the detector, the energy and the explanations against experiments.

usage: MIRNBDEV_DATA=... python benchmarks/assays.py variants|heads|positions|motifs|cleave|logic

Each command writes tables into benchmarks/results/, where the page "Held against experiments" finds them. Folded
hairpins and trained detectors are kept in out/assays/ and used again. Only `heads` learns from an assay.
Intervals: 95 %, over resampled variants or hairpins. On one core: variants 4 minutes (folding), heads 12, positions 2,
motifs 4, cleave 1, logic 6.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import RNA
import torch
from common import bootstrap, kept, kept_data, main, write
from joblib import Parallel, delayed
from scipy.stats import rankdata, spearmanr
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.linear_model import RidgeCV
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from mirnbdev import evidence
from mirnbdev.biology import plant_motif
from mirnbdev.cnn import Detector, images_to_tensor
from mirnbdev.data import data_file, read_mirbase
from mirnbdev.encoding import encode
from mirnbdev.evidence import PLANTED_CONDITIONS, localisation, mask_nucleotides
from mirnbdev.factors import measure_factors, stem_of
from mirnbdev.generator import Generator
from mirnbdev.hairpin import NUCLEOTIDES, Hairpin, Record, energy_model, fold, fold_many, pair_table
from mirnbdev.processing import Processing
from mirnbdev.saliency import METHODS, attribute
from mirnbdev.variants import LEAST, energy_in_fold, known_motifs, mean_rank

KEPT = Path('out/assays')
WILD_TYPE = 'UGCCAGUCUCUAGGUCCCUGAGACCCUUUAACCUGUGAGGACAUCCAGGGUCACAGGUGAGGUUCUUGGGAGCCUGGCGUCUGGCC'
FACING = [(1 + k, 84 - k) for k in range(24)]  # Positions of miR-125a, from 0, that were mutated, and what faces them
BLOCK = 3  # Facing positions that were mutated together: a variant differs in one block of them alone
LEAST_READS = 10  # Of a hairpin that counts as processed
DRAWS = 200  # Of an interval
SOME = 200  # Variants of a folding task

# ---- rank correlations


def correlation(a, b):
    "Spearman where both are known; 0 where one of them is constant."
    a, b = (np.asarray(x, float) for x in (a, b))
    ok = ~np.isnan(a) & ~np.isnan(b)
    return 0.0 if np.ptp(a[ok]) * np.ptp(b[ok]) == 0 else spearmanr(a[ok], b[ok]).statistic


def correlation_row(a, b, groups=None):
    "Its interval: value, low, high."
    a, b = np.asarray(a, float), np.asarray(b, float)
    groups = np.arange(len(a)) if groups is None else groups
    return bootstrap(lambda i: correlation(a[i], b[i]), groups, DRAWS).iloc[0]


def mean_row(x):
    "The mean and its interval: value, low, high."
    x = np.asarray(x, float)
    return bootstrap(lambda i: np.nanmean(x[i]), np.arange(len(x)), DRAWS).iloc[0]


# ---- variants of miR-125a


def assay(name):
    "One table of an assay."
    return pd.read_csv(data_file(f'processing/{name}.tsv'), sep='\t', dtype={'starts': str})


@cache
def wild_type():
    "Human pri-miR-125a, as it was mutated."
    return fold(WILD_TYPE, 'miR-125a')


def pairs_of(h):
    "Base pairs, from 0."
    return [(i, j) for i, j in enumerate(pair_table(h.structure)) if j > i]


def folded(sequences, pairs):
    "Of each sequence: structure, energy, energy of the ensemble, pairing of each position, of the `pairs`, diversity."
    out = []
    for s in sequences:
        fc = RNA.fold_compound(s, energy_model())
        structure, energy = fc.mfe()
        fc.exp_params_rescale(energy)
        total = fc.pf()[1]
        p = np.array(fc.bpp())[1:, 1:]
        of_pairs = np.array([p[i, j] for i, j in pairs])
        out.append((structure, energy, total, (p + p.T).sum(0), of_pairs, fc.mean_bp_distance()))
    return out


def fold_variants():
    "Fold all variants, with their ensembles."
    d, pairs = assay('mir125a_variants'), pairs_of(wild_type())
    parts = [list(d.sequence[i : i + SOME]) for i in range(0, len(d), SOME)]
    rows = [r for part in Parallel(-1)(delayed(folded)(p, pairs) for p in parts) for r in part]
    return d, rows


@cache
def measured():
    "Variants as a table, hairpins, and what was folded."
    d, rows = kept_data(KEPT / 'variants.pkl', fold_variants)
    return d, [Hairpin(n, s, r[0], r[1]) for n, s, r in zip(d.name, d.sequence, rows)], rows


@torch.no_grad()
def seen_by_network(hairpins):
    "Logits of the shipped detector, and what its head sees."
    net, logits, features = Detector.load().model.eval(), [], []
    for i in range(0, len(hairpins), 256):
        x = net.features(images_to_tensor(encode(hairpins[i : i + 256]).images))
        features.append(x.numpy())
        logits.append(net.head(x)[:, 0].numpy())
    return np.concatenate(logits), np.concatenate(features)


def cut_columns(hairpins):
    "Log probability of the wild type's cuts, and `processing`."
    model = Processing.load()
    own, *_ = model.cut_probabilities([wild_type()])
    cuts = own.argmax(1)
    p = model.cut_probabilities(hairpins)
    log = np.array([[np.log(x[k, c] + LEAST) for k, c in enumerate(cuts)] for x in p])
    return {
        "cuts: log probability of the wild type's": log.sum(1),
        "cuts: log probability of the wild type's, Drosha": log[:, [0, 3]].sum(1),
        'cuts: processing': model.predict(hairpins).processing.to_numpy(),
    }


SEEN = 'detector: logit'
NATIVE = "energy: in the wild type's fold"
HELD = 'ensemble: pairs of the wild type'
CUTS = "cuts: log probability of the wild type's"


def make_quantities():
    "Every quantity of a variant for which nothing was learned from assays; higher should be better processed."
    d, hairpins, rows = measured()
    wt, stem = wild_type(), [k for p in pairs_of(wild_type()) for k in p]
    forced = [-energy_in_fold(h.sequence, wt.structure, np.arange(len(wt))) for h in hairpins]
    held = np.array([r[4] for r in rows])
    return pd.DataFrame(
        {
            SEEN: seen_by_network(hairpins)[0],
            'energy: -MFE': [-r[1] for r in rows],
            'energy: -free energy of the ensemble': [-r[2] for r in rows],
            NATIVE: forced,
            "structure: -distance to the wild type's fold": [-RNA.bp_distance(r[0], wt.structure) for r in rows],
            HELD: held.mean(1),
            'ensemble: pairs of the wild type, log': np.log(held + 1e-3).mean(1),
            'ensemble: pairing of the stem': [r[3][stem].mean() for r in rows],
            "ensemble: log probability of the wild type's fold": np.subtract(forced, [-r[2] for r in rows]),
            'ensemble: -diversity': [-r[5] for r in rows],
            'pairs of the fold': [r[0].count('(') for r in rows],
        }
    )


@cache
def quantities():
    "As of `make_quantities`, with cut sites."
    own = kept_data(KEPT / 'quantities.pkl', make_quantities)
    return own.assign(**cut_columns(measured()[1]))


def chosen(t):
    "The fixed combination: one quantity of each instrument, equal weights. The assays have no say in it."
    return mean_rank(t[[SEEN, NATIVE, CUTS]])


def variants():
    "Spearman of each quantity with measured maturation, never trained on it."
    d, *_ = measured()
    t, y = quantities(), d.measured.to_numpy()
    given = {**{k: t[k].to_numpy() for k in t}, 'our fixed combination': chosen(t)}
    given['our fixed combination, measured values shuffled'] = given['our fixed combination']
    rows = {}
    for name, x in given.items():
        z = np.random.default_rng(0).permutation(y) if 'shuffled' in name else y
        for what in ('many', 'few', 'all'):
            at = np.flatnonzero((d.set == what) | (what == 'all'))
            rows[name, what] = dict(n=len(at), **correlation_row(x[at], z[at]))
    write('assays_variants', pd.DataFrame(rows).T.rename_axis(['quantity', 'set']).round(4))


# ---- heads that learn from variants

TESTED = 3000  # Variants of `many` that no head sees
SIZES = {10: 10, 100: 10, 1000: 3, 10000: 1, None: 1}  # Variants that a head learns from (None: all) -> draws
BOOSTING = dict(max_iter=150, learning_rate=0.1, max_leaf_nodes=15, l2_regularization=1, random_state=0)


def ridge(n):
    "Ridge regression on standardised inputs; its penalty is chosen by leaving one out."
    return make_pipeline(StandardScaler(), RidgeCV(np.logspace(0, 5, 11)))


def boosting(n):
    "Gradient boosting of `n` variants; leaves hold a tenth of them, and not more than 20."
    return HistGradientBoostingRegressor(**BOOSTING, min_samples_leaf=min(20, max(n // 10, 1)))


def that_vary(x):
    "Columns with more than one value."
    x = np.asarray(x, np.float32)
    return x[:, x.std(0) > 0]


def one_hot(rows, letters):
    "(n, places) of letters as zeros and ones."
    return that_vary(np.concatenate([np.array(rows) == c for c in letters], 1))


def inputs():
    "What heads see: letters alone; factors; our quantities; and all of ours."
    d, hairpins, rows = measured()
    letters = one_hot([list(s) for s in d.sequence], NUCLEOTIDES)
    doubles = [a + b for a in NUCLEOTIDES for b in NUCLEOTIDES]
    facing = one_hot([[s[i] + s[j] for i, j in FACING] for s in d.sequence], doubles)
    paired = that_vary([[c != '.' for c in r[0]] for r in rows])
    ensemble = that_vary([np.concatenate([r[3], r[4]]) for r in rows])
    own = quantities().to_numpy(np.float32)
    return {
        'letters': letters,
        'factors': measure_factors(hairpins).astype(np.float32),
        'our quantities': own,
        'our letters, pairs and quantities': np.concatenate([letters, facing, own, paired, ensemble], 1),
    }


# Inputs -> models on them
HEADS = {
    'letters': dict(ridge=ridge, boosting=boosting),
    'factors': dict(ridge=ridge, boosting=boosting),
    'our quantities': dict(ridge=ridge, boosting=boosting),
    'our letters, pairs and quantities': dict(ridge=ridge),
}


def learned(x, make, train, tests):
    "Predictions of each of `tests` by a head that learned from `train`."
    y = measured()[0].measured.to_numpy()
    model = make(len(train)).fit(x[train], y[train])
    return [model.predict(x[t]) for t in tests]


def curve(x, make, pool, tests):
    "Size -> test -> Spearman: mean over draws, and interval over resampled variants."
    y = measured()[0].measured.to_numpy()
    for n, draws in SIZES.items():
        rng, seen = np.random.default_rng(0), []
        for _ in range(draws):
            seen.append(learned(x, make, rng.permutation(pool)[: n or len(pool)], tests.values()))
        for k, (what, at) in enumerate(tests.items()):
            p = [s[k] for s in seen]
            score = lambda i: np.mean([correlation(y[at[i]], x[i]) for x in p])
            row = bootstrap(score, np.arange(len(at)), DRAWS).iloc[0]
            yield n or len(pool), what, dict(draws=draws, **row)


def heads():
    "Heads that learn from n variants, tested on variants that no head saw, and on `few`."
    d, *_ = measured()
    assert d.sequence.is_unique
    many = np.random.default_rng(0).permutation(np.flatnonzero(d.set == 'many'))
    tests = {'many': many[:TESTED], 'few': np.flatnonzero(d.set == 'few')}
    rows = {}
    for name, x in inputs().items():
        for how, make in HEADS[name].items():
            for n, what, row in curve(x, make, many[TESTED:], tests):
                rows[name, how, n, what] = row
                print(name, how, n, what, {k: round(float(v), 3) for k, v in row.items()}, flush=True)
    x, y = inputs()['our letters, pairs and quantities'], d.measured.to_numpy()
    p = ridge(0).fit(x[many[TESTED:]], np.random.default_rng(0).permutation(y[many[TESTED:]]))
    for what, at in tests.items():
        own = dict(draws=1, **correlation_row(p.predict(x[at]), y[at]))
        rows['our letters, pairs and quantities', 'ridge, measured values shuffled', len(many) - TESTED, what] = own
    write('assays_heads', pd.DataFrame(rows).T.rename_axis(['inputs', 'head', 'n', 'set']).round(4), 10)
    write('assays_blocks', new_blocks())


def block_of(sequences):
    "Which block of positions a variant of `many` is mutated in; -1: none, or several."
    changed = np.array([[a != b for a, b in zip(s, WILD_TYPE)] for s in sequences])
    at = np.stack([changed[:, sum(FACING[k : k + BLOCK], ())].any(1) for k in range(0, len(FACING), BLOCK)], 1)
    return np.where(at.sum(1) == 1, at.argmax(1), -1)


def new_blocks():
    "Heads that learn from seven blocks of positions, tested on the eighth: mean Spearman within a block."
    d, *_ = measured()
    y, block, rows = d.measured.to_numpy(), np.where(d.set == 'many', block_of(d.sequence), -1), {}
    untrained = {'our fixed combination, untrained': chosen(quantities())}
    for name, x in (inputs() | untrained).items():
        found = []
        for b in range(len(FACING) // BLOCK):
            rest, at = np.flatnonzero((block >= 0) & (block != b)), np.flatnonzero(block == b)
            p = x[at] if name in untrained else learned(x, ridge, rest, [at])[0]
            found.append(correlation(p, y[at]))
        rows[name] = mean_row(found)
    return pd.DataFrame(rows).T.rename_axis('inputs').round(4)


# ---- attribution at each position

DOUBLES = {a + b: k for k, (a, b) in enumerate((a, b) for a in NUCLEOTIDES for b in NUCLEOTIDES)}
WATSON_CRICK = ('AU', 'UA', 'GC', 'CG')
PENALTY = 3  # Of the ridge, in variants


def states():
    "(n, 24): which two letters face each other."
    d, *_ = measured()
    return np.array([[DOUBLES[s[i] + s[j]] for i, j in FACING] for s in d.sequence])


def pair_effects(state, block, y, draw):
    "(24, 16): what the two letters of each facing pair add to maturation, by ridge within each block."
    out = np.zeros((len(FACING), len(DOUBLES)))
    for b in range(len(FACING) // BLOCK):
        rows, at = draw[block[draw] == b], slice(BLOCK * b, BLOCK * (b + 1))
        x = (state[rows, at, None] == np.arange(len(DOUBLES))).reshape(len(rows), -1).astype(float)
        x -= x.mean(0)
        v = y[rows] - y[rows].mean()
        out[at] = np.linalg.solve(x.T @ x + PENALTY * np.eye(x.shape[1]), x.T @ v).reshape(BLOCK, -1)
    return out


def losses(effect):
    "Position -> loss of maturation by one mutation; by two that keep the pair (sequence alone); their difference."
    partner, out = dict(pairs_of(wild_type())), {}
    for k, (i, j) in enumerate(FACING):
        a, b, of = WILD_TYPE[i], WILD_TYPE[j], lambda *two: np.mean([effect[k, DOUBLES[t]] for t in two])
        own, others = of(a + b), lambda c: [x for x in NUCLEOTIDES if x != c]
        single = {i: own - of(*(x + b for x in others(a))), j: own - of(*(a + x for x in others(b)))}
        both = own - of(*(t for t in WATSON_CRICK if t[0] != a and t[1] != b)) if partner.get(i) == j else np.nan
        out |= {p: (v, both, v - both) for p, v in single.items()}
    return pd.DataFrame(out, ['mutated', 'sequence alone', 'pairing alone']).T.sort_index()


def crude(state, y, draw):
    "Position -> coefficient of 'it is mutated' over all variants: a first look, which the assay's design deceives."
    s = measured()[0].sequence.to_numpy()[draw]
    at = sorted(sum(FACING, ()))
    x = np.array([[a[p] != WILD_TYPE[p] for p in at] for a in s], float)
    x -= x.mean(0)
    return pd.Series(-np.linalg.solve(x.T @ x + np.eye(len(at)), x.T @ (y[draw] - y[draw].mean())), at)


def explained():
    "Method -> score of each position of the wild type; and whether it is paired, and random scores."
    wt, detector = wild_type(), Detector.load()
    own = {m: attribute(detector, [wt], m).nucleotides[0] for m in METHODS}
    own['is it paired'] = np.array([c != '.' for c in wt.structure], float)
    own['random scores'] = np.random.default_rng(0).normal(size=len(wt))
    forced = lambda s: energy_in_fold(s, wt.structure, np.arange(len(wt))) - wt.mfe
    swap = lambda p: [WILD_TYPE[:p] + c + WILD_TYPE[p + 1 :] for c in NUCLEOTIDES if c != WILD_TYPE[p]]
    own["energy in the wild type's fold"] = np.array([np.mean([forced(s) for s in swap(p)]) for p in range(len(wt))])
    return own


def truths(draw, y):
    "What mutation does at each position, measured on a draw of variants; the last is the crude look."
    state, block = states_and_blocks()
    t = losses(pair_effects(state, block, y, draw))
    partner = pairs_of(wild_type())
    in_pairs = t.index.isin([k for p in partner for k in p])
    t['mutated, paired only'] = t.mutated.where(in_pairs)
    t['crude'] = crude(state, y, draw)
    return t


@cache
def states_and_blocks():
    "Letters that face each other, and block, of each variant of `many`."
    d, *_ = measured()
    return states(), np.where(d.set == 'many', block_of(d.sequence), -1)


def positions():
    "Attributions of the wild type beside what a mutation at each position does."
    d, *_ = measured()
    y, many = d.measured.to_numpy(), np.flatnonzero(d.set == 'many')
    scores, whole, rng = explained(), truths(many, y), np.random.default_rng(0)
    at, groups = whole.index.to_numpy(), {p: k for k, pair in enumerate(FACING) for p in pair}
    members = pd.Series(np.arange(len(at))).groupby([groups[p] for p in at]).indices
    draws = []
    for _ in range(DRAWS):  # variants, and pairs of facing positions
        t = truths(rng.choice(many, len(many)), y)
        i = np.concatenate([members[k] for k in rng.integers(len(FACING), size=len(FACING))])
        draws.append({(m, c): correlation(s[at][i], t[c].to_numpy()[i]) for m, s in scores.items() for c in t})
    mixed = [truths(many, rng.permutation(y)) for _ in range(20)]
    rows = {}
    for (m, c), found in pd.DataFrame(draws).items():
        low, high = found.quantile([0.025, 0.975])
        chance = np.mean([correlation(scores[m][at], t[c].to_numpy()) for t in mixed])
        value = correlation(scores[m][at], whole[c].to_numpy())
        rows[m, c] = dict(n=whole[c].notna().sum(), value=value, low=low, high=high, shuffled=chance)
        behind = (pd.Series([x['mutagenesis', c] for x in draws]) - found).quantile([0.025, 0.975])
        rows[m, c] |= dict(zip(('behind mutagenesis, low', 'behind mutagenesis, high'), behind))
    write('assays_positions', pd.DataFrame(rows).T.rename_axis(['method', 'measured']).round(4))
    shown = whole.assign(letter=[WILD_TYPE[p] for p in at], paired=[wild_type().structure[p] != '.' for p in at])
    shown = shown.assign(**{m: s[at] for m, s in scores.items()})
    shown.index = (shown.index + 1).rename('position')
    write('assays_effects', shown.round(4))
    write('assays_single', single_mutants())


def single_mutants():
    "Single substitutions that were measured (set `few`): Spearman with the change that we predict for each of them."
    d, *_ = measured()
    at = np.flatnonzero((d.set == 'few') & (d.name.str.count('_') == 1))
    y, t, s = d.measured.to_numpy(), quantities().iloc[at], explained()
    where = [int(n.split('_')[1][1:-1]) - 1 for n in d.name.iloc[at]]
    given = {k: t[k].to_numpy() for k in t} | {f'{m}, of the position': -x[where] for m, x in s.items()}
    rows = {k: dict(n=len(at), **correlation_row(x, y[at], where)) for k, x in given.items()}
    return pd.DataFrame(rows).T.rename_axis('quantity').round(4)


# ---- motifs

GHG_SITE = 6  # nt from the 5' cut of Drosha back to the middle of the mismatched triple (Kwon et al. 2019)
HEXAMERS = 512  # Of 4,096; every eighth by measured score
HOSTS = 16  # Precursors that get each of them
PAIRED = ('AU', 'UA', 'GC', 'CG', 'GU', 'UG')


@cache
def annotated():
    "Foreign precursors with both arms annotated, with their four cuts as boundaries, and whether training saw them."
    d = foreign()
    d = d[d[['start_5p', 'end_5p', 'start_3p', 'end_3p']].notna().all(axis=1)].reset_index(drop=True)
    cuts = d[['start_5p', 'end_5p', 'start_3p', 'end_3p']].to_numpy(int)
    return d.assign(cuts=list(cuts), unseen=d.side.isin(['validation', 'test']))


def responses(hairpins, cuts, own):
    "Of each hairpin: logit, log probability of each annotated cut and of the `own` cuts of Drosha, and `processing`."
    found = Processing.load().analyse(hairpins)
    log = lambda places: np.log(np.array([p[range(4), k] for p, k in zip(found.cuts, places)]) + LEAST)
    known = log(cuts)
    return {
        SEEN: Detector.load().logits(encode(hairpins).images),
        "cuts: Drosha's 5' cut": known[:, 0],
        "cuts: Drosha's 3' cut": known[:, 3],
        "cuts: Drosha's two": known[:, [0, 3]].sum(1),
        "cuts: Drosha's two, as predicted": log(own)[:, [0, 3]].sum(1),
        "cuts: Dicer's two": known[:, 1:3].sum(1),
        'cuts: processing': found.arms.processing.to_numpy(float),
    }


def own_cuts(hairpins):
    "The most probable boundary of each cut, whatever the others: (4,) each."
    return [p.argmax(1) for p in Processing.load().cut_probabilities(hairpins)]


def hosts():
    "Row and place of GHG of precursors that training did not see, one a cluster, whose stem is paired at that place."
    for r in annotated()[lambda d: d.unseen].drop_duplicates('cluster').itertuples():
        k, partner = int(r.start_5p) - GHG_SITE, pair_table(r.hairpin.structure)
        three = [partner[k + o] for o in (-1, 0, 1)]
        if min(three) > k and three[0] - three[2] == 2:
            yield r, k, three[1]


def ghg_written(h, k, facing, hexamer):
    "Three letters of the 5' arm, and the three that face them, in the order in which they face."
    s = list(h.sequence)
    s[k - 1 : k + 2], s[facing - 1 : facing + 2] = hexamer[:3], hexamer[:2:-1]
    return ''.join(s)


def response_row(x, y, z):
    "Spearman of a quantity, (hosts, hexamers), with scores `y` and shuffled scores `z`: of its mean, and by host."
    mean = np.nanmean(x - np.nanmean(x, 1, keepdims=True), 0)
    alone, chance = ([correlation(row, v) for row in x] for v in (y, z))
    row = dict(hexamers=len(y), hosts=len(x), **correlation_row(mean, y), shuffled=correlation(mean, z))
    row |= {f'one host, {k}': v for k, v in mean_row(alone).items()}
    return row | {'one host, shuffled': np.mean(chance), 'hosts above 0': np.sum(np.array(alone) > 0)}


def ghg():
    "Each of our scores against the measured score of the hexamer."
    g = assay('ghg_scores').sort_values(['score', 'hexamer']).reset_index(drop=True).iloc[::8]
    g, homes = g.iloc[:HEXAMERS], list(hosts())
    homes = [homes[k] for k in np.linspace(0, len(homes) - 1, min(HOSTS, len(homes))).astype(int)]
    made = (Record(f'{r.name} {x}', ghg_written(r.hairpin, k, f, x)) for r, k, f in homes for x in g.hexamer)
    hairpins = list(fold_many(made, n_jobs=-1))
    many = lambda rows: np.repeat(rows, len(g), axis=0)
    own = own_cuts([r.hairpin for r, *_ in homes])
    given = responses(hairpins, many([r.cuts for r, *_ in homes]), many(own))
    pairs = np.array([sum(a + b in PAIRED for a, b in zip(x[:3], x[3:])) for x in g.hexamer])
    given |= {
        'energy: -MFE': [-h.mfe for h in hairpins],
        'pairs that the six letters can form': np.tile(pairs, len(homes)),
    }
    y, rows = g.score.to_numpy(), {}
    z = np.random.default_rng(0).permutation(y)
    for name, x in given.items():
        x = np.reshape(x, (len(homes), len(g))).astype(float)
        rows[name] = response_row(x, y, z)
        if 'pairs' not in name:
            rows[f'{name}; two of three pairs'] = response_row(x[:, pairs == 2], y[pairs == 2], z[pairs == 2])
    return pd.DataFrame(rows).T.rename_axis('quantity').round(4)


def changed(h, start, letters):
    "Letters written into `h`, folded again; None where `h` does not reach so far."
    return plant_motif(h, start, letters, False) if 0 <= start <= len(h) - len(letters) else None


def in_loop(h, r, letters):
    "Written at the start of the terminal loop."
    return changed(h, stem_of(h).pairs[0][0] + 1, letters)


# Motif -> write(h, record, letters), with it, without it: the same letters in another order
MOTIFS = {
    "basal UG, 14 nt before the 5' cut": (lambda h, r, x: changed(h, int(r.start_5p) - 14, x), 'UG', 'GU'),
    'UGU at the start of the terminal loop': (in_loop, 'UGU', 'UUG'),
    'GUG at the start of the terminal loop': (in_loop, 'GUG', 'GGU'),
    "CNNC, 17 nt behind the 3' cut": (lambda h, r, x: changed(h, int(r.end_3p) + 17, x), 'CAAC', 'CACA'),
}


def motif_rows(name, d):
    "What one motif adds to each quantity: mean over precursors, and over random signs."
    write_in, *contents = MOTIFS[name]
    pairs = [[write_in(r.hairpin, r, x) for x in contents] for r in d.itertuples()]
    fits = np.array([None not in p for p in pairs])
    d, own = d[fits].reset_index(drop=True), own_cuts(list(d.hairpin[fits]))
    there, gone = (responses(list(x), d.cuts, own) for x in zip(*(p for p, ok in zip(pairs, fits) if ok)))
    sign = np.random.default_rng(0).choice([-1, 1], len(d))
    for side, at in {'not in training': np.flatnonzero(d.unseen), 'all': np.arange(len(d))}.items():
        for k in there:
            gain = (there[k] - gone[k])[at]
            row = bootstrap(lambda i: np.nanmean(gain[i]), d.cluster[at].to_numpy(), DRAWS).iloc[0]
            yield (name, side, k), dict(n=len(at), **row, shuffled=np.nanmean(gain * sign[at]))


def motifs():
    "The other three motifs by substitution, in precursors with flanks; and the measured scores of GHG."
    rows = dict(row for name in MOTIFS for row in motif_rows(name, annotated()))
    write('assays_motifs', pd.DataFrame(rows).T.rename_axis(['motif', 'precursors', 'quantity']).round(4))
    write('assays_ghg', ghg())


# ---- MapToCleave

ARM = 18  # nt; an arm that shares so many with a human precursor is confounded by the cell's own


def shares(arm, human):
    "Does an arm share 18 nt with a human precursor?"
    return any(arm[i : i + ARM] in human for i in range(len(arm) - ARM + 1))


@cache
def foreign():
    "Records that are not human and share no arm with a human precursor, with hairpins and clusters of miRBase."
    d, b = assay('maptocleave'), read_mirbase()
    human = ' '.join(b.sequence[b.name.str.startswith('hsa-')])
    arms = lambda r: [
        r.sequence[int(a) : int(e)] for a, e in ((r.start_5p, r.end_5p), (r.start_3p, r.end_3p)) if a == a
    ]
    own = [any(shares(a, human) for a in arms(r)) for r in d.itertuples()]
    d = d[~d.name.str.startswith('hsa-') & ~np.array(own)].reset_index(drop=True)
    known = b.set_index('accession')
    d['cluster'] = known.cluster.reindex(d.accession).fillna(-1).to_numpy()
    d['side'] = known.split.reindex(d.accession).to_numpy()
    return d.assign(hairpin=list(fold_many(Record(n, s) for n, s in zip(d.name, d.sequence))))


SPECIES = dict(cel='worm', dme='fly', mmu='mouse', nve='sea anemone', sme='planarian')


OWN_MOTIFS, WITH_MOTIFS = 'motifs: at predicted cuts', 'our fixed combination and motifs'


def processing_scores(d):
    "Name -> score of each hairpin, never trained on reads."
    h = list(d.hairpin)
    rows = folded([x.sequence for x in h], [])
    found = {SEEN: Detector.load().decision_function(h), 'energy: -MFE': np.array([-x.mfe for x in h])}
    found['ensemble: pairing'] = np.array([r[3].mean() for r in rows])
    found['ensemble: -diversity'] = np.array([-r[5] for r in rows])
    motifs = d[['basal_UG', 'apical_UGU', 'GHG', 'CNNC']].fillna(0).sum(axis=1)
    found['motifs: how many of four'] = motifs.to_numpy()
    arms = Processing.load().predict(h)
    found['cuts: processing'] = arms.processing.to_numpy()
    own = [known_motifs(x, r.start_5p - 1, r.end_3p) for x, r in zip(h, arms.itertuples())]
    found[OWN_MOTIFS] = np.array([len(m) for m in own])
    instruments = [SEEN, 'energy: -MFE', 'cuts: processing']
    joined = lambda names: mean_rank(pd.DataFrame({k: found[k] for k in names}))
    found['our fixed combination'] = joined(instruments)
    found[WITH_MOTIFS] = joined([*instruments, OWN_MOTIFS])
    return found


def within(y, p, groups):
    "AUROC of pairs of which both are of the same group; NaN without any."
    won = pairs = 0.0
    for g in np.unique(groups):
        own, n = groups == g, np.bincount(y[groups == g], minlength=2).prod()
        if n:
            won, pairs = won + n * roc_auc_score(y[own], p[own]), pairs + n
    return won / pairs if pairs else np.nan


def cleave():
    "Which score tells processed from unprocessed precursors? In all, and by species."
    d = foreign()
    y, rows = (d.reads >= LEAST_READS).astype(int).to_numpy(), {}
    scores = processing_scores(d)
    scores['our fixed combination and motifs, reads shuffled'] = scores[WITH_MOTIFS]
    groups = {k: np.ones(len(d), bool) for k in ('all', 'within species')}
    groups['held out'] = (d.side == 'test').to_numpy()
    groups |= {s: d.name.str.startswith(k).to_numpy() for k, s in SPECIES.items()}
    species = d.name.str[:3].to_numpy()
    for group, at in groups.items():
        if min(np.bincount(y[at], minlength=2)) < 2:
            continue
        own = species[at] if group == 'within species' else np.zeros(at.sum())
        for name, x in scores.items():
            z = np.random.default_rng(0).permutation(y[at]) if 'shuffled' in name else y[at]
            measure = lambda i: within(z[i], x[at][i], own[i])
            row = bootstrap(measure, d.cluster[at], DRAWS).iloc[0]
            rows[group, name] = dict(processed=y[at].sum(), n=at.sum(), **row)
    write('assays_cleave', pd.DataFrame(rows).T.rename_axis(['group', 'quantity']).round(4))


# ---- logic

LOGIC = dict(train=(1500, 4), validation=(300, 2), test=(300, 1))  # Hairpins written, changes of each quadruple
LOGIC_EPOCHS, EXPLAINED = 14, 40  # Epochs; quadruples that are explained
APART = 5  # Pairs from one opened pair to the other, in the rule of distance
CASES = [(1, 1), (1, 0), (0, 1), (0, 0)]


def opened(h, places, rng):
    "Add a base of pairs, and open those at `places`."
    (i, j), n = evidence._pairs(h)[0], evidence.HELIX
    five = rng.choice(list(NUCLEOTIDES), n)
    three = np.array(list(evidence.reverse_complement(''.join(five))))
    for k in places:
        three[n - 1 - k] = five[k]  # no letter pairs with itself
    left = ''.join('.' if k in places else '(' for k in range(n))
    structure = left + h.structure[i : j + 1] + left[::-1].replace('(', ')')
    return ''.join(five) + h.sequence[i : j + 1] + ''.join(three), structure


def both_needed(h, rng):
    "AND: one pair of an added base is open, and a motif stands in the loop. Four versions of one hairpin, or None."
    state, out = rng.bit_generator.state, []
    for one, two in CASES:
        rng.bit_generator.state = state
        sequence, structure = opened(h, [evidence.OPENED - 1] * one, rng)
        motif = evidence.plant_motif(Hairpin(h.name, sequence, structure, None), two, rng)
        if motif is None:
            return None
        where = [[evidence.OPENED - 1, len(sequence) - evidence.OPENED], motif.where]
        out.append((motif.sequence, structure, where, one * two))
    return out


def at_a_distance(h, rng):
    "Two opened pairs, `APART` or another distance apart, anywhere: neither place tells anything alone."
    n = evidence.HELIX
    first = int(rng.integers(2, n - 2 - APART))
    others = [k for k in range(2, n - 2) if abs(k - first) > 1 and abs(k - first) != APART]
    second = int(rng.choice(others))
    state, out = rng.bit_generator.state, []
    for far, label in ((first + APART, 1), (second, 0)):
        rng.bit_generator.state = state
        sequence, structure = opened(h, (first, far), rng)
        where = [[k, len(structure) - 1 - k] for k in (first, far)]
        out.append((sequence, structure, where, label))
    return out


LOGICS = {'both needed': both_needed, 'at a distance': at_a_distance}


def logic_set(rule, n, times, seed):
    "Groups of versions of the same hairpin that all fold as intended: hairpins, labels, places of both parts."
    rng, make = np.random.default_rng(seed), LOGICS[rule]
    written = Generator.load().sample(n, seed=seed, n_jobs=-1, **PLANTED_CONDITIONS).refolded
    groups = [g for _ in range(times) for h in written if evidence._has_even_stem(h) and (g := make(h, rng))]
    flat = [Record(f'{rule} {i}', s) for i, (s, *_) in enumerate(x for g in groups for x in g)]
    out, made = [], fold_many(flat, n_jobs=-1)
    for g in groups:
        versions = [(next(made), *x[1:]) for x in g]
        if all(h.structure == structure for h, structure, *_ in versions):
            out.append([(h, label, where) for h, _, where, label in versions])
    return out


def balanced(groups, seed):
    "As many hairpins that follow the rule as others: hairpins, labels."
    flat = [(h, label) for g in groups for h, label, _ in g]
    y = np.array([label for _, label in flat])
    yes = np.flatnonzero(y)
    keep = np.sort(np.concatenate([np.repeat(yes, (y == 0).sum() // len(yes)), np.flatnonzero(y == 0)]))
    return [flat[i][0] for i in keep], y[keep]


def mask_of(h, where):
    "Positions as a mask."
    return np.isin(np.arange(len(h)), where)


def interaction(model, h, one, two):
    "Difference of differences of the logit: what hiding both loses beyond what hiding each loses."
    image = encode([h]).images[0]
    hide = np.array([np.zeros(len(h), bool), one, two, one | two])
    none, a, b, both = model.logits(mask_nucleotides(image, h, hide))
    return (none - a) - (b - both)


def pair_rank(model, h, where, rng, others=30):
    "Rank (0-1) of the interaction of the two planted parts among pairs of other stretches as long."
    parts = [mask_of(h, w) for w in where]
    true = abs(interaction(model, h, *parts))
    shift = lambda p: np.roll(p, int(rng.integers(1, len(h))))
    return np.mean([true > abs(interaction(model, h, shift(parts[0]), shift(parts[1]))) for _ in range(others)])


def part_scores(scores, groups, version, part):
    "Mean score of one part in one version of each group."
    return np.array([s[mask_of(g[version][0], g[version][2][part])].mean() for s, g in zip(scores, groups)])


def explain_logic(model, groups):
    "Method -> how both parts are found, and what the score of a part is with and without the other."
    rows, whole = {}, [g[0][0] for g in groups]
    masks = [mask_of(g[0][0], sum(g[0][2], [])) for g in groups]
    alone = [g[1][0] for g in groups]
    for m in METHODS:
        own, lonely = (attribute(model, h, m, steps=32).nucleotides for h in (whole, alone))
        x = dict(found=localisation(own, masks))
        first = [mask_of(g[1][0], g[1][2][0]) for g in groups]
        x['first part found without the other'] = localisation(lonely, first)
        ranks = [rankdata(s) / len(s) for s in own], [rankdata(s) / len(s) for s in lonely]
        x['rank of the first part, with the other'] = part_scores(ranks[0], groups, 0, 0)
        x['rank of the first part, without it'] = part_scores(ranks[1], groups, 1, 0)
        for what, v in x.items():
            rows[m, what] = mean_row(v)
    return rows


def logic():
    "Detectors that learned a rule of logic: which method shows that two parts belong together?"
    out, quality = {}, {}
    for rule in LOGICS:
        train, validation, test = (logic_set(rule, *n, seed) for seed, n in enumerate(LOGIC.values()))
        learn = lambda: Detector(0, LOGIC_EPOCHS).fit(*balanced(train, 0), balanced(validation, 1))
        model = kept(Detector, KEPT / rule.replace(' ', '-'), learn)
        h, y = zip(*((h, label) for g in test for h, label, _ in g))
        logit = model.logits(encode(list(h)).images)
        quality[rule] = dict(train=sum(map(len, train)), test=len(y), AUROC=roc_auc_score(y, logit))
        for k in range(len(test[0])):
            quality[rule][f'logit of version {k + 1}'] = logit[k :: len(test[0])].mean()
        print(rule, quality[rule], flush=True)
        some, rng = test[:EXPLAINED], np.random.default_rng(0)
        for (m, what), row in explain_logic(model, some).items():
            out[rule, m, what] = row
        rank = np.array([pair_rank(model, g[0][0], g[0][2], rng) for g in some])
        lone = np.array([pair_rank(model, g[1][0], g[1][2], rng) for g in some])
        for what, v in {'interaction of the two parts': rank, 'the same where the rule is broken': lone}.items():
            out[rule, 'pairs hidden', what] = mean_row(v)
        if rule == 'both needed':
            four = logit.reshape(-1, 4)
            x = four[:, 0] - four[:, 1] - four[:, 2] + four[:, 3]
            for what, v in {
                'difference of differences': x,
                'first part alone': four[:, 1] - four[:, 3],
                'second part alone': four[:, 2] - four[:, 3],
                'both': four[:, 0] - four[:, 3],
            }.items():
                out[rule, 'mutants', what] = mean_row(v)
    write('assays_logic', pd.DataFrame(out).T.rename_axis(['rule', 'method', 'test']).round(4))
    write('assays_logic_detectors', pd.DataFrame(quality).T.rename_axis('rule').round(4))


COMMANDS = dict(variants=variants, heads=heads, positions=positions, motifs=motifs, cleave=cleave, logic=logic)

if __name__ == '__main__':
    main(COMMANDS, __doc__)
