"Training as a user does it: two files in, a model folder out; stopped and resumed; bad input; inside scikit-learn."

import contextlib
import csv
import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.model_selection import cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from typer.testing import CliRunner

from mirnbdev.cli import app
from mirnbdev.cnn import Detector, as_images
from mirnbdev.hairpin import fold
from mirnbdev.training import Run

COMMAND = str(Path(sys.executable).with_name('mirnbdev'))
TRAIN = ('--pos', 'pos.fa', '--neg', 'neg.fa', '-o', 'model', '--epochs', '8')
WRITER = (*TRAIN[:-1], '3')
ONE_THREAD = {**os.environ, 'OMP_NUM_THREADS': '1'}  # such small batches are not worth more


def toys(n, seed=0):
    "Random stems, and their own letters in random order."
    rng = random.Random(seed)
    arms = [''.join(rng.choices('ACGU', k=28)) for _ in range(n)]
    stems = [a + 'GAAAUUCA' + a[::-1].translate(str.maketrans('ACGU', 'UGCA')) for a in arms]
    return stems, [''.join(rng.sample(s, len(s))) for s in stems]


def fasta(name, sequences):
    return ''.join(f'>{name}{i}\n{s}\n' for i, s in enumerate(sequences))


def call(*args):
    "Run `mirnbdev` in this process: to start another takes longer than what most tests train."
    r = CliRunner().invoke(app, args)
    assert not isinstance(r.exception, Exception) and 'Traceback' not in r.stderr, (r.exception, r.stderr)
    return r


def train(*args, what='detector'):
    return call('train', what, *args)


@pytest.fixture(scope='module', autouse=True)
def one_thread():
    "As `ONE_THREAD`, in this process."
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def stop(how, cwd, what='detector', args=TRAIN):
    "Start training in a process of its own, and send the signal `how` once another epoch is on disk."
    checkpoint = cwd / 'model' / f'{what}.checkpoint'
    written = lambda: checkpoint.stat().st_mtime_ns if checkpoint.exists() else 0
    before = written()
    command = [COMMAND, 'train', what, *args]
    p = subprocess.Popen(command, cwd=cwd, env=ONE_THREAD, stderr=subprocess.PIPE, text=True, start_new_session=True)
    while p.poll() is None and written() == before:
        time.sleep(0.002)
    assert p.poll() is None, 'it should still be training'
    os.killpg(p.pid, how)
    _, err = p.communicate(timeout=60)
    assert checkpoint.exists() and not (cwd / 'model' / f'{what}.safetensors').exists()
    assert 'Traceback' not in err, err
    return p.returncode, err


def same_files(a, b, *names):
    for name in names:
        assert (a / name).read_bytes() == (b / name).read_bytes(), name


@pytest.fixture(scope='module')
def files(tmp_path_factory):
    "A folder with two FASTA files, and what an uninterrupted training makes of them."
    d = tmp_path_factory.mktemp('train')
    for name, sequences in zip(('pos', 'neg'), toys(24)):
        (d / f'{name}.fa').write_text(fasta(name, sequences))
    with contextlib.chdir(d):
        r = train(*TRAIN)
    assert r.exit_code == 0, r.stderr
    return d


@pytest.fixture
def copied(files, tmp_path, monkeypatch):
    "A folder of its own with the two FASTA files."
    for f in ('pos.fa', 'neg.fa'):
        (tmp_path / f).write_bytes((files / f).read_bytes())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_that_detect_uses(files, monkeypatch):
    monkeypatch.chdir(files)
    written = sorted(p.name for p in (files / 'model').iterdir())
    assert written == ['curves.png', 'detector.json', 'detector.safetensors']
    card = json.loads((files / 'model' / 'detector.json').read_text())
    assert card['trained_on']['pos']['records'] == 24 and len(card['trained_on']['neg']['sha256']) == 64
    assert sum(sum(x.values()) for x in card['records'].values()) == 48
    measures = ('AUROC', 'AUPR', 'sensitivity', 'specificity')
    assert set(card['test']) == {f'all/{who}/{m}' for who in ('detector', 'baseline') for m in measures}
    assert (files / 'model' / 'curves.png').read_bytes()[:4] == b'\x89PNG'
    rows = list(csv.DictReader(call('detect', 'pos.fa', '--model', 'model').stdout.splitlines(), delimiter='\t'))
    p = Detector.load(files / 'model').predict_proba([fold(s) for s in toys(24)[0]])[:, 1]
    np.testing.assert_allclose([float(x['probability']) for x in rows], p, atol=1e-4)
    assert [int(x['call']) for x in rows] == (p >= card['threshold']).astype(int).tolist()


