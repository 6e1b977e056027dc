"""Measure the rules.

usage: MIRNBDEV_DATA=... python benchmarks/rules.py ours|modmirbase

Each command prints tables and writes them into benchmarks/results/, where the rules' page finds them. Folded and
measured hairpins are kept in out/rules/ and used again. Accuracy gives both classes the same weight. Intervals: 95 %,
over resampled clusters of test records. On one core: ours 15 minutes, the first time 15 more for measuring; modmirbase
ten, the first time ten more.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from common import interval, kept_data, main, side, table, write
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

from mirnbdev.cnn import Detector
from mirnbdev.data import data_file, family_pairs, join_clusters, kin_pairs, read_images, read_mirbase
from mirnbdev.encoding import column_word, hairpin_from_image, hairpin_from_word
from mirnbdev.factors import correlate, factor_table
from mirnbdev.generator import Generator
from mirnbdev.hairpin import Hairpin, refold
from mirnbdev.latent import latent_table
from mirnbdev.rules import all_conditions, fit_rules, stability
from mirnbdev.scorecard import is_decodable

KEPT = Path('out/rules')
FEW, MOST, REFITS = 3, 6, 10  # Rules; rules; refits of a stability
CURVE = (1, 2, 3, 4, 6, 9, 12)  # Rules
BIN = 5  # nt of length within which hairpins are matched
FOLDS, TREES = 5, 100  # Of the cross-validation; of a forest
SIX = f'{MOST} rules on factors'

# ---- hairpins, factors, latents


def measured(split):
    "As many precursors as pseudo-hairpins of one side: hairpins, records, factors."
    s, rng = side(split), np.random.default_rng(0)
    y = s.records.label.to_numpy()
    i = [rng.permutation(np.flatnonzero(y == label))[: min(np.bincount(y))] for label in (0, 1)]
    i = np.sort(np.concatenate(i))
    hairpins = [s.hairpins[j] for j in i]
    return hairpins, s.records.iloc[i].reset_index(drop=True), factor_table(hairpins, n_jobs=-1).reset_index(drop=True)


def latents(hairpins):
    "Where the generator places them, a column a latent; all encoded alike, whatever their label."
    g, parts = Generator.load(), range(0, len(hairpins), 500)
    return pd.concat([latent_table(g, hairpins[i : i + 500]) for i in parts], ignore_index=True)


@cache
def ours(split):
    "One side: records, factors, latents, the detector's probabilities."
    hairpins, d, factors = kept_data(KEPT / f'{split}.pkl', lambda: measured(split))
    return d, factors, latents(hairpins), Detector.load().predict_proba(hairpins)[:, 1]


def matched(d, length):
    "Rows with as many precursors as pseudo-hairpins in each bin of length."
    bins, rng = (length // BIN).to_numpy(), np.random.default_rng(0)
    rows = lambda b, label: rng.permutation(np.flatnonzero((bins == b) & (d.label == label)))
    pairs = [[rows(b, label) for label in (0, 1)] for b in np.unique(bins)]
    return np.sort(np.concatenate([g[: min(map(len, pair))] for pair in pairs for g in pair]))


# ---- measures


def accuracy(y, p):
    "Balanced accuracy of calls."
    return ((p[y == 1] >= 0.5).mean() + (p[y == 0] < 0.5).mean()) / 2


def accuracies(y, p, clusters):
    "Balanced accuracy with its interval."
    return interval(lambda y, p: dict(accuracy=accuracy(y, p)), y, p, clusters)


def agreeing(calls, p, clusters):
    "Share of records on which `p` agrees with `calls`, with its interval."
    return interval(lambda calls, p: dict(share=((p >= 0.5) == calls).mean()), calls, p, clusters)


def described(y, p, clusters, calls, equal):
    "Accuracy, accuracy on the rows `equal`, and agreement with the detector's calls, each with its interval."
    rows = {
        'accuracy': accuracies(y, p, clusters),
        'length-matched': accuracies(y[equal], p[equal], clusters[equal]),
        'fidelity': agreeing(calls, p, clusters),
    }
    return pd.concat([t.set_axis([k]) for k, t in rows.items()])


def forest(x, y, test):
    "Probability of a precursor, by a random forest."
    model = RandomForestClassifier(TREES, min_samples_leaf=2, random_state=0)
    return model.fit(x, y).predict_proba(test)[:, 1]


def tree(**options):
    "A fitted decision tree's calls."
    return lambda x, y, test: DecisionTreeClassifier(random_state=0, **options).fit(x, y).predict(test)


def rules(most=MOST):
    "The calls of rules."
    return lambda x, y, test: fit_rules(x, y, most).predict(test)


# ---- our clusters


def best_single(x, y):
    "The one condition that tells best."
    held = {c: c.holds(x) for c in all_conditions(x)}
    return max(held, key=lambda c: accuracy(y, held[c]))


def follows_length(x):
    "Factors whose |Spearman correlation| with length is above .5."
    return [c for c, r in correlate(x).length.items() if abs(r) > 0.5]


def our_rules():
    "Every set of rules: name -> columns of training and test, labels to fit, rules allowed."
    (d, x, z, p), (_, tx, tz, _) = ours('train'), ours('test')
    y, long = d.label.to_numpy(), follows_length(x)
    print('follow length:', ', '.join(long))
    mixed = np.random.default_rng(0).permutation(y)
    return {
        SIX: (x, tx, y, MOST),
        f'{FEW} rules on factors': (x, tx, y, FEW),
        'one rule on factors': (x, tx, y, 1),
        f'{MOST} rules on latents': (z, tz, y, MOST),
        f"{SIX}, fitted to the detector's calls": (x, tx, (p >= 0.5) * 1, MOST),
        f'{MOST} rules, without factors that follow length': (x.drop(columns=long), tx.drop(columns=long), y, MOST),
        f'{MOST} rules on length alone': (x[['length']], tx[['length']], y, MOST),
        f'{SIX}, permuted labels': (x, tx, mixed, MOST),
    }


def share(v):
    "Numbers without interval, as text."
    return {k: f'{x:.2f}' if isinstance(x, float) else str(x) for k, x in v.items()}


def others():
    "What the rules are compared with: name -> scores of test records."
    (d, x, z, _), (_, tx, tz, p) = ours('train'), ours('test')
    y = d.label.to_numpy()
    single = best_single(x, y)
    return {
        f'best single factor: {single.factor}': single.holds(tx) * 1,
        f'tree of {MOST} leaves on factors': tree(max_leaf_nodes=MOST)(x, y, tx),
        'tree of depth 5 on factors': tree(max_depth=5)(x, y, tx),
        'random forest on factors': forest(x, y, tx),
        'random forest on latents': forest(z, y, tz),
        'detector': p,
    }


def stabilities(sets, fits, clusters):
    "Size of the first four sets of rules, and how alike two refits are."
    rows = {}
    for name, (x, test, labels, most) in list(sets.items())[:4]:
        s = stability(x, labels, clusters, test, most, REFITS)
        size = {'rules': len(fits[name].rules), 'factors': len(fits[name].factors())}
        rows[name] = share(size | {'overlap': s.overlap, 'agreement': s.agreement})
        if name == SIX:
            write('rules_chosen', s.chosen.rename('share of refits').round(2).rename_axis('factor').to_frame())
    return pd.DataFrame(rows).T


def write_text(fits):
    "Every set of rules in words."
    lines = [(name, i, said) for name, f in fits.items() for i, said in enumerate(f.describe(), 1)]
    write('rules_text', pd.DataFrame(lines, columns=['set', 'number', 'rule']).set_index(['set', 'number']))


def measure_ours():
    "Rules, trees, forests and the detector, fitted on training clusters, on test clusters."
    d, (t, tx, _, p), sets = ours('train')[0], ours('test'), our_rules()
    fits = {name: fit_rules(x, labels, most) for name, (x, _, labels, most) in sets.items()}
    calls = {name: fits[name].predict(test) for name, (_, test, _, _) in sets.items()}
    scores, equal = {**calls, **others()}, matched(t, tx.length)
    row = lambda q: described(t.label.to_numpy(), q, t.cluster.to_numpy(), (p >= 0.5) * 1, equal)
    rows = table({k: row(q) for k, q in scores.items()})
    write('rules', rows.join(stabilities(sets, fits, d.cluster)).fillna(''))
    write_text(fits)
    write_curve(scores)
    write_groups(t, {'rules': calls[f'{FEW} rules on factors'], 'detector': p})
    write_beyond(t, calls[SIX], p)
    write_missed(t, tx, calls[SIX], p)


def write_curve(scores):
    "Accuracy against the number of rules allowed."
    (d, x, z, _), (t, tx, tz, _) = ours('train'), ours('test')
    one = lambda q: accuracies(t.label, q, t.cluster).iloc[0]
    parts, lines = {'factors': (x, tx), 'latents': (z, tz)}, list(scores)[-3:]  # Both forests, and the detector
    rows = {(k, n): one(rules(n)(a, d.label.to_numpy(), b)) for k, (a, b) in parts.items() for n in CURVE}
    rows |= {('line', k): one(scores[k]) for k in lines}
    write('rules_curve', pd.DataFrame(rows).T.rename_axis(['table', 'rules']).round(4))


def write_groups(t, scores):
    "Share of each group of organisms, and of each kind of pseudo-hairpin, that is called rightly."
    group = t.group.where(t.label == 1, t.source)
    members = {g: (group == g).to_numpy() for g in group.unique()}
    right = lambda p: {g: agreeing(t.label[k], p[k], t.cluster[k]) for g, k in members.items()}
    text = {name: table(right(p))['share'] for name, p in scores.items()}
    rows = {'label': t.groupby(group).label.first(), 'hairpins': group.value_counts(), **text}
    write('rules_groups', pd.DataFrame(rows).sort_values(['label', 'hairpins'], ascending=False))


def write_beyond(t, calls, p):
    "Does the detector still tell precursors apart where the rules say the same of all?"
    area, rows = lambda y, p: dict(AUROC=roc_auc_score(y, p)), {}
    for label, what in ((1, 'precursor'), (0, 'pseudo-hairpin')):
        k = calls == label
        rows[f'rules say {what}'] = interval(area, t.label[k], p[k], t.cluster[k])
    write('rules_beyond', table(rows))


MISSED = ['length', 'pairs', 'paired_fraction', 'mfe_per_nt', 'mfei', 'gc', 'terminal_loop', 'largest_interruption'] + [
    'arm_asymmetry',
    'free_ends',
    'dinucleotide_entropy',
    'pairing_entropy',
]  # Factors


def write_missed(t, x, calls, p):
    "What are those like that only one of the two calls rightly?"
    y = t.label.to_numpy()
    right, by_rules, real = (p >= 0.5) == y, calls == y, y == 1
    kinds = {
        'precursors, both right': real & right & by_rules,
        'precursors, only the detector right': real & right & ~by_rules,
        'precursors, only the rules right': real & ~right & by_rules,
        'precursors, both wrong': real & ~right & ~by_rules,
        'others, only the detector right': ~real & right & ~by_rules,
        'others, only the rules right': ~real & ~right & by_rules,
        'others, both wrong': ~real & ~right & ~by_rules,
    }
    rows = {k: {'hairpins': m.sum(), **x[MISSED][m].median().round(2)} for k, m in kinds.items()}
    write('rules_missed', pd.DataFrame(rows).T)


# ---- modmirbase

THEIRS = 'deepmir/modmirbase_test_concepts.csv'


def drawn():
    "The published test set, less what holds other letters than ACGU: positions in the set, hairpins, labels."
    s = read_images('modmirbase_test')
    read = [hairpin_from_image(i, n) for i, n in zip(s.images, s.names)]
    rows = np.flatnonzero([set(h.sequence) <= set('ACGU') for h in read])
    read = [read[i] for i in rows]
    # A third show impossible pairs: of several hairpins the drawing lost a part
    return rows, [a if is_decodable(a) else b for a, b in zip(read, refold(read))], s.labels[rows]


def with_factors(d):
    "And the factors of its hairpins."
    return d, factor_table(d[1], n_jobs=-1).reset_index(drop=True)


def families(hairpins, labels):
    "Clusters: kin by sequence, and the families of miRBase."
    known = read_mirbase().drop_duplicates('name').set_index('name').family
    family = [known.get(h.name, '') if label else '' for h, label in zip(hairpins, labels)]
    return join_clusters(len(hairpins), kin_pairs([h.sequence for h in hairpins]), family_pairs(family))


def writable(h, energy):
    "`h` as the generator takes it: its 100 columns nearest the loop, with an energy."
    part = hairpin_from_word(column_word(h)[:100], h.name)
    return Hairpin(h.name, part.sequence, part.structure, energy)


def concepts():
    "The 20 features that the authors measured; words become numbers."
    d = pd.read_csv(data_file(THEIRS), index_col=0).drop(columns=['idx', 'class_label'])
    numbers = lambda x: x.astype(float) if x.dtype.kind in 'bif' else pd.factorize(x)[0].astype(float)
    return pd.DataFrame({c: numbers(d[c]) for c in d})


def gini(share):
    "Impurity of a share of precursors."
    return 2 * share * (1 - share)


class ConceptTree:
    """The tree of Petkovic & Menkovski 2024: a split is a direction of the latents that predicts if a factor is high.

    Their directions come from support vectors, these from least squares."""

    depth, gain = 4, 0.001  # Splits in a row; Gini gain of a split
    least, faithful = 10, 0.8  # Hairpins on each side of a split; accuracy of a direction

    def fit(self, z, y, held, depth=0):
        "`held`: (n, concepts) bool."
        self.call, self.split = int(y.mean() >= 0.5), None
        held = held[:, (held.sum(0) >= self.least) & ((~held).sum(0) >= self.least)]
        if depth == self.depth or held.shape[1] < 2:
            return self
        line = RidgeClassifier().fit(z, held.astype(int))
        side = line.decision_function(z) > 0
        gain = self.gains(y, side, held)
        if gain.max() < self.gain:
            return self
        k = gain.argmax()
        self.split = line.coef_[k], line.intercept_[k]
        self.parts = [ConceptTree().fit(z[m], y[m], held[m], depth + 1) for m in (side[:, k], ~side[:, k])]
        return self

    def gains(self, y, side, held):
        "Gini gain of each split; 0 where its direction is unlike its concept."
        n = side.sum(0)
        yes, no = (y @ side) / np.maximum(n, 1), (y @ ~side) / np.maximum(len(y) - n, 1)
        gain = gini(y.mean()) - (n * gini(yes) + (len(y) - n) * gini(no)) / len(y)
        gain[(side == held).mean(0) < self.faithful] = 0
        return gain

    def predict(self, z):
        "Calls."
        if self.split is None:
            return np.full(len(z), self.call)
        yes, no = (part.predict(z) for part in self.parts)
        return np.where(z @ self.split[0] + self.split[1] > 0, yes, no)


def concept_tree(factors):
    "The calls of a `ConceptTree`; the concepts are each factor at least each of its deciles."

    def calls(z, y, test):
        x = factors.loc[z.index]
        held = np.stack([c.holds(x) for c in all_conditions(x) if c.at_least], 1)
        return ConceptTree().fit(z.to_numpy(), y, held).predict(test.to_numpy())

    return calls


def out_of_fold(make, x, y, folds):
    "Calls for each hairpin by what was fitted without its fold."
    p = np.empty(len(y))
    for train, test in folds:
        p[test] = make(x.iloc[train], y[train], x.iloc[test])
    return p


def methods_on(theirs, z, x):
    "Name -> how to fit, and the table to fit on: their features, our latents, our factors."
    small, deep = tree(max_leaf_nodes=MOST), tree(max_depth=5)
    free = x.drop(columns=follows_length(x))
    return {
        'their features: tree of depth 5': (deep, theirs),
        'their features: tree of depth 5, families not kept together': (deep, theirs),
        'their features: random forest': (forest, theirs),
        'our latents: their tree of concepts, 16 leaves at most': (concept_tree(x), z),
        'our latents: tree of depth 5': (deep, z),
        f'our latents: {MOST} rules': (rules(), z),
        'our latents: random forest': (forest, z),
        'our factors: one rule': (rules(1), x),
        f'our factors: {FEW} rules': (rules(FEW), x),
        f'our factors: {MOST} rules': (rules(), x),
        f'our factors: tree of {MOST} leaves': (small, x),
        'our factors: tree of depth 5': (deep, x),
        'our factors: random forest': (forest, x),
        f'our factors: {MOST} rules on length alone': (rules(), x[['length']]),
        f'our factors: {MOST} rules without factors that follow length': (rules(), free),
    }


def modmirbase():
    "The published test set, cross-validated with families kept together; and, for one tree, split at random."
    (rows, hairpins, y), x = kept_data(KEPT / 'modmirbase.pkl', lambda: with_factors(drawn()))
    clusters = kept_data(KEPT / 'modmirbase_clusters.pkl', lambda: families(hairpins, y))
    theirs, z = concepts().iloc[rows].reset_index(drop=True), latents(list(map(writable, hairpins, x.mfe)))
    how = dict(n_splits=FOLDS, shuffle=True, random_state=0)
    together = list(StratifiedGroupKFold(**how).split(x, y, clusters))
    apart, found = list(StratifiedKFold(**how).split(x, y)), {}
    for name, (make, a) in methods_on(theirs, z, x).items():
        folds = apart if 'not kept together' in name else together
        found[name] = accuracies(y, out_of_fold(make, a, y, folds), clusters)
        print(name, found[name].round(4).to_dict('index'), flush=True)
    mixed = np.random.default_rng(0).permutation(y)
    by_chance = accuracies(mixed, out_of_fold(rules(), x, mixed, together), clusters)
    found[f'our factors: {MOST} rules, permuted labels'] = by_chance
    write('rules_modmirbase', table(found))
    write_modmirbase_rules(x, y, clusters)


def write_modmirbase_rules(x, y, clusters):
    "Rules fitted to the whole set, in words, and how stable they are."
    fitted, again = fit_rules(x, y, MOST), stability(x, y, clusters, x, MOST, REFITS)
    number = pd.RangeIndex(1, len(fitted.rules) + 2, name='number')
    write('rules_modmirbase_text', pd.DataFrame(fitted.describe(), columns=['rule'], index=number))
    text = share({'overlap': again.overlap, 'agreement': again.agreement})
    write('rules_modmirbase_stability', pd.DataFrame({f'{MOST} rules': text}))


COMMANDS = dict(ours=measure_ours, modmirbase=modmirbase)

if __name__ == '__main__':
    main(COMMANDS, __doc__)
