"""Measure the rules: MIRNBDEV_DATA=... python benchmarks/rules.py ours|modmirbase

Each prints tables and writes them into benchmarks/results/, where the rules' page finds them. Folded and measured hairpins are kept in out/rules/ and used
again. Accuracy gives both classes the same weight. Intervals: 95 %, over resampled clusters of test records. On one core: ours 15 minutes, the first time 15
more for measuring; modmirbase ten, the first time ten more.
"""
import sys
from functools import cache
from pathlib import Path
import numpy as np, pandas as pd
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import RidgeClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold
from sklearn.tree import DecisionTreeClassifier
from mirnbdev.cnn import Detector
from mirnbdev.generator import generation_set, Generator
from mirnbdev.data import data_file, family_pairs, join_clusters, kin_pairs, read_images, read_mirbase
from mirnbdev.encoding import column_word, hairpin_from_image, hairpin_from_word
from mirnbdev.factors import correlate, factor_table
from mirnbdev.hairpin import Hairpin, refold
from mirnbdev.latent import latent_table
from mirnbdev.rules import all_conditions, fit_rules, stability
from mirnbdev.scorecard import is_decodable
from detector import interval, table, write

KEPT, FEW, MOST, REFITS, BIN = Path('out/rules'), 3, 6, 10, 5 # folder; rules; rules; refits of a stability; nt of length within which hairpins are matched

# ---- hairpins, factors, latents

def kept(name, make):
    "What was made before, or `make()`."
    if (path := KEPT/f'{name}.pkl').exists(): return pd.read_pickle(path)
    KEPT.mkdir(parents=True, exist_ok=True)
    pd.to_pickle(out := make(), path)
    return out

def measured(split):
    "As many precursors as pseudo-hairpins of one side: hairpins, records, factors."
    side = generation_set(split)
    y, rng = side.records.label.to_numpy(), np.random.default_rng(0)
    i = np.sort(np.concatenate([rng.permutation(np.flatnonzero(y==l))[:min(np.bincount(y))] for l in (0, 1)]))
    hairpins = [side.hairpins[j] for j in i]
    return hairpins, side.records.iloc[i].reset_index(drop=True), factor_table(hairpins, n_jobs=-1).reset_index(drop=True)

def latents(hairpins):
    "Where the generator places them, a column a latent; all encoded alike, whatever their label."
    g = Generator.load()
    return pd.concat([latent_table(g, hairpins[i:i+500]) for i in range(0, len(hairpins), 500)], ignore_index=True)

@cache
def ours(split):
    "One side: records, factors, latents, the detector's calls."
    hairpins, d, factors = kept(split, lambda: measured(split))
    return d, factors, latents(hairpins), Detector.load().predict_proba(hairpins)[:,1]

