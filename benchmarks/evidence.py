"""Test the explanations: MIRNBDEV_DATA=... python benchmarks/evidence.py methods|detectors|planted

Each prints tables and writes them into benchmarks/results/, where the page on evidence finds them. Held-out precursors, one of each cluster. Intervals: 95 %, over
resampled hairpins. On one core: methods 15 minutes, detectors 15, planted 90. Detectors that are trained here are kept in out/evidence/ and used again.
"""
import sys
from functools import cache
from pathlib import Path
import numpy as np, pandas as pd
from sklearn.metrics import roc_auc_score
from mirnbdev import cnn
from mirnbdev.cnn import Detector
from mirnbdev.encoding import encode
from mirnbdev.evidence import control_scores, gini, infidelity, localisation, max_sensitivity, planted_set, randomised, rank_agreement, removal_curve, RULES
from mirnbdev.factors import stem_of
from mirnbdev.saliency import attribute, METHODS
from detector import write

N, STEPS, MODELS = 60, 32, Path('out/evidence') # hairpins; points of integrated gradients; where detectors are kept
RECORDS, EPOCHS = 6000, 6 # of the detectors that are compared
PLANTED = dict(train=(4000, 5), validation=(600, 2), test=(600, 1)) # hairpins written, changes of each
DETECTORS = 3 # of each planted rule

def interval(values, seed=0):
    "Mean, low and high over resampled hairpins."
    values = np.asarray(values, float)
    draws = np.random.default_rng(seed).integers(len(values), size=(1000, len(values)))
    return [np.mean(values), *np.quantile(values[draws].mean(1), (.025, .975))]

def rows(measures):
    "Method -> measure -> values, as a table."
    return pd.DataFrame({(m, what): dict(zip(('value', 'low', 'high'), interval(v))) for m,x in measures.items() for what,v in x.items()}).T.rename_axis(['method', 'test'])

@cache
def held_out():
    "Precursors of the test side, one of each cluster, that the detector calls so."
    d = cnn.detection_records('test').query('label==1').drop_duplicates('cluster').sample(3*N, random_state=0)
    h = [x for x in cnn.fold_frame(d) if '(' in x.structure and len(x)<200]
    p = Detector.load().predict_proba(h)[:,1]
    return [x for x,q in zip(h, p) if q>=.5][:N]

def explained(model, hairpins, methods=METHODS):
    "Scores of the nucleotides by each method, and the attributions."
    found = {m: attribute(model, hairpins, m, steps=STEPS, n_jobs=-1) for m in methods}
    return {m: a.nucleotides for m,a in found.items()}, found

# ---- one detector

