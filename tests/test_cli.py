"""The command line on good and bad input, as a user calls it: never a traceback, never a lost record, no half-written
file. Most cases call the command in this process. What needs a process of its own (exit status, signals, pipes,
standard input, a full disk) starts one."""

import csv
import gzip
import os
import pty
import random
import re
import signal
import subprocess
import sys
import termios
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from typer.testing import CliRunner

from mirnbdev.cli import app

MIR21 = 'UGUCGGGUAGCUUAUCAGACUGAUGUUGACUGUUGAAUCUCAUGGCAACACCAGUCGAUGGGCUGUCUGACA'
COMMAND = str(Path(sys.executable).with_name('mirnbdev'))


class Answer(NamedTuple):
    "What a command gives back."

    status: int
    stdout: str
    stderr: str


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def call(*args, status=0):
    "Run `mirnbdev` in this process; it must end with `status`, and not with an exception."
    r = CliRunner().invoke(app, [str(a) for a in args])
    assert not isinstance(r.exception, Exception), r.exception
    return check(Answer(r.exit_code, r.stdout, r.stderr), status)


def start(*args, status=0, stdin=b'', **options):
    "Run `mirnbdev` in a process of its own; it must end with `status`."
    command = [COMMAND, *map(str, args)]
    r = subprocess.run(
        command, input=stdin, stderr=subprocess.PIPE, timeout=300, **{'stdout': subprocess.PIPE} | options
    )
    return check(Answer(r.returncode, (r.stdout or b'').decode(), r.stderr.decode()), status)


def check(answer, status):
    assert 'Traceback' not in answer.stderr, answer.stderr
    assert answer.status == status, (answer.status, answer.stderr)
    return answer


def fasta(*sequences, end='\n'):
    return ''.join(f'>r{i}{end}{s}{end}' for i, s in enumerate(sequences)).encode()


def table(text):
    return list(csv.DictReader(text.splitlines(), delimiter='\t', quoting=csv.QUOTE_NONE))


def random_sequence(rng, n):
    return ''.join(rng.choices('ACGU', k=n))


def reverse_complement(s):
    return s[::-1].translate(str.maketrans('ACGU', 'UGCA'))


def random_stems(n):
    rng = random.Random(0)
    arms = [random_sequence(rng, 30) for _ in range(n)]
    return [a + 'GAAAUUCA' + reverse_complement(a) for a in arms]


# name -> (bytes, rows that must come out, exit status, a word in the flags or in the message)
RECORDS = {
    'plain.fa': (fasta(MIR21), 1, 0, ''),
    'crlf.fa': (fasta(MIR21, MIR21[:40], end='\r\n'), 2, 0, ''),
    'lower.fa': (fasta(MIR21.lower()), 1, 0, ''),
    'dna.fa': (fasta(MIR21.replace('U', 'T')), 1, 0, ''),
    'gz.fa.gz': (gzip.compress(fasta(MIR21)), 1, 0, ''),
    'lines.fa': (fasta('\n'.join(MIR21[i : i + 7] for i in range(0, len(MIR21), 7))), 1, 0, ''),
    'letters.fa': (fasta(MIR21, 'ACGX' + MIR21, MIR21), 3, 1, "letter 'X' at position 4"),
    'iupac.fa': (fasta(MIR21[:30] + 'N' + MIR21[30:]), 1, 1, "letter 'N' at position 31"),
    'nosequence.fa': (b'>a\n>b\n' + MIR21.encode() + b'\n', 2, 1, 'empty sequence'),
    'duplicate.fa': (b'>a\nGGGGAAAACCCC\n>a\nGGGGAAAACCCC\n', 2, 0, 'duplicate_name'),
    'noname.fa': (b'>\n' + MIR21.encode() + b'\n', 1, 0, ''),
    'one.fa': (fasta('A'), 1, 0, 'no_pairs'),
    'flat.fa': (fasta('A' * 60), 1, 0, 'no_pairs'),
    'long.fa': (fasta(random_sequence(random.Random(0), 5000), MIR21), 2, 1, '5000 nt is longer than'),
    'cut.fa': (fasta('G' * 5 + 'GC' * 60 + 'AAAA' + 'GC' * 60 + 'C' * 5), 1, 0, 'cut'),
    'line10M.fa': (b'>a\n' + b'ACGU' * 2_500_000 + b'\n>b\n' + MIR21.encode() + b'\n', 2, 1, 'is longer than'),
}
# name -> (bytes, a word in the message): no file can come out
FILES = {
    'empty.fa': (b'', 'no records'),
    'blank.fa': (b'\n\n', 'no records'),
    'headless.fa': (b'ACGU\nACGU\n', "Expected '>'"),
    'binary.fa': (bytes(range(256)) * 50, 'not text'),
    'image.fa': (b'\x89PNG\r\n\x1a\n\0\0', 'not text'),
    'short.fa.gz': (gzip.compress(fasta(*[MIR21] * 500))[:-30], 'too early'),
    'fake.fa.gz': (b'this is not gzip', 'gzip file'),
}


