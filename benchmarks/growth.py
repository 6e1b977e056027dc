"""What does more input cost: in time, in memory, and on more processes?

usage: python benchmarks/growth.py records|scan|memory|processes|parts

records: `mirnbdev encode`, `detect`, `explain` and `simulate` for more and more records, until the next run would
take over 200 s. scan: `mirnbdev scan` of made sequence. memory: of a scan of 1, 10 and 100 Mb, of which one piece is
folded and the others are marked as finished before, for folding 100 Mb takes eight hours. processes: the same work by
one process and by two; run it on a machine that does nothing else. parts: where a scan's time goes, on 20 kb of
chromosome 21 (needs MIRNBDEV_DATA).

Each run is a process of its own. CPU seconds are its user and system time, peak memory is its largest resident set.
Sequences are random, under a seed.
"""

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack, closing
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import RNA
from common import main, write
from encoding import random_records

from mirnbdev import genome, scan
from mirnbdev.cnn import Detector
from mirnbdev.data import read_region
from mirnbdev.hairpin import Record, energy_model, write_fasta
from mirnbdev.processing import Processing
from mirnbdev.scan import SPAN

NT = 80  # of a made record
MOST = 200  # s of CPU that the next size may take
MADE = (10_000, 100_000, 1_000_000)  # nt of made sequence that are scanned
LENGTHS = (1_005_000, 10_005_000, 100_005_000)  # nt whose scan's memory is measured; the last piece has 5 kb
PARALLEL, SCANNED = 10_000, 100_000  # records, and nt a record of two, that one and two processes work on
PART = slice(1_230_000, 1_250_000)  # of the region of chromosome 21
RECORDS = {
    'encode': 'encode {n}.fa -o {n}.npz -j {jobs}',
    'detect': 'detect {n}.fa -o {n}.tsv -j {jobs}',
    'explain': 'explain {n}.fa -o {n}.tsv -j {jobs}',
    'simulate': 'simulate -n {n} -o {n}.tsv -j {jobs}',
}
SCAN = 'scan {n}.fa -o {n}.bed -j {jobs}'


