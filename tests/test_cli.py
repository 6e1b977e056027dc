"""The command line on good and bad input, as a user calls it: never a traceback, never a lost record, no half-written
file. Most cases call the command in this process. What needs a process of its own (exit status, signals, pipes,
standard input, a full disk) starts one."""

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

import numpy as np
import pytest
from bad_input import FILES, MIR21, RECORDS, REFUSED, fasta, random_sequence
from commands import COMMAND, HOSTILE, TINY, Answer, call, check, reverse_complement, start, table, write_hostile

from mirnbdev import Detector, __version__, fold
from mirnbdev.hairpin import is_single_hairpin, read_fasta
from mirnbdev.processing import Processing
from mirnbdev.training import WEIGHTS


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def names(data):
    text = gzip.decompress(data) if data[:2] == b'\x1f\x8b' else data
    lines = (line.removeprefix(b'\xef\xbb\xbf') for line in text.splitlines())
    return [(l[1:].split() or [b'record_1'])[0].decode() for l in lines if l.startswith(b'>')]


@pytest.mark.parametrize('run', [call, start])
@pytest.mark.parametrize('file', ['plain.fa', 'letters.fa'])
def test_a_process_ends_as_a_call_does(file, run, tmp_path):
    "Both ways to run a command say and write the same, so that the other tests may use the quicker one."
    _, data, rows, status, word = RECORDS[file]
    (tmp_path / file).write_bytes(data)
    given = dict(stdin=data) if run is start and not status else {}  # standard input is read alike
    r = run('detect', '-' if given else file, status=status, **given)
    assert len(table(r.stdout)) == rows and word in r.stdout
    said = [f'mirnbdev: r1: {word}; accepted are A, C, G, U (or T)', 'mirnbdev: 2 of 3 believed; 1 failed']
    assert r.stderr.splitlines() == (said if status else ['mirnbdev: 1 of 1 believed'])
    assert status or r.stdout.splitlines()[1].startswith('r0\t72\t')


def arms(row):
    "Ends of the mature arms of a row, (first, last) of the 5' and the 3' one; [] where there are none."
    spans = [row['mature_5p'], row['mature_3p']]
    assert bool(row['processing']) == all(spans) == any(spans)
    assert 0 <= float(row['processing'] or 0) <= 1
    return [tuple(map(int, s.split('-'))) for s in spans if s]


@pytest.mark.parametrize('file', RECORDS)
def test_every_record_comes_out_of_detect(file, tmp_path):
    _, data, rows, status, word = RECORDS[file]
    (tmp_path / file).write_bytes(data)
    r = call('detect', file, '-o', 'out.tsv', status=status)
    out = table((tmp_path / 'out.tsv').read_text())
    assert [x['name'] for x in out] == names(data) and len(out) == rows
    assert any(word in x['flags'] for x in out)
    for x in out:
        if 'failed' in x['flags']:
            assert x['probability'] == '' and not arms(x) and r.stderr
            continue
        assert 0 <= float(x['probability']) <= 1 and x['call'] in '01' and len(x['structure']) == int(x['length'])
        assert bool(arms(x)) == ('(' in x['structure']) == ('no_pairs' not in x['flags'])
        for (a, b), (c, d) in [arms(x)] * bool(arms(x)):
            assert 1 <= a <= b < c <= d <= int(x['length'])


def test_the_columns_of_detect_and_their_order(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    plain = 'name length probability call structure mfe columns mature_5p mature_3p processing flags'
    for options, more in (('', ''), ('--sequence', ' sequence'), ('--windows', ' start end strand hairpins')):
        header = call('detect', 'a.fa', *options.split()).stdout.splitlines()[0]
        assert header.split('\t') == (plain + more).split()


def test_mature_arms_are_those_of_the_molecule(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21, 'ACGX', 'A' * 30, MIR21 * 2, TINY, MIR21.lower().replace('u', 't')))
    rows = table(call('detect', 'a.fa', '--sequence', status=1).stdout)
    shown = [x for x in rows if arms(x)]
    assert [x['name'] for x in shown] == ['r0', 'r3', 'r4', 'r5']
    found = Processing.load().predict(fold(x['sequence']) for x in shown)
    for x, f in zip(shown, found.itertuples()):
        assert [x['sequence'][a - 1 : b] for a, b in arms(x)] == [f.mature_5p, f.mature_3p]
        assert abs(float(x['processing']) - f.processing) < 1e-3
    assert rows[0]['flags'] == rows[5]['flags'] == '', 'the flags are those of the detector alone'


