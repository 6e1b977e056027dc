"""`mirnbdev scan`: formats, jobs, strange FASTA, and going on after a kill at any moment."""

import csv
import errno
import gzip
import io
import json
import os
import random
import signal
import subprocess
import sys
from contextlib import chdir

import pandas as pd
import pytest
import torch
from commands import call

from mirnbdev import genome
from mirnbdev.cnn import Detector
from mirnbdev.hairpin import reverse_complement
from mirnbdev.processing import Processing

LET7 = 'UGGGAUGAGGUAGUAGGUUGUAUAGUUUUAGGGUCACACCCACCACUGGGAGAUAACUAUACAAUCUACUGUCUUUCCUA'
MIR21 = 'UGUCGGGUAGCUUAUCAGACUGAUGUUGACUGUUGAAUCUCAUGGCAACACCAGUCGAUGGGCUGUCUGACA'
FILES = ['hits.bed', 'hits.fa', 'hits.gff3', 'hits.html', 'hits.tsv']
SCAN = ['scan', 'a.fa', '-j', 1, '--min-probability', 0.3, '-o']
DRIVER = """
import json, os, sys, time
from pathlib import Path
import mirnbdev.cli, mirnbdev.cnn, mirnbdev.genome, mirnbdev.processing
from mirnbdev.__main__ import main

mirnbdev.genome.PIECE = 300
plan, out, sys.argv = json.loads(sys.argv[1]), sys.argv[2], ['mirnbdev', *sys.argv[3:], sys.argv[2]]
parts = lambda: len(list(Path(out).rglob('parts/*/*.json')))
for number, pieces, more in plan:
    end, child = parts() + pieces, os.fork()
    if not child:
        main()
    while parts() < end and not os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT):
        time.sleep(0.002)
    time.sleep(more)
    os.kill(child, number)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), parts(), flush=True)
"""  # starts a scan for each (signal, pieces, s) and sends it the signal so long after so many more pieces


def made():
    "Two records with a planted precursor each, the second on the other strand, and what must be found where."
    rng = random.Random(1)
    noise = lambda n: ''.join(rng.choices('ACGT', k=n))
    one = noise(600).lower() + LET7.replace('U', 'T') + 'N' * 40 + noise(300)
    two = noise(400) + reverse_complement(MIR21) + 'RY' + noise(400)
    lines = lambda s, end: end.join(s[i : i + 60] for i in range(0, len(s), 60)) + end
    text = f'>one of two\r\n{lines(one, chr(13) + chr(10))}>two\n{lines(two, chr(10))}'
    return text, [('one', 601, 600 + len(LET7), '+'), ('two', 401, 400 + len(MIR21), '-')]


def read(folder):
    "Bytes of all that a scan has written."
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    "Cut the genome into sixteen pieces."
    monkeypatch.setattr(genome, 'PIECE', 300)


@pytest.fixture(scope='module')
def scanned(tmp_path_factory):
    "A folder with a genome and the files of its scan, of one piece a strand."
    folder = tmp_path_factory.mktemp('scan')
    (folder / 'a.fa').write_bytes(made()[0].encode())
    (folder / 'a.fa.gz').write_bytes(gzip.compress(made()[0].encode()))
    with chdir(folder):
        call(*SCAN, 'out')
    return folder


@pytest.fixture
def here(scanned, monkeypatch):
    "Go to this folder."
    monkeypatch.chdir(scanned)
    return scanned


def test_files(scanned):
    files = read(scanned / 'out')
    assert sorted(files) == FILES
    rows = list(csv.DictReader((scanned / 'out/hits.tsv').read_text().splitlines()[1:], delimiter='\t'))
    for record, start, end, strand in made()[1]:
        near = [r for r in rows if (r['record'], r['strand']) == (record, strand)]
        assert any(int(r['start']) <= start + 12 and int(r['end']) >= end - 12 for r in near)
    bed = [x.split('\t') for x in files['hits.bed'].decode().splitlines()[1:]]
    assert sorted((b[0], str(int(b[1]) + 1), b[2], b[5]) for b in bed) == sorted(
        (r['record'], r['start'], r['end'], r['strand']) for r in rows
    )
    order = [(['one', 'two'].index(b[0]), int(b[1])) for b in bed]
    assert order == sorted(order) and all(0 <= int(b[4]) <= 1000 and len(b) == 14 for b in bed)
    probabilities = [float(r['probability']) for r in rows]
    assert probabilities == sorted(probabilities, reverse=True) and min(probabilities) >= 0.3
    gff = [x.split('\t') for x in files['hits.gff3'].decode().splitlines() if x[0] != '#']
    assert {g[2] for g in gff} == {'miRNA_primary_transcript', 'miRNA'} and {len(g) for g in gff} == {9}
    assert sum(g[2] == 'miRNA_primary_transcript' for g in gff) == len(rows)
    assert files['hits.fa'].count(b'>') == files['hits.html'].count(b'<figure') == len(rows)
    assert all(b'0.3' in x for x in files.values()), 'each names the threshold'


def test_pieces_jobs_and_gzip_give_the_same_bytes(here, monkeypatch):
    monkeypatch.setattr(genome, 'TASK', 0)  # two processes also for this little
    for out, source, jobs in (('two', 'a.fa', 2), ('zip', 'a.fa.gz', 1)):
        call('scan', source, '-o', out, '-j', jobs, '--min-probability', 0.3)
        assert read(here / out) == read(here / 'out')


