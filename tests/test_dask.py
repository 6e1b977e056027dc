"""`mirnbdev scan --dask`: the same bytes on a real cluster of processes, also when parts of it are killed."""

import json
import logging
import subprocess
import sys
import time
from functools import partial

import pytest
from commands import call
from test_scan_genome import made, read

from mirnbdev import genome

distributed = pytest.importorskip('distributed')
pytest.importorskip('cloudpickle').register_pickle_by_value(sys.modules[__name__])  # workers do not have this file

SCAN = ['scan', 'a.fa', '--min-probability', 0.3, '-o']
THREADS = (1, 2)  # of the two workers


class Cluster:
    "A scheduler and two workers, each a process."

    def __init__(self, folder):
        self.file, self.processes = folder / 'scheduler.json', []
        start = partial(self._start, folder)
        self.scheduler = start('scheduler', '--host', '127.0.0.1', '--port', 0, '--scheduler-file', self.file)
        where = '--scheduler-file', self.file, '--no-nanny', '--host', '127.0.0.1'
        self.workers = [start('worker', *where, '--name', n, '--nthreads', n) for n in THREADS]
        while not self.file.exists():
            assert self.scheduler.poll() is None, (folder / 'scheduler.log').read_text()
            time.sleep(0.05)
        self.address = json.loads(self.file.read_text())['address']
        with self.client() as client:
            client.wait_for_workers(len(THREADS), timeout=120)

    def _start(self, folder, kind, *options):
        command = [sys.executable, '-m', f'distributed.cli.dask_{kind}', '--no-dashboard', *map(str, options)]
        with open(folder / f'{kind}.log', 'a') as log:
            self.processes.append(subprocess.Popen(command, cwd=folder, stdout=log, stderr=log))
        return self.processes[-1]

    def client(self):
        return distributed.Client(self.address, timeout=60, set_as_default=False)

    def close(self):
        for p in self.processes:
            p.kill()
            p.wait()


@pytest.fixture
def cluster(tmp_path_factory):
    cluster = Cluster(tmp_path_factory.mktemp('cluster'))
    yield cluster
    cluster.close()


@pytest.fixture
def here(tmp_path, monkeypatch):
    "A folder with a genome of sixteen pieces, and what one process makes of it."
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(genome, 'PIECE', 300)
    (tmp_path / 'a.fa').write_bytes(made()[0].encode())
    call(*SCAN, 'out', '-j', 1)
    return tmp_path


def spy():
    "Count, in a worker, how often models are unpacked, and take the disk away from it."
    from mirnbdev import genome

    class Counting:
        times = 0

        def loads(self, packed):
            Counting.times += 1
            return pickle.loads(packed)

    pickle, genome.pickle, genome.open, genome.read_piece = genome.pickle, Counting(), None, None


def unpacked():
    "Answer of the spy."
    from mirnbdev import genome

    return genome.pickle.times


def after(monkeypatch, n, act):
    "Act when `n` pieces are kept; few others are then under way."
    monkeypatch.setattr(genome, 'AHEAD', 2)
    keep, kept = genome._keep_part, []

    def counted(*args):
        keep(*args)
        kept.append(args)
        if len(kept) == n:
            act()

    monkeypatch.setattr(genome, '_keep_part', counted)


def test_same_bytes(cluster, here, monkeypatch):
    "Models are unpacked once a worker, and workers see no file of the state."
    with cluster.client() as client:
        client.run(spy)
        call(*SCAN, 'two', '--dask', cluster.address)
        assert read(here / 'two') == read(here / 'out')
        assert list(client.run(unpacked).values()) == [1, 1]
    hits = list(genome.scan_genome('a.fa', min_probability=0.3, dask=cluster.address))
    assert hits == list(genome.scan_genome('a.fa', min_probability=0.3, n_jobs=1)) and hits
    monkeypatch.setattr(genome, '__version__', '0')
    said = call(*SCAN, 'old', '--dask', cluster.address, status=1).stderr
    assert 'install the same on all machines' in said and said.count('\n') == 1


def test_a_worker_dies(cluster, here, monkeypatch):
    after(monkeypatch, 3, cluster.workers[0].kill)
    call(*SCAN, 'w', '--dask', cluster.address)
    assert cluster.workers[0].wait() and read(here / 'w') == read(here / 'out')


def test_the_scheduler_is_gone(cluster, here, monkeypatch):
    "One sentence, and a state from which one machine goes on."
    heard, handler = [], logging.Handler()
    monkeypatch.setattr(handler, 'emit', heard.append)
    logging.getLogger('distributed.client').addHandler(handler)
    with monkeypatch.context() as m:
        after(m, 3, cluster.scheduler.kill)
        said = call(*SCAN, 's', '--dask', cluster.address, status=1).stderr
    assert said.count('\n') == 1 and 'the scheduler is gone' in said and 'the same command again to go on' in said
    logging.getLogger('distributed.client').removeHandler(handler)
    assert not heard, heard
    monkeypatch.setattr(genome, 'CONNECT', 1)
    said = call(*SCAN, 's', '--dask', cluster.address, status=1).stderr
    lines = said.splitlines()
    assert len(lines) == 2 and 'going on' in lines[0] and 'no Dask scheduler answers' in lines[1], said
    call(*SCAN, 's')
    assert read(here / 's') == read(here / 'out')


def test_dask_is_not_installed(here, monkeypatch):
    monkeypatch.setitem(sys.modules, 'distributed', None)
    assert 'mirnbdev[dask]' in call(*SCAN, 'n', '--dask', 'tcp://127.0.0.1:1', status=1).stderr
