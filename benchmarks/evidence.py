"""Test the explanations.

usage: MIRNBDEV_DATA=... python benchmarks/evidence.py methods|detectors|planted

Each command prints tables and writes them into benchmarks/results/, where the page on evidence finds them. Held-out
precursors, one of each cluster. Intervals: 95 %, over resampled hairpins. On one core: methods 15 minutes, detectors
15, planted 90. Detectors that are trained here are kept in out/evidence/ and used again.
"""

from functools import cache
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
from common import bootstrap, kept, main, write
from sklearn.metrics import roc_auc_score

from mirnbdev import sets
from mirnbdev.cnn import Detector
from mirnbdev.encoding import encode
from mirnbdev.evidence import (
    RULES,
    control_scores,
    gini,
    infidelity,
    localisation,
    max_sensitivity,
    planted_set,
    randomised,
    rank_agreement,
    removal_curve,
)
from mirnbdev.factors import stem_of
from mirnbdev.saliency import METHODS, attribute

N, SOME, FEW = 60, 30, 20  # Hairpins; of `detectors`; of the sensitivity to faded images
STEPS = 32  # Points of integrated gradients
DRAWS = 1000  # Of an interval
RECORDS, EPOCHS, SEEDS = 6000, 6, 3  # Of the detectors that are compared
PLANTED = dict(train=(4000, 5), validation=(600, 2), test=(600, 1))  # Hairpins written, changes of each
PLANTED_EPOCHS, DETECTORS, SHOWN = 24, 3, 40  # Of each planted rule: epochs, detectors, hairpins that are explained
MODELS = Path('out/evidence')


def rows(measures):
    "Method -> measure -> a value for each hairpin, as a table of means with intervals."

    def mean(values):
        values = np.asarray(values, float)
        return bootstrap(lambda i: values[i].mean(), np.arange(len(values)), DRAWS).iloc[0]

    t = {(m, what): mean(v) for m, x in measures.items() for what, v in x.items()}
    return pd.DataFrame(t).T.rename_axis(['method', 'test'])


@cache
def held_out():
    "Precursors of the test side, one of each cluster, to which the detector gives a probability of one half or more."
    d = sets.detection_records('test').query('label==1').drop_duplicates('cluster').sample(3 * N, random_state=0)
    h = [x for x in sets.fold_frame(d) if '(' in x.structure and len(x) < 200]
    p = Detector.load().predict_proba(h)[:, 1]
    return [x for x, q in zip(h, p) if q >= 0.5][:N]


def explained(model, hairpins):
    "Attributions by each method."
    return {m: attribute(model, hairpins, m, steps=STEPS, n_jobs=-1) for m in METHODS}


def scores_of(model, hairpins):
    "Scores of the nucleotides by each method."
    return {m: a.nucleotides for m, a in explained(model, hairpins).items()}


# ---- one detector


