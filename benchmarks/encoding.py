"""How fast is FASTA -> images beside ViennaRNA's folding alone, and is memory flat?

usage: python benchmarks/encoding.py [records] [records for the memory test]
       MIRNBDEV_DATA=... python benchmarks/encoding.py census     (how much of miRBase comes back from its words)

Takes miRBase precursors if MIRNBDEV_DATA names the data, else random sequences. Each figure is the median of
interleaved runs.
"""

import random
import statistics
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import RNA
from joblib import Parallel, delayed

from mirnbdev.data import data_file
from mirnbdev.encoding import IMAGE_WIDTH, column_word, draw_sides, encode, hairpin_from_word, sides
from mirnbdev.hairpin import Record, chunks, fold_many, is_single_hairpin, read_fasta, write_fasta

PROCESSES, RUNS = (1, 2), 5
TENTHS = (1, 2, 4, 6, 8, 10)  # Of the stream, where memory is read


def random_records(n, size, seed=0):
    "Random sequences."
    rng = random.Random(seed)
    return (Record(f'r{i}', ''.join(rng.choices('ACGU', k=size))) for i in range(n))


def records(n):
    "The first `n` precursors of miRBase in ACGU, or random sequences of 90 nt."
    try:
        known = (r for r in read_fasta(data_file('mirbase/hairpin.fa')) if set(r.sequence) <= set('ACGU'))
        return list(islice(known, n))
    except (ValueError, OSError) as e:
        print(f'{e}\nrandom sequences instead')
        return list(random_records(n, 90))


def fold_chunk(sequences):
    "ViennaRNA's folds."
    return [RNA.fold(s) for s in sequences]


def folding_alone(path, jobs):
    "Seconds of ViennaRNA and nothing else, over the same processes and chunks."
    sequences = [r.sequence for r in read_fasta(path)]
    start = time.perf_counter()
    Parallel(n_jobs=jobs, batch_size=1)(delayed(fold_chunk)(c) for c in chunks(sequences, 64))
    return time.perf_counter() - start


def whole_path(path, jobs):
    "Seconds from FASTA file to images."
    start = time.perf_counter()
    for hairpins in chunks(fold_many(read_fasta(path), n_jobs=jobs), 256):
        encode(hairpins)
    return time.perf_counter() - start


def per_second(f, items, n):
    "Median rate of three runs over batches."
    rates = []
    for _ in range(3):
        start = time.perf_counter()
        for x in items:
            f(x)
        rates.append(n / (time.perf_counter() - start))
    return statistics.median(rates)


def resident():
    "MB in use now."
    return int(Path('/proc/self/statm').read_text().split()[1]) * 4096 / 1e6


def print_memory(path, n):
    "Memory of this process along a stream of `n` records of 30 nt."
    write_fasta(random_records(n, 30), path)
    marks, seen = {max(1, n * k // 10) for k in TENTHS}, 0
    for hairpins in chunks(fold_many(read_fasta(path), n_jobs=2, chunk=1024), 256):
        encode(hairpins)
        before, seen = seen, seen + len(hairpins)
        if any(before < m <= seen for m in marks):
            print(f'{seen:>12} records {resident():8.0f} MB')


def measure_times(path):
    "Seconds of interleaved runs: (function, processes) -> runs."
    both = folding_alone, whole_path
    times = {(f.__name__, jobs): [] for jobs in PROCESSES for f in both}
    for f in both:
        f(path, 2)  # Start the processes
    for _ in range(RUNS):
        for f in both:
            for jobs in PROCESSES:
                times[f.__name__, jobs].append(f(path, jobs))
    return times


def print_times(times, n):
    "Times, and what they are to each other."
    for (name, jobs), t in times.items():
        spread = f'(of {min(t):.2f} to {max(t):.2f})'
        print(f'{name:>14} {jobs} process(es): {statistics.median(t):7.2f} s for {n} records {spread}')
    ratio = lambda a, b: statistics.median(x / y for x, y in zip(times[a], times[b]))
    for jobs in PROCESSES:
        share = ratio(('whole_path', jobs), ('folding_alone', jobs))
        print(f'whole path / folding alone, {jobs} process(es): {share:.3f}')
    path, alone = (ratio((k, 1), (k, 2)) / 2 for k in ('whole_path', 'folding_alone'))
    print(f'parallel efficiency, whole path: {path:.2f}; folding alone: {alone:.2f}')


def print_drawing(path, n):
    "Images a second."
    batches = list(chunks(list(fold_many(read_fasta(path), n_jobs=2)), 256))
    drawn, encoded = per_second(draw_sides, [sides(b) for b in batches], n), per_second(encode, batches, n)
    print(f'drawing alone, one core: {drawn:.0f} images/s; hairpin to image: {encoded:.0f} images/s')


def census():
    "Count the single hairpins of miRBase that are written in A, C, G and U, and those that come back from their words."
    counts = dict.fromkeys(('precursors', 'single hairpins', 'of at most 100 columns', 'lossless'), 0)
    for h in fold_many(read_fasta(data_file('mirbase/hairpin.fa')), n_jobs=-1, iupac=True):
        counts['precursors'] += 1
        if not (set(h.sequence) <= set('ACGU') and is_single_hairpin(h.structure)):
            continue
        word = column_word(h)
        counts['single hairpins'] += 1
        counts['of at most 100 columns'] += len(word) <= IMAGE_WIDTH
        counts['lossless'] += hairpin_from_word(word) == h
    for name, count in counts.items():
        print(f'{count:>8,} {name}')


if __name__ == '__main__':
    if sys.argv[1:] == ['census']:
        sys.exit(census())
    n, big = map(int, (sys.argv[1:] + ['2000', '1000000'][len(sys.argv) - 1 :]))
    path = Path(tempfile.mkdtemp()) / 'a.fa'
    write_fasta(records(n), path)
    print_times(measure_times(path), n)
    print_drawing(path, n)
    print_memory(path, big)
