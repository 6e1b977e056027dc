"""Make the split lists of mirnbdev/splits again, or search them for leaks; print what was found.

usage: MIRNBDEV_DATA=... python benchmarks/splits.py [--check] [--seed 0]     (needs edlib; four minutes, the check a quarter of an hour)
"""
import argparse, time
from pathlib import Path
import pandas as pd
from joblib import Parallel, delayed
from mirnbdev import data

def make(seed):
    "Write both lists."
    folder = Path(data.__file__).parent/'splits'
    folder.mkdir(exist_ok=True)
    for which,text in data.make_splits(seed).items():
        (folder/f'{which}.txt').write_text(text, newline='\n')
        split = data.read_split(which)
        sizes = split.groupby('split').agg(clusters=('cluster', 'nunique'), records=('cluster', 'size'), largest=('cluster', lambda c: c.value_counts().max()))
        print(f'\n{which}: {len(split):,} records, {len(text)/1e3:.0f} kB', sizes, sep='\n')

def kin_in(queries, others):
    "Members that are kin, by alignment alone."
    return [(a, b) for a,s in queries.items() for b,t in others.items() if data.is_kin(s, t)]

def check():
    "Align every record of a side with every record of the others, without the 5-mer filter."
    for name,d in [('mirbase', data.read_mirbase().set_index('accession')), ('pseudo', data.read_pseudo().set_index('name'))]:
        train, validation, test = (d.sequence[d.split==side] for side in data.SIDES)
        jobs = [(test[i:i+100], pd.concat([train, validation])) for i in range(0, len(test), 100)]
        jobs += [(validation[i:i+100], train) for i in range(0, len(validation), 100)]
        found = [pair for pairs in Parallel(n_jobs=-1)(delayed(kin_in)(dict(a), dict(b)) for a,b in jobs) for pair in pairs]
        print(f'{name}: {sum(len(a)*len(b) for a,b in jobs):,} pairs on two sides, {len(found)} of them at least 80 % identical', *found, sep='\n  ')

if __name__ == '__main__':
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--check', action='store_true', help='search the lists for leaks instead')
    args, start = parser.parse_args(), time.perf_counter()
    check() if args.check else make(args.seed)
    print(f'\n{time.perf_counter()-start:.0f} s')
