"""Measure where the detector's attributions lie: MIRNBDEV_DATA=... python benchmarks/biology.py regions|profiles|seqlets|determinants

Each writes tables into benchmarks/results/, where the page on biology finds them. All hairpins are of the test side, one of each cluster of relatives.
On one core: regions 15 minutes and profiles 10 (most of it mutagenesis), seqlets and determinants five each.
"""
import re, sys
from functools import cache
import numpy as np, pandas as pd
from scipy.stats import false_discovery_control, rankdata
from mirnbdev.biology import best_match, borrowed, context_scores, cut_profile, find_seqlets, group_seqlets, lend, matched_difference, pattern_of, plant, region_test, regions, rotated, seqlet_logo, shape_of
from mirnbdev.cnn import Detector
from mirnbdev.generator import generation_set
from mirnbdev.data import dinucleotide_shuffle, read_mirbase
from mirnbdev.encoding import column_word, encode, hairpin_flags, UP
from mirnbdev.factors import arm_positions, factor_table, ghg_sites, stem_of
from mirnbdev.hairpin import fold_many, pair_table, Record
from mirnbdev.saliency import attribute, nucleotide_map, nucleotide_scores
from mirnbdev.sets import resamples, with_interval
from detector import write

METHOD, MUTATED, CONTROLS, EPOCHS = 'integrated_gradients', 100, 200, 3 # of attribution; hairpins of each clade, with two arms, that are mutated; those that are shown to other detectors; of the one with shuffled labels
ARMS, CLADES = ['start_5p', 'end_5p', 'start_3p', 'end_3p'], {'animals': 'Metazoa', 'plants': 'Viridiplantae'}
CUTS = ("outer cut, 5' arm", "inner cut, 5' arm", "inner cut, 3' arm", "outer cut, 3' arm") # in the order of ARMS

# ---- hairpins and scores

@cache
def precursors():
    "Held-out precursors of at most 100 columns, one of each cluster, those with two known arms first; and their hairpins."
    d = read_mirbase()
    d = d[(d.split=='test') & d.sequence.str.fullmatch('[ACGU]+') & (d.start_5p.notna() | d.start_3p.notna())].sample(frac=1, random_state=0)
    d = d.assign(both=d.start_5p.notna() & d.start_3p.notna()).sort_values('both', ascending=False, kind='stable').drop_duplicates('cluster')
    d = d[d.clade.isin(CLADES.values())]
    hairpins = list(fold_many((Record(n, s) for n,s in zip(d.name, d.sequence)), n_jobs=-1))
    keep = np.array([not hairpin_flags(h) for h in hairpins], bool)
    return d[keep].reset_index(drop=True), [h for h,k in zip(hairpins, keep) if k]

def of_clade(clade):
    "Records, hairpins, and known arms of one clade."
    d, hairpins = precursors()
    rows = np.flatnonzero(d.clade==CLADES[clade])
    return d.iloc[rows].reset_index(drop=True), [hairpins[i] for i in rows], d.iloc[rows][ARMS].to_numpy(float, na_value=np.nan)

@cache
def pseudo_hairpins():
    "Held-out pseudo-hairpins, one of each cluster."
    s = generation_set('test')
    first = s.records[s.records.label==0].drop_duplicates('cluster').index
    return [s.hairpins[i] for i in first]

@cache
def shuffled_labels():
    "A detector that learned labels without meaning."
    s, check = (generation_set(side) for side in ('train', 'validation'))
    shuffle = np.random.default_rng(0).permutation
    some, few = shuffle(len(s.hairpins))[:4000], shuffle(len(check.hairpins))[:1000]
    take = lambda s, rows: ([s.hairpins[i] for i in rows], shuffle(s.records.label.to_numpy()[rows]))
    return Detector(epochs=EPOCHS).fit(*take(s, some), take(check, few))

def ink(hairpins):
    "Coloured pixels of each nucleotide."
    return [nucleotide_scores((image!=255).any(-1).astype(float), h) for image,h in zip(encode(hairpins).images, hairpins)]

