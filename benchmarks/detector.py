"""Measure the detector: MIRNBDEV_DATA=... python benchmarks/detector.py speed|published|modhsa|deepmirgene|ours|windows|curve|ablation [seeds]

Each prints tables and writes them into benchmarks/results/, where the detector's page finds them. Trained detectors are kept in out/detectors/
and used again by the next command. Intervals: 95 %, over resampled clusters of test records and resampled seeds.
"""
import sys, time
from functools import cache
from pathlib import Path
import numpy as np, pandas as pd, torch
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, confusion_matrix, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from mirnbdev import cnn, data
from mirnbdev.cnn import Detector
from mirnbdev.encoding import column_word, encode, hairpin_flags, hairpin_from_image, LETTERS
from mirnbdev.hairpin import fold_many, Record
from mirnbdev.scan import find_many

ALONE, TUNE = 40, 8 # epochs on a published set, from nothing and after pretraining
RESULTS, MODELS = Path(__file__).parent/'results', Path('out/detectors')
PUBLISHED = {'modhsa': {'published: VGG 3M-256': dict(accuracy=.917, AUROC=.97), 'published: VGG 3M-256, pretrained': dict(accuracy=.952, AUROC=.99)},
             'human': {'published: deepMiRGene': dict(SE=.814, SP=.985, PPV=.864, F1=.838, gmean=.895, AUROC=.979, AUPR=.906),
                       'published: Do et al., 2D': dict(SE=.930, SP=.984, PPV=.870, F1=.899, gmean=.957, AUROC=.983, AUPR=.946)},
             'whole': {'published: deepMiRGene': dict(SE=.928, SP=.978, PPV=.896, F1=.912, gmean=.953, AUROC=.986, AUPR=.956),
                       'published: Do et al., 2D': dict(SE=.904, SP=.982, PPV=.910, F1=.907, gmean=.942, AUROC=.983, AUPR=.951)},
             'new':   {'published: deepMiRGene': dict(SE=.891, SP=.980, PPV=.792, F1=.838, gmean=.935, AUROC=.984, AUPR=.802),
                       'published: Do et al., 2D': dict(SE=.917, SP=.967, PPV=.696, F1=.792, gmean=.942, AUROC=.979, AUPR=.864)}}

# ---- metrics and intervals

def simple(y, p):
    "Accuracy, AUROC, sensitivity, specificity."
    return dict(accuracy=((p>=.5)==y).mean(), AUROC=roc_auc_score(y, p), sensitivity=(p[y==1]>=.5).mean(), specificity=(p[y==0]<.5).mean())

def full(y, p):
    "deepMiRGene's measures."
    (tn, fp), (fn, tp) = confusion_matrix(y, p>=.5)
    se, sp, ppv = tp/(tp+fn), tn/(tn+fp), tp/max(tp+fp, 1)
    return dict(SE=se, SP=sp, PPV=ppv, F1=2*tp/(2*tp+fp+fn), gmean=(se*sp)**.5, AUROC=roc_auc_score(y, p), AUPR=average_precision_score(y, p))

def sensitivities(y, p, *specificities):
    "Sensitivity at each specificity."
    return {f'sensitivity at {q:.1%}': (p[y==1]>np.quantile(p[y==0], q)).mean() for q in specificities}

def ranked(y, p):
    "What does not depend on a threshold, and the sensitivity at two specificities."
    w = (y==1).sum()/max((y==0).sum(), 1)
    aupr = {f'AUPR 1:{k}': average_precision_score(y, p, sample_weight=np.where(y==1, 1, w*k)) for k in (1, 10, 100)}
    return dict(AUROC=roc_auc_score(y, p), **aupr, **sensitivities(y, p, .99, .999))