def test_python_gives_the_same(scanned):
    table = genome.hit_table(genome.scan_genome(scanned / 'a.fa', n_jobs=1, min_probability=0.3))
    file = io.StringIO((scanned / 'out/hits.tsv').read_text())
    pd.testing.assert_frame_equal(pd.read_csv(file, sep='\t', comment='#', keep_default_na=False), table, atol=1e-6)


def test_region_and_most_probable(here):
    call(*SCAN, 'r.bed', '--region', 'two:1-600', '--max-hits', 1)
    lines = (here / 'r.bed').read_text().splitlines()
    assert len(lines) == 2 and lines[1].split('\t')[0] == 'two'
    said = call(*SCAN, 'no.bed', '--region', 'two:1-99999', status=1).stderr
    assert 'must lie within' in said and not (here / 'no.bed.scan').exists()


def test_odd_letters_and_empty_records(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.fa').write_text('>x\n' + LET7 + '*' + 'A' * 20 + '\n>\n>x\n' + LET7 + '\n')
    r = call('scan', 'a.fa', '-o', 'a.tsv', '-j', 1, status=1)
    assert "'*' at position 81" in r.stderr and 'record_2: empty' in r.stderr
    assert len((tmp_path / 'a.tsv').read_text().splitlines()) >= 4
    (tmp_path / 'b.fa').write_text('no fasta')
    assert 'not FASTA' in call('scan', 'b.fa', '-o', 'b.tsv', status=1).stderr


def stopped(out, *plan):
    "Stop scans by signals as `DRIVER` says: the status and the finished pieces of each, and what was said."
    command = [sys.executable, '-c', DRIVER, json.dumps(plan), out, *map(str, SCAN)]
    r = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    return [tuple(map(int, line.split())) for line in r.stdout.splitlines()], r.stderr


needs_fork = pytest.mark.skipif(not hasattr(os, 'fork'), reason='needs fork')


@needs_fork
def test_killed_at_any_moment(here):
    rng = random.Random(0)
    plan = [(int(signal.SIGKILL), rng.choice([0, 0, 0, 1, 1]), rng.uniform(0, 0.3)) for _ in range(20)]
    ends, _ = stopped('k', *plan)
    assert sum(status == -signal.SIGKILL for status, _ in ends) >= 15, ends
    assert len({parts for status, parts in ends if status}) >= 5, 'kills came at different pieces'
    call(*SCAN, 'k')
    assert read(here / 'k') == read(here / 'out')


@needs_fork
def test_interrupted(here):
    "Ctrl-C in the folding, and a signal of a scheduler: one line, and the same command goes on."
    ends, said = stopped('i', (int(signal.SIGINT), 1, 0.15), (int(signal.SIGTERM), 1, 0.15))
    assert [status for status, _ in ends] == [130, 143] and ends[0][1] < ends[1][1], ends
    lines = said.splitlines()
    assert len(lines) == 3 and 'going on' in lines[1] and 'Traceback' not in said, said
    assert all('interrupted' in x and 'the same command again to go on' in x for x in (lines[0], lines[2]))
    call(*SCAN, 'i')
    assert read(here / 'i') == read(here / 'out')


def test_full_disk(here, monkeypatch):
    "One sentence, and a state from which it goes on."
    keep, kept = genome._keep_part, []

    def full(*args):
        if len(kept) == 3:
            raise OSError(errno.ENOSPC, 'No space left on device')
        kept.append(keep(*args))

    with monkeypatch.context() as m:
        m.setattr(genome, '_keep_part', full)
        said = call(*SCAN, 'f', status=1).stderr
    assert said.count('\n') == 1 and 'No space left' in said and 'the same command again to go on' in said
    assert '3 of 16 pieces are there' in call(*SCAN, 'f').stderr
    assert read(here / 'f') == read(here / 'out')


def test_no_place_for_the_state(tmp_path, monkeypatch):
    "A file in its way, or a disk that is read only."
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.fa').write_text(f'>a\n{LET7}\n')
    (tmp_path / 'a.bed.scan').write_text('')
    said = call(*SCAN, 'a.bed', status=1).stderr
    assert said.count('\n') == 1 and 'a.bed.scan' in said and 'go on' not in said
    (tmp_path / 'a.bed.scan').unlink()

    def read_only(path, **how):
        raise OSError(errno.EROFS, 'Read-only file system', str(path))

    monkeypatch.setattr('pathlib.Path.mkdir', read_only)
    said = call(*SCAN, 'a.bed', status=1).stderr
    assert said.count('\n') == 1 and 'Read-only' in said and 'go on' not in said
    assert [p.name for p in tmp_path.iterdir()] == ['a.fa']


def other(model):
    "The same model with one weight changed a little."
    with torch.no_grad():
        next(model.model.parameters()).view(-1)[0] += 1e-3
    return model


def test_another_scan_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.fa').write_text(f'>a\n{LET7}\n')
    asked = dict(n_jobs=1, state='a.bed.scan', min_probability=0.3)
    scan = lambda **how: list(genome.scan_genome('a.fa', **asked | how))
    hits = scan()
    for how, odd in (
        (dict(min_probability=0.6), 'the options changed'),
        (dict(detector=other(Detector.load())), 'the detector changed'),
        (dict(processing=other(Processing.load())), 'the processing model changed'),
    ):
        with pytest.raises(ValueError, match=odd):
            scan(**how)
    assert scan() == hits, 'nothing was lost'
    (tmp_path / 'a.fa').write_text(f'>a\n{MIR21}\n')
    said = call(*SCAN, 'a.bed', status=1).stderr
    assert 'the input' in said and 'delete this folder' in said and said.count('\n') == 1