def relative(scores):
    "In units of the hairpin's mean |score|."
    return [s/np.abs(s).mean() for s in scores]

# ---- regions

@cache
def mutated(clade):
    "Mean loss of the logit by substitution, refolded."
    d, hairpins, _ = of_clade(clade)
    return attribute(Detector.load(), hairpins[:min(MUTATED, d.both.sum())], 'mutagenesis').nucleotides

def score_sets(clade, hairpins):
    "What is tested: the detector's attributions, and controls that know less; name -> scores."
    signed = attribute(Detector.load(), hairpins, METHOD).nucleotides
    size = list(map(np.abs, signed))
    place, context = context_scores(hairpins, size, pairing=False), context_scores(hairpins, size)
    yield from {'detector, size': size, 'detector, for a precursor': [s.clip(0) for s in signed], 'place only': place, 'place and pairing only': context,
                'detector, beyond place and pairing': [s-c for s,c in zip(relative(size), context)], 'ink': ink(hairpins)}.items()
    for name,other in {'random weights': Detector(), 'shuffled labels': shuffled_labels()}.items(): yield name, list(map(np.abs, attribute(other, hairpins[:CONTROLS], METHOD).nucleotides))
    yield 'occlusion, size', list(map(np.abs, attribute(Detector.load(), hairpins, 'occlusion').nucleotides))
    yield 'mutagenesis, size', list(map(np.abs, mutated(clade)))

def in_regions(clade):
    "Both nulls for each score; and pseudo-hairpins that borrow the arms of precursors."
    _, hairpins, arms = of_clade(clade)
    masks, lent = [regions(h, *a) for h,a in zip(hairpins, arms)], list(borrowed(hairpins, arms))
    for name,scores in score_sets(clade, hairpins):
        yield (clade, name, 'shifted'), region_test(scores, map(rotated, masks))
        yield (clade, name, 'borrowed'), region_test(scores, lent).drop('terminal loop')
    both, shapes = ~np.isnan(arms).any(1), np.array(list(map(shape_of, hairpins)))
    theirs = (lend(shape_of(h), shapes[both], arms[both], 1)[0] for h in pseudo_hairpins())
    yield (clade, 'pseudo-hairpins', 'shifted'), region_test(list(map(np.abs, pseudo_scores())), (rotated(regions(h, *a)) for h,a in zip(pseudo_hairpins(), theirs)))

@cache
def pseudo_scores():
    "Attributions of pseudo-hairpins."
    return attribute(Detector.load(), pseudo_hairpins(), METHOD).nucleotides

def all_regions():
    "All tests, corrected together."
    found = dict(t for clade in CLADES for t in in_regions(clade))
    d = pd.concat(found, names=['clade', 'scores', 'null']).reset_index()
    d['q'] = false_discovery_control(d.p)
    write('biology_regions', d.set_index(['clade', 'scores', 'null', 'region']).round({'excess': 4, 'low': 4, 'high': 4, 'rank': 4}))

# ---- profiles

def profiles():
    "Around the four cuts, by integrated gradients and by mutagenesis, signed."
    out = {}
    for clade in CLADES:
        _, hairpins, arms = of_clade(clade)
        for name,scores in {'integrated gradients': attribute(Detector.load(), hairpins, METHOD).nucleotides, 'mutagenesis': mutated(clade)}.items():
            for k,cut in enumerate(CUTS):
                known = np.flatnonzero(~np.isnan(arms[:len(scores),k]))
                out[clade, name, cut] = cut_profile([scores[i] for i in known], arms[known,k])
    write('biology_profiles', pd.concat(out, names=['clade', 'scores', 'cut']).round(4))

# ---- seqlets

def column_scores(pixels):
    "(n, 2, 100) from (n, 25, 100)."
    return np.stack([pixels[:,:UP].sum(1), pixels[:,UP:].sum(1)], 1)

def share(hits, name):
    "Share of hairpins, with its interval."
    return with_interval(hits.mean(), [hits[i].mean() for i in resamples(np.arange(len(hits)))]).iloc[0].rename(lambda c: f'{name} {c}')

