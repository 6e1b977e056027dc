"""Make the split lists of mirnbdev/splits again, or search them for leaks; print what was found.

usage: MIRNBDEV_DATA=... python benchmarks/splits.py [--check] [--seed 0]

Needs edlib; four minutes, the check a quarter of an hour.
"""

import argparse
import time
from pathlib import Path

import pandas as pd
from joblib import Parallel, delayed

from mirnbdev import data
from mirnbdev.hairpin import Record
from mirnbdev.scan import find_many


def found_in_genome(piece=10_000):
    "Hairpins of every sixth 10 kb of the stretch of chromosome 21, on both strands."
    region, first = data.read_region()
    pieces = [Record(str(i), region[i : i + piece]) for i in range(0, len(region) - piece + 1, 6 * piece)]
    place = lambda p, f: f'chr21:{first + int(p.name) + f.start - 1}-{first + int(p.name) + f.end - 1}{f.strand}'
    found = zip(pieces, find_many(pieces, n_jobs=-1, both_strands=True))
    rows = [(place(p, f), f.hairpin.sequence) for p, inside in found for f in inside]
    return pd.DataFrame(rows, columns=['name', 'sequence'])


def summary(split):
    "Clusters, records, and records of the largest cluster, of each side."
    largest = lambda c: c.value_counts().max()
    sizes = dict(clusters=('cluster', 'nunique'), records=('cluster', 'size'), largest=('cluster', largest))
    return split.groupby('split').agg(**sizes)


def make(seed):
    "Write the lists."
    folder = Path(data.__file__).parent / 'splits'
    folder.mkdir(exist_ok=True)
    genomic = pd.concat([data.whole_images(), found_in_genome()]).drop_duplicates('sequence').reset_index(drop=True)
    for which, text in {**data.make_splits(seed), 'genome': data.make_genome_list(genomic, seed)}.items():
        (folder / f'{which}.txt').write_text(text, newline='\n')
        split = data.read_split(which)
        print(f'\n{which}: {len(split):,} records, {len(text) / 1e3:.0f} kB', summary(split), sep='\n')


def kin_in(queries, others):
    "Members that are kin, by alignment alone."
    return [(a, b) for a, s in queries.items() for b, t in others.items() if data.is_kin(s, t)]


def leaks(d):
    "Kin on two sides, and how many pairs were aligned."
    train, validation, test = (d.sequence[d.split == side] for side in data.SIDES)
    jobs = [(test[i : i + 100], pd.concat([train, validation])) for i in range(0, len(test), 100)]
    jobs += [(validation[i : i + 100], train) for i in range(0, len(validation), 100)]
    found = Parallel(n_jobs=-1)(delayed(kin_in)(dict(a), dict(b)) for a, b in jobs)
    return [pair for pairs in found for pair in pairs], sum(len(a) * len(b) for a, b in jobs)


def check():
    "Align every record of a side with every record of the others, without the 5-mer filter."
    lists = {
        'mirbase': data.read_mirbase().set_index('accession'),
        'pseudo': data.read_pseudo().set_index('name'),
        'genome': data.read_genomic().set_index('name'),
    }
    for name, d in lists.items():
        found, n = leaks(d)
        print(f'{name}: {n:,} pairs on two sides, {len(found)} of them at least 80 % identical', *found, sep='\n  ')


if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--check', action='store_true', help='search the lists for leaks instead')
    args, start = parser.parse_args(), time.perf_counter()
    check() if args.check else make(args.seed)
    print(f'\n{time.perf_counter() - start:.0f} s')
