"""How fast is FASTA -> images beside ViennaRNA's folding alone, and is memory flat?

usage: python benchmarks/encoding.py [records] [records for the memory test]
Takes miRBase precursors if MIRNBDEV_DATA names the data, else random sequences. Each figure is the median of interleaved runs.
"""
import random, statistics, sys, tempfile, time
from itertools import islice
from pathlib import Path
import RNA
from joblib import Parallel, delayed
from mirnbdev.data import data_file
from mirnbdev.encoding import draw_sides, encode, sides
from mirnbdev.hairpin import chunks, fold_many, read_fasta, Record, write_fasta

def random_records(n, size, seed=0):
    rng = random.Random(seed)
    return (Record(f'r{i}', ''.join(rng.choices('ACGU', k=size))) for i in range(n))

def records(n):
    "The first `n` precursors of miRBase in ACGU, or random sequences of 90 nt."
    try: return list(islice((r for r in read_fasta(data_file('mirbase/hairpin.fa')) if set(r.sequence)<=set('ACGU')), n))
    except (ValueError, OSError) as e: print(f'{e}\nrandom sequences instead'); return list(random_records(n, 90))

def fold_chunk(sequences): return [RNA.fold(s) for s in sequences]

def folding_alone(path, jobs):
    "ViennaRNA and nothing else, over the same processes and chunks."
    sequences = [r.sequence for r in read_fasta(path)]
    start = time.perf_counter()
    Parallel(n_jobs=jobs, batch_size=1)(delayed(fold_chunk)(c) for c in chunks(sequences, 64))
    return time.perf_counter()-start

def whole_path(path, jobs):
    "FASTA file to images."
    start = time.perf_counter()
    for hairpins in chunks(fold_many(read_fasta(path), n_jobs=jobs), 256): encode(hairpins)
    return time.perf_counter()-start

def per_second(f, items, n): # Median rate of three runs over batches
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        for x in items: f(x)
        rates.append(n/(time.perf_counter()-start))
    return statistics.median(rates)

def resident(): # MB in use now
    return int(Path('/proc/self/statm').read_text().split()[1])*4096/1e6

def memory(path, n):
    "Memory of this process along a stream of `n` records of 30 nt."
    write_fasta(random_records(n, 30), path)
    marks = {max(1, n*k//10) for k in (1, 2, 4, 6, 8, 10)}
    seen = 0
    for hairpins in chunks(fold_many(read_fasta(path), n_jobs=2, chunk=1024), 256):
        encode(hairpins)
        before, seen = seen, seen+len(hairpins)
        if any(before<m<=seen for m in marks): print(f'{seen:>12} records {resident():8.0f} MB')

if __name__=='__main__':
    n, big = map(int, (sys.argv[1:] + ["2000", "1000000"][len(sys.argv)-1:]))
    path = Path(tempfile.mkdtemp())/'a.fa'
    write_fasta(records(n), path)
    times = {(f.__name__, jobs): [] for jobs in (1, 2) for f in (folding_alone, whole_path)}
    for f in (folding_alone, whole_path): f(path, 2) # start the processes
    for _ in range(5):
        for f in (folding_alone, whole_path):
            for jobs in (1, 2): times[f.__name__, jobs].append(f(path, jobs))
    for (name,jobs),t in times.items(): print(f'{name:>14} {jobs} process(es): {statistics.median(t):7.2f} s for {n} records (of {min(t):.2f} to {max(t):.2f})')
    ratio = lambda a, b: statistics.median(x/y for x,y in zip(times[a], times[b]))
    for jobs in (1, 2): print(f"whole path / folding alone, {jobs} process(es): {ratio(('whole_path', jobs), ('folding_alone', jobs)):.3f}")
    print(f"parallel efficiency, whole path: {ratio(('whole_path', 1), ('whole_path', 2))/2:.2f}; folding alone: {ratio(('folding_alone', 1), ('folding_alone', 2))/2:.2f}")
    hairpins = list(fold_many(read_fasta(path), n_jobs=2))
    batches = list(chunks(hairpins, 256))
    print(f'drawing alone, one core: {per_second(draw_sides, [sides(b) for b in batches], n):.0f} images/s; hairpin to image: {per_second(encode, batches, n):.0f} images/s')
    memory(path, big)