def seqlets(groups=4):
    "Found and grouped in one half of the precursors, counted in the other half and in two kinds of negatives."
    d, hairpins = precursors()
    words, scores = [column_word(h) for h in hairpins], column_scores(attribute(Detector.load(), hairpins, METHOD).pixels)
    shuffled = fold_many((Record(h.name, dinucleotide_shuffle(h.sequence, seed=i)) for i,h in enumerate(hairpins)), n_jobs=-1)
    sets = {'pseudo-hairpins': [column_word(h) for h in pseudo_hairpins()], 'shuffled': [column_word(h) for h in shuffled if not hairpin_flags(h)]}
    half = np.arange(len(words))%2
    sets = {'precursors': [w for w,k in zip(words, half) if k], **sets}
    words, scores, plants = [w for w,k in zip(words, half) if not k], scores[half==0], d.clade[half==0].eq(CLADES['plants']).to_numpy()
    rows, logos = {}, {}
    for sign,what in ((1, 'for a precursor'), (-1, 'against')):
        found = find_seqlets(words, scores, sign)
        number, again = (group_seqlets(words, scores, found, groups, seed) for seed in (0, 1))
        for g in range(groups):
            some = found[number==g]
            pattern = pattern_of(words, some)
            own = best_match([words[i] for i in some.hairpin], pattern)
            counted = {k: share((best_match(s, pattern)>=np.median(own)).astype(float), k) for k,s in sets.items()}
            overlap = max(np.sum((number==g) & (again==o))/np.sum((number==g) | (again==o)) for o in range(groups))
            rows[what, g+1] = pd.concat([pd.Series({'members': len(some), 'score': some.score.mean(), 'columns from the loop': some.from_loop.median(),
                'columns from the end': np.median([len(words[i])-s for i,s in zip(some.hairpin, some.start)])-8, 'plants': plants[some.hairpin].mean(), 'overlap with another seed': overlap}), *counted.values()])
            logos[what, g+1] = seqlet_logo(words, scores, some)
    write('biology_seqlets', pd.DataFrame(rows).T.rename_axis(['seqlets', 'group']).round(3))
    write('biology_logos', pd.concat(logos, names=['seqlets', 'group']).droplevel(2).set_index(['column', 'arm', 'letter'], append=True).round(4))

# ---- determinants

def opposite(h, positions):
    "Nucleotides in the columns that face `positions`."
    owner = nucleotide_map(h, 2*len(h))
    columns = np.isin(owner, positions).any(0)
    return np.setdiff1d(owner[:,columns], [-1, *positions])

def places(h, a, b, c, d):
    "Known determinants: name -> nucleotides where it would be, and whether it is there; only where the hairpin reaches so far."
    s, p = h.sequence, stem_of(h).pairs
    found = {'UGU or GUG in the terminal loop': (range(p[0][0], p[0][1]+1), bool(re.search('UGU|GUG', s[p[0][0]:p[0][1]+1])))}
    if a>=14: found["basal UG, 14 nt before the 5' cut"] = (range(a-14, a-12), s[a-14:a-12]=='UG')
    if a>=8: found["mismatched GHG, 5-7 nt before the 5' cut"] = (opposite(h, [a-7, a-6, a-5]), bool({a-5, a-6, a-7} & {x for x,_ in ghg_sites(h)}))
    if d+22<=len(s): found["CNNC, 16-18 nt behind the 3' cut"] = (range(d+16, d+22), bool(re.search('C..C', s[d+16:d+22])))
    overhang = arm_positions(h, a, b, c, d)
    return found | {"U first in the 5' arm": ([a], s[a]=='U'), "U first in the 3' arm": ([c], s[c]=='U'), '2-nt overhang at the outer cuts': ([d-2, d-1], overhang.drosha_overhang==2),
                    '2-nt overhang at the inner cuts': ([b-2, b-1], overhang.dicer_overhang==2)}

