"""Measure the detector.

usage: MIRNBDEV_DATA=... python benchmarks/detector.py COMMAND [seeds]
       COMMAND: speed, published, modhsa, deepmirgene, ours, windows, curve or ablation

Each command prints tables and writes them into benchmarks/results/, where the detector's page finds them. Trained
detectors are kept in out/detectors/ and used again by the next command. Intervals: 95 %, over resampled clusters of
test records and resampled seeds. Five seeds if no number is given; of `speed` it is the number of runs.
"""

import time
from functools import cache
from itertools import compress
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from common import interval, kept, main, table, write
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from torch import nn

from mirnbdev import data, sets
from mirnbdev.cnn import EPOCHS, Detector, HairpinCNN, deepmir_cnn, images_to_tensor
from mirnbdev.encoding import LETTERS, column_word, encode, hairpin_flags, hairpin_from_image
from mirnbdev.factors import measure_factors
from mirnbdev.hairpin import Record, fold_many
from mirnbdev.scan import find_many
from mirnbdev.training import Batches, inference, train_epochs

ALONE, TUNE = 40, 8  # Epochs on a published set, from nothing and after pretraining
PUBLISHED_EPOCHS = 100  # Of DeepMir's recipe
ABLATION_EPOCHS = 4  # Of each network of `ablation`
PARTS = (64, 8, 1)  # Of `curve`: one of so many clusters
MODELS = Path('out/detectors')


def _measures(names, *values):
    "Published numbers by name."
    return dict(zip(names.split(), values))


_SIMPLE, _FULL = 'accuracy AUROC', 'SE SP PPV F1 gmean AUROC AUPR'
PUBLISHED = {
    'modhsa': {
        'published: VGG 3M-256': _measures(_SIMPLE, 0.917, 0.97),
        'published: VGG 3M-256, pretrained': _measures(_SIMPLE, 0.952, 0.99),
    },
    'human': {
        'published: deepMiRGene': _measures(_FULL, 0.814, 0.985, 0.864, 0.838, 0.895, 0.979, 0.906),
        'published: Do et al., 2D': _measures(_FULL, 0.930, 0.984, 0.870, 0.899, 0.957, 0.983, 0.946),
    },
    'whole': {
        'published: deepMiRGene': _measures(_FULL, 0.928, 0.978, 0.896, 0.912, 0.953, 0.986, 0.956),
        'published: Do et al., 2D': _measures(_FULL, 0.904, 0.982, 0.910, 0.907, 0.942, 0.983, 0.951),
    },
    'new': {
        'published: deepMiRGene': _measures(_FULL, 0.891, 0.980, 0.792, 0.838, 0.935, 0.984, 0.802),
        'published: Do et al., 2D': _measures(_FULL, 0.917, 0.967, 0.696, 0.792, 0.942, 0.979, 0.864),
    },
}

# ---- metrics


def simple(y, p):
    "Accuracy, AUROC, sensitivity, specificity."
    right = (p >= 0.5) == y
    shares = dict(sensitivity=right[y == 1].mean(), specificity=right[y == 0].mean())
    return dict(accuracy=right.mean(), AUROC=roc_auc_score(y, p), **shares)


def full(y, p):
    "deepMiRGene's measures."
    (tn, fp), (fn, tp) = confusion_matrix(y, p >= 0.5)
    se, sp, ppv = tp / (tp + fn), tn / (tn + fp), tp / max(tp + fp, 1)
    calls = dict(SE=se, SP=sp, PPV=ppv, F1=2 * tp / (2 * tp + fp + fn), gmean=(se * sp) ** 0.5)
    return dict(calls, AUROC=roc_auc_score(y, p), AUPR=average_precision_score(y, p))


def sensitivities(y, p, *specificities):
    "Sensitivity at each specificity."
    return {f'sensitivity at {q:.1%}': (p[y == 1] > np.quantile(p[y == 0], q)).mean() for q in specificities}


def ranked(y, p):
    "What does not depend on a threshold, and the sensitivity at two specificities."
    w = (y == 1).sum() / max((y == 0).sum(), 1)
    weights = {k: np.where(y == 1, 1, w * k) for k in (1, 10, 100)}
    aupr = {f'AUPR 1:{k}': average_precision_score(y, p, sample_weight=v) for k, v in weights.items()}
    return dict(AUROC=roc_auc_score(y, p), **aupr, **sensitivities(y, p, 0.99, 0.999))


