"""Measure where the cuts of held-out precursors are predicted, beside baselines, and how sure the answers may be.

usage: MIRNBDEV_DATA=... python benchmarks/processing.py cuts|calibration|windows

Each command writes tables into benchmarks/results/, where the page "Cut sites" finds them. Folded hairpins and the
answers of the baselines are kept in out/processing/ and used again. All records are on the test side of the split: no
relative was trained on. Baselines are fitted on the training side only. Intervals: 95 %, over resampled clusters of
relatives. On one core: cuts 7 minutes (2 of them folding, 1 boosting), calibration 1, windows 1.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from common import bootstrap, interval, kept_data, main, write
from numpy.lib.stride_tricks import sliding_window_view
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import matthews_corrcoef, roc_auc_score

from mirnbdev.hairpin import NUCLEOTIDES, axis
from mirnbdev.processing import ARM_COLUMNS, CUTS, Processing, cut_records
from mirnbdev.sets import fold_frame

KEPT = Path('out/processing')
FIVE_PRIME = CUTS[:2]  # Cuts on the 5' arm
SCOPES = {'Metazoa': 'animals', 'Viridiplantae': 'plants'}  # Clade -> what the tables call it; the rest: other
VIEWS = {'whole': 'whole entry', 'flanked': 'random flanks', 'context': 'real flanks', 'shift': 'real flanks'}
TEACHERS = 4000  # Training records for baselines; with 12,000 boosting is exact in animals at most .035 more often
OURS, BOOSTING = 'our network', 'boosting on windows'

# ---- records


def folded(side, most=None):
    "Records of one side with pairs, as many as `most`, and their hairpins."
    d = cut_records(side)
    d = d.sample(min(most or len(d), len(d)), random_state=0).sort_index()
    hairpins = fold_frame(d)
    paired = ['(' in h.structure for h in hairpins]
    d = d[paired].assign(scope=d.clade.map(SCOPES).fillna('other'), view=d['view'].map(VIEWS))
    both = (d[list(CUTS)] >= 0).all(axis=1)
    d['evidence'] = np.where(both, 'both arms', 'one arm')
    return d.reset_index(drop=True), [h for h, ok in zip(hairpins, paired) if ok]


@cache
def tested():
    "All records of the test side."
    return kept_data(KEPT / 'test.pkl', lambda: folded('test'))


@cache
def our_model():
    "The shipped network."
    return Processing.load()


@cache
def our_answers():
    "Of each test record: the predicted boundaries, and the probability of each."
    found = our_model().predict(tested()[1])
    places = found[ARM_COLUMNS].to_numpy(int) - [1, 0, 1, 0]
    return pd.DataFrame(places, columns=CUTS), found[list(CUTS)]


# ---- baselines


WIDE = 10  # Unpaired nt, of both strands, at which the stem ends; of 3 to 15 the best on the training side


def stem_pairs(h):
    "Base pairs from the terminal loop outwards, up to the first internal loop or bulge of `WIDE` nt."
    structure = axis(h.structure)
    opens, closes = ([i for i, c in enumerate(structure) if c == b] for b in '()')
    pairs = list(zip(opens[::-1], closes))
    wide = (k for k, (p, q) in enumerate(zip(pairs, pairs[1:]), 1) if (p[0] - q[0]) + (q[1] - p[1]) - 2 >= WIDE)
    return pairs[: next(wide, None)]


def landmarks(h):
    "Boundaries of the terminal loop, of the base (where the stem ends), and of the record: 5' and 3' each."
    pairs = stem_pairs(h)
    (a, b), (i, j) = pairs[0], pairs[-1]
    return {'loop': (a + 1, b), 'base': (i, j + 1), 'end': (0, len(h))}


def marks_of(hairpins):
    "Landmarks of many: name -> (n, 2)."
    rows = [landmarks(h) for h in hairpins]
    return {name: np.array([r[name] for r in rows]) for name in rows[0]}


def fixed_distance(teachers, marks, d, own_marks):
    "For each cut the median distance from a landmark in training, of animals, plants and others each."
    out = pd.DataFrame(0, d.index, CUTS)
    for cut in CUTS:
        arm, known = int(cut not in FIVE_PRIME), teachers[cut] >= 0
        away = (teachers[cut] - marks[:, arm])[known]
        usual = away.groupby(teachers.scope[known]).median().round().astype(int)
        out[cut] = own_marks[:, arm] + d.scope.map(usual).fillna(round(away.median())).astype(int)
    return out


AROUND = 8  # Nucleotides on each side of a boundary that boosting sees
STATES = '.()'
NEAR, NEAR_NEGATIVES, FAR_NEGATIVES = 5, 3, 3  # nt; wrong boundaries of a record within it, and elsewhere
BOOST = dict(max_iter=200, learning_rate=0.1, max_leaf_nodes=15, l2_regularization=1, random_state=0)


def windows(h):
    "(boundaries, 32) letters and pairing of the nucleotides around each boundary; the last code is beyond the ends."
    rows = []
    for text, codes in ((h.sequence, NUCLEOTIDES), (h.structure, STATES)):
        x = np.pad([codes.index(c) for c in text], AROUND, constant_values=len(codes))
        rows.append(sliding_window_view(x, 2 * AROUND))
    return np.concatenate(rows, 1)


def candidates(h, cut, at=None):
    "Boundaries of the arm with its loop (or those given), and what boosting sees of them."
    marks, arm = landmarks(h), int(cut not in FIVE_PRIME)
    b = np.arange(marks['loop'][1] + 1) if not arm else np.arange(marks['loop'][0], len(h) + 1)
    b = b if at is None else np.asarray(at)
    distances = np.stack([b - marks[name][arm] for name in ('loop', 'base', 'end')], 1)
    return b, np.concatenate([windows(h)[b], distances], 1)


def some_boundaries(h, cut, true, rng):
    "The true boundary first, then wrong ones."
    b = candidates(h, cut)[0]
    b = b[b != true]
    near = b[abs(b - true) <= NEAR]
    far = np.setdiff1d(b, near)
    some = (rng.choice(x, min(n, len(x)), False) for x, n in ((near, NEAR_NEGATIVES), (far, FAR_NEGATIVES)))
    return np.concatenate([[true], *some])


def boosted(teachers, hairpins, cut):
    "Gradient boosting that tells a boundary with this cut from others."
    rng, x, y = np.random.default_rng(0), [], []
    for h, true in zip(hairpins, teachers[cut]):
        if true >= 0:
            b = some_boundaries(h, cut, true, rng)
            x.append(candidates(h, cut, b)[1])
            y.append(b == true)
    letters = list(range(4 * AROUND))
    model = HistGradientBoostingClassifier(**BOOST, categorical_features=letters)
    return model.fit(np.concatenate(x).astype(np.float32), np.concatenate(y))


def best_boundaries(model, hairpins, cut):
    "The boundary with the highest score of each hairpin."
    found = [candidates(h, cut) for h in hairpins]
    score = model.predict_proba(np.concatenate([x for _, x in found]).astype(np.float32))[:, 1]
    parts = np.split(score, np.cumsum([len(b) for b, _ in found])[:-1])
    return [b[s.argmax()] for (b, _), s in zip(found, parts)]


def make_baselines():
    "Answers of each baseline on the test side: name -> boundaries."
    teachers, taught = kept_data(KEPT / 'teachers.pkl', lambda: folded('train', TEACHERS))
    d, hairpins = tested()
    marks, own = marks_of(taught), marks_of(hairpins)
    out = {f'fixed distance from the {k}': fixed_distance(teachers, marks[k], d, own[k]) for k in ('loop', 'base')}
    fitted = {cut: boosted(teachers, taught, cut) for cut in CUTS}
    out[BOOSTING] = pd.DataFrame({cut: best_boundaries(fitted[cut], hairpins, cut) for cut in CUTS})
    return out


@cache
def answers():
    "Boundaries predicted on the test side: method -> table."
    return {OURS: our_answers()[0], **kept_data(KEPT / 'baselines.pkl', make_baselines)}


# ---- tables


def distances(x):
    "Shares of answers that are right, and how far they are off."
    within = {f'within {k}': (x <= k).mean() for k in (1, 2)}
    return {'exact': (x == 0).mean(), **within, 'mean distance': x.mean(), 'median distance': np.median(x)}


def row_of(measured, to='-'):
    "One row of text cells: value (low-high)."
    return {m: f'{r.value:.3f} ({r.low:.3f}{to}{r.high:.3f})' for m, r in measured.iterrows()}


def measured_rows(off, clusters, measure):
    "Each method on the same draws: method -> row; `off`: (n, methods)."
    names = list(off)
    at = lambda i: pd.Series({(n, k): v for n in names for k, v in measure(off[n][i]).items()})
    t = bootstrap(at, clusters)
    return {n: row_of(t.loc[n]) for n in names}


def cut_rows(keys, methods):
    "A table by columns of the records, cut and method."
    d, out = tested()[0], {}
    for cut in CUTS:
        for key, some in d[d[cut] >= 0].groupby(keys):
            off = {m: abs(answers()[m].loc[some.index, cut] - some[cut]).to_numpy() for m in methods}
            count = dict(n=len(some), clusters=some.cluster.nunique())
            for m, row in measured_rows(off, some.cluster, distances).items():
                out[*key, cut, m] = count | row
    order = [*keys, 'cut', 'method']
    return pd.DataFrame(out).T.rename_axis(order).sort_index(level=keys, sort_remaining=False)


def gain_rows(keys):
    "By how much ours is better than each baseline on the same records: share of exact cuts, and nearer by how many nt."
    d, out = tested()[0], {}
    for cut in CUTS:
        for key, some in d[d[cut] >= 0].groupby(keys):
            off = {m: abs(x.loc[some.index, cut] - some[cut]).to_numpy() for m, x in answers().items()}
            ours = off.pop(OURS)
            for m, x in off.items():
                gain = lambda i: {'exact': (ours[i] == 0).mean() - (x[i] == 0).mean(), 'nearer': (x - ours)[i].mean()}
                out[*key, cut, m] = row_of(bootstrap(lambda i: pd.Series(gain(i)), some.cluster), ' to ')
    return pd.DataFrame(out).T.rename_axis([*keys, 'cut', 'baseline']).sort_index(level=keys, sort_remaining=False)


def arm_rows(keys, methods):
    "Both ends of an arm right, and both within one nucleotide."
    d, out = tested()[0], {}
    for arm, cuts in (("5' arm", CUTS[:2]), ("3' arm", CUTS[2:])):
        for key, some in d[(d[list(cuts)] >= 0).all(axis=1)].groupby(keys):
            true, at = some[list(cuts)], (some.index, list(cuts))
            off = {m: abs(answers()[m].loc[at] - true).max(axis=1).to_numpy() for m in methods}
            count = dict(n=len(some), clusters=some.cluster.nunique())
            both = lambda x: {'both ends exact': (x == 0).mean(), 'both within 1': (x <= 1).mean()}
            for m, row in measured_rows(off, some.cluster, both).items():
                out[*key, arm, m] = count | row
    return pd.DataFrame(out).T.rename_axis([*keys, 'arm', 'method']).sort_index(level=keys, sort_remaining=False)


def record_counts(some):
    "How many records and clusters, with both arms, and with Drosha's cut at an end of the record."
    at_ends = (some.drosha_5p == 0) | (some.drosha_3p == some.sequence.str.len())
    counts = dict(records=len(some), clusters=some.cluster.nunique(), species=some.name.str.split('-').str[0].nunique())
    return counts | {'with both arms': (some.evidence == 'both arms').mean(), 'cut at an end': at_ends.mean()}


def cuts():
    "Each cut and each arm: ours and the baselines, by view, evidence and group."
    d, methods = tested()[0], list(answers())
    counts = {key: record_counts(some) for key, some in d.groupby(['scope', 'view'])}
    counts = pd.DataFrame(counts).T.rename_axis(['scope', 'view']).round(3)
    write('processing_records', counts.astype(dict.fromkeys(['records', 'clusters', 'species'], int)))
    write('processing_cuts', cut_rows(['scope', 'view'], methods))
    write('processing_gains', gain_rows(['scope', 'view']))
    write('processing_arms', arm_rows(['scope', 'view'], methods))
    write('processing_evidence', cut_rows(['scope', 'view', 'evidence'], [OURS, BOOSTING]))
    write('processing_groups', cut_rows(['group', 'view'], [OURS, BOOSTING]))


BINS = np.linspace(0, 1, 11)  # Edges, of probabilities


def reliability(p, right, clusters):
    "By bins of the probability: how many, what was said, and the share that was right, with its interval."
    out, bins = {}, np.clip(np.digitize(p, BINS) - 1, 0, len(BINS) - 2)
    for k in np.unique(bins):
        at = bins == k
        t = bootstrap(lambda i: right[at][i].mean(), clusters[at]).iloc[0]
        out[f'{BINS[k]:.1f}-{BINS[k + 1]:.1f}'] = dict(n=at.sum(), said=p[at].mean(), **t)
    return out


def calibration_error(p, right):
    "Expected calibration error: mean over records of the gap between what is said and what is right in their bin."
    bins = np.digitize(p, BINS)
    return sum(abs(p[bins == k].sum() - right[bins == k].sum()) for k in np.unique(bins)) / len(p)


def calibration():
    "Are answers as often right as their probability says?"
    (d, _), (places, p) = tested(), our_answers()
    bins, errors = {}, {}
    for cut in CUTS:
        known = d[d[cut] >= 0]
        right, said = (places[cut] == d[cut]).to_numpy(float), p[cut].to_numpy()
        for scope, some in known.groupby('scope'):
            i = some.index.to_numpy()
            found = reliability(said[i], right[i], some.cluster.to_numpy())
            bins |= {(scope, cut, k): row for k, row in found.items()}
        for key, some in known.groupby(['scope', 'view']):
            i = some.index.to_numpy()
            both = lambda j: {
                'probability': said[i][j].mean(),
                'right': right[i][j].mean(),
                'calibration error': calibration_error(said[i][j], right[i][j]),
            }
            errors[*key, cut] = dict(n=len(i), **row_of(bootstrap(lambda j: pd.Series(both(j)), some.cluster)))
    write('processing_reliability', pd.DataFrame(bins).T.rename_axis(['scope', 'cut', 'bin']).round(4))
    write('processing_calibration', pd.DataFrame(errors).T.rename_axis(['scope', 'view', 'cut']))


# ---- windows, as of ReCGBM and DiCleave

BESIDE = 6  # nt from the cut, into the mature arm: the middle of a window without it


def scored_windows(d, hairpins, cut):
    "Middles of windows of human precursors with both arms: log probability of the cut there, label, cluster."
    human = d.name.str.startswith('hsa-') & (d['view'] == VIEWS['whole']) & (d.evidence == 'both arms')
    p = our_model().cut_probabilities(hairpins[i] for i in np.flatnonzero(human))
    inside = -BESIDE if cut in FIVE_PRIME else BESIDE
    at = d.loc[human, cut].to_numpy()
    score = [[x[CUTS.index(cut), b] for b in (k, k + inside)] for x, k in zip(p, at)]
    return np.log(np.array(score).ravel() + 1e-9), np.tile([1, 0], len(at)), np.repeat(d.cluster[human].to_numpy(), 2)


def window_metrics(threshold):
    "Metrics of windows, as functions of label and score."
    return lambda y, s: {
        'AUROC': roc_auc_score(y, s),
        'accuracy': ((s > threshold) == y).mean(),
        'sensitivity': (s > threshold)[y == 1].mean(),
        'specificity': (s <= threshold)[y == 0].mean(),
        'MCC': matthews_corrcoef(y, s > threshold),
    }


def best_threshold(score, y):
    "Where accuracy is highest."
    return max(np.unique(score), key=lambda t: ((score > t) == y).mean())


def dicer_windows():
    "Does a 14-nt window hold Dicer's cut in its middle? The threshold is chosen on the validation side."
    (d, hairpins), out = tested(), {}
    other = kept_data(KEPT / 'validation.pkl', lambda: folded('validation'))
    for cut, arm in (('dicer_5p', "5' arm"), ('dicer_3p', "3' arm")):
        threshold = best_threshold(*scored_windows(*other, cut)[:2])
        score, y, cluster = scored_windows(d, hairpins, cut)
        t = interval(window_metrics(threshold), y, score, cluster)
        out[arm] = dict(windows=len(y), clusters=len(set(cluster)), **row_of(t))
    write('processing_windows', pd.DataFrame(out).T.rename_axis('arm'))


COMMANDS = {'cuts': cuts, 'calibration': calibration, 'windows': dicer_windows}

if __name__ == '__main__':
    main(COMMANDS, __doc__)