def interval(metrics, y, scores, # (seeds, n)
             clusters=None, n=200):
    "Mean over seeds and 95 % interval of each metric."
    y, scores, rng = np.asarray(y), np.atleast_2d(scores), np.random.default_rng(0)
    members = list(pd.Series(np.arange(len(y))).groupby(np.arange(len(y)) if clusters is None else np.asarray(clusters)).indices.values())
    mean = lambda i, seeds: pd.DataFrame([metrics(y[i], scores[s][i]) for s in seeds]).mean()
    draws = []
    while len(draws)<n:
        i = np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])
        if len(set(y[i]))==len(set(y)): draws.append(mean(i, rng.integers(len(scores), size=min(len(scores), 5))))
    value, draws = mean(np.arange(len(y)), range(len(scores))), pd.DataFrame(draws)
    return pd.DataFrame(dict(value=value, low=draws.quantile(.025), high=draws.quantile(.975)))

def table(rows):
    "One row a method; an interval stands behind its value."
    text = lambda t: {m: f'{r.value:.3f} ({r.low:.3f}-{r.high:.3f})' for m,r in t.iterrows()} if isinstance(t, pd.DataFrame) else {m: f'{v:.3f}' for m,v in t.items()}
    return pd.DataFrame({name: text(t) for name,t in rows.items()}).T.fillna('')

def write(name, t):
    "Print a table and keep it."
    RESULTS.mkdir(exist_ok=True)
    t.to_csv(RESULTS/f'{name}.tsv', sep='\t')
    print(f'\n{name}\n{t.to_string()}', flush=True)

def baselines(x, y, x_test, seeds):
    "Random forest and logistic regression on plain factors: scores of the test records."
    forests = [RandomForestClassifier(300, n_jobs=-1, random_state=s).fit(x, y).predict_proba(x_test)[:,1] for s in range(seeds)]
    line = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)).fit(x, y).predict_proba(x_test)[:,1]
    return {'random forest, 10 factors': forests, 'logistic regression, 10 factors': [line]}

# ---- trained detectors

@cache
def folded_views(split, without=frozenset()):
    "Records of one side as `cnn.detection_set` shows them, less those whose sequence is in `without`."
    d = cnn.detection_records(split)
    return cnn.detection_set(d[~d.sequence.isin(without)].reset_index(drop=True))

def detector(which, seed, without=frozenset()):
    "A detector trained on our training clusters, or the one that was kept."
    folder = MODELS/f'{which}-{seed}'
    if (folder/'detector.safetensors').exists(): return Detector.load(folder)
    (d, h), (dv, hv) = (folded_views(s, without) for s in ('train', 'validation'))
    out = Detector(seed, epochs=cnn.EPOCHS).fit(h, d.label, (hv, dv.label), folder)
    out.save(folder)
    return out

def tuned(which, seed, without, epochs, X, y, validation=None):
    "A detector that goes on learning, on another training set."
    d = detector(which, seed, without)
    d.seed, d.epochs = seed, epochs
    return d.fit(X, y, validation)

def held_out(d, hairpins):
    "Training and validation part, hairpins and labels, of a published training set: a tenth of the clusters is held out."
    held = cnn.balanced_sides(d.label.to_numpy(), cnn.similarity_clusters(hairpins), 0, (.9, .1, 0))=='validation'
    return [([h for h,k in zip(hairpins, keep) if k], d.label.to_numpy()[keep]) for keep in (~held, held)]

@cache
def kin_of_benchmarks():
    "Our sequences that are kin to, or of the family of, a record of any published test set."
    mirbase, ours = data.read_mirbase(), pd.concat([cnn.detection_records(s) for s in data.SIDES])
    tests = [h.sequence for h in test_hairpins()] + [s for b in ('human', 'whole', 'new') for s in data.read_benchmark(b).query('label==1').sequence]
    ours = ours.drop_duplicates('sequence').reset_index(drop=True)
    kin = set(ours.sequence[np.unique(data.kin_between(tests, list(ours.sequence))[:,1])])
    families = set(mirbase.family[mirbase.sequence.isin(kin)])-{''}
    kin |= set(mirbase.sequence[mirbase.family.isin(families)])
    print(f'{len(kin & set(ours.sequence)):,} of our {len(ours):,} records are kin to a published test set, or of the family of one: left out')
    return frozenset(kin)

# ---- modhsa