def names(data):
    text = gzip.decompress(data) if data[:2] == b'\x1f\x8b' else data
    return [(l[1:].split() or [b'record_1'])[0].decode() for l in text.splitlines() if l.startswith(b'>')]


@pytest.mark.parametrize('run', [call, start])
@pytest.mark.parametrize('file', ['plain.fa', 'letters.fa'])
def test_a_process_ends_as_a_call_does(file, run, tmp_path):
    "Both ways to run a command say and write the same, so that the other tests may use the quicker one."
    data, rows, status, word = RECORDS[file]
    (tmp_path / file).write_bytes(data)
    r = run('detect', file, status=status)
    assert len(table(r.stdout)) == rows and word in r.stdout
    assert (
        r.stderr.splitlines()
        == [f'mirnbdev: r1: {word}; accepted are A, C, G, U (or T)', 'mirnbdev: 1 record(s) failed'][: 2 * status]
    )


@pytest.mark.parametrize('file', RECORDS)
def test_every_record_comes_out_of_detect(file, tmp_path):
    data, rows, status, word = RECORDS[file]
    (tmp_path / file).write_bytes(data)
    r = call('detect', file, '-o', 'out.tsv', status=status)
    out = table((tmp_path / 'out.tsv').read_text())
    assert [x['name'] for x in out] == names(data) and len(out) == rows
    assert any(word in x['flags'] for x in out)
    for x in out:
        if 'failed' in x['flags']:
            assert x['probability'] == '' and r.stderr
        else:
            assert 0 <= float(x['probability']) <= 1 and x['call'] in '01' and len(x['structure']) == int(x['length'])


def test_every_record_comes_out_of_windows(tmp_path):
    rng = random.Random(1)
    flank = [random_sequence(rng, 400) for _ in range(4)]
    transcript = flank[0] + MIR21 + 'N' * 50 + flank[1] + MIR21 + flank[2]
    records = {
        'alone': MIR21,
        'window': flank[0][:60] + MIR21 + flank[1][:60],
        'transcript': transcript.lower().replace('u', 't'),
        'behind': flank[3] + reverse_complement(MIR21) + flank[2],
        'flat': 'A' * 300,
        'unknown': 'N' * 300,
        'letters': MIR21 + 'X',
        'empty': '',
        'one': 'A',
    }
    (tmp_path / 'a.fa').write_text(''.join(f'>{n}\r\n{s}\r\n' for n, s in [*records.items(), ('alone', MIR21)]))
    call('detect', '--windows', '--both-strands', 'a.fa', '-o', 'out.tsv', status=1)
    rows = table((tmp_path / 'out.tsv').read_text())
    assert [x['name'] for x in rows] == [*records, 'alone']
    for x in rows:
        if 'failed' in x['flags']:
            assert x['name'] in ('letters', 'empty') and x['start'] == x['probability'] == ''
            continue
        if 'no_hairpin' in x['flags']:
            assert x['name'] in ('flat', 'unknown', 'one') and x['hairpins'] == '0' and x['call'] == '0'
            continue
        assert 1 <= int(x['start']) <= int(x['end']) <= len(records[x['name']])
        assert int(x['end']) - int(x['start']) + 1 == int(x['length']) == len(x['structure'])
    place = lambda x: range(int(x['start']), int(x['end']) + 1)
    window, behind = rows[1], rows[3]
    assert 60 + 36 in place(window) and window['strand'] == '+'
    assert 400 + 36 in place(behind) and behind['strand'] == '-', 'the precursor is on the other strand'
    assert rows[-1]['flags'].startswith('duplicate_name') and rows[-1]['probability'] == rows[0]['probability']


