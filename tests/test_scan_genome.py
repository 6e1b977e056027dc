"""`mirnbdev scan`: formats, jobs, strange FASTA, and going on after a kill at any moment."""

import csv
import gzip
import os
import random
import signal
import subprocess
import sys
import time

import pytest

from mirnbdev.hairpin import reverse_complement

LET7 = 'UGGGAUGAGGUAGUAGGUUGUAUAGUUUUAGGGUCACACCCACCACUGGGAGAUAACUAUACAAUCUACUGUCUUUCCUA'
MIR21 = 'UGUCGGGUAGCUUAUCAGACUGAUGUUGACUGUUGAAUCUCAUGGCAACACCAGUCGAUGGGCUGUCUGACA'
FILES = ['hits.bed', 'hits.fa', 'hits.gff3', 'hits.html', 'hits.tsv']
DRIVER = 'import sys, mirnbdev.genome as g; g.PIECE = 500; from mirnbdev.cli import app; app(sys.argv[1:])'


def made():
    "Two records with a planted precursor each, the second on the other strand, and what must be found where."
    rng = random.Random(1)
    noise = lambda n: ''.join(rng.choices('ACGT', k=n))
    one = noise(900).lower() + LET7.replace('U', 'T') + 'N' * 40 + noise(500)
    two = noise(400) + reverse_complement(MIR21) + 'RY' + noise(600)
    lines = lambda s, end: end.join(s[i : i + 60] for i in range(0, len(s), 60)) + end
    text = f'>one of two\r\n{lines(one, chr(13) + chr(10))}>two\n{lines(two, chr(10))}'
    return text, [('one', 901, 900 + len(LET7), '+'), ('two', 401, 400 + len(MIR21), '-')]


def scan(folder, *args, status=0, **options):
    "Run the command with small pieces in a process of its own."
    command = [sys.executable, '-c', DRIVER, 'scan', *map(str, args)]
    r = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, **options)
    assert r.returncode == status and 'Traceback' not in r.stderr, r.stderr
    return r


def read(folder):
    "Bytes of all that a scan has written."
    return {p.name: p.read_bytes() for p in folder.iterdir()}


@pytest.fixture(scope='module')
def scanned(tmp_path_factory):
    "A folder with a genome and the files of its scan."
    folder = tmp_path_factory.mktemp('scan')
    (folder / 'a.fa').write_bytes(made()[0].encode())
    (folder / 'a.fa.gz').write_bytes(gzip.compress(made()[0].encode()))
    scan(folder, 'a.fa', '-o', 'out', '-j', 1, '--min-probability', 0.3)
    return folder


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


def test_jobs_and_gzip_give_the_same_bytes(scanned):
    scan(scanned, 'a.fa', '-o', 'two', '-j', 2, '--min-probability', 0.3)
    assert read(scanned / 'two') == read(scanned / 'out')
    scan(scanned, 'a.fa.gz', '-o', 'zip', '-j', 1, '--min-probability', 0.3)
    assert read(scanned / 'zip') == read(scanned / 'out')


def test_python_gives_the_same(scanned):
    import io

    import pandas as pd

    from mirnbdev.genome import hit_table, scan_genome

    table = hit_table(scan_genome(scanned / 'a.fa', n_jobs=1, min_probability=0.3))
    file = io.StringIO((scanned / 'out/hits.tsv').read_text())
    pd.testing.assert_frame_equal(pd.read_csv(file, sep='\t', comment='#', keep_default_na=False), table, atol=1e-6)


def test_region_and_most_probable(scanned):
    scan(scanned, 'a.fa', '-o', 'r.bed', '-j', 1, '--min-probability', 0.3, '--region', 'two:1-700', '--max-hits', 1)
    lines = (scanned / 'r.bed').read_text().splitlines()
    assert len(lines) == 2 and lines[1].split('\t')[0] == 'two'
    said = scan(scanned, 'a.fa', '-o', 'no.bed', '--region', 'two:1-99999', status=1).stderr
    assert 'must lie within' in said and not (scanned / 'no.bed.scan').exists()


def test_odd_letters_and_empty_records(tmp_path):
    (tmp_path / 'a.fa').write_text('>x\n' + LET7 + '*' + 'A' * 20 + '\n>\n>x\n' + LET7 + '\n')
    r = scan(tmp_path, 'a.fa', '-o', 'a.tsv', '-j', 1, status=1)
    assert "'*' at position 81" in r.stderr and 'record_2: empty' in r.stderr
    assert len((tmp_path / 'a.tsv').read_text().splitlines()) >= 4
    (tmp_path / 'b.fa').write_text('no fasta')
    assert 'not FASTA' in scan(tmp_path, 'b.fa', '-o', 'b.tsv', status=1).stderr


def killed(folder, after):
    "Start the command, kill it `after` s."
    command = [sys.executable, '-c', DRIVER, 'scan', 'a.fa', '-o', 'k', '-j', '1', '--min-probability', '0.3']
    p = subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL)
    time.sleep(after)
    p.send_signal(signal.SIGKILL)
    return p.wait()


def test_killed_at_any_moment(scanned):
    rng, before, steps = random.Random(0), 0, 0
    for _ in range(20):
        killed(scanned, rng.uniform(1, 5))
        parts = len(list((scanned / 'k').rglob('parts/*/*.json')))
        steps, before = steps + (parts != before), parts
    assert steps, 'no kill came between two pieces'
    scan(scanned, 'a.fa', '-o', 'k', '-j', 1, '--min-probability', 0.3)
    assert read(scanned / 'k') == read(scanned / 'out')


def test_another_scan_is_refused(tmp_path):
    (tmp_path / 'a.fa').write_text('>a\n' + LET7 + '\n')
    state = tmp_path / 'a.bed.scan'
    call = lambda **how: list(scan_genome(tmp_path / 'a.fa', n_jobs=1, state=state, **how))
    from mirnbdev.genome import scan_genome

    call(min_probability=0.5)
    with pytest.raises(ValueError, match='the options changed'):
        call(min_probability=0.6)
    (tmp_path / 'a.fa').write_text('>a\n' + MIR21 + '\n')
    said = scan(tmp_path, 'a.fa', '-o', 'a.bed', '--min-probability', 0.5, status=1).stderr
    assert 'the input' in said and 'delete this folder' in said and said.count('\n') == 1


@pytest.mark.skipif(os.name != 'posix' or os.geteuid() == 0, reason='root may write anywhere')
def test_read_only_folder(tmp_path):
    (tmp_path / 'a.fa').write_text('>a\n' + LET7 + '\n')
    tmp_path.chmod(0o555)
    try:
        assert 'written' in scan(tmp_path, 'a.fa', '-o', 'a.bed', status=2).stderr
    finally:
        tmp_path.chmod(0o755)