def matched(d, length):
    "Rows with as many precursors as pseudo-hairpins in each bin of length."
    bins, rng = (length//BIN).to_numpy(), np.random.default_rng(0)
    groups = [[rng.permutation(np.flatnonzero((bins==b) & (d.label==l))) for l in (0, 1)] for b in np.unique(bins)]
    return np.sort(np.concatenate([g[:min(map(len, pair))] for pair in groups for g in pair]))

# ---- measures

def accuracy(y, p):
    "Balanced accuracy of calls."
    return ((p[y==1]>=.5).mean()+(p[y==0]<.5).mean())/2

def described(y, p, clusters, fidelity=None, subset=None):
    "Accuracy, accuracy on a subset, and agreement with the detector, each with its interval."
    out = {'accuracy': interval(lambda y,p: dict(a=accuracy(y, p)), y, p, clusters)}
    if subset is not None: out['length-matched'] = interval(lambda y,p: dict(a=accuracy(y, p)), y[subset], p[subset], clusters[subset])
    if fidelity is not None: out['fidelity'] = interval(lambda q,p: dict(a=((p>=.5)==q).mean()), fidelity, p, clusters)
    return pd.concat([t.set_axis([k]) for k,t in out.items()])

def forest(x, y, test):
    "Probability of a precursor, by a random forest."
    return RandomForestClassifier(100, min_samples_leaf=2, random_state=0).fit(x, y).predict_proba(test)[:,1]

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
    return [c for c,r in correlate(x).length.items() if abs(r)>.5]

def our_rules():
    "Every set of rules: name -> columns of training and test, labels to fit, rules allowed."
    (d, x, z, p), (_, tx, tz, _) = ours('train'), ours('test')
    y, long = d.label.to_numpy(), follows_length(x)
    print('follow length:', ', '.join(long))
    rng = np.random.default_rng(0)
    return {f'{MOST} rules on factors': (x, tx, y, MOST), f'{FEW} rules on factors': (x, tx, y, FEW), 'one rule on factors': (x, tx, y, 1),
            f'{MOST} rules on latents': (z, tz, y, MOST), f"{MOST} rules on factors, fitted to the detector's calls": (x, tx, (p>=.5)*1, MOST),
            f'{MOST} rules, without factors that follow length': (x.drop(columns=long), tx.drop(columns=long), y, MOST),
            f'{MOST} rules on length alone': (x[['length']], tx[['length']], y, MOST), f'{MOST} rules on factors, permuted labels': (x, tx, rng.permutation(y), MOST)}

def share(v):
    "A number without interval."
    return {k: f'{x:.2f}' if isinstance(x, float) else str(x) for k,x in v.items()}

def measure_ours():
    "Rules, trees, forests and the detector, fitted on training clusters, on test clusters."
    (d, x, z, _), (t, tx, tz, p) = ours('train'), ours('test')
    y, ty, clusters, equal = d.label.to_numpy(), t.label.to_numpy(), t.cluster.to_numpy(), matched(t, tx.length)
    row = lambda q: described(ty, q, clusters, (p>=.5)*1, equal)
    sets = our_rules()
    fits = {name: fit_rules(a, labels, most) for name,(a,_,labels,most) in sets.items()}
    calls = {name: fits[name].predict(b) for name,(_,b,_,_) in sets.items()}
    single = best_single(x, y)
    scores = {**calls, f'best single factor: {single.factor}': single.holds(tx)*1, f'tree of {MOST} leaves on factors': tree(max_leaf_nodes=MOST)(x, y, tx),
              'tree of depth 5 on factors': tree(max_depth=5)(x, y, tx), 'random forest on factors': forest(x, y, tx), 'random forest on latents': forest(z, y, tz), 'detector': p}
    rows = table({k: row(q) for k,q in scores.items()})
    more = {}
    for name in list(sets)[:4]:
        a, b, labels, most = sets[name]
        s = stability(a, labels, d.cluster, b, most, REFITS)
        more[name] = share({'rules': len(fits[name].rules), 'factors': len(fits[name].factors()), 'overlap': s.overlap, 'agreement': s.agreement})
        if name==f'{MOST} rules on factors': s.chosen.rename('share of refits').round(2).rename_axis('factor').to_frame().to_csv(Path(__file__).parent/'results/rules_chosen.tsv', sep='\t')
    write('rules', rows.join(pd.DataFrame(more).T).fillna(''))
    write('rules_text', pd.DataFrame([(name, i, said) for name,f in fits.items() for i,said in enumerate(f.describe(), 1)], columns=['set', 'number', 'rule']).set_index(['set', 'number']))
    write_curve(x, z, y, tx, tz, ty, clusters, scores)
    write_groups(t, calls, p, f'{FEW} rules on factors')
    write_beyond(t, tx, calls[f'{MOST} rules on factors'], p)

def write_curve(x, z, y, tx, tz, ty, clusters, scores):
    "Accuracy against the number of rules allowed."
    one = lambda q: interval(lambda y,p: dict(a=accuracy(y, p)), ty, q, clusters).iloc[0]
    rows = {(name, n): one(rules(n)(a, y, b)) for name,a,b in (('factors', x, tx), ('latents', z, tz)) for n in (1, 2, 3, 4, 6, 9, 12)}
    rows |= {('line', k): one(scores[k]) for k in ('random forest on factors', 'random forest on latents', 'detector')}
    write('rules_curve', pd.DataFrame(rows).T.rename_axis(['table', 'rules']).round(4))

def write_groups(t, calls, p, name):
    "Share of each group of organisms, and of each kind of pseudo-hairpin, that is called rightly."
    group = t.group.where(t.label==1, t.source)
    right = lambda q: {g: interval(lambda y,p: dict(a=((p>=.5)==y).mean()), t.label[group==g], q[(group==g).to_numpy()], t.cluster[group==g]).set_axis(['a']) for g in group.unique()}
    both = {'rules': right(calls[name]), 'detector': right(p)}
    text = {k: table({g: v for g,v in r.items()}).a for k,r in both.items()}
    write('rules_groups', pd.DataFrame({'label': t.groupby(group).label.first(), 'hairpins': group.value_counts(), **text}).sort_values(['label', 'hairpins'], ascending=False))

def write_beyond(t, tx, calls, p):
    "Does the detector still tell precursors apart where the rules say the same of all; and what are those like that only one of the two calls rightly?"
    y = t.label.to_numpy()
    auc = {f"rules say {'precursor' if l else 'pseudo-hairpin'}": interval(lambda y,p: dict(AUROC=roc_auc_score(y, p)), y[calls==l], p[calls==l], t.cluster[calls==l]) for l in (1, 0)}
    write('rules_beyond', table(auc))
    right, rules_right = (p>=.5)==y, calls==y
    kinds = {'precursors, both right': (y==1) & right & rules_right, 'precursors, only the detector right': (y==1) & right & ~rules_right,
             'precursors, only the rules right': (y==1) & ~right & rules_right, 'precursors, both wrong': (y==1) & ~right & ~rules_right,
             'others, only the detector right': (y==0) & right & ~rules_right, 'others, only the rules right': (y==0) & ~right & rules_right, 'others, both wrong': (y==0) & ~right & ~rules_right}
    named = ['length', 'pairs', 'paired_fraction', 'mfe_per_nt', 'mfei', 'gc', 'terminal_loop', 'largest_interruption', 'arm_asymmetry', 'free_ends', 'dinucleotide_entropy', 'pairing_entropy']
    write('rules_missed', pd.DataFrame({k: {'hairpins': m.sum(), **tx[named][m].median().round(2)} for k,m in kinds.items()}).T)

# ---- modmirbase

THEIRS = 'deepmir/modmirbase_test_concepts.csv'

def drawn():
    "The published test set, less what holds other letters than ACGU: positions in the set, hairpins, labels."
    s = read_images('modmirbase_test')
    read = [hairpin_from_image(i, n) for i,n in zip(s.images, s.names)]
    rows = np.flatnonzero([set(h.sequence)<=set('ACGU') for h in read])
    hairpins = refold([read[i] for i in rows]) # a third show impossible pairs: of several hairpins the drawing lost a part
    return rows, [a if is_decodable(a) else b for a,b in zip((read[i] for i in rows), hairpins)], s.labels[rows]

def with_factors(d):
    "And the factors of its hairpins."
    return d, factor_table(d[1], n_jobs=-1).reset_index(drop=True)

def families(hairpins, labels):
    "Clusters: kin by sequence, and the families of miRBase."
    known = read_mirbase().drop_duplicates('name').set_index('name').family
    family = [known.get(h.name, '') if l else '' for h,l in zip(hairpins, labels)]
    return join_clusters(len(hairpins), kin_pairs([h.sequence for h in hairpins]), family_pairs(family))

def writable(h, energy):
    "`h` as the generator takes it: its 100 columns nearest the loop, with an energy."
    part = hairpin_from_word(column_word(h)[:100], h.name)
    return Hairpin(h.name, part.sequence, part.structure, energy)

def concepts():
    "The 20 features that the authors measured; words become numbers."
    d = pd.read_csv(data_file(THEIRS), index_col=0).drop(columns=['idx', 'class_label'])
    return pd.DataFrame({c: d[c].astype(float) if d[c].dtype.kind in 'bif' else pd.factorize(d[c])[0].astype(float) for c in d})

class ConceptTree:
    "Petkovic & Menkovski 2024: each split is a direction of the latents that predicts whether a factor exceeds a threshold. Theirs come from support vectors, these from least squares."
    depth, gain, least, faithful = 4, .001, 10, .8 # splits in a row; Gini gain and hairpins of a split; accuracy of a direction

    def fit(self, z, y, held, depth=0):
        "`held`: (n, concepts) bool."
        self.call, self.split = int(y.mean()>=.5), None
        held = held[:,(held.sum(0)>=self.least) & ((~held).sum(0)>=self.least)]
        if depth==self.depth or held.shape[1]<2: return self
        line = RidgeClassifier().fit(z, held.astype(int))
        side = line.decision_function(z)>0
        gini, n = lambda share: 2*share*(1-share), side.sum(0)
        yes, no = (y @ side)/np.maximum(n, 1), (y @ ~side)/np.maximum(len(y)-n, 1)
        gain = gini(y.mean())-(n*gini(yes)+(len(y)-n)*gini(no))/len(y)
        gain[(side==held).mean(0)<self.faithful] = 0
        if gain.max()<self.gain: return self
        k = gain.argmax()
        self.split = line.coef_[k], line.intercept_[k]
        self.parts = [ConceptTree().fit(z[m], y[m], held[m], depth+1) for m in (side[:,k], ~side[:,k])]
        return self

    def predict(self, z):
        if self.split is None: return np.full(len(z), self.call)
        yes, no = (part.predict(z) for part in self.parts)
        return np.where(z @ self.split[0]+self.split[1]>0, yes, no)

def concept_tree(factors):
    "Its calls; the concepts are each factor at least each of its deciles."
    def calls(z, y, test):
        x = factors.loc[z.index]
        held = np.stack([c.holds(x) for c in all_conditions(x) if c.at_least], 1)
        return ConceptTree().fit(z.to_numpy(), y, held).predict(test.to_numpy())
    return calls

def out_of_fold(make, x, y, folds):
    "Calls for each hairpin by what was fitted without its fold."
    p = np.empty(len(y))
    for train, test in folds: p[test] = make(x.iloc[train], y[train], x.iloc[test])
    return p

def modmirbase():
    "The published test set, cross-validated with families kept together; and, for one tree, split at random."
    (rows, hairpins, y), x = kept('modmirbase', lambda: with_factors(drawn()))
    clusters, theirs = kept('modmirbase_clusters', lambda: families(hairpins, y)), concepts().iloc[rows].reset_index(drop=True)
    z = latents([writable(h, e) for h,e in zip(hairpins, x.mfe)])
    together = list(StratifiedGroupKFold(5, shuffle=True, random_state=0).split(x, y, clusters))
    apart = list(StratifiedKFold(5, shuffle=True, random_state=0).split(x, y))
    methods = {'their features: tree of depth 5': (tree(max_depth=5), theirs, together), 'their features: tree of depth 5, families not kept together': (tree(max_depth=5), theirs, apart),
               'their features: random forest': (forest, theirs, together), 'our latents: their tree of concepts, 16 leaves at most': (concept_tree(x), z, together),
               'our latents: tree of depth 5': (tree(max_depth=5), z, together), f'our latents: {MOST} rules': (rules(), z, together), 'our latents: random forest': (forest, z, together),
               'our factors: one rule': (rules(1), x, together), f'our factors: {FEW} rules': (rules(FEW), x, together), f'our factors: {MOST} rules': (rules(), x, together),
               f'our factors: tree of {MOST} leaves': (tree(max_leaf_nodes=MOST), x, together), 'our factors: tree of depth 5': (tree(max_depth=5), x, together),
               'our factors: random forest': (forest, x, together), f'our factors: {MOST} rules on length alone': (rules(), x[['length']], together),
               f'our factors: {MOST} rules without factors that follow length': (rules(), x.drop(columns=follows_length(x)), together)}
    found = {}
    for name,(make,a,folds) in methods.items():
        found[name] = described(y, out_of_fold(make, a, y, folds), clusters)
        print(name, found[name].round(4).to_dict('index'), flush=True)
    shuffled = np.random.default_rng(0).permutation(y)
    found[f'our factors: {MOST} rules, permuted labels'] = described(shuffled, out_of_fold(rules(), x, shuffled, together), clusters)
    write('rules_modmirbase', table(found))
    all_rules, again = fit_rules(x, y, MOST), stability(x, y, clusters, x, MOST, REFITS)
    write('rules_modmirbase_text', pd.DataFrame(all_rules.describe(), columns=['rule'], index=pd.RangeIndex(1, len(all_rules.rules)+2, name='number')))
    write('rules_modmirbase_stability', pd.DataFrame({f'{MOST} rules': share({'overlap': again.overlap, 'agreement': again.agreement})}))

COMMANDS = dict(ours=measure_ours, modmirbase=modmirbase)

if __name__=='__main__':
    if len(sys.argv)!=2 or sys.argv[1] not in COMMANDS: sys.exit(__doc__)
    COMMANDS[sys.argv[1]]()