def by_shuffled_baseline(model, hairpins):
    "Scores by the methods that take a baseline, from shuffled hairpins."
    named = lambda m: f'{m}, shuffled baseline'
    one = lambda m: attribute(model, hairpins, m, 'shuffled', steps=STEPS // 2).nucleotides
    return {named(m): one(m) for m in ('integrated_gradients', 'deeplift', 'gradient_shap')}


def removals(model, hairpins, scores):
    "Mean logit while nucleotides go, and while they come; the highest score first."
    ways = {'deletion': False, 'insertion': True}
    return {k: removal_curve(model, hairpins, scores, insert).mean(1) for k, insert in ways.items()}


def tested(model, hairpins, scores, truth, level, span):
    "Every test of the scores of one method; `level`: `removals` of random scores, `span`: logits above white."
    removed, size = removals(model, hairpins, scores), lambda scores: list(map(np.abs, scores))
    return {
        'deletion': (level['deletion'] - removed['deletion']) / span,
        'insertion': (removed['insertion'] - level['insertion']) / span,
        'infidelity': infidelity(model, hairpins, scores),
        'sparseness': gini(scores),
        'mutagenesis': rank_agreement(scores, truth),
        'mutagenesis, size': rank_agreement(size(scores), size(truth)),
    }


def methods():
    "Every test that needs the shipped detector alone."
    model, h = Detector.load(), held_out()
    found = explained(model, h)
    own, out = {m: a.nucleotides for m, a in found.items()}, {}
    span = model.logits(encode(h).images) - model.logits(np.full((1, 25, 100, 3), 255, np.uint8))
    level = removals(model, h, control_scores(h, seed=1)['random'])
    for m, s in {**own, **by_shuffled_baseline(model, h), **control_scores(h)}.items():
        x = tested(model, h, s, own['mutagenesis'], level, span)
        if m in found and not np.isnan(found[m].delta).any():
            x['delta'] = np.abs(found[m].delta / span)
        if m in METHODS[:-1]:
            x['sensitivity'] = max_sensitivity(model, h[:FEW], m)
        out[m] = x
        print(m, {k: round(float(np.mean(v)), 3) for k, v in x.items()}, flush=True)
    write('evidence_methods', rows(out))


# ---- several detectors


def small_set(split, n):
    "A part of one side of the split, unchanged records: hairpins and labels."
    d = sets.detection_records(split).sample(n, random_state=0)
    return sets.fold_frame(d), d.label.to_numpy()


def small_detectors(check):
    "Detectors of other seeds, and one that learned random labels."
    (x, y), (xv, yv) = small_set('train', RECORDS), check
    learn = lambda seed, y, yv: Detector(seed, EPOCHS).fit(x, y, (xv, yv))
    seeds = [kept(Detector, MODELS / f'seed-{s}', lambda: learn(s, y, yv)) for s in range(SEEDS)]
    mixed = [np.random.default_rng(k).permutation(labels) for k, labels in enumerate((y, yv))]
    return seeds, kept(Detector, MODELS / 'labels', lambda: learn(0, *mixed))


def agreements(seeds, liar, hairpins):
    "Method -> rank correlations with the explanations of other networks."
    by_seed, by_liar = [scores_of(d, hairpins) for d in seeds], scores_of(liar, hairpins)
    pairs = list(combinations(by_seed, 2))
    return {
        m: {
            'other seeds': np.mean([rank_agreement(a[m], b[m]) for a, b in pairs], 0),
            'random labels': rank_agreement(by_seed[0][m], by_liar[m]),
        }
        for m in METHODS
    }


def detectors():
    "Tests that compare networks: random stages, random labels, other seeds."
    model, some, (xv, yv) = Detector.load(), held_out()[:SOME], small_set('validation', RECORDS // 5)
    seeds, liar = small_detectors((xv, yv))
    out, own = agreements(seeds, liar, some), scores_of(model, some)
    for name, d in randomised(model):
        forgot = scores_of(d, some)
        for m in METHODS:
            out[m][f'random: {name}'] = rank_agreement(own[m], forgot[m])
        print(name, flush=True)
    write('evidence_detectors', rows(out), SEEDS)
    named = {**{f'seed {s}': d for s, d in enumerate(seeds)}, 'random labels': liar}
    auroc = {name: roc_auc_score(yv, d.predict_proba(xv)[:, 1]) for name, d in named.items()}
    write('evidence_auroc', pd.DataFrame({'AUROC on validation': auroc}), SEEDS)


# ---- planted signals


def in_loop(h, *arrays):
    "What of each array belongs to the terminal loop."
    i, j = stem_of(h).pairs[0]
    return [x[i + 1 : j] for x in arrays]


def planted_detectors(rule, train, validation):
    "Detectors that learned one rule."
    labelled = validation.hairpins, validation.labels
    learn = lambda seed: Detector(seed, PLANTED_EPOCHS).fit(train.hairpins, train.labels, labelled)
    return [kept(Detector, MODELS / f'planted-{rule}-{s}', lambda: learn(s)) for s in range(DETECTORS)]


def planted_scores(d, k, hairpins):
    "Scores by each method of the detector `d`, number `k`, and by controls."
    untrained = attribute(Detector(k + 1), hairpins, steps=STEPS).nucleotides
    return scores_of(d, hairpins) | control_scores(hairpins, k) | {'untrained': untrained}


def found_by(ds, rule, test):
    "Method -> test -> localisation (detectors, hairpins) of one planted rule."
    at, out = np.flatnonzero(test.labels == 1)[:SHOWN], {}
    h, masks = [test.hairpins[i] for i in at], [test.masks[i] for i in at]
    scores = [planted_scores(d, k, h) for k, d in enumerate(ds)]
    for m in scores[0]:
        out[m] = {rule: [localisation(s[m], masks) for s in scores]}
        if rule == 'motif':
            inside = ([in_loop(*x) for x in zip(h, s[m], masks)] for s in scores)
            out[m]['motif, in the loop'] = [localisation(*zip(*x)) for x in inside]
        print('  ', m, np.mean(out[m][rule], 1).round(3), flush=True)
    return out


def planted():
    "Which methods find what was planted?"
    out, quality = {}, {}
    for rule in RULES:
        train, validation, test = (planted_set(rule, *n, seed, n_jobs=-1) for seed, n in enumerate(PLANTED.values()))
        ds = planted_detectors(rule, train, validation)
        auroc = [roc_auc_score(test.labels, d.predict_proba(test.hairpins)[:, 1]) for d in ds]
        quality[rule] = dict(train=len(train.labels), test=len(test.labels))
        quality[rule] |= {f'AUROC, seed {seed}': a for seed, a in enumerate(auroc)}
        print(rule, quality[rule], flush=True)
        for m, x in found_by(ds, rule, test).items():
            out.setdefault(m, {}).update(x)
    t = rows({m: {what: np.mean(v, 0) for what, v in x.items()} for m, x in out.items()})
    least = [np.mean(out[m][what], 1).min() for m, what in t.index]
    write('evidence_planted', t.assign(least=least), DETECTORS)
    write('evidence_planted_detectors', pd.DataFrame(quality).T, DETECTORS)


COMMANDS = dict(methods=methods, detectors=detectors, planted=planted)

if __name__ == '__main__':
    main(COMMANDS, __doc__)