@pytest.mark.parametrize('file', RECORDS)
def test_every_record_comes_out_of_encode(file, tmp_path):
    data, rows, status, word = RECORDS[file]
    (tmp_path / file).write_bytes(data)
    call('encode', file, '-o', 'out.npz', status=status)
    with np.load(tmp_path / 'out.npz', allow_pickle=False) as z:
        assert z['images'].shape == (rows, 25, 100, 3) and z['images'].dtype == np.uint8
        assert list(z['names']) == names(data)
        assert {len(z[k]) for k in ('sequences', 'structures', 'mfe', 'flags')} == {rows}
        assert any(word in f for f in z['flags'])
        for image, flag in zip(z['images'], z['flags']):
            assert (image == 255).all() == ('failed' in flag)


@pytest.mark.parametrize('file', FILES)
def test_what_is_no_fasta_is_said_and_writes_nothing(file, tmp_path):
    data, word = FILES[file]
    (tmp_path / file).write_bytes(data)
    r = call('encode', file, '-o', 'out.npz', status=1)
    assert word in r.stderr and file in r.stderr
    assert [p.name for p in tmp_path.iterdir()] == [file]


def test_iupac_letters_are_kept_when_asked(tmp_path):
    (tmp_path / 'n.fa').write_bytes(RECORDS['iupac.fa'][0])
    assert 'iupac' in call('detect', 'n.fa', '--iupac').stdout


@pytest.mark.parametrize('data', [fasta(MIR21), gzip.compress(fasta(MIR21))], ids=['plain', 'gzip'])
def test_standard_input(data):
    assert start('detect', '-', stdin=data).stdout.splitlines()[1].startswith('r0\t72\t')


WRONG = """detect nowhere.fa
encode a.fa -o a.txt
encode a.fa -o no/such/a.npz
encode a.fa -o .
detect
frobnicate
detect a.fa --both-strands
detect a.fa --windows --iupac
simulate -n 0
simulate --length 900
simulate --label cat
simulate --gc 2
simulate --clade cat
simulate --design --strict
simulate -o a.txt
explain a.fa --method magic
score nowhere.fa
score a.fa -o a.txt"""