def test_hairpins(part='modhsa_test'):
    "The molecules that the published images show."
    s = data.read_images(part)
    return [hairpin_from_image(i, n) for i,n in zip(s.images, s.names)]

def published_recipe(images, labels, seed, epochs=100):
    "DeepMir's network and training: Adam, batches of 128, no validation, the last weights; in bfloat16, for time."
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = cnn.deepmir_cnn().to(memory_format=torch.channels_last)
        x, y, adam = cnn.images_to_tensor(images), torch.tensor(labels).long(), torch.optim.Adam(net.parameters())
        for epoch in range(epochs):
            for xb,yb in cnn.Batches((x, y), 128, seed*1000+epoch):
                adam.zero_grad()
                with torch.autocast('cpu', torch.bfloat16): loss = torch.nn.functional.cross_entropy(net(xb.contiguous(memory_format=torch.channels_last)), yb)
                loss.backward(); adam.step()
    return net

def published(seeds):
    "The published network by the published recipe, on the published images."
    train, test = data.read_images('modhsa_train'), data.read_images('modhsa_test')
    scores = []
    for seed in range(seeds):
        net = published_recipe(train.images, train.labels, seed)
        with cnn.inference(net): scores.append(net(cnn.images_to_tensor(test.images)).softmax(1)[:,1].numpy())
        print(simple(test.labels, scores[-1]), flush=True)
    write('published', table({'published: VGG 3M-256': PUBLISHED['modhsa']['published: VGG 3M-256'], 'deepmir_cnn, by us': interval(simple, test.labels, scores)}))

def modhsa(seeds):
    "The published images: trained on modhsa_train alone, and after pretraining."
    train, test = data.read_images('modhsa_train'), data.read_images('modhsa_test')
    y = test.labels
    factors = [cnn.measure_factors(test_hairpins(p)) for p in ('modhsa_train', 'modhsa_test')]
    scores = {'our detector': [], 'our detector, pretrained without kin': [], 'our detector, pretrained with all (leaks)': []}
    for seed in range(seeds):
        alone = Detector(seed, epochs=ALONE).fit(train.images, train.labels)
        scores['our detector'].append(alone.predict_proba(test.images)[:,1])
        for name,which,without in (('without kin', 'unrelated', kin_of_benchmarks()), ('with all (leaks)', 'ours', frozenset())):
            scores[f'our detector, pretrained {name}'].append(tuned(which, seed, without, TUNE, train.images, train.labels).predict_proba(test.images)[:,1])
    scores |= baselines(factors[0], train.labels, factors[1], seeds)
    write('modhsa', table({**PUBLISHED['modhsa'], **{k: interval(simple, y, v) for k,v in scores.items()}}))

# ---- deepMiRGene's sets

def mislabelled(sequences):
    "Which negatives hold 30 nt of a miRBase precursor, or the other way round?"
    known = {s[i:i+30] for s in data.read_mirbase().sequence for i in range(len(s)-29)}
    return np.array([any(s[i:i+30] in known for i in range(len(s)-29)) for s in sequences])