def test_mature_arms_of_windows_lie_in_the_record(tmp_path):
    rng = random.Random(1)
    flank = [random_sequence(rng, 60), random_sequence(rng, 90)]
    here = flank[0] + MIR21 + flank[1]
    (tmp_path / 'a.fa').write_bytes(fasta(here, reverse_complement(here), 'A' * 90))
    *both, none = table(call('detect', '--windows', '--both-strands', '--sequence', 'a.fa').stdout)
    assert [x['strand'] for x in both] == ['+', '-'] and not arms(none)
    assert both[0]['sequence'] == both[1]['sequence'] and both[0]['processing'] == both[1]['processing']
    for a, b in zip(arms(both[0]), arms(both[1])):
        assert int(both[0]['start']) <= a[0] < a[1] <= int(both[0]['end'])
        assert b == (len(here) + 1 - a[1], len(here) + 1 - a[0])
    alone = Processing.load().predict([fold(both[0]['sequence'])]).iloc[0]
    assert [here[a - 1 : b] for a, b in arms(both[0])] == [alone.mature_5p, alone.mature_3p]


def test_every_record_comes_out_of_windows(tmp_path):
    rng = random.Random(1)
    flank = [random_sequence(rng, 200) for _ in range(4)]
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
    assert 200 + 36 in place(behind) and behind['strand'] == '-', 'the precursor is on the other strand'
    assert rows[-1]['flags'].startswith('duplicate_name') and rows[-1]['probability'] == rows[0]['probability']


@pytest.mark.parametrize('file', RECORDS)
def test_every_record_comes_out_of_encode(file, tmp_path):
    _, data, rows, status, word = RECORDS[file]
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
    _, data, _, _, word = FILES[file]
    (tmp_path / file).write_bytes(data)
    r = call('encode', file, '-o', 'out.npz', status=1)
    assert word in r.stderr and file in r.stderr
    assert [p.name for p in tmp_path.iterdir()] == [file]


def test_iupac_letters_are_kept_when_asked(tmp_path):
    (tmp_path / 'n.fa').write_bytes(RECORDS['iupac.fa'].data)
    assert 'iupac' in call('detect', 'n.fa', '--iupac').stdout


WRONG = """encode a.fa -o a.txt
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
simulate -o a.txt
score nowhere.fa
score a.fa -o a.fa.txt
report nowhere.fa
report -o a.fa
report -o a.fa/b"""