@pytest.mark.parametrize('args', WRONG.splitlines())
def test_wrong_usage(args, tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    call(*args.split(), status=2)
    assert [p.name for p in tmp_path.iterdir()] == ['a.fa']


def test_wrong_usage_in_a_process():
    assert 'nowhere.fa: no such file' in start('detect', 'nowhere.fa', status=2).stderr


def test_a_full_disk(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    assert 'No space left' in start('detect', 'a.fa', '-o', '/dev/full', status=1).stderr


def test_a_pipe_whose_reader_has_gone(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    reader, writer = os.pipe()
    os.close(reader)
    start('detect', 'a.fa', stdout=writer, status=1)


def test_damaged_weights(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    (tmp_path / 'detector.safetensors').write_bytes(b'damaged')
    assert 'not the weights of a detector' in call('detect', 'a.fa', '--model', '.', status=1).stderr


@pytest.mark.parametrize('command, out', [('encode', 'out.npz'), ('detect', 'out.tsv')])
def test_ctrl_c_leaves_nothing_behind(command, out, tmp_path):
    rng = random.Random(0)
    (tmp_path / 'a.fa').write_bytes(fasta(*(random_sequence(rng, 150) for _ in range(5000))))
    screen, terminal = pty.openpty()  # on a terminal there is a progress bar, which tells that the workers fold
    termios.tcsetwinsize(terminal, (24, 80))
    p = subprocess.Popen([COMMAND, command, 'a.fa', '-j', '2', '-o', out], stderr=terminal, start_new_session=True)
    os.close(terminal)
    seen = b''
    while not re.search(rb'([4-9]\d\d|\d{4}) records', seen):  # past the workers' start, in the midst of folding
        seen += os.read(screen, 1024)
    assert p.poll() is None, 'it should still be folding'
    os.killpg(p.pid, signal.SIGINT)  # as a terminal does, to the workers too
    try:
        while more := os.read(screen, 1024):
            seen += more
    except OSError:  # all have closed their end of the terminal
        pass
    assert p.wait(60) == 130 and b'Traceback' not in seen and b'interrupted' in seen, seen.decode()
    assert [f.name for f in tmp_path.iterdir()] == ['a.fa']


def test_equal_seeds_give_equal_molecules(tmp_path, monkeypatch):
    monkeypatch.setenv('MIRNBDEV_DATA', str(tmp_path))
    simulate = lambda run, seed: run('simulate', '-n', 5, '--seed', seed).stdout
    a, b, c = simulate(call, 1), simulate(call, 1), simulate(call, 2)
    assert a == b != c and len(a.splitlines()) == 6
    assert a == simulate(start, 1), 'in another process too'


def test_a_folder_of_strict_samples_under_conditions(data_dir, tmp_path):
    asked = ('--length', 70, '--loop', 7, '--clade', 'Mammalia')
    r = call('simulate', '-n', 6, *asked, '--strict', '-o', 'new')
    assert 'samples' in r.stderr and 'refold to their design' in r.stderr
    new = tmp_path / 'new'
    assert sorted(p.name for p in new.iterdir()) == ['contact_sheet.png', 'simulated.fa', 'simulated.tsv']
    assert (new / 'contact_sheet.png').read_bytes()[:4] == b'\x89PNG'
    rows = table((new / 'simulated.tsv').read_text())
    assert len(rows) == 6
    assert (new / 'simulated.fa').read_text() == ''.join(f'>{x["name"]}\n{x["sequence"]}\n' for x in rows)
    for x in rows:
        assert x['designed'] == x['refolded'] and len(x['sequence']) == 70 and float(x['pair_f1']) == 1
        assert x['asked_length'] == x['obtained_length'] == '70' and x['asked_gc'] == ''
        assert x['asked_terminal_loop'] == x['obtained_terminal_loop'] == '7'
        assert x['nearest'] and 0 < float(x['identity']) < 1


def test_designs_without_mirbase(tmp_path, monkeypatch):
    monkeypatch.setenv('MIRNBDEV_DATA', str(tmp_path))
    r = call('simulate', '-n', 3, '--design', '--length', 70)
    for word in ('of 3 fool the detector', 'nearest and identity stay empty', 'hairpin.fa: no such file'):
        assert word in r.stderr
    rows = table(r.stdout)
    assert len(rows) == 3
    for x in rows:
        assert len(x['designed']) == 70 and x['fooled'] in ('True', 'False') and x['nearest'] == x['identity'] == ''
        assert 0 <= float(x['score_before']) <= 1


def test_a_loop_that_does_not_fit():
    r = start('simulate', '--length', 40, '--loop', 40, '-o', 'new', status=1)
    assert '--loop: must leave room' in r.stderr and len(r.stderr.splitlines()) == 1


def test_explain_scores_every_nucleotide(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21, 'ACGX'))
    rows = table(call('explain', 'a.fa', status=1).stdout)
    assert ''.join(x['nucleotide'] for x in rows) == MIR21
    assert rows[-1]['name'] == 'r1' and rows[-1]['flags'].startswith('failed')


def test_explain_writes_a_page_that_needs_no_network(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21, 'ACGX', MIR21))
    call('explain', 'a.fa', '-o', 'out', '--method', 'deeplift', status=1)
    page = (tmp_path / 'out' / 'explanation.html').read_text()
    assert 'src="http' not in page and '<link' not in page and MIR21 in page and 'deeplift' in page
    pictures = sorted((tmp_path / 'out' / 'pictures').iterdir())
    assert [p.read_bytes()[:4] for p in pictures] == [b'\x89PNG'] * 2
    assert len((tmp_path / 'out' / 'scores.tsv').read_text().splitlines()) == 1 + 2 * len(MIR21) + 1


def test_explain_of_nothing_that_folds(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta('ACGX'))
    call('explain', 'a.fa', '-o', 'out', status=1)
    assert 'No record could be folded' in (tmp_path / 'out' / 'explanation.html').read_text()


def test_the_explanation_follows_the_reader(tmp_path, page):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21, MIR21[5:-5]))
    call('explain', 'a.fa', '-o', 'out')
    trouble = []
    page.on('pageerror', lambda e: trouble.append(str(e)))
    page.goto((tmp_path / 'out' / 'explanation.html').as_uri())
    drawn = lambda: (page.locator('.structure circle').count(), page.locator('.logo g').count())
    assert drawn() == (len(MIR21),) * 2
    page.locator('.which').select_option(index=1)
    assert drawn() == (len(MIR21) - 10,) * 2 and not trouble