def expected_calibration_error(y, p, bins=15):
    "Mean distance of probability and frequency over bins of equal width, weighted by their records."
    b = np.minimum((p * bins).astype(int), bins - 1)
    return sum(abs(p[b == k].mean() - y[b == k].mean()) * (b == k).mean() for k in np.unique(b))


def calibrated(y, p):
    "Calibration error and Brier score."
    return dict(ECE=expected_calibration_error(y, p), Brier=((p - y) ** 2).mean())


def intervals(metrics, y, scores, clusters=None):
    "Each method's metrics with intervals."
    return {k: interval(metrics, y, v, clusters) for k, v in scores.items()}


def forest(seed):
    "A random forest."
    return RandomForestClassifier(300, n_jobs=-1, random_state=seed)


def baselines(x, y, x_test, seeds):
    "Random forest and logistic regression on the core factors: scores of the test records."
    forests = [forest(s).fit(x, y).predict_proba(x_test)[:, 1] for s in range(seeds)]
    line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y).predict_proba(x_test)[:, 1]
    return {'random forest, 10 factors': forests, 'logistic regression, 10 factors': [line]}


def scores_of(models, X):
    "(seeds, n) probability of a precursor."
    return np.array([m.predict_proba(X)[:, 1] for m in models])


# ---- trained detectors


@cache
def folded_views(split, without=frozenset()):
    "Records of one side as `detection_set` shows them, less those whose sequence is in `without`."
    d = sets.detection_records(split)
    return sets.detection_set(d[~d.sequence.isin(without)].reset_index(drop=True))


def whole_records(split):
    "Records of one side as they are, without the other views, and their hairpins."
    d, h = folded_views(split)
    keep = (d['view'] == 'whole').to_numpy()
    return d[keep], list(compress(h, keep))


def detector(which, seed, without=frozenset()):
    "A detector trained on our training clusters, or the one that was kept."
    folder = MODELS / f'{which}-{seed}'

    def train():
        (d, h), (dv, hv) = (folded_views(s, without) for s in ('train', 'validation'))
        return Detector(seed, EPOCHS).fit(h, d.label, (hv, dv.label), folder)

    return kept(Detector, folder, train)


def tuned(which, seed, without, X, y, validation=None):
    "A detector that goes on learning, on another training set."
    return detector(which, seed, without).set_params(epochs=TUNE, warm_start=True).fit(X, y, validation)


def held_out(d, hairpins):
    "Training and validation part, hairpins and labels, of a published training set: a tenth is held out."
    labels = d.label.to_numpy()
    held = sets.hold_out(hairpins, labels)
    return [(list(compress(hairpins, keep)), labels[keep]) for keep in (~held, held)]


@cache
def kin_of_benchmarks():
    "Our sequences that are kin to, or of the family of, a record of any published test set."
    mirbase, ours = data.read_mirbase(), pd.concat([sets.detection_records(s) for s in data.SIDES])
    tests = [h.sequence for h in shown_hairpins()]
    tests += [s for b in DEEPMIRGENE for s in data.read_benchmark(b).query('label==1').sequence]
    ours = ours.drop_duplicates('sequence').reset_index(drop=True)
    kin = set(ours.sequence[np.unique(data.kin_between(tests, list(ours.sequence))[:, 1])])
    families = set(mirbase.family[mirbase.sequence.isin(kin)]) - {''}
    kin |= set(mirbase.sequence[mirbase.family.isin(families)])
    left_out = len(kin & set(ours.sequence))
    print(
        f'{left_out:,} of our {len(ours):,} records are left out: kin to a published test set, or of the family of one'
    )
    return frozenset(kin)


# ---- modhsa


def shown_hairpins(part='modhsa_test'):
    "The molecules that the published images show."
    s = data.read_images(part)
    return [hairpin_from_image(i, n) for i, n in zip(s.images, s.names)]


def published_step(net, adam, x, y):
    "One step, in bfloat16, for time."
    adam.zero_grad()
    with torch.autocast('cpu', torch.bfloat16):
        loss = nn.functional.cross_entropy(net(x.contiguous(memory_format=torch.channels_last)), y)
    loss.backward()
    adam.step()