@pytest.mark.parametrize('args', [*WRONG.splitlines(), *REFUSED])
def test_wrong_usage(args, tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    assert REFUSED.get(args, '') in ' '.join(call(*args.split(), status=2).stderr.split())
    assert [p.name for p in tmp_path.iterdir()] == ['a.fa']


def test_wrong_usage_in_a_process():
    assert 'nowhere.fa: no such file' in start('detect', 'nowhere.fa', status=2).stderr


# command -> endings that it does not write
UNWRITTEN = {
    'detect': ('.png', '.fa', '.csv', '.txt', '.tsv.gz', '.npz', ''),
    'encode': ('.tsv', '.fa', ''),
    'explain': ('.fa', '.csv', '.html', '.npz'),
    'latent': ('.fa', '.csv', '.svg', '.npz'),
    'score': ('.fa', '.csv', '.html', ''),
    'simulate': ('.csv', '.html', '.npz', '.gz'),
}


@pytest.mark.parametrize('command, ending', [(c, e) for c, endings in UNWRITTEN.items() for e in endings])
def test_an_ending_that_is_not_written_is_refused(command, ending, tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    r = call(command, *['a.fa'] * (command != 'simulate'), '-o', f'out{ending}', status=2)
    assert f'out{ending}: must end in .' in ' '.join(r.stderr.split())
    assert [p.name for p in tmp_path.iterdir()] == ['a.fa']


SAME = ('same', './same', 'SAME', 'soft', 'hard', 'folder/same', 'up/../same')
OVER = [('detect', '.tsv'), ('encode', '.npz'), ('encode', '.png'), ('score', '.tsv'), ('score', '.png')]
OVER += [(command, ending) for command in ('explain', 'latent') for ending in ('.tsv', '.png')]


@pytest.mark.parametrize('command, ending', OVER)
def test_no_command_writes_over_its_input(command, ending, tmp_path):
    source = tmp_path / f'same{ending}'
    source.write_bytes(fasta(MIR21))
    (tmp_path / f'soft{ending}').symlink_to(source.name)
    os.link(source, tmp_path / f'hard{ending}')
    (tmp_path / 'folder').symlink_to(tmp_path)
    (tmp_path / 'up').mkdir()
    (tmp_path / f'SAME{ending}').exists() or (tmp_path / f'SAME{ending}').symlink_to(f'soft{ending}')
    before = sorted(tmp_path.iterdir())
    for name in SAME:
        for a, b in ((source.name, f'{name}{ending}'), (f'{name}{ending}', source)):
            r = call(command, a, '-o', b, status=2)
            assert 'is an input of this command' in ' '.join(r.stderr.split())
    assert source.read_bytes() == fasta(MIR21) and sorted(tmp_path.iterdir()) == before


def test_standard_input_is_an_input_too(tmp_path):
    (tmp_path / 'a.tsv').write_bytes(fasta(MIR21))
    for command in ('detect - -o a.tsv < a.tsv', 'detect a.tsv >> a.tsv', 'detect /dev/stdin -o a.tsv < a.tsv'):
        r = subprocess.run(f'{COMMAND} {command}', shell=True, capture_output=True, text=True)
        assert r.returncode == 2 and 'is an input of this command' in ' '.join(r.stderr.split()), (command, r)
    assert (tmp_path / 'a.tsv').read_bytes() == fasta(MIR21)


# input -> the command that would write over it when it fills its folder
FOLDERS = {
    'd/simulated.fa': 'report d/simulated.fa -o d',
    'd/report.html': 'report d/report.html -o d',
    'd/records.tsv': 'report d/records.tsv -o d',
    'd/pictures/01_a.svg': 'report d/pictures/01_a.svg -o d',
    'd/scores.tsv': 'explain d/scores.tsv -o d',
    'd/explanation.html': 'explain d/explanation.html -o ./d/',
    'd/pictures/07_a.png': 'explain d/pictures/07_a.png -o d',
    'd/latents.tsv': 'latent d/latents.tsv -o d',
    'd/map.png': 'latent d/map.png -o e/../d',
    'd/curves.png': 'train detector --pos d/curves.png --neg other.fa -o d',
    'd/generator.json': 'train generator --pos other.fa --neg d/generator.json -o d',
}


@pytest.mark.parametrize('source', FOLDERS)
def test_no_folder_is_filled_over_the_input(source, tmp_path):
    (tmp_path / 'd' / 'pictures').mkdir(parents=True)
    (tmp_path / 'e').mkdir()
    (tmp_path / 'other.fa').write_bytes(fasta(TINY))
    (tmp_path / source).write_bytes(fasta(MIR21))
    r = call(*FOLDERS[source].split(), status=2)
    assert 'is an input of this command' in ' '.join(r.stderr.split())
    assert (tmp_path / source).read_bytes() == fasta(MIR21)
    assert [p.name for p in tmp_path.rglob('*') if p.is_file() and p.name != 'other.fa'] == [Path(source).name]


def test_weights_and_data_are_inputs_too(tmp_path, monkeypatch):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    for name in ('model/detector.safetensors', 'model/generator.json', 'data/mirbase/hairpin.fa'):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b'precious')
        (tmp_path / 'out.tsv').unlink(missing_ok=True)
        (tmp_path / 'out.tsv').symlink_to(name)
        monkeypatch.setenv('MIRNBDEV_DATA', 'data')
        command = 'simulate --model model -o out.tsv' if 'det' not in name else 'detect a.fa --model model -o out.tsv'
        assert 'is an input' in call(*command.split(), status=2).stderr
        assert (tmp_path / name).read_bytes() == b'precious'


# what is given as an input -> what is said
INPUTS = {
    'nowhere.fa': 'nowhere.fa: no such file',
    'a.fa/b': 'a.fa/b: no such file',
    '.': '.: is a folder; give a file',
    '/dev/null': '/dev/null: is a device; give a file',
    'lost.fa': 'lost.fa: a link to a file that is not there',
    'loop.fa': 'loop.fa: a link to a file that is not there',
    '': ': no such file',
    'x' * 300: 'File name too long',
    'a\x1b[31m.fa': 'a\ufffd[31m.fa: no such file',
}


@pytest.mark.parametrize('command', ['detect', 'encode -o o.npz', 'explain', 'latent', 'score', 'report'])
@pytest.mark.parametrize('path', INPUTS)
def test_an_input_that_cannot_be_read_is_said_with_its_cause(command, path, tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    (tmp_path / 'lost.fa').symlink_to('gone.fa')
    (tmp_path / 'loop.fa').symlink_to('loop.fa')
    name, *options = command.split()
    assert INPUTS[path] in ' '.join(call(name, *options, path, status=2).stderr.split())


CLOSED = {
    'detect - <&-': 'standard input: is closed',
    'detect a.fa >&-': 'standard output: is closed',
    'explain a.fa >&-': 'standard output: is closed',
    'detect a.fa -o x.tsv <&- >&-': '1 of 1 believed',
}


@pytest.mark.parametrize('command', CLOSED)
def test_closed_streams(command, tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    r = subprocess.run(f'{COMMAND} {command}', shell=True, capture_output=True, text=True)
    check(Answer(r.returncode, r.stdout, r.stderr), 0 if 'x.tsv' in command else 2)
    assert CLOSED[command] in ' '.join(r.stderr.split())


def test_messages_without_a_reader_change_nothing(tmp_path):
    (tmp_path / 'a.fa').write_bytes(gzip.compress(fasta(MIR21, 'ACGX')))
    r = subprocess.run(f'{COMMAND} detect - < a.fa 2>&-', shell=True, capture_output=True, text=True)
    assert r.returncode == 1 and len(table(r.stdout)) == 2 and r.stdout.splitlines()[1].startswith('r0\t72\t')


def test_a_full_disk(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    assert '/dev/full: No space left' in call('detect', 'a.fa', '-o', '/dev/full', status=1).stderr
    with open('/dev/full', 'wb') as full:
        assert 'standard output: No space left' in start('detect', 'a.fa', stdout=full, status=1).stderr


@pytest.mark.skipif(os.geteuid() == 0, reason='root may write everywhere')
def test_a_folder_that_may_not_be_written_is_named(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    (tmp_path / 'closed').mkdir(mode=0o555)
    for command in ('detect a.fa -o closed/x.tsv', 'explain a.fa -o closed', 'report -o closed/new'):
        assert 'closed: no folder that can be written to' in call(*command.split(), status=2).stderr


def test_a_pipe_whose_reader_has_gone(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    reader, writer = os.pipe()
    os.close(reader)
    start('detect', 'a.fa', stdout=writer, status=1)


def test_damaged_weights(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    (tmp_path / 'detector.json').write_bytes((WEIGHTS / 'detector.json').read_bytes())
    (tmp_path / 'detector.safetensors').write_bytes(b'damaged')
    said = call('detect', 'a.fa', '--model', '.', status=1).stderr
    assert 'detector.safetensors: not the file that detector.json describes' in said


def test_ctrl_c_leaves_nothing_behind(tmp_path):
    rng = random.Random(0)
    (tmp_path / 'a.fa').write_bytes(fasta(*(random_sequence(rng, 90) for _ in range(5000))))
    screen, terminal = pty.openpty()  # on a terminal there is a progress bar, which tells that the workers fold
    termios.tcsetwinsize(terminal, (24, 80))
    p = subprocess.Popen(
        [COMMAND, 'detect', 'a.fa', '-j', '2', '-o', 'out.tsv'], stderr=terminal, start_new_session=True
    )
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
    simulate = lambda run, seed: run('simulate', '-n', 3, '--seed', seed).stdout
    other, here, elsewhere = simulate(call, 2), simulate(call, 1), simulate(start, 1)
    assert here == elsewhere != other and len(here.splitlines()) == 4, 'whatever was simulated before'


def test_a_folder_of_strict_samples_under_conditions(data_dir, tmp_path):
    asked = ('--length', 70, '--loop', 7, '--clade', 'Mammalia')
    r = call('simulate', '-n', 6, *asked, '--strict', '-o', 'new')
    assert 'samples' in r.stderr and 'refold to their design' in r.stderr
    new = tmp_path / 'new'
    assert sorted(p.name for p in new.iterdir()) == ['contact_sheet.png', 'simulated.fa', 'simulated.tsv']
    assert (new / 'contact_sheet.png').read_bytes()[:4] == b'\x89PNG'
    rows = table((new / 'simulated.tsv').read_text())
    assert len(rows) == 6
    records = list(read_fasta(new / 'simulated.fa'))
    assert [(r.name, r.sequence) for r in records] == [(x['name'], x['sequence']) for x in rows]
    for x, r in zip(rows, records):
        said = facts(r)
        assert (said['length'], said['loop'], said['exact']) == ('70/70', '7/7', 'yes') and said['score'] == x['score']
        assert f'{float(x["obtained_gc"]):.3g}' == said['gc'] and float(said['mfe']) == float(x['mfe'])
        assert x['designed'] == x['refolded'] and len(x['sequence']) == 70 and float(x['pair_f1']) == 1
        assert x['asked_length'] == x['obtained_length'] == '70' and x['asked_gc'] == ''
        assert x['asked_terminal_loop'] == x['obtained_terminal_loop'] == '7'
        assert x['nearest'] and 0 < float(x['identity']) < 1


def test_designs_without_mirbase(tmp_path, monkeypatch):
    monkeypatch.setenv('MIRNBDEV_DATA', str(tmp_path))
    r = call('simulate', '-n', 2, '--design', '--length', 60)
    for word in ('of 2 fool the detector', 'nearest and identity stay empty', 'hairpin.fa: no such file'):
        assert word in r.stderr
    rows = table(r.stdout)
    assert len(rows) == 2
    for x in rows:
        assert len(x['designed']) == 60 and x['fooled'] in ('True', 'False') and x['nearest'] == x['identity'] == ''
        assert 0 <= float(x['score_before']) <= 1


def test_a_loop_that_does_not_fit():
    r = call('simulate', '--length', 40, '--loop', 40, '-o', 'new', status=1)
    assert '--loop: must leave room' in r.stderr and len(r.stderr.splitlines()) == 1


def facts(record):
    "What the header of a simulated record says, as a dict."
    return dict(pair.split('=') for pair in record.description.split())


def simulated(*options, n=4, status=0):
    "Records of `simulate` with some options, and what is said on stderr."
    r = call('simulate', '-n', n, *options, '-o', 'new.fa', status=status)
    return list(read_fasta('new.fa')), r.stderr


def test_a_lowest_score():
    records, said = simulated('--min-score', 0.99, '--length', 70)
    assert len(records) == 4 and 'have a score of 0.99 or more' in said and 'warning' not in said
    scores = [float(x['probability']) for x in table(call('detect', 'new.fa').stdout)]
    assert min(scores) >= 0.99 and scores == pytest.approx([float(facts(r)['score']) for r in records], abs=2e-3)


def test_cleanly_cut_samples():
    records, said = simulated('--processed', '--seed', 2)
    assert len(records) == 4 and 'are cut cleanly' in said
    rows = table(call('detect', 'new.fa').stdout)
    sure = [float(x['processing']) for x in rows]
    assert sure == pytest.approx([float(facts(r)['processing']) for r in records], abs=2e-3)
    assert min(sure) >= Processing.load().clean and all(x['mature_5p'] and x['mature_3p'] for x in rows)
    assert 'not together with --processed' in call('simulate', '--processed', '--design', status=2).stderr


def test_a_fixed_stretch_and_what_is_avoided():
    let7, star = 'UGAGGUAGUAGGUUGUAUAGUU', 'CUAUACAAUCURYUG'
    fixed = f'5p={let7}', 'avoid=GAAUUC', 'avoid=CCC'
    records, _ = simulated(*(x for f in fixed for x in ('--fixed', f)), '--strict', n=6)
    assert len(records) == 6 and all(facts(r)['exact'] == 'yes' for r in records)
    for s in (r.sequence for r in records):
        structure = fold(s).structure
        at = s.index(let7)
        assert at + len(let7) <= structure.index(')') and is_single_hairpin(structure)
        assert 'GAAUUC' not in s and 'CCC' not in s
    records, _ = simulated('--fixed', f'3p={star.replace("U", "T")}@3', '--strict')
    for s in (r.sequence for r in records):
        pattern = star.replace('R', '[AG]').replace('Y', '[CU]')
        assert fold(s).structure.rindex('(') < re.search(f'(?={pattern})', s).start()


def test_a_fixed_structure_and_sequence():
    target = '((((((((.(((((((.(((......))).))))))).))))))))'
    letters = 'G' + 'N' * 7 + 'A' + 'N' * 11 + 'GRAY' + 'N' * 21 + 'C'
    records, _ = simulated('--fixed', f'structure={target}', '--fixed', f'sequence={letters}', '--strict')
    pattern = ''.join(dict(N='.', R='[AG]', Y='[CU]').get(c, c) for c in letters)
    for r in records:
        assert re.fullmatch(pattern, r.sequence) and fold(r.sequence).structure == target
        assert facts(r)['length'].split('/')[-1] == str(len(target))


def test_unrepaired_samples_are_the_writers_own():
    raw, said = simulated('--no-repair', n=6)
    repaired, _ = simulated(n=6)
    wrong = [r.name for r in raw if facts(r)['exact'] == 'no']
    assert wrong and f'{len(wrong)} of 6 samples do not fold as designed' in said
    assert sum(facts(r)['exact'] == 'no' for r in repaired) < len(wrong)
    assert [r.name for r in raw] == [f'sim-{i}' for i in range(1, 7)] == [r.name for r in repaired]


def test_samples_that_the_detector_does_not_believe_are_named():
    threshold = Detector.load().threshold
    records, said = simulated('--loop', 50, '--no-repair', n=6)
    doubted = [r.name for r in records if float(facts(r)['score']) < threshold]
    assert doubted and f"{len(doubted)} of 6 samples have a score below the detector's threshold" in said
    assert said.splitlines()[-1].endswith(': ' + ', '.join(doubted[:5]) + ', ...' * (len(doubted) > 5))
    assert 'warning' not in simulated('--loop', 50, '--no-repair', '--label', 'pseudo')[1]


STEM = '(' * 12 + '......' + ')' * 12
# what is fixed -> the option that the message names
IMPOSSIBLE = {
    '5p=UGAGGXAG': '--fixed 5p: ',
    '3p=12': '--fixed 3p: ',
    '5p=UGAGG@x': '--fixed 5p: ',
    '5p=UGAGG@-1': '--fixed 5p: ',
    f'5p={"ACGU" * 60}': '--fixed 5p: ',
    'loop=!': '--fixed loop: ',
    'structure=(((....)': '--fixed structure: ',
    'structure=............': '--fixed structure: ',
    'structure=((((....))))((((....))))': '--fixed structure: ',
    'structure=abc': '--fixed structure: ',
    'sequence=NNNNNNNN': '--fixed sequence: ',
    f'structure={STEM} sequence=NNN': '--fixed sequence: ',
    f'structure={STEM} sequence={"A" * 30}': '--fixed: ',
    f'structure={STEM} 5p={"A" * 12}': '--fixed: ',
    'avoid=?': '--fixed avoid: ',
    'avoid=N': '--fixed avoid: ',
    '5p=GAAUUCGAAUUC avoid=GAAUUC': '--fixed avoid: ',
}


@pytest.mark.parametrize('fixed', IMPOSSIBLE)
def test_what_cannot_be_fixed_is_said_in_a_sentence(fixed, tmp_path):
    options = [x for f in fixed.split() for x in ('--fixed', f)]
    said = call('simulate', '-n', 2, *options, '-o', 'new.fa', status=1).stderr
    assert said.startswith(f'mirnbdev: {IMPOSSIBLE[fixed]}') and len(said.splitlines()) == 1 and not os.listdir()


def test_a_score_that_is_never_reached_is_said():
    said = call('simulate', '-n', 1, '--length', 35, '--min-score', 1, '-o', 'new.fa', status=1).stderr
    assert said.startswith('mirnbdev: --min-score: ') and len(said.splitlines()) == 1 and not os.listdir()


def test_explain_scores_every_nucleotide(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21, 'ACGX'))
    rows = table(call('explain', 'a.fa', status=1).stdout)
    assert ''.join(x['nucleotide'] for x in rows) == MIR21
    assert rows[-1]['name'] == 'r1' and rows[-1]['flags'].startswith('failed')


def test_hostile_names_in_tables(tmp_path):
    hostile = write_hostile(tmp_path / 'a.fa')
    assert hostile[:-1] == HOSTILE
    for command in ('detect', 'detect --windows', 'latent', 'explain'):
        call(*command.split(), 'a.fa', '-o', 'out.tsv')
        text = (tmp_path / 'out.tsv').read_text('utf-8')
        rows = table(text)
        assert list(dict.fromkeys(x['name'] for x in rows)) == list(dict.fromkeys(hostile)), command
        assert len(rows) == len(hostile) * (len(TINY) if command == 'explain' else 1) and '\x1b' not in text
        assert all(None not in x and None not in x.values() for x in rows), 'a row has too many or too few cells'
    call('encode', 'a.fa', '-o', 'out.npz')
    assert list(np.load(tmp_path / 'out.npz')['names']) == hostile


def test_hostile_names_on_a_map(tmp_path, recwarn):
    write_hostile(tmp_path / 'a.fa')
    call('latent', 'a.fa', '-o', 'map.png')
    call('explain', 'a.fa', '-o', 'first.png')
    assert all((tmp_path / p).read_bytes()[:4] == b'\x89PNG' for p in ('map.png', 'first.png'))
    assert not [w for w in recwarn if 'Glyph' in str(w.message)]


@pytest.mark.parametrize('name', ['$a$b$.fa', '-x.fa', '_y.fa', '🧬.fa', 'b%s{}.fa'])
def test_hostile_file_names(name, tmp_path):
    (tmp_path / name).write_bytes(fasta(MIR21))
    r = call('detect', f'./{name}', '-o', f'./{name}.tsv')
    assert len(table((tmp_path / f'{name}.tsv').read_text())) == 1 and 'believed' in r.stderr
    call('encode', f'./{name}', '-o', f'./{name}.png')
    assert (tmp_path / f'{name}.png').is_file()


LATIN = {'name': (b'>caf\xe9 x', 'caf\ufffd'), 'description': (b'>a caf\xe9', 'a'), 'both': (b'>\xe9 \xe8', '\ufffd')}


@pytest.mark.parametrize('where', LATIN)
@pytest.mark.parametrize('options', ['', '--windows'])
def test_letters_that_are_not_utf8_are_flagged(where, options, tmp_path):
    header, name = LATIN[where]
    good, bad = f'>é Epichloë\n{MIR21}\n'.encode(), header + f'\n{MIR21}\n'.encode()
    (tmp_path / 'a.fa').write_bytes(
        good + bad + header[:1] + b'x' + header[1:] + b'\nACGX\n' + good.replace(b'>', b'>2')
    )
    r = call('detect', *options.split(), 'a.fa', status=1)
    rows = table(r.stdout)
    assert [x['name'] for x in rows] == ['é', name, f'x{name}', '2é']
    odd = ['not_utf8' in x['flags'].split(';') for x in rows]
    assert odd == [False, True, True, False] and '2 header(s) hold letters that are not UTF-8' in r.stderr
    assert rows[0]['probability'] == rows[1]['probability'] == rows[3]['probability']


def test_the_whole_reason_stands_last_in_the_flags(tmp_path):
    (tmp_path / 'a.fa').write_bytes(f'>a\n{MIR21}\n>a\nACGX\n>b;c: d\nACG;U\n'.encode())
    why = "failed: letter '{}' at position 4; accepted are A, C, G, U (or T)".format
    for rows in (table(call(c, 'a.fa', status=1).stdout) for c in ('detect', 'latent', 'explain')):
        assert [x['flags'] for x in rows[-2:]] == [f'duplicate_name;{why("X")}', why(';')]
    call('encode', 'a.fa', '-o', 'a.npz', status=1)
    assert list(np.load(tmp_path / 'a.npz')['flags'])[1:] == [f'duplicate_name;{why("X")}', why(';')]


def test_the_best_first_with_their_sequences(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta('A' * 50, MIR21, 'ACGX', MIR21[:60], MIR21))
    plain = call('detect', 'a.fa', status=1)
    assert plain.stderr.splitlines()[-1] == f'mirnbdev: {plain.stdout.count("	1	")} of 5 believed; 1 failed'
    rows = table(plain.stdout)
    best = table(call('detect', 'a.fa', '--sort', '--sequence', status=1).stdout)
    order = sorted(rows, key=lambda x: -float(x['probability'] or -1))
    assert [{k: v for k, v in x.items() if k != 'sequence'} for x in best] == order
    assert [x['sequence'] for x in best if x['name'] in ('r1', 'r4')] == [MIR21] * 2 and best[-1]['sequence'] == ''
    long = 'A' * 30 + MIR21 + 'A' * 30
    (tmp_path / 'b.fa').write_bytes(fasta('A' * 90, long))
    best = table(call('detect', 'b.fa', '--windows', '--sort', '--sequence').stdout)
    assert [x['name'] for x in best] == ['r1', 'r0'] and best[1]['sequence'] == ''
    assert best[0]['sequence'] == long[int(best[0]['start']) - 1 : int(best[0]['end'])]


def test_windows_show_progress_within_a_record(tmp_path, monkeypatch):
    done = []

    class Bar:
        write = staticmethod(lambda *args, **kwargs: None)
        __init__ = lambda self, *args, **kwargs: None
        __enter__ = lambda self: self
        __exit__ = lambda self, *args: None
        update = lambda self, n: done.append(n)

    monkeypatch.setattr('mirnbdev.cli.tqdm', Bar)
    (tmp_path / 'a.fa').write_bytes(fasta('A' * 60_000, MIR21))
    call('detect', '--windows', 'a.fa', '-j', '1')
    assert sum(done) == 60_000 + len(MIR21) and len(done) > 2


def test_an_output_that_is_a_link_is_written_through(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(TINY))
    (tmp_path / 'far').mkdir()
    (tmp_path / 'out').mkdir()
    for link, target in {'x.tsv': 'far/x', 'out/scores.tsv': '../far/y'}.items():
        (tmp_path / link).symlink_to(target)
    (tmp_path / 'far' / 'y').write_text('old')
    call('detect', 'a.fa', '-o', 'x.tsv')
    call('explain', 'a.fa', '-o', 'out')
    assert (tmp_path / 'x.tsv').is_symlink() and len(table((tmp_path / 'far' / 'x').read_text())) == 1
    assert (tmp_path / 'out' / 'scores.tsv').is_symlink() and len(table((tmp_path / 'far' / 'y').read_text())) == len(
        TINY
    )


COMMANDS = ('encode', 'detect', 'scan', 'simulate', 'score', 'explain', 'variants', 'latent', 'report')
COMMANDS += ('train detector', 'train generator')


@pytest.mark.parametrize('command', COMMANDS)
def test_help_explains_output_and_exit_status(command):
    text = call(*command.split(), '--help', env={'COLUMNS': '80'}).stdout
    words = ' '.join(text.split())
    assert max(map(len, text.splitlines())) <= 80 and 'Exit status: 0 all is well; 1 ' in words and 'Example: ' in words
    assert re.search('-o, --output PATH +Where to write: (a folder|[.])', words)


def test_the_list_of_commands_is_not_cut():
    text = call('--help', env={'COLUMNS': '80'}).stdout
    commands = text.split('Commands:')[1]
    assert '...' not in commands and len(commands.split('\n')) == 10 + 2 and max(map(len, text.splitlines())) <= 80


def test_version():
    assert call('--version').stdout == f'mirnbdev {__version__}\n'


CHOICES = {'explain a.fa --method': 'mutagenesis', 'simulate --clade': 'Nematoda', 'simulate --label': 'pseudo'}


@pytest.mark.parametrize('option', [*CHOICES, 'latent a.fa --label'])
def test_choices_are_shown_as_choices(option, tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    wanted = CHOICES.get(option, 'pseudo')
    said = ' '.join(call(*option.split(), 'wrong', status=2).stderr.split())
    assert "'wrong' is not one of" in said and f"'{wanted}'" in said
    shown = ' '.join(call(option.split()[0], '--help').stdout.split())
    assert re.search(rf'{option.split()[-1]} (.precursor[|]pseudo.|[A-Z]+ [^-]*One of [^.]*{wanted})', shown)


def test_detect_loads_only_what_it_needs(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    code = (
        'import sys; from mirnbdev.cli import detect_command; detect_command("a.fa", jobs=1); '
        'print(sorted({"pandas", "sklearn", "scipy.stats", "matplotlib", "captum"} & set(sys.modules)))'
    )
    r = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert r.stdout.splitlines()[-1] == '[]', r.stdout + r.stderr


def test_latents_as_table_and_map_in_a_folder(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21, MIR21[:60], 'ACGX'))
    r = call('latent', 'a.fa', '-o', 'out', status=1)
    assert 'shows 2 of 3 records' in r.stderr and sorted(os.listdir('out')) == ['latents.tsv', 'map.png']
    assert len(table((tmp_path / 'out' / 'latents.tsv').read_text())) == 3
    (tmp_path / 'b.fa').write_bytes(fasta('A' * 30))
    assert 'no record could be encoded' in call('latent', 'b.fa', '-o', 'b.png', status=1).stderr


def test_latents_of_what_can_be_written(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21, 'ACGX', 'A' * 30, MIR21 + MIR21, MIR21.lower().replace('u', 't')))
    rows = table(call('latent', 'a.fa', status=1).stdout)
    assert [bool(x['z0_length']) for x in rows] == [True, False, False, False, True]
    assert all(rows[0][k] == rows[4][k] for k in rows[0] if k.startswith('z'))
    flags = [x['flags'].split(':')[0].split(';')[0] for x in rows]
    assert flags == ['', 'failed', 'no_pairs', 'several_hairpins', '']