def test_latents_of_what_can_be_written(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21, 'ACGX', 'A' * 30, MIR21 + MIR21, MIR21.lower().replace('u', 't')))
    rows = table(call('latent', 'a.fa', status=1).stdout)
    assert [bool(x['z0_length']) for x in rows] == [True, False, False, False, True]
    assert all(rows[0][k] == rows[4][k] for k in rows[0] if k.startswith('z'))
    flags = [x['flags'].split(':')[0].split(';')[0] for x in rows]
    assert flags == ['', 'failed', 'no_pairs', 'several_hairpins', '']


def test_a_report_is_one_self_contained_page(tmp_path):
    call('report', '-n', 6, '-o', 'out')
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert 'src="http' not in page and '<link' not in page and page.count('<svg') == 12 + 6
    assert (tmp_path / 'out' / 'simulated.fa').read_text().count('>') == 6


def test_a_scorecard_has_every_set_and_says_what_failed(data_dir, tmp_path):
    stems, design = random_stems(24), '(' * 30 + '.' * 8 + ')' * 30
    designs = (f'{s}\n{design} (-40.00)' for s in stems[12:])
    (tmp_path / 'a.fa').write_bytes(fasta(*stems[:12], *designs, MIR21 + 'X', f'{MIR21}\n((..))'))
    a = call('score', 'a.fa', '-o', 'a.tsv', '-j', '1', status=1)
    b = start('score', 'a.fa', '-o', '-', '-j', '1', status=1)
    assert "letter 'X' at position 73" in a.stderr and '72 nucleotides but 6 structure characters' in a.stderr
    assert '2 record(s) failed' in a.stderr
    assert (tmp_path / 'a.tsv').read_bytes().decode() == b.stdout, 'equal seeds'
    rows = {(x['set'], x['measure']): x for x in table(b.stdout)}
    assert {s for s, _ in rows} == {'a.fa', 'natural', 'training', 'shuffled', 'near copies'}
    value = lambda measure: float(rows['a.fa', measure]['value'])
    assert value('unique') == value('new') == 1 and value('pair_f1') > 0.8
    assert value('distance of largest_interruption') > 2


def test_a_scorecard_as_picture(data_dir, tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(*random_stems(20)))
    call('score', 'a.fa', '-o', 'a.png', '-j', '1')
    assert (tmp_path / 'a.png').read_bytes()[:4] == b'\x89PNG'


def test_a_scorecard_needs_enough_hairpins(data_dir, tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(*random_stems(19)))
    r = call('score', 'a.fa', '-o', 'a.tsv', status=1)
    assert 'a.fa: 19 hairpins are too few' in r.stderr and not (tmp_path / 'a.tsv').exists()


def test_a_scorecard_without_data(tmp_path, monkeypatch):
    monkeypatch.setenv('MIRNBDEV_DATA', str(tmp_path))
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    r = call('score', 'a.fa', status=1)
    assert 'hairpin.fa: no such file in the folder that MIRNBDEV_DATA names' in r.stderr and not r.stdout