def at_motifs(clade):
    "Score where a determinant is, minus score at the same place of the most similar hairpin without it."
    d, hairpins, arms = of_clade(clade)
    keep = np.flatnonzero(d.both)
    hairpins, arms = [hairpins[i] for i in keep], arms[keep].astype(int)
    scores = relative(attribute(Detector.load(), hairpins, METHOD).nucleotides)
    covariates = factor_table(hairpins, ['length', 'gc', 'paired_fraction', 'terminal_loop']).assign(before=arms[:,0])
    all_places = [places(h, *a) for h,a in zip(hairpins, arms)]
    for name in dict.fromkeys(k for p in all_places for k in p):
        rows = [i for i,p in enumerate(all_places) if name in p and len(p[name][0])]
        has = np.array([all_places[i][name][1] for i in rows])
        row = dict(reached=len(rows)/len(hairpins), compared=len(rows), present=int(has.sum()))
        if min(has.sum(), (~has).sum())>=10:
            value = np.array([scores[i][list(all_places[i][name][0])].mean() for i in rows])
            row |= matched_difference(value, has, covariates.iloc[rows]).iloc[0].to_dict()
        yield (clade, name), row

def change(h, start, letters, pairs=True):
    "`plant`, or None if it does not fit."
    return plant(h, start, letters, pairs) if 0<=start<=len(h)-len(letters) else None

def ghg(h, a, triple):
    "A mismatched triple on the 3' arm that faces the three nucleotides around 6 nt before the 5' cut, or None where these are not all paired."
    partner = pair_table(h.structure)
    j = [partner[k] for k in (a-7, a-6, a-5)] if a>=8 else [-1]
    if min(j)<0 or j[0]-j[2]!=2: return None
    return change(plant(h, j[2], triple), a-6, 'A', False)

def mismatch(h, k, broken):
    "Position `k` and its partner swapped, or the same letter on both sides; None if it is not paired."
    partner = pair_table(h.structure)[k] if 0<=k<len(h) else -1
    if partner<0: return None
    x, y = h.sequence[k], h.sequence[partner]
    return plant(h, partner, x, False) if broken else plant(plant(h, k, y, False), partner, x, False)

PLANTED = { # what is planted, beside what is planted in the control: the same letters in another order, at the same place
    "basal UG, 14 nt before the 5' cut": (lambda h, a, c: change(h, a-14, 'UG'), lambda h, a, c: change(h, a-14, 'GU')),
    "UG, 9 nt before the 5' cut (wrong place)": (lambda h, a, c: change(h, a-9, 'UG'), lambda h, a, c: change(h, a-9, 'GU')),
    'UGU at the start of the terminal loop': (lambda h, a, c: change(h, stem_of(h).pairs[0][0]+1, 'UGU', False), lambda h, a, c: change(h, stem_of(h).pairs[0][0]+1, 'UUG', False)),
    "mismatched GHG, 6 nt before the 5' cut": (lambda h, a, c: ghg(h, a, 'GAG'), lambda h, a, c: ghg(h, a, 'CAC')),
    "U first in the 5' arm": (lambda h, a, c: change(h, a, 'U'), lambda h, a, c: change(h, a, 'A')),
    "U first in the 3' arm": (lambda h, a, c: change(h, c, 'U'), lambda h, a, c: change(h, c, 'A')),
    "mismatch at nt 11 of the 5' arm": (lambda h, a, c: mismatch(h, a+10, True), lambda h, a, c: mismatch(h, a+10, False)),
    "mismatch 6 nt before the 5' cut": (lambda h, a, c: mismatch(h, a-6, True), lambda h, a, c: mismatch(h, a-6, False))}

def planted(clade, most=200):
    "What a planted determinant does to the logit, beside its control."
    d, hairpins, arms = of_clade(clade)
    rows, detector = [i for i in range(len(hairpins)) if d.both[i]][:most], Detector.load()
    for name,(make, control) in PLANTED.items():
        pairs = [(make(hairpins[i], *arms[i,[0,2]].astype(int)), control(hairpins[i], *arms[i,[0,2]].astype(int))) for i in rows]
        pairs = [p for p in pairs if None not in p]
        gain = np.subtract(*(detector.logits(encode(list(x)).images) for x in zip(*pairs)))
        yield (clade, name), dict(n=len(gain), **with_interval(gain.mean(), [gain[i].mean() for i in resamples(np.arange(len(gain)))]).iloc[0])