def published_recipe(images, labels, seed):
    "DeepMir's network and training: Adam, batches of 128, no validation, the last weights."
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = deepmir_cnn().to(memory_format=torch.channels_last)
        x, y, adam = images_to_tensor(images), torch.tensor(labels).long(), torch.optim.Adam(net.parameters())
        for epoch in range(PUBLISHED_EPOCHS):
            for xb, yb in Batches((x, y), 128, seed * 1000 + epoch):
                published_step(net, adam, xb, yb)
    return net


def published(seeds=5):
    "The published network by the published recipe, on the published images."
    train, test = data.read_images('modhsa_train'), data.read_images('modhsa_test')
    scores = []
    for seed in range(seeds):
        net = published_recipe(train.images, train.labels, seed)
        with inference(net) as there:
            scores.append(net(images_to_tensor(test.images).to(there)).softmax(1)[:, 1].cpu().numpy())
        print(simple(test.labels, scores[-1]), flush=True)
    name = 'published: VGG 3M-256'
    rows = {name: PUBLISHED['modhsa'][name], 'deepmir_cnn, by us': interval(simple, test.labels, scores)}
    write('published', table(rows), seeds)


def modhsa(seeds=5):
    "The published images: trained on modhsa_train alone, and after pretraining."
    train, test = data.read_images('modhsa_train'), data.read_images('modhsa_test')
    factors = [measure_factors(shown_hairpins(p)) for p in ('modhsa_train', 'modhsa_test')]
    learn = train.images, train.labels
    models = {
        'our detector': lambda s: Detector(s, ALONE).fit(*learn),
        'our detector, pretrained without kin': lambda s: tuned('unrelated', s, kin_of_benchmarks(), *learn),
        'our detector, pretrained with all (leaks)': lambda s: tuned('ours', s, frozenset(), *learn),
    }
    scores = {k: scores_of(map(make, range(seeds)), test.images) for k, make in models.items()}
    scores |= baselines(factors[0], train.labels, factors[1], seeds)
    write('modhsa', table({**PUBLISHED['modhsa'], **intervals(simple, test.labels, scores)}), seeds)


# ---- deepMiRGene's sets

DEEPMIRGENE = {  # Test set -> what is trained on
    'human': [('human', 'train')],
    'whole': [('whole', 'train')],
    'new': [('whole', 'train'), ('whole', 'test')],
}


def pieces(sequence, size=30):
    "Every stretch of `size` nt."
    return (sequence[i : i + size] for i in range(len(sequence) - size + 1))


def mislabelled(sequences):
    "Which negatives hold 30 nt of a miRBase precursor, or the other way round?"
    known = {p for s in data.read_mirbase().sequence for p in pieces(s)}
    return np.array([any(p in known for p in pieces(s)) for s in sequences])


