"""Are the motifs of processing where the literature puts them, more often than by chance?

usage: MIRNBDEV_DATA=... python benchmarks/factors.py motifs

One of each cluster: human entries of miRBase with a known 5' arm, the precursors of Bell and Hendrix (2021) with their
genomic neighbours, and pseudo-hairpins; a minute or two.
"""

import re

import numpy as np
import pandas as pd
from common import main, write
from scipy.stats import binomtest

from mirnbdev.data import data_file, dinucleotide_shuffle, read_mirbase, read_pseudo
from mirnbdev.factors import UG_PLACE, apical_ugu, basal_ug, ghg_sites, stem_of, ug_before
from mirnbdev.hairpin import Record, fold_many

SHUFFLES = 20  # of each entry, for the level of chance
GHG_PLACE, CONTROL = -6, range(20)  # nt from the 5' cut
COLUMNS = {0: 'id', 2: 'accession', 5: 'drosha', 11: 'sequence'}


def cut_sets(mirbase):
    "Sets of precursors whose 5' cut is known: columns sequence, cluster, cut."
    human = mirbase[(mirbase.species == 'hsa') & mirbase.start_5p.notna()]
    human = human.assign(cut=human.start_5p.astype(int))
    beyond = mirbase[(mirbase.family != '') & ~mirbase['group'].isin(['Mammalia', 'Viruses'])].family.unique()
    animals = pd.read_csv(data_file('cutsites/deepmircut_set.txt'), sep='\t', header=None).rename(columns=COLUMNS)
    animals = animals[~animals.id.str.contains('_x')].join(mirbase.set_index('accession').cluster, on='accession')
    return {
        'human': human,
        'human, family also outside mammals': human[human.family.isin(beyond)],
        'animals, with genomic neighbours': animals.assign(cut=animals.drosha.str.split(',').str[0].astype(int)),
    }


def share(found):
    "Number, share, and its 95 % interval (Wilson 1927); NaN left out."
    found = [x for x in found if x == x]
    ci = binomtest(int(sum(found)), len(found)).proportion_ci(method='wilson')
    return dict(n=len(found), share=np.mean(found), low=ci.low, high=ci.high)


def ug_share(d, offset=UG_PLACE, seed=None):
    "How often UG stands `offset` nt from the cut, also in shuffled entries."
    d = d[d.cut + offset >= 0].drop_duplicates('cluster')
    shuffled = lambda s, i: s if seed is None else dinucleotide_shuffle(s, f'{seed} {i}')
    return share(ug_before(shuffled(s, i), c, offset) for i, (s, c) in enumerate(zip(d.sequence, d.cut)))


def ug_by_chance(d, shuffles=SHUFFLES):
    "The same in shuffled entries."
    return np.mean([ug_share(d, seed=i)['share'] for i in range(shuffles)])


def elsewhere(h, pattern='UGU|GUG'):
    "Share of windows beside the terminal loop, as long as it, that hold the pattern."
    (i, j), s = stem_of(h).pairs[0], h.sequence
    n = j - i + 1
    starts = [*range(0, i - n + 1), *range(j + 1, len(s) - n + 1)]
    return np.mean([bool(re.search(pattern, s[k : k + n])) for k in starts]) if starts else np.nan


def folded(d):
    "Folds of a table with sequences; those without pairs are left out."
    hairpins = fold_many((Record(str(i), s) for i, s in enumerate(d.sequence)), n_jobs=-1)
    return [h for h in hairpins if stem_of(h).pairs]


def ghg_row(d):
    "GHG at its place, beside the mean over `CONTROL`."
    cuts = dict(enumerate(d.cut))
    sites = [{a - cuts[int(h.name)] for a, _ in ghg_sites(h)} for h in folded(d)]
    return share(float(GHG_PLACE in s) for s in sites) | dict(control=np.mean([o in s for s in sites for o in CONTROL]))


def animal_precursors(mirbase):
    "Animal precursors of the training side, 300 of each of the four largest groups."
    train = mirbase[(mirbase.split == 'train') & mirbase.sequence.str.fullmatch('[ACGU]+')]
    train = train[train['group'].isin(train['group'].value_counts().drop('other').index[:5])]
    return train.groupby('group').sample(300, random_state=0).query("group!='Viridiplantae'")


def motifs():
    "A row for each motif and set."
    mirbase = read_mirbase()
    sets = cut_sets(mirbase)
    once = {k: d.drop_duplicates('cluster') for k, d in sets.items()}
    pseudo = folded(read_pseudo(('cds',)).query("split=='train'").sample(1500, random_state=0))
    loops = {k: folded(d) for k, d in once.items() if k.startswith('human')} | {'pseudo-hairpins': pseudo}
    ends = {'animal precursors': folded(animal_precursors(mirbase)), 'pseudo-hairpins': pseudo}
    apical = lambda x: share(map(apical_ugu, x)) | dict(control=np.nanmean([*map(elsewhere, x)]))
    animals = 'animals, with genomic neighbours'
    rows = {
        'UG, 14 nt before the cut': {k: ug_share(d) | dict(control=ug_by_chance(d)) for k, d in sets.items()},
        'UGU or GUG in the loop': {k: apical(x) for k, x in loops.items()},
        'GHG, 6 nt before the cut': {animals: ghg_row(once[animals])},
        'UG at the end of the stem': {k: share(map(basal_ug, x)) for k, x in ends.items()},
    }
    table = pd.concat({k: pd.DataFrame(v).T for k, v in rows.items()}, names=['motif', 'set'])
    write('factor_motifs', table.astype({'n': int}).round(3), seeds=SHUFFLES)


if __name__ == '__main__':
    main(dict(motifs=motifs), __doc__)