def partial_spearman(x, y, given):
    "Correlation of ranks, after what `given` explains of them linearly is taken away."
    g = np.column_stack([np.ones(len(x)), *(rankdata(c) for c in given)])
    rest = [r-g @ np.linalg.lstsq(g, r, rcond=None)[0] for r in (rankdata(x), rankdata(y))]
    return np.corrcoef(*rest)[0,1]

def near_loop(h, score, reach=25):
    "Share of |score| on the nucleotides next to the terminal loop, without the loop."
    (i,j), size = stem_of(h).pairs[0], np.abs(score)
    return (size[max(i+1-reach, 0):i+1].sum()+size[j:j+reach].sum())/size.sum()

def correlations(name, hairpins, scores):
    "Spearman of factors, and of where the score lies, with the logit; alone and with length and GC held constant."
    t = factor_table(hairpins, ['length', 'gc', 'mfe_per_nt', 'paired_fraction', 'stem_length', 'terminal_loop', 'largest_interruption'])
    t['distance of the stem from 35 columns'] = (t.stem_length-35).abs()
    t["share of the score within 25 nt of the terminal loop"] = [near_loop(h, s) for h,s in zip(hairpins, scores)]
    logit = Detector.load().logits(encode(hairpins).images)
    draws = resamples(np.arange(len(t)))
    for k in t:
        given = [t[g].to_numpy() for g in ('length', 'gc') if g!=k]
        for how,f in {'alone': lambda i: partial_spearman(t[k].to_numpy()[i], logit[i], []), 'length and GC held constant': lambda i: partial_spearman(t[k].to_numpy()[i], logit[i], [g[i] for g in given])}.items():
            yield (name, k, how), with_interval(f(np.arange(len(t))), [f(i) for i in draws]).iloc[0].to_dict()

def unpaired(clade):
    "By place from the 5' outer cut: how often unpaired, and what score an unpaired nucleotide has beside a paired one at the same place."
    d, hairpins, arms = of_clade(clade)
    rows = [i for i in range(len(hairpins)) if arms[i,0]==arms[i,0]]
    scores = relative(attribute(Detector.load(), [hairpins[i] for i in rows], METHOD).nucleotides)
    for o in range(-14, 24):
        at = [(s[k], hairpins[i].structure[k]=='.') for i,s in zip(rows, scores) if 0<=(k := int(arms[i,0])+o)<stem_of(hairpins[i]).pairs[0][0]]
        x, free = np.array([a for a,_ in at]), np.array([b for _,b in at])
        f = lambda i: x[i][free[i]].mean()-x[i][~free[i]].mean()
        yield (clade, o), dict(n=len(x), unpaired=free.mean(), **with_interval(f(np.arange(len(x))), [f(i) for i in resamples(np.arange(len(x)))]).iloc[0])

def determinants():
    "Motifs where they stand, motifs planted, pairing by place, and correlations."
    _, hairpins = precursors()
    for name,rows in {'motifs': at_motifs, 'planted': planted, 'unpaired': unpaired}.items():
        write(f'biology_{name}', pd.DataFrame(dict(r for clade in CLADES for r in rows(clade))).T.rename_axis(['clade', 'place' if name=='unpaired' else 'determinant']).round(4))
    sets = {'precursors': (hairpins, attribute(Detector.load(), hairpins, METHOD).nucleotides), 'pseudo-hairpins': (pseudo_hairpins(), pseudo_scores())}
    write('biology_correlations', pd.DataFrame(dict(r for k,s in sets.items() for r in correlations(k, *s))).T.rename_axis(['set', 'factor', 'how']).round(3))

COMMANDS = dict(regions=all_regions, profiles=profiles, seqlets=seqlets, determinants=determinants)

if __name__=='__main__':
    if len(sys.argv)!=2 or sys.argv[1] not in COMMANDS: sys.exit(__doc__)
    COMMANDS[sys.argv[1]]()