def measured(argv, folder):
    "Wall and CPU seconds and peak MB of a process; CPU with its children's."
    start = time.perf_counter()
    p = subprocess.Popen(argv, cwd=folder, env=os.environ | {'OMP_NUM_THREADS': '1'}, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(p.pid, 0)
    p.returncode = os.waitstatus_to_exitcode(status)
    assert p.returncode == 0, (argv, p.returncode)
    seconds = {'wall': time.perf_counter() - start, 'CPU': used.ru_utime + used.ru_stime}
    return seconds | {'peak MB': used.ru_maxrss / 1024}


def run(command, folder):
    "Run a command of `mirnbdev`."
    return measured([str(Path(sys.executable).with_name('mirnbdev')), *command.split()], folder)


def made_sequence(n, path):
    "Write a record of `n` random letters, in lines."
    rng = np.random.default_rng(0)
    with open(path, 'wb') as f:
        f.write(b'>made\n')
        for i in range(0, n, 1_000_000):
            f.write(np.frombuffer(b'ACGT', 'u1')[rng.integers(4, size=min(n - i, 1_000_000))].tobytes() + b'\n')


def series(command, sizes, make, folder):
    "Runs of a command, size after size, while the next would not take too long."
    out = {}
    for before, n in zip((None, *sizes), sizes):
        if len(out) > 1 and out[before]['CPU'] * n / before > MOST:
            break
        make(n, folder / f'{n}.fa')
        out[n] = run(command.format(n=n, jobs=1), folder)
    return out


def with_ratios(runs, start):
    "A table: cost above that of the start, and how it grows against the size (1: in proportion)."
    d = pd.DataFrame(runs).T
    d['above start'] = d.CPU - start
    cost = np.log10(d['above start'].clip(lower=1e-9))
    slope = cost.diff() / pd.Series(np.log10(d.index.astype(float)), d.index).diff()
    rate = d.index.to_numpy() / d['above start']
    return d.assign(slope=slope, rate=rate)[['CPU', 'above start', 'rate', 'slope', 'peak MB']].round(3)


def made_records(n, path):
    "Write random records."
    write_fasta(random_records(n, NT), path)


def started(command, folder):
    "CPU seconds of a command for a single record."
    made_records(1, folder / '1.fa')
    return run(command.format(n=1, jobs=1), folder)['CPU']


def records():
    "Cost of the commands for records."
    tables = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, command in RECORDS.items():
            start = started(command, Path(folder))
            sizes = [100, 300, 1000, 3000, 10_000, 30_000, 100_000]
            tables[name] = with_ratios(series(command, sizes, made_records, Path(folder)), start)
    write('growth_records', pd.concat(tables, names=['command', 'records']))


def scan_growth():
    "Cost of a scan of made sequence, both strands."
    with tempfile.TemporaryDirectory() as folder:
        start = started(SCAN, Path(folder))
        runs = {}
        for n in MADE:
            made_sequence(n, Path(folder, f'{n}.fa'))
            runs[n] = run(SCAN.format(n=n, jobs=1), folder)
    write('growth_scan', with_ratios(runs, start).rename_axis('nt'))


def lay(n):
    "Lay down the state of a scan of `n` nt in this folder, and mark all pieces but the last as finished without a hit."
    with genome.prepared(f'{n}.fa', state=f'{n}.bed.scan') as s:
        for k in s.todo[:-1]:
            genome._keep_part(s.folder, k, [])


def memory():
    "Peak memory of a scan against the length of its record."
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for n in LENGTHS:
            path = Path(folder, f'{n}.fa')
            made_sequence(n, path)
            stored = measured([sys.executable, __file__, 'lay', str(n)], folder)
            on = run(SCAN.format(n=n, jobs=1), folder)  # goes on from there
            rows[n] = {'pieces': pieces_of(n), 'storing, MB': stored['peak MB'], 'scan, MB': on['peak MB']}
            path.unlink()
    write('growth_memory', pd.DataFrame(rows).T.rename_axis('nt').round(0).astype(int))


def pieces_of(n):
    "Pieces of a record without unknown letters, both strands."
    return len(list(genome.cut_places(genome.Stored(0, 'made', 0, n, [[0, n]]))))


def processes():
    "Wall seconds of one process and of two, and their efficiency."
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, command, n, make in (
            ('encode', RECORDS['encode'], PARALLEL, made_records),
            ('detect', RECORDS['detect'], PARALLEL, made_records),
            ('scan', SCAN, SCANNED, made_sequence),
        ):
            make(n, Path(folder, f'{n}.fa'))
            one, two = (run(command.format(n=n, jobs=jobs), folder)['wall'] for jobs in (1, 2))
            rows[name] = {'one': one, 'two': two, 'efficiency': one / two / 2}
    write('growth_processes', pd.DataFrame(rows).T.round(2))


# ---- where a scan's time goes


class Clock:
    "CPU seconds inside some functions."

    def __init__(self):
        self.seconds = {}

    def around(self, name, f):
        def timed(*args, **how):
            start = time.process_time()
            try:
                return f(*args, **how)
            finally:
                self.seconds[name] = self.seconds.get(name, 0) + time.process_time() - start

        return timed


TIMED = {
    'windowed folding': (scan, 'local_structures'),
    'folding alone': (scan, 'fold'),
    'images and network': (Detector, 'predict_proba'),
    'processing of hits': (Processing, 'answers'),
}


def folding_alone(text):
    "CPU seconds of ViennaRNA's windowed folding of a text, and nothing else."
    model = energy_model(window_size=SPAN, max_bp_span=SPAN)
    start = time.process_time()
    RNA.fold_compound(text, model, RNA.OPTION_WINDOW).mfe_window_cb(lambda *_: None)
    return time.process_time() - start


def timed_scan(path):
    "CPU seconds of the parts of a scan, and of the folding alone of the same pieces, piece by piece in turn."
    clock, alone, find = Clock(), [], genome.find_in_piece

    def both(piece, *how):
        alone.append(folding_alone(piece.text))
        return find(piece, *how)

    with ExitStack() as stack:
        for name, (where, what) in TIMED.items():
            stack.enter_context(patch.object(where, what, clock.around(name, getattr(where, what))))
        stack.enter_context(patch.object(genome, 'find_in_piece', both))
        start = time.process_time()
        with closing(genome.scan_genome(path, n_jobs=1)) as hits:
            list(hits)
        total = time.process_time() - start - sum(alone)
    rest = {'the rest': total - sum(clock.seconds.values())}
    return clock.seconds | rest, sum(alone)


def parts():
    "Shares of a scan's time."
    with tempfile.TemporaryDirectory() as folder:
        write_fasta([Record('21', read_region()[0][PART])], path := Path(folder, 'part.fa'))
        seconds, alone = timed_scan(path)
    d = pd.DataFrame({'CPU seconds': seconds})
    d.loc['whole scan'] = d['CPU seconds'].sum()
    d.loc["ViennaRNA's windowed folding alone"] = alone
    write('growth_parts', d.assign(ratio=d['CPU seconds'] / alone).round(2), seeds=0)


COMMANDS = dict(records=records, scan=scan_growth, memory=memory, processes=processes, parts=parts, lay=lay)

if __name__ == '__main__':
    main(COMMANDS, __doc__)
