"""Make the split lists of mirnbdev/splits again, or search them for leaks; print what was found.

usage: MIRNBDEV_DATA=... python benchmarks/splits.py [--check] [--seed 0]     (needs edlib; four minutes, the check a quarter of an hour)
"""
import argparse, time
from pathlib import Path
import pandas as pd
from joblib import Parallel, delayed
from mirnbdev import data
from mirnbdev.hairpin import Record
from mirnbdev.scan import find_many

def found_in_genome(piece=10_000):
    "Hairpins of every sixth 10 kb of the stretch of chromosome 21, on both strands."
    region, first = data.read_region()
    pieces = [Record(str(i), region[i:i+piece]) for i in range(0, len(region)-piece+1, 6*piece)]
    rows = [(f'chr21:{first+int(p.name)+f.start-1}-{first+int(p.name)+f.end-1}{f.strand}', f.hairpin.sequence)
            for p,found in zip(pieces, find_many(pieces, n_jobs=-1, both_strands=True)) for f in found]
    return pd.DataFrame(rows, columns=['name', 'sequence'])

def make(seed):
    "Write the lists."
    folder = Path(data.__file__).parent/'splits'
    folder.mkdir(exist_ok=True)
    genomic = pd.concat([data.whole_images(), found_in_genome()]).drop_duplicates('sequence').reset_index(drop=True)
    for which,text in {**data.make_splits(seed), 'genome': data.make_genome_list(genomic, seed)}.items():
        (folder/f'{which}.txt').write_text(text, newline='\n')
        split = data.read_split(which)
        sizes = split.groupby('split').agg(clusters=('cluster', 'nunique'), records=('cluster', 'size'), largest=('cluster', lambda c: c.value_counts().max()))
        print(f'\n{which}: {len(split):,} records, {len(text)/1e3:.0f} kB', sizes, sep='\n')

def kin_in(queries, others):
    "Members that are kin, by alignment alone."
    return [(a, b) for a,s in queries.items() for b,t in others.items() if data.is_kin(s, t)]

def check():
    "Align every record of a side with every record of the others, without the 5-mer filter."
    for name,d in [('mirbase', data.read_mirbase().set_index('accession')), ('pseudo', data.read_pseudo().set_index('name')), ('genome', data.read_genomic().set_index('name'))]:
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