def matched_negatives(positives, pool, each=5, seed=0):
    "Positions in `pool` of negatives as long as the positives (5 nt), `each` for one, repeated where they are few."
    rng, lengths = np.random.default_rng(seed), np.array([len(s) // 5 for s in pool])
    want = pd.Series([len(s) // 5 for s in positives]).value_counts() * each
    bins = {b: np.flatnonzero(lengths == b) for b in want.index}
    drawn = [rng.choice(bins[b], k, replace=k > len(bins[b])) for b, k in want.items() if len(bins[b])]
    return np.concatenate(drawn)


def fold_all(names, sequences):
    "Hairpins of sequences."
    return sets.fold_frame(pd.DataFrame(dict(name=list(names), sequence=list(sequences))))


@cache
def control_negatives():
    "Coding pseudo-hairpins of the test side: records, and hairpins."
    d = data.read_pseudo(('cds',)).query("split=='test'")
    return d, fold_all(d.name, d.sequence)


def deepmirgene_models(train, hairpins, seeds):
    "Three ways to train: on the set alone, after pretraining, and on our own data alone."
    fitted, check = held_out(train, hairpins)
    kin = kin_of_benchmarks()
    makers = {
        'our detector': lambda s: Detector(s, ALONE).fit(*fitted, check),
        'our detector, pretrained without kin': lambda s: tuned('unrelated', s, kin, *fitted, check),
        'our detector, on our own data without kin only': lambda s: detector('unrelated', s, kin),
    }
    return {k: [make(s) for s in range(seeds)] for k, make in makers.items()}


def matched_set(test, hairpins):
    "Hairpins, labels and clusters of the positives and of negatives as long as they are; and which were drawn."
    positives, (pool, pool_hairpins) = list(compress(hairpins, test.label)), control_negatives()
    drawn = matched_negatives(test.sequence[test.label == 1], pool.sequence)
    x = positives + [pool_hairpins[i] for i in drawn]
    clusters = [*-np.arange(1, len(positives) + 1), *drawn]
    return x, np.repeat([1, 0], [len(positives), len(drawn)]), clusters, drawn


def deepmirgene_set(name, seeds):
    "Every table of one set; its sizes."
    train = pd.concat([data.read_benchmark(*p) for p in DEEPMIRGENE[name]])
    test = data.read_benchmark(name)
    seen, h, y = fold_all(train.name, train.sequence), fold_all(test.name, test.sequence), test.label.to_numpy()
    models, factors = deepmirgene_models(train, seen, seeds), measure_factors(seen)
    score = lambda x: (
        {k: scores_of(ms, x) for k, ms in models.items()} | baselines(factors, train.label, measure_factors(x), seeds)
    )
    scores = score(h)
    write(f'deepmirgene_{name}', table({**PUBLISHED[name], **intervals(full, y, scores)}), seeds)
    kin = data.kin_between(list(test.sequence), list(train.sequence[train.label == 1]))[:, 0]
    relative, wrong = np.isin(np.arange(len(y)), kin), (y == 0) & mislabelled(test.sequence)
    for what, keep in (('clean', ~wrong), ('novel', (y == 0) | ~relative)):
        part = {k: np.array(v)[:, keep] for k, v in scores.items()}
        write(f'deepmirgene_{name}_{what}', table(intervals(full, y[keep], part)), seeds)
    x, label, clusters, drawn = matched_set(test, h)
    write(f'deepmirgene_{name}_matched', table(intervals(full, label, score(x), clusters)), seeds)
    return set_sizes(train, y, relative, wrong, drawn)


def set_sizes(train, y, relative, wrong, drawn):
    "Records of each kind."
    return {
        'training': len(train),
        'precursors': y.sum(),
        '.. kin to training': (relative & (y == 1)).sum(),
        'negatives': (1 - y).sum(),
        '.. mislabelled': wrong.sum(),
        'matched negatives': len(drawn),
        '.. different': len(set(drawn)),
    }


def deepmirgene(seeds=5):
    "Published protocol, the same without mislabelled negatives or without relatives, and with matched negatives."
    sizes = {name: deepmirgene_set(name, seeds) for name in DEEPMIRGENE}
    write('deepmirgene_sets', pd.DataFrame(sizes), seeds)


# ---- ours


def length_gc_matched(d, seed=0):
    "Rows of `d`: each precursor with a free negative as long (5 nt) and as rich in GC (.05), and that negative."
    rng = np.random.default_rng(seed)
    gc = d.sequence.str.count('[GC]') / d.sequence.str.len()
    key = pd.Series(list(zip(d.sequence.str.len() // 5, (gc / 0.05).astype(int))), index=d.index)
    rows = []
    for _, i in key.groupby(key).groups.items():
        pos, neg = (rng.permutation(i[(d.label[i] == k).to_numpy()]) for k in (1, 0))
        n = min(len(pos), len(neg))
        rows += [*pos[:n], *neg[:n]]
    return np.sort(rows)


def test_groups(d, h):
    "Name -> which records: all, by kind of negatives, matched, single hairpins or not, the other views."
    whole, y = (d['view'] == 'whole').to_numpy(), d.label.to_numpy()
    kinds = [s for s in d.source.unique() if s != 'precursor']
    out = {'all negatives': whole, **{f'{s} negatives': whole & ((y == 1) | (d.source == s)) for s in kinds}}
    alike = np.flatnonzero(whole)[length_gc_matched(d[whole].reset_index(drop=True))]
    out['matched in length and GC'] = np.isin(np.arange(len(d)), alike)
    shown = np.array([not hairpin_flags(x) for x in h])
    out['single hairpins of at most 100 columns'] = whole & shown
    out['several hairpins, or cut'] = whole & ~shown
    return out | {f'{v} view': (d['view'] == v).to_numpy() for v in ('flanked', 'trimmed')}


def ours(seeds=5):
    "Our own test clusters: ranking, calibration, classes of negatives, clades, species."
    (d, h), (dt, ht) = folded_views('test'), whole_records('train')
    models = [detector('ours', s) for s in range(seeds)]
    p, y, tests = scores_of(models, h), d.label.to_numpy(), test_groups(d, h)
    plain = baselines(measure_factors(ht), dt.label, measure_factors(h), seeds)
    methods = {'our detector': p, **{k: np.array(v) for k, v in plain.items()}}
    one = lambda metrics, k, q: interval(metrics, y[k], q[:, k], d.cluster[k])
    rows = {(t, who): one(ranked, k, q) for t, k in tests.items() for who, q in methods.items()}
    write('ours', table(rows), seeds)
    write('ours_calibration', table({t: one(calibrated, k, p) for t, k in tests.items()}), seeds)
    calls = np.array([q >= m.threshold for q, m in zip(p, models)])
    called = lambda k: one(lambda _, q: {'called precursor': q.mean()}, k, calls)
    write_calls(d, called, seeds)


def write_calls(d, called, seeds):
    "Share of records that are called precursors: by source and view, clade, age of the entry, species."
    views = [(s, v) for s in d.source.unique() for v in ('whole', 'flanked', 'trimmed')]
    by_view = {f'{s}, {v}': called(((d.source == s) & (d['view'] == v)).to_numpy()) for s, v in views}
    write('ours_threshold', table(by_view), seeds)
    mirbase = data.read_mirbase().set_index('name')
    species, accession = d.name.map(mirbase.species), d.name.map(mirbase.accession.str[2:].astype(int))
    positive = ((d['view'] == 'whole') & (d.label == 1)).to_numpy()
    clades = {g: positive & (d.group == g).to_numpy() for g in d.group[positive].unique()}
    ages = ((1, 2000), (2001, 6000), (6001, 12000), (12001, 18000), (18001, 99999))
    by_age = {f'{a:,}-{b:,}': positive & accession.between(a, b).to_numpy() for a, b in ages}
    parts = {'clade': sensitivity(clades, called), 'accession number (age)': sensitivity(by_age, called)}
    write('ours_clades', pd.concat(parts), seeds)
    full_name = lambda s: mirbase.species_name[mirbase.species == s].iloc[0]
    common = species[positive].value_counts().index[:45]
    by_species = {full_name(s): positive & (species == s).to_numpy() for s in common}
    write('ours_species', sensitivity(by_species, called), seeds)


def sensitivity(groups, called):
    "Share of precursors that are called so, and how many there are."
    t = table({g: called(k) for g, k in groups.items()}).rename(columns={'called precursor': 'sensitivity'})
    return t.assign(precursors=[int(k.sum()) for k in groups.values()])


# ---- flanks and windows


def flanks(sequence, n, seed):
    "`n` random nucleotides on either side."
    return data.flanked(sequence, n, n, seed)


def window(sequence, seed, size=200):
    "A window of `size` nt around a hairpin, filled with random nucleotides."
    left = max(0, size - len(sequence)) // 2
    return data.flanked(sequence, left, max(0, size - len(sequence)) - left, seed)


def candidates(sequences, inside):
    "The hairpins of each sequence: those found inside, or the one that it is."
    if not inside:
        return [[h] for h in fold_all(map(str, range(len(sequences))), sequences)]
    records = [Record(str(i), s) for i, s in enumerate(sequences)]
    return [[f.hairpin for f in found] for found in find_many(records, n_jobs=-1)]


def best_scores(models, hairpins):
    "(seeds, n) probability of the best of each list of hairpins; 0 where it is empty."
    owner = np.repeat(np.arange(len(hairpins)), [len(hs) for hs in hairpins])
    out = np.zeros((len(models), len(hairpins)))
    for row, m in zip(out, models):
        np.maximum.at(row, owner, m.predict_proba([h for hs in hairpins for h in hs])[:, 1])
    return out


def in_windows(y, p):
    "Ranking, and sensitivity at 99 % specificity."
    return dict(AUPR=average_precision_score(y, p), AUROC=roc_auc_score(y, p), **sensitivities(y, p, 0.99))


def precursors_with_flanks():
    "Rows (name, with flanks, sequence, label, cluster) of precursors with their genomic flanks (DeepMirCut)."
    m = data.read_mirbase().set_index('accession')
    rows = [line.split('\t') for line in data.data_file('cutsites/deepmircut_set.txt').read_text().splitlines()]
    used = [r for r in rows if '_x' not in r[0] and r[2] in m.index and m.split[r[2]] != 'train']
    return [(r[2], r[11], m.sequence[r[2]], 1, m.cluster[r[2]]) for r in used]


def genomic_with_flanks():
    "The same of genomic hairpins of chromosome 21."
    (region, first), out = data.read_region(), []
    g = data.read_genomic().query("split!='train'")
    for name, cluster in g[g.name.str.contains(':')][['name', 'cluster']].itertuples(index=False):
        start, end = map(int, name[:-1].split(':')[1].split('-'))
        wide = data.cut_out(f':{start - 50}-{end + 50}{name[-1]}', region, first)
        out.append((name, wide, wide[50 : len(wide) - 50], 0, -1 - cluster))
    return out


def real_flanks():
    "Validation and test records with their real flanks."
    columns = ['name', 'wide', 'sequence', 'label', 'cluster']
    return pd.DataFrame(precursors_with_flanks() + genomic_with_flanks(), columns=columns)


def forms():
    "Form -> records, and the sequences that are shown."
    d = sets.detection_records('test').query("source!='shuffle'").reset_index(drop=True)
    r, s = real_flanks(), list(d.sequence)
    cut = lambda s, wide, n: wide[max(0, wide.find(s) - n) : wide.find(s) + len(s) + n]
    return {
        'trimmed precursor': (d, s),
        **{f'+{n} nt': (d, [flanks(x, n, i) for i, x in enumerate(s)]) for n in (15, 30)},
        '200-nt window': (d, [window(x, i) for i, x in enumerate(s)]),
        **{f'real flanks, +{n} nt': (r, [cut(x, w, n) for x, w in zip(r.sequence, r.wide)]) for n in (0, 15, 30)},
        'real flanks, whole window': (r, list(r.wide)),
    }


def windows(seeds=5):
    "The same test hairpins trimmed, with flanks, and as windows; random flanks, and real ones."
    dt, ht = whole_records('train')
    on_factors = lambda s: make_pipeline(FunctionTransformer(measure_factors), forest(s)).fit(ht, dt.label)
    methods = {
        'our detector': [detector('ours', s) for s in range(seeds)],
        'random forest, 10 factors': [on_factors(s) for s in range(seeds)],
    }
    rows, sizes = {}, []
    for form, (d, sequences) in forms().items():
        y, hairpins = d.label.to_numpy(), candidates(sequences, 'window' in form)
        for who, models in methods.items():
            rows[form, who] = interval(in_windows, y, best_scores(models, hairpins), d.cluster)
            sizes.append(f'{y.sum()} + {(1 - y).sum()}')
    write('windows', table(rows).assign(records=sizes), seeds)


# ---- what the image buys, and how much data it takes


def one_hot(text, alphabet, width):
    "(letters, 1, width)."
    out = np.zeros((len(alphabet), 1, width), np.float32)
    for i, c in enumerate(text[:width]):
        out[alphabet.index(c), 0, i] = 1
    return out


INPUTS = {
    'image': None,
    'columns, one-hot': lambda h: one_hot(column_word(h), LETTERS, 100),
    'sequence and structure': lambda h: np.concatenate(
        [one_hot(h.sequence, 'ACGU', 200), one_hot(h.structure, '(.)', 200)]
    ),
    'sequence only': lambda h: one_hot(h.sequence, 'ACGU', 200),
    'structure only': lambda h: one_hot(h.structure, '(.)', 200),
}


def as_input(hairpins, f):
    "Hairpins as `f` shows them; ink is 0, as in images."
    return torch.from_numpy(1 - np.stack([f(i) for i in hairpins])) if f else images_to_tensor(encode(hairpins).images)


def network(x):
    "The detector's network with a first layer for input `x`, (n, channels, height, width)."
    net = HairpinCNN()
    net.stem[0] = nn.Conv2d(x.shape[1], net.stem[0].out_channels, (x.shape[2], 1), bias=False)
    net.parts = nn.AvgPool1d(x.shape[3] // 20)
    return net


def trained_on(make, seed, train, validation):
    "A network trained on (x, y), as `Detector.fit` does."
    loss = lambda m, x, y: nn.functional.binary_cross_entropy_with_logits(m(x), y)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net, batches = make(), lambda epoch: Batches(train, 128, seed * 1000 + epoch)
        train_epochs(net, loss, batches, Batches(validation, 512), ABLATION_EPOCHS)
    return net


def scored(net, x):
    "Probabilities."
    with inference(net) as there:
        return torch.sigmoid(torch.cat([net(b.to(there)).cpu() for b in x.split(512)])).numpy()


def part_of(split, share):
    "Records of one side as they are; of the training side only one cluster of `share`."
    d, h = whole_records(split)
    keep = ((d.cluster.map(lambda c: int(c[1:]) % share == 0)) | (split != 'train')).to_numpy()
    return d[keep], list(compress(h, keep))


def ablation(seeds=5):
    "The same network on parts of what the image shows; a sixth of the training clusters, records as they are."
    sides = {s: part_of(s, 6) for s in data.SIDES}
    labels = {s: torch.tensor(d.label.to_numpy(np.float32)) for s, (d, _) in sides.items()}
    d, rows = sides['test'][0], {}
    for name, f in INPUTS.items():
        x = {s: as_input(h, f) for s, (_, h) in sides.items()}
        train, validation = ((x[s], labels[s]) for s in ('train', 'validation'))
        fitted = (trained_on(lambda: network(x['test']), s, train, validation) for s in range(seeds))
        rows[name] = interval(ranked, d.label.to_numpy(), [scored(net, x['test']) for net in fitted], d.cluster)
        print(name, rows[name].value.round(4).to_dict(), flush=True)
    write('ablation', table(rows), seeds)


def trained_on_part(part, seed, keep):
    "A detector trained on some of the records; on all, the kept one."
    if part == 1:
        return detector('ours', seed)
    (d, h), (dv, hv) = (folded_views(s) for s in ('train', 'validation'))
    return Detector(seed, EPOCHS * int(part**0.5)).fit(list(compress(h, keep)), d.label[keep], (hv, dv.label))


def curve(seeds=5):
    "How the detector grows with its training set: clusters drawn at random."
    (d, _), (dt, test), rows = folded_views('train'), whole_records('test'), {}
    shuffled = np.random.default_rng(0).permutation(d.cluster.unique())
    number = d.cluster.map({c: i for i, c in enumerate(shuffled)})
    for part in PARTS:
        keep = (number % part == 0).to_numpy()
        p = scores_of((trained_on_part(part, s, keep) for s in range(seeds)), test)
        name = f'{int(keep.sum() / 3):,} records'
        rows[name] = interval(ranked, dt.label.to_numpy(), p, dt.cluster)
        print(part, rows[name].value.round(4).to_dict(), flush=True)
    write('curve', table(rows), seeds)


# ---- speed


def timed(records, model):
    "Seconds of folding, and of drawing and scoring."
    start = time.perf_counter()
    hairpins = list(fold_many(records))
    folded = time.perf_counter()
    model.predict_proba(hairpins)
    return folded - start, time.perf_counter() - folded


def speed(repeats=5):
    "Scoring beside folding: one thread, two thousand precursors, alternating."
    torch.set_num_threads(1)
    m = data.read_mirbase()
    m = m[m.sequence.str.fullmatch('[ACGU]+')].iloc[::10].head(2000)
    records, model = [Record(n, s) for n, s in zip(m.name, m.sequence)], Detector.load()
    t = pd.DataFrame([timed(records, model) for _ in range(repeats)], columns=['folding', 'drawing and scoring'])
    seconds, share = t.median().round(2), t.div(t.folding, axis=0).median().round(3)
    columns = {'s for 2,000 precursors': seconds.astype(str), 'share of folding': share.astype(str)}
    write('speed', pd.DataFrame(columns), seeds=0)


COMMANDS = dict(
    speed=speed,
    published=published,
    modhsa=modhsa,
    deepmirgene=deepmirgene,
    ours=ours,
    windows=windows,
    curve=curve,
    ablation=ablation,
)

if __name__ == '__main__':
    main(COMMANDS, __doc__)