def methods():
    "Every test that needs the shipped detector alone."
    model, h = Detector.load(), held_out()
    scores, found = explained(model, h)
    truth, out = scores['mutagenesis'], {}
    logit, white = model.logits(encode(h).images), model.logits(np.full((1, 25, 100, 3), 255, np.uint8))
    shuffled = {m: attribute(model, h, m, 'shuffled', steps=STEPS//2).nucleotides for m in ('integrated_gradients', 'deeplift', 'gradient_shap')}
    everything = {**scores, **{f'{m}, shuffled baseline': s for m,s in shuffled.items()}, **control_scores(h)}
    random = control_scores(h, seed=1)['random']
    level = {way: removal_curve(model, h, random, way=='insertion').mean(1) for way in ('deletion', 'insertion')}
    for m,s in everything.items():
        x = {'deletion': (level['deletion']-removal_curve(model, h, s).mean(1))/(logit-white), 'insertion': (removal_curve(model, h, s, True).mean(1)-level['insertion'])/(logit-white)}
        x |= {'infidelity': infidelity(model, h, s), 'sparseness': gini(s), 'mutagenesis': rank_agreement(s, truth), 'mutagenesis, size': rank_agreement(list(map(np.abs, s)), list(map(np.abs, truth)))}
        if m in found and not np.isnan(found[m].delta).any(): x['delta'] = np.abs(found[m].delta/(logit-white))
        if m in METHODS[:-1]: x['sensitivity'] = max_sensitivity(model, h[:20], m)
        out[m] = x
        print(m, {k: round(float(np.mean(v)), 3) for k,v in x.items()}, flush=True)
    write('evidence_methods', rows(out))

# ---- several detectors

def small_set(split, n):
    "A part of one side of the split, unchanged records."
    d = cnn.detection_records(split).sample(n, random_state=0)
    return cnn.fold_frame(d), d.label.to_numpy()

def kept(name, train):
    "A trained detector, or the one that was kept."
    if (MODELS/name/'detector.safetensors').exists(): return Detector.load(MODELS/name)
    d = train()
    d.save(MODELS/name)
    return d

def detectors():
    "Tests that compare networks: random stages, random labels, other seeds."
    h, model = held_out(), Detector.load()
    (x, y), (xv, yv) = small_set('train', RECORDS), small_set('validation', RECORDS//5)
    mixed = np.random.default_rng(0).permutation(y)
    seeds = [kept(f'seed-{s}', lambda: Detector(s, EPOCHS).fit(x, y, (xv, yv))) for s in range(3)]
    liar = kept('labels', lambda: Detector(0, EPOCHS).fit(x, mixed, (xv, np.random.default_rng(1).permutation(yv))))
    some = h[:30]
    by_seed, by_liar, whole = ([explained(d, some)[0] for d in ds] for ds in (seeds, [liar], [model]))
    out = {m: {'other seeds': np.mean([rank_agreement(by_seed[a][m], by_seed[b][m]) for a,b in ((0,1), (0,2), (1,2))], 0),
               'random labels': rank_agreement(by_seed[0][m], by_liar[0][m])} for m in METHODS}
    for name,d in randomised(model):
        forgot = explained(d, some)[0]
        for m in METHODS: out[m][f'random: {name}'] = rank_agreement(whole[0][m], forgot[m])
        print(name, flush=True)
    write('evidence_detectors', rows(out))
    accuracy = {name: roc_auc_score(yv, d.predict_proba(xv)[:,1]) for name,d in (*((f'seed {s}', d) for s,d in enumerate(seeds)), ('random labels', liar))}
    write('evidence_auroc', pd.DataFrame({'AUROC on validation': accuracy}))

# ---- planted signals

def in_loop(h, *arrays):
    "What of each array belongs to the terminal loop."
    i, j = stem_of(h).pairs[0]
    return [x[i+1:j] for x in arrays]

def planted():
    "Which methods find what was planted?"
    out, quality = {}, {}
    for rule in RULES:
        train, validation, test = (planted_set(rule, *size, seed, n_jobs=-1) for seed,size in enumerate(PLANTED.values()))
        ds = [kept(f'planted-{rule}-{seed}', lambda: Detector(seed).fit(train.hairpins, train.labels, (validation.hairpins, validation.labels))) for seed in range(DETECTORS)]
        quality[rule] = dict(train=len(train.labels), test=len(test.labels)) | {f'AUROC, seed {seed}': roc_auc_score(test.labels, d.predict_proba(test.hairpins)[:,1]) for seed,d in enumerate(ds)}
        print(rule, quality[rule], flush=True)
        at = np.flatnonzero(test.labels==1)[:40]
        h, masks = [test.hairpins[i] for i in at], [test.masks[i] for i in at]
        scores = [explained(d, h)[0] | control_scores(h, k) | {'untrained': attribute(Detector(k+1), h, steps=STEPS).nucleotides} for k,d in enumerate(ds)]
        for m in scores[0]:
            x = out.setdefault(m, {})
            x[rule] = [localisation(s[m], masks) for s in scores]
            if rule=='motif': x['motif, in the loop'] = [localisation(*zip(*(in_loop(*y) for y in zip(h, s[m], masks)))) for s in scores]
            print('  ', m, np.mean(x[rule], 1).round(3), flush=True)
    table = rows({m: {what: np.mean(v, 0) for what,v in x.items()} for m,x in out.items()})
    write('evidence_planted', table.assign(least=[np.mean(out[m][what], 1).min() for m,what in table.index]))
    write('evidence_planted_detectors', pd.DataFrame(quality).T)

COMMANDS = dict(methods=methods, detectors=detectors, planted=planted)

if __name__=='__main__':
    if len(sys.argv)!=2 or sys.argv[1] not in COMMANDS: sys.exit(__doc__)
    COMMANDS[sys.argv[1]]()