def test_stopped_twice_it_ends_with_the_same_bytes(files, copied):
    status, err = stop(signal.SIGINT, copied)
    assert status == 130 and 'give the same command again' in err, err
    status, err = stop(signal.SIGKILL, copied)
    assert status == -9 and 'going on with the training that was stopped' in err, err
    r = train(*TRAIN, '--seed', '1')
    assert r.exit_code == 1 and 'detector.checkpoint: the checkpoint of another run' in r.stderr, r.stderr
    r = train(*TRAIN)
    assert r.exit_code == 0 and 'going on with the training that was stopped' in r.stderr, r.stderr
    same_files(copied / 'model', files / 'model', 'detector.safetensors', 'detector.json', 'curves.png')
    assert not (copied / 'model' / 'detector.checkpoint').exists()


def test_a_model_is_not_overwritten(files, monkeypatch):
    monkeypatch.chdir(files)
    before = (files / 'model' / 'detector.safetensors').read_bytes()
    r = train(*TRAIN)
    assert r.exit_code == 1 and 'model: holds a trained detector' in r.stderr
    assert (files / 'model' / 'detector.safetensors').read_bytes() == before


def test_bad_records_are_said_counted_and_left_out(copied):
    stem = toys(24)[0][0]
    with (copied / 'pos.fa').open('a') as f:
        f.write(f'>bad\nACGX\n>again\n{stem.lower()}\n')
    r = train(*TRAIN[:-1], '1')
    assert r.exit_code == 1 and "bad: letter 'X' at position 4" in r.stderr and '1 record(s) failed' in r.stderr
    assert 'pos.fa: 1 record(s) repeat' in r.stderr
    card = json.loads((copied / 'model' / 'detector.json').read_text())['trained_on']['pos']
    counts = {k: card[k] for k in ('records', 'duplicates', 'failed', 'used')}
    assert counts == dict(records=26, duplicates=1, failed=1, used=24)


STEMS, OTHERS = toys(24)
UNRELATED = '5 unrelated precursors and 24 other unrelated hairpins; of each at least 10'


@pytest.mark.parametrize(
    'pos, neg, word',
    [
        (STEMS, STEMS[5:6] + OTHERS, 'pos5 (pos.fa) and neg0 (neg.fa) have the same sequence'),
        (STEMS[:5] * 3, OTHERS, UNRELATED),
        (STEMS, [], 'no records'),
    ],
    ids=['in both files', 'too few', 'none'],
)
def test_sequences_that_cannot_teach(pos, neg, word, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'pos.fa').write_text(fasta('pos', pos))
    (tmp_path / 'neg.fa').write_text(fasta('neg', neg))
    r = train(*TRAIN)
    assert r.exit_code == 1 and word in r.stderr, r.stderr
    assert not list((tmp_path / 'model').iterdir())


@pytest.mark.parametrize(
    'args, status, word',
    [
        (('--pos', 'nowhere.fa', *TRAIN[2:]), 2, 'nowhere.fa: no such file'),
        ((*TRAIN[:5], 'pos.fa'), 2, 'pos.fa: is a file, not a folder'),
        ((*TRAIN, '--device', 'abacus'), 1, "device 'abacus' cannot be used here"),
        (TRAIN[:4], 2, 'Missing option'),
    ],
    ids=['no file', 'no folder', 'no device', 'no option'],
)
def test_wrong_usage(args, status, word, copied):
    r = train(*args)
    assert r.exit_code == status and word in r.stderr, (r.exit_code, r.stderr)


def test_a_damaged_checkpoint(copied):
    (copied / 'model').mkdir()
    (copied / 'model' / 'detector.checkpoint').write_bytes(b'damaged')
    r = train(*TRAIN)
    assert r.exit_code == 1 and 'detector.checkpoint: a damaged checkpoint; delete it' in r.stderr, r.stderr


