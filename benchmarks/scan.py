"""How many precursors do the rules of `mirnbdev.scan` find among their genomic neighbours, and how fast?

usage: MIRNBDEV_DATA=... python benchmarks/scan.py rules|speed

rules: the 379 precursors of Bell and Hendrix (2021) with their neighbours, and 200 random windows of chromosome 21, by
the rules as they stand and with one number changed; a few minutes. speed: 60 kb of chromosome 21 on one core, in one
piece and in thirteen.
"""

import time
from functools import lru_cache
from random import Random
from unittest.mock import patch

import numpy as np
import pandas as pd
from common import main, write

from mirnbdev import scan
from mirnbdev.data import data_file, read_region
from mirnbdev.hairpin import Record, axis

CHANGED = [{}, dict(span=80), dict(span=150), dict(min_pairs=14), dict(min_pairs=20), dict(flank=0), dict(flank=20)]
RULES = {', '.join(f'{k} {x}' for k, x in rules.items()) or 'as they stand': rules for rules in CHANGED}
COVERED = 0.8  # of a precursor: least share in the hairpin
COLUMNS = {1: 'name', 5: 'drosha_5p', 8: 'drosha_3p', 9: 'start', 10: 'end', 11: 'sequence'}
PART, FIVE_KB = slice(1_240_000, 1_300_000), 5000


def with_neighbours():
    "Precursors with their genomic neighbours; first, last: what Drosha cuts out; start, end: miRBase's precursor."
    d = pd.read_csv(data_file('cutsites/deepmircut_set.txt'), sep='\t', header=None)
    d = d[~d[0].str.contains('_x')].rename(columns=COLUMNS)
    first, last = d.drosha_5p.str.split(',').str[1], d.drosha_3p.str.split(',').str[0]
    return d[['name', 'sequence', 'start', 'end']].assign(first=first.astype(int), last=last.astype(int))


def random_windows(n=200, size=200):
    "Random windows of chromosome 21."
    region, rng = read_region()[0], Random(1)
    starts = [rng.randrange(len(region) - size) for _ in range(n)]
    return [Record(str(i), region[i : i + size]) for i in starts]


def loop(f):
    "First and last position of the terminal loop."
    s = axis(f.hairpin.structure)
    return f.start + s.rfind('(') + 1, f.start + s.find(')') - 1


def is_found(found, row, start, end):
    "Does a hairpin cover most of start to end, with its terminal loop between the cuts?"
    covers = lambda f: min(f.end, end) - max(f.start, start) + 1 >= COVERED * (end - start + 1)
    return any(covers(f) and row.first <= loop(f)[0] and loop(f)[1] <= row.last for f in found)


def measure(records, windows, **rules):
    "Share of precursors that are found, and number of hairpins in 200 nt."
    found = list(scan.find_many(map(Record, records.name, records.sequence), **rules))
    rows = list(zip(found, records.itertuples()))
    inside = [len(f) for f in scan.find_many(windows, **rules)]
    return {
        'miRBase': np.mean([is_found(f, r, r.start, r.end) for f, r in rows]),
        'Drosha': np.mean([is_found(f, r, r.first, r.last) for f, r in rows]),
        'hairpins per 200 nt': 200 * sum(map(len, found)) / records.sequence.str.len().sum(),
        'in random windows': np.mean(inside),
    }


def measure_rules(records, windows, names=tuple(RULES)):
    "A row for each of `RULES`; what two of them fold alike is folded once."
    once = {f.__name__: lru_cache(None)(f) for f in (scan.local_structures, scan.fold)}
    with patch.multiple(scan, **once):
        return pd.DataFrame({name: measure(records, windows, **RULES[name]) for name in names}).T


def rules():
    "All precursors, all rules."
    write('scan_rules', measure_rules(with_neighbours(), random_windows()).round(3))


def speed():
    "Seconds of one core; small pieces find the same."
    part = read_region()[0][PART]
    start = time.perf_counter()
    whole = scan.find_hairpins(part)
    seconds = time.perf_counter() - start
    with patch.object(scan, 'PIECE', FIVE_KB):
        assert scan.find_hairpins(part) == whole
    rate = seconds / len(part) * 1e5
    write(
        'scan_speed',
        pd.DataFrame({'one core': {'hairpins': len(whole), 's per 100,000 nt': round(rate, 1)}}).T,
        seeds=0,
    )


if __name__ == '__main__':
    main(dict(rules=rules, speed=speed), __doc__)