def matched_negatives(positives, pool, each=5, seed=0):
    "Positions in `pool` of negatives as long as the positives (bins of 5 nt), `each` for one, with repetition where they are few."
    rng, lengths = np.random.default_rng(seed), np.array([len(s)//5 for s in pool])
    want = pd.Series([len(s)//5 for s in positives]).value_counts()*each
    bins = {b: np.flatnonzero(lengths==b) for b in want.index}
    return np.concatenate([rng.choice(bins[b], k, replace=k>len(bins[b])) for b,k in want.items() if len(bins[b])])

def fold_all(names, sequences):
    return cnn.fold_frame(pd.DataFrame(dict(name=list(names), sequence=list(sequences))))

def deepmirgene(seeds):
    "Published protocol, the same without mislabelled negatives or without relatives of training positives, and against negatives matched in length."
    control = data.read_pseudo(('cds',)).query("split=='test'")
    control_hairpins, sizes = fold_all(control.name, control.sequence), {}
    for name,parts in (('human', [('human', 'train')]), ('whole', [('whole', 'train')]), ('new', [('whole', 'train'), ('whole', 'test')])):
        train, test = pd.concat([data.read_benchmark(*p) for p in parts]), data.read_benchmark(name)
        seen = fold_all(train.name, train.sequence)
        fitted, check = held_out(train, seen)
        h, y = fold_all(test.name, test.sequence), test.label.to_numpy()
        models = {'our detector': [Detector(s, epochs=ALONE).fit(*fitted, check) for s in range(seeds)],
                  'our detector, pretrained without kin': [tuned('unrelated', s, kin_of_benchmarks(), TUNE, *fitted, check) for s in range(seeds)],
                  'our detector, on our own data without kin only': [detector('unrelated', s, kin_of_benchmarks()) for s in range(seeds)]}
        scores = {k: [m.predict_proba(h)[:,1] for m in ms] for k,ms in models.items()}
        plain = cnn.measure_factors(seen), train.label
        scores |= baselines(*plain, cnn.measure_factors(h), seeds)
        write(f'deepmirgene_{name}', table({**PUBLISHED[name], **{k: interval(full, y, v) for k,v in scores.items()}}))
        relative = np.isin(np.arange(len(y)), data.kin_between(list(test.sequence), list(train.sequence[train.label==1]))[:,0])
        wrong = (y==0) & mislabelled(test.sequence)
        for what,keep in (('clean', ~wrong), ('novel', (y==0) | ~relative)):
            write(f'deepmirgene_{name}_{what}', table({k: interval(full, y[keep], np.array(v)[:,keep]) for k,v in scores.items()}))
        positives = [x for x,label in zip(h, y) if label]
        drawn = matched_negatives(test.sequence[y==1], control.sequence)
        x, label = positives+[control_hairpins[i] for i in drawn], np.array([1]*len(positives)+[0]*len(drawn))
        clusters = [*-np.arange(1, len(positives)+1), *drawn]
        matched = {k: [m.predict_proba(x)[:,1] for m in ms] for k,ms in models.items()}
        matched |= baselines(*plain, cnn.measure_factors(x), seeds)
        sizes[name] = {'training': len(train), 'precursors': y.sum(), '.. kin to training': (relative & (y==1)).sum(), 'negatives': (1-y).sum(),
                       '.. mislabelled': wrong.sum(), 'matched negatives': len(drawn), '.. different': len(set(drawn))}
        write(f'deepmirgene_{name}_matched', table({k: interval(full, label, v, clusters) for k,v in matched.items()}))
    write('deepmirgene_sets', pd.DataFrame(sizes))

# ---- ours

def expected_calibration_error(y, p, bins=15):
    "Mean distance of probability and frequency over bins of equal width, weighted by their records."
    b = np.minimum((p*bins).astype(int), bins-1)
    return sum(abs(p[b==k].mean()-y[b==k].mean())*(b==k).mean() for k in np.unique(b))

def calibrated(y, p):
    "Calibration error and Brier score."
    return dict(ECE=expected_calibration_error(y, p), Brier=((p-y)**2).mean())

def length_gc_matched(d, seed=0):
    "Rows of `d`: every precursor that has a free negative as long (5 nt) and as rich in GC (.05), and that negative."
    rng = np.random.default_rng(seed)
    gc = d.sequence.str.count('[GC]')/d.sequence.str.len()
    key = pd.Series(list(zip(d.sequence.str.len()//5, (gc/.05).astype(int))), index=d.index)
    rows = []
    for _,i in key.groupby(key).groups.items():
        pos, neg = (rng.permutation(i[(d.label[i]==k).to_numpy()]) for k in (1, 0))
        n = min(len(pos), len(neg)); rows += [*pos[:n], *neg[:n]]
    return np.sort(rows)

def ours(seeds):
    "Our own test clusters: ranking, calibration, classes of negatives, clades, species."
    d, h = folded_views('test')
    models = [detector('ours', s) for s in range(seeds)]
    p, y = np.array([m.predict_proba(h)[:,1] for m in models]), d.label.to_numpy()
    calls = np.array([q>=m.threshold for q,m in zip(p, models)])
    (dt, ht), whole = folded_views('train'), (d['view']=='whole').to_numpy()
    some = (dt['view']=='whole').to_numpy()
    plain = {k: np.array(v) for k,v in baselines(cnn.measure_factors([x for x,k in zip(ht, some) if k]), dt.label[some], cnn.measure_factors(h), seeds).items()}
    tests = {'all negatives': whole, **{f'{s} negatives': whole & ((y==1) | (d.source==s)) for s in d.source.unique() if s!='precursor'}}
    tests['matched in length and GC'] = np.isin(np.arange(len(d)), np.flatnonzero(whole)[length_gc_matched(d[whole].reset_index(drop=True))])
    shown = np.array([not hairpin_flags(x) for x in h])
    tests |= {'single hairpins of at most 100 columns': whole & shown, 'several hairpins, or cut': whole & ~shown}
    tests |= {f'{v} view': (d['view']==v).to_numpy() for v in ('flanked', 'trimmed')}
    rows = {(t, who): interval(ranked, y[k], q[:,k], d.cluster[k]) for t,k in tests.items() for who,q in (('our detector', p), *plain.items())}
    write('ours', table(rows))
    write('ours_calibration', table({t: interval(calibrated, y[k], p[:,k], d.cluster[k]) for t,k in tests.items()}))
    called = lambda k: interval(lambda _, q: {'called precursor': q.mean()}, y[k], calls[:,k], d.cluster[k])
    group = {f'{s}, {v}': (d.source==s) & (d['view']==v) for s in d.source.unique() for v in ('whole', 'flanked', 'trimmed')}
    write('ours_threshold', table({t: called(k.to_numpy()) for t,k in group.items()}))
    mirbase = data.read_mirbase().set_index('name')
    species, number = d.name.map(mirbase.species), d.name.map(mirbase.accession.str[2:].astype(int))
    positive = whole & (y==1)
    clades = {g: positive & (d.group==g).to_numpy() for g in d.group[positive].unique()}
    decades = {f'{a:,}-{b:,}': positive & number.between(a, b).to_numpy() for a,b in ((1, 2000), (2001, 6000), (6001, 12000), (12001, 18000), (18001, 99999))}
    write('ours_clades', pd.concat({'clade': _sensitivities(clades, called), 'accession number (age)': _sensitivities(decades, called)}))
    common = species[positive].value_counts().index[:45]
    write('ours_species', _sensitivities({mirbase.species_name[mirbase.species==s].iloc[0]: positive & (species==s).to_numpy() for s in common}, called))

def _sensitivities(groups, called):
    t = table({g: called(k) for g,k in groups.items()}).rename(columns={'called precursor': 'sensitivity'})
    return t.assign(precursors=[int(k.sum()) for k in groups.values()])

# ---- flanks and windows

def flanks(sequence, n, seed):
    "`n` random nucleotides on either side."
    return data.flanked(sequence, n, n, seed)

def window(sequence, seed, size=200):
    "A window of `size` nt around a hairpin, filled with random nucleotides."
    left = max(0, size-len(sequence))//2
    return data.flanked(sequence, left, max(0, size-len(sequence))-left, seed)

def candidates(sequences, inside):
    "The hairpins of each sequence: those found inside, or the one that it is."
    if not inside: return [[h] for h in fold_all(map(str, range(len(sequences))), sequences)]
    return [[f.hairpin for f in found] for found in find_many([Record(str(i), s) for i,s in enumerate(sequences)], n_jobs=-1)]

def best_scores(models, hairpins):
    "(seeds, n) probability of the best of each list of hairpins; 0 where it is empty."
    owner = np.repeat(np.arange(len(hairpins)), [len(hs) for hs in hairpins])
    out = np.zeros((len(models), len(hairpins)))
    for row,m in zip(out, models): np.maximum.at(row, owner, m.predict_proba([h for hs in hairpins for h in hs])[:,1])
    return out

def in_windows(y, p):
    "Ranking, and sensitivity at 99 % specificity."
    return dict(AUPR=average_precision_score(y, p), AUROC=roc_auc_score(y, p), **sensitivities(y, p, .99))

def real_flanks():
    "Precursors with their genomic flanks (DeepMirCut), and genomic hairpins of chromosome 21 with theirs; of validation and test clusters."
    m = data.read_mirbase().set_index('accession')
    rows = [line.split('\t') for line in data.data_file('cutsites/deepmircut_set.txt').read_text().splitlines()]
    out = [(r[2], r[11], m.sequence[r[2]], 1, m.cluster[r[2]]) for r in rows if '_x' not in r[0] and r[2] in m.index and m.split[r[2]]!='train']
    region, first = data.read_region()
    g = data.read_genomic().query("split!='train'")
    for name,cluster in g[g.name.str.contains(':')][['name', 'cluster']].itertuples(index=False):
        start, end = map(int, name[:-1].split(':')[1].split('-'))
        wide = data.cut_out(f':{start-50}-{end+50}{name[-1]}', region, first)
        out.append((name, wide, wide[50:len(wide)-50], 0, -1-cluster))
    return pd.DataFrame(out, columns=['name', 'wide', 'sequence', 'label', 'cluster'])

def windows(seeds):
    "The same test hairpins trimmed, with flanks, and as windows; random flanks, and real ones."
    (dt, ht), forest = folded_views('train'), lambda s: make_pipeline(FunctionTransformer(cnn.plain_factors), RandomForestClassifier(300, n_jobs=-1, random_state=s))
    whole = (dt['view']=='whole').to_numpy()
    methods = {'our detector': [detector('ours', s) for s in range(seeds)], 'random forest, 10 factors': [forest(s).fit([x for x,k in zip(ht, whole) if k], dt.label[whole]) for s in range(seeds)]}
    d, r = cnn.detection_records('test').query("source!='shuffle'").reset_index(drop=True), real_flanks()
    cut = lambda s, wide, n: wide[max(0, wide.find(s)-n):wide.find(s)+len(s)+n]
    forms = {'trimmed precursor': (d, list(d.sequence)), **{f'+{n} nt': (d, [flanks(s, n, i) for i,s in enumerate(d.sequence)]) for n in (15, 30)},
             '200-nt window': (d, [window(s, i) for i,s in enumerate(d.sequence)]),
             **{f'real flanks, +{n} nt': (r, [cut(s, w, n) for s,w in zip(r.sequence, r.wide)]) for n in (0, 15, 30)}, 'real flanks, whole window': (r, list(r.wide))}
    rows, sizes = {}, {}
    for form,(d,sequences) in forms.items():
        y, hairpins = d.label.to_numpy(), candidates(sequences, 'window' in form)
        for who,models in methods.items(): rows[form, who] = interval(in_windows, y, best_scores(models, hairpins), d.cluster)
        sizes[form] = f'{y.sum()} + {(1-y).sum()}'
    t = table(rows)
    write('windows', t.assign(records=[sizes[form] for form,_ in t.index]))

# ---- what the image buys, and how much data it takes

def rows_of(text, alphabet, width):
    "One-hot, (letters, 1, width)."
    out = np.zeros((len(alphabet), 1, width), np.float32)
    for i,c in enumerate(text[:width]): out[alphabet.index(c),0,i] = 1
    return out

INPUTS = {'image': None,
          'columns, one-hot': lambda h: rows_of(column_word(h), LETTERS, 100),
          'sequence and structure': lambda h: np.concatenate([rows_of(h.sequence, 'ACGU', 200), rows_of(h.structure, '(.)', 200)]),
          'sequence only': lambda h: rows_of(h.sequence, 'ACGU', 200),
          'structure only': lambda h: rows_of(h.structure, '(.)', 200)}

def network(x):
    "The detector's network with a first layer for input `x`, (n, channels, height, width)."
    net = cnn.HairpinCNN()
    net.stem[0] = torch.nn.Conv2d(x.shape[1], net.stem[0].out_channels, (x.shape[2], 1), bias=False)
    net.parts = torch.nn.AvgPool1d(x.shape[3]//20)
    return net

def trained_on(make, seed, train, validation, epochs=4):
    "A network trained on (x, y), as `Detector.fit` does."
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        net = make()
        loss = lambda m, x, y: torch.nn.functional.binary_cross_entropy_with_logits(m(x), y)
        cnn.train_epochs(net, loss, lambda e: cnn.Batches(train, 128, seed*1000+e), cnn.Batches(validation, 512), epochs)
    return net

def scored(net, x):
    with cnn.inference(net): return torch.sigmoid(torch.cat([net(b) for b in x.split(512)])).numpy()

def ablation(seeds, share=6):
    "The same network on parts of what the image shows; a sixth of the training clusters, records as they are."
    sides = {}
    for s in data.SIDES:
        d, h = folded_views(s)
        keep = (d['view']=='whole') & ((d.cluster.map(lambda c: int(c[1:])%share==0)) | (s!='train'))
        sides[s] = d[keep], [x for x,k in zip(h, keep) if k]
    d, rows = sides['test'][0], {}
    label = lambda d: torch.tensor(d.label.to_numpy(np.float32))
    for name,f in INPUTS.items():
        x = {s: torch.from_numpy(1-np.stack([f(i) for i in h])) if f else cnn.images_to_tensor(encode(h).images) for s,(_,h) in sides.items()}
        p = [scored(trained_on(lambda: network(x['test']), s, (x['train'], label(sides['train'][0])), (x['validation'], label(sides['validation'][0]))), x['test']) for s in range(seeds)]
        rows[name] = interval(ranked, d.label.to_numpy(), p, d.cluster)
        print(name, rows[name].value.round(4).to_dict(), flush=True)
    write('ablation', table(rows))

def curve(seeds):
    "How the detector grows with its training set: clusters drawn at random."
    (d, h), (dv, hv), (dt, ht) = (folded_views(s) for s in data.SIDES)
    number, k, rows = d.cluster.map({c: i for i,c in enumerate(np.random.default_rng(0).permutation(d.cluster.unique()))}), (dt['view']=='whole').to_numpy(), {}
    test = [x for x,w in zip(ht, k) if w]
    for part in (64, 8, 1):
        keep, p = (number%part==0).to_numpy(), []
        for s in range(seeds):
            m = detector('ours', s) if part==1 else Detector(s, epochs=cnn.EPOCHS*int(part**.5)).fit([x for x,w in zip(h, keep) if w], d.label[keep], (hv, dv.label))
            p.append(m.predict_proba(test)[:,1])
        rows[f'{int(keep.sum()/3):,} records'] = interval(ranked, dt.label.to_numpy()[k], p, dt.cluster[k])
        print(part, rows[f'{int(keep.sum()/3):,} records'].value.round(4).to_dict(), flush=True)
    write('curve', table(rows))

def speed(repeats):
    "Scoring beside folding: one thread, two thousand precursors, alternating."
    torch.set_num_threads(1)
    records = [Record(n, s) for n,s in data.read_mirbase().query("sequence.str.fullmatch('[ACGU]+')", engine='python')[['name', 'sequence']].iloc[::10].head(2000).itertuples(index=False)]
    shipped, times = Detector.load(), []
    for _ in range(repeats):
        start = time.perf_counter(); hairpins = list(fold_many(records)); folded = time.perf_counter()
        shipped.predict_proba(hairpins); times.append((folded-start, time.perf_counter()-folded))
    t = pd.DataFrame(times, columns=['folding', 'drawing and scoring'])
    write('speed', pd.DataFrame({'s for 2,000 precursors': t.median().round(2).astype(str), 'share of folding': (t.div(t.folding, axis=0)).median().round(3).astype(str)}))

COMMANDS = dict(speed=speed, published=published, modhsa=modhsa, deepmirgene=deepmirgene, ours=ours, windows=windows, curve=curve, ablation=ablation)

if __name__=='__main__':
    what, seeds = (sys.argv[1:]+['', '5'][len(sys.argv)-1:])[:2]
    if what not in COMMANDS: sys.exit(__doc__)
    COMMANDS[what](int(seeds))