@pytest.fixture
def hairpins(tmp_path, monkeypatch):
    "A folder with stems, and with stems that have mismatches."
    monkeypatch.chdir(tmp_path)
    rng = random.Random(1)
    loose = [''.join(rng.choice('ACGU') if i % 6 == 3 else c for i, c in enumerate(s)) for s in STEMS]
    (tmp_path / 'pos.fa').write_text(fasta('pos', STEMS))
    (tmp_path / 'neg.fa').write_text(fasta('neg', loose))
    return tmp_path


def test_a_generator_stopped_and_resumed_that_simulate_uses(hairpins, monkeypatch):
    r = train(*WRITER[:5], 'whole', *WRITER[6:], what='generator')
    assert r.exit_code == 0 and 'Use it: mirnbdev simulate --model whole' in r.stdout, r.stderr
    status, err = stop(signal.SIGINT, hairpins, 'generator', WRITER)
    assert status == 130 and 'give the same command again' in err, err
    r = train(*WRITER, what='generator')
    assert r.exit_code == 0 and 'going on with the training that was stopped' in r.stderr, r.stderr
    written = ['curves.png', 'generator.json', 'generator.safetensors']
    assert sorted(p.name for p in (hairpins / 'model').iterdir()) == written
    same_files(hairpins / 'model', hairpins / 'whole', *written)
    card = json.loads((hairpins / 'model' / 'generator.json').read_text())
    assert sum(card['records'].values()) + card['left_out'] == 48 and set(card['test']) == {'precursor', 'pseudo'}
    assert train(*WRITER, what='generator').exit_code == 1
    monkeypatch.setenv('MIRNBDEV_DATA', str(hairpins))
    r = call('simulate', '--model', 'model', '-n', '3', '--length', '60', '-j', '1')
    assert r.exit_code == 0 and [len(l.split('\t')[1]) for l in r.stdout.splitlines()[1:]] == [60] * 3, r.stderr


def test_what_a_generator_cannot_write_is_said(hairpins):
    with (hairpins / 'pos.fa').open('a') as f:
        f.write('>flat\n' + 'A' * 60 + '\n>bad\nACGX\n')
    r = train(*WRITER[:7], '1', what='generator')
    assert r.exit_code == 1 and '1 hairpin(s) have several stems' in r.stderr, r.stderr
    assert '1 record(s) failed' in r.stderr, r.stderr


@pytest.fixture(scope='module')
def labelled():
    "Folded toys and their labels."
    stems, others = toys(24, seed=1)
    return [fold(s) for s in stems + others], [1] * 24 + [0] * 24


def test_cross_validation(labelled):
    X, y = labelled
    scores = cross_val_score(Detector(epochs=1), X, y, cv=2)
    assert scores.shape == (2,) and np.isfinite(scores).all()
    pipeline = make_pipeline(FunctionTransformer(as_images), Detector(epochs=1))
    p = cross_val_predict(pipeline, X, y, cv=2, method='predict_proba')
    np.testing.assert_allclose(p.sum(1), 1)


def test_clones_start_anew(labelled):
    X, y = labelled
    first = Detector(seed=2, epochs=1).fit(X, y)
    assert clone(first).get_params() == dict(seed=2, epochs=1, warm_start=False, config=None) and not clone(first).card
    np.testing.assert_array_equal(clone(first).fit(X, y).decision_function(X), first.decision_function(X))
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(first)).predict_proba(X), first.predict_proba(X))
    assert 0 <= first.score(X, y) <= 1


def test_a_stopped_fit_leaves_the_detector_as_it_was(labelled, tmp_path, monkeypatch):
    X, y = labelled
    whole, d = Detector(epochs=3).fit(X, y), Detector(epochs=3)
    learn = Run.learn

    def interrupted(self, batches):
        if len(self.rows) == 2:
            raise KeyboardInterrupt
        return learn(self, batches)

    monkeypatch.setattr(Run, 'learn', interrupted)
    with pytest.raises(KeyboardInterrupt):
        d.fit(X, y, folder=tmp_path)
    np.testing.assert_array_equal(d.decision_function(X), Detector().decision_function(X))
    monkeypatch.setattr(Run, 'learn', learn)
    np.testing.assert_array_equal(d.fit(X, y, folder=tmp_path).predict_proba(X), whole.predict_proba(X))
    assert not list(tmp_path.iterdir())
