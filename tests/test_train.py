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
from mirnbdev.cnn import Detector, as_images, train_on, verdict
from mirnbdev.generator import Generator, train_generator_on
from mirnbdev.hairpin import fold
from mirnbdev.sets import read_training_set, resamples
from mirnbdev.training import WEIGHTS, Run, training_folder

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


FEW = 20  # draws of an interval; what intervals hold is tested on the page Sets


@pytest.fixture(scope='module', autouse=True)
def quick():
    "In this process: as `ONE_THREAD`, with few draws."
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr('mirnbdev.sets.resamples', lambda group, seed=0, n=FEW: resamples(group, seed, FEW))
        yield
    torch.set_num_threads(threads)


@contextlib.contextmanager
def interrupted_after(epochs):
    "Ctrl-C, in this process, after so many epochs."
    learn = Run.learn

    def learn_or_stop(self, batches):
        if len(self.rows) == epochs:
            raise KeyboardInterrupt
        return learn(self, batches)

    with pytest.MonkeyPatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Run, 'learn', learn_or_stop)
        yield


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
    assert set(card['test']) == {f'all/{who}/{m}' for who in ('detector', 'baseline', 'shipped') for m in measures}
    assert set(card['AUROC_gain']) == {'baseline', 'shipped'} and 'than the shipped detector' in verdict(card)
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


def flip(data, rng):
    "One bit of `data` changed."
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def test_a_checkpoint_with_a_wrong_bit(copied):
    whole = train_on(read_training_set('pos.fa', 'neg.fa', n_jobs=1), 'whole', epochs=2, n_jobs=1)
    with interrupted_after(2):
        train_on(read_training_set('pos.fa', 'neg.fa', n_jobs=1), 'model', epochs=40, n_jobs=1)
    checkpoint, rng = copied / 'model' / 'detector.checkpoint', random.Random(0)
    data = checkpoint.read_bytes()
    for _ in range(3):  # the page Training tries more
        checkpoint.write_bytes(flip(data, rng))
        with pytest.raises(ValueError, match='detector.checkpoint: a damaged checkpoint; delete it'):
            train_on(read_training_set('pos.fa', 'neg.fa', n_jobs=1), 'model', epochs=40, n_jobs=1)
    checkpoint.unlink()
    again = train_on(read_training_set('pos.fa', 'neg.fa', n_jobs=1), 'model', epochs=2, n_jobs=1)
    assert again.card == whole.card
    same_files(copied / 'model', copied / 'whole', 'detector.safetensors', 'detector.json')


@pytest.mark.parametrize('model', [Detector, Generator])
def test_weights_with_a_wrong_bit(model, tmp_path):
    kind, rng = model.kind, random.Random(0)
    weights, card = ((WEIGHTS / f'{kind}.{ending}').read_bytes() for ending in ('safetensors', 'json'))
    (tmp_path / f'{kind}.json').write_bytes(card)
    for _ in range(25):
        (tmp_path / f'{kind}.safetensors').write_bytes(flip(weights, rng))
        with pytest.raises(ValueError, match=f'{kind}.safetensors: not the file that {kind}.json describes'):
            model.load(tmp_path)
    for part in (weights[:-4], weights + b'0', b''):
        (tmp_path / f'{kind}.safetensors').write_bytes(part)
        with pytest.raises(ValueError, match='it was damaged or replaced'):
            model.load(tmp_path)


@pytest.mark.parametrize('model', [Detector, Generator])
def test_cards_without_an_entry_or_with_a_wrong_one(model, tmp_path):
    kind, shipped = model.kind, json.loads((WEIGHTS / f'{model.kind}.json').read_text())
    (tmp_path / f'{kind}.safetensors').write_bytes((WEIGHTS / f'{kind}.safetensors').read_bytes())
    load = lambda card: (tmp_path / f'{kind}.json').write_text(json.dumps(card)) and model.load(tmp_path)
    needed = ['kind', 'versions', 'config', 'seed', 'sha256', 'records', 'history']
    needed += ['calibration', 'threshold'] if model is Detector else ['alphabet']
    wrong = {name: [None, [], 'x', {}] for name in needed}
    if model is Detector:
        nan, inf = float('nan'), float('inf')
        wrong['threshold'] += [nan, inf, -0.1, 1.5, '0.8', True]
        wrong['calibration'] += [shipped['calibration'] | {k: nan} for k in shipped['calibration']]
        wrong['range'] = [{'length': [2, 1]}, {'length': [nan, 1]}, {'size': [1, 2]}, {'length': [1]}, []]
    assert load(shipped).card == {k: v for k, v in shipped.items() if k != 'sha256'}
    for name in needed:
        with pytest.raises(ValueError, match=f'{kind}.json: the card has no entry {name!r}'):
            load({k: v for k, v in shipped.items() if k != name})
    for name, values in wrong.items():
        for value in values:
            with pytest.raises(ValueError, match=rf'{kind}.json: (entry {name!r}|the card of a|the card has no entry)'):
                load(shipped | {name: value})
    for size in shipped['config']:
        for value in (None, 'x', -1, [], float('nan'), [1.5]):
            with pytest.raises(ValueError, match=f'{kind}.json: entry {size!r}'):
                load(shipped | dict(config=shipped['config'] | {size: value}))
    for card in ({}, [], 'card', 3, None):
        with pytest.raises(ValueError, match=f'{kind}.json: (the card has no entry|not a card)'):
            load(card)


def test_two_trainings_in_one_folder(copied):
    data = read_training_set('pos.fa', 'neg.fa', n_jobs=1)
    with training_folder('model', 'detector'):
        r = train(*TRAIN)
        assert r.exit_code == 1 and 'model: another training of a detector is running there' in r.stderr, r.stderr
        for call_again in (lambda: train_on(data, 'model'), lambda: Detector().fit([], [], folder='model')):
            with pytest.raises(ValueError, match='another training of a detector is running there'):
                call_again()
    assert not list((copied / 'model').iterdir())
    stop(signal.SIGKILL, copied, args=(*TRAIN[:-1], '40'))  # its lock ends with it
    (copied / 'model' / '.detector.checkpoint.half').touch()
    (copied / 'model' / 'detector.checkpoint').unlink()
    train_on(data, 'model', epochs=1, n_jobs=1)
    written = ['curves.png', 'detector.json', 'detector.safetensors']
    assert sorted(p.name for p in (copied / 'model').iterdir()) == written


def test_one_job_starts_no_other_process(copied):
    code = (
        'from mirnbdev.cnn import train_on; from mirnbdev.sets import read_training_set\n'
        'from mirnbdev import sets\n'
        'draw = sets.resamples\n'
        f'sets.resamples = lambda group, seed=0, n=0: draw(group, seed, {FEW})\n'
        "data = read_training_set('pos.fa', 'neg.fa', n_jobs=1)\n"
        "train_on(data, 'one', epochs=1, n_jobs=1)\n"
        'import sys\n'
        "started = sys.modules.get('joblib.externals.loky.reusable_executor')\n"
        'assert started is None or started._executor is None\n'
    )
    r = subprocess.run([sys.executable, '-c', code], cwd=copied, env=ONE_THREAD, capture_output=True, text=True)
    assert r.returncode == 0, r.stderr


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


@pytest.mark.parametrize('train_own', [train_on, train_generator_on])
def test_from_the_shipped_weights(train_own, hairpins):
    data = read_training_set('pos.fa', 'neg.fa', n_jobs=1)
    fine, fresh = (train_own(data, name, epochs=1, from_shipped=name == 'fine') for name in ('fine', 'fresh'))
    assert 'miRBase 21' in fine.card['started_from'] and 'started_from' not in fresh.card
    assert fine.card['trained_on'] == data.files and type(fine).load('fine').card == fine.card
    assert fine.history.validation[0] < fresh.history.validation[0]
    if train_own is train_on:
        assert [verdict(d.card).endswith('which began from its weights.') for d in (fine, fresh)] == [True, False]


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


def test_a_stopped_fit_leaves_the_detector_as_it_was(labelled, tmp_path):
    X, y = labelled
    whole, d = Detector(epochs=3).fit(X, y), Detector(epochs=3)
    with interrupted_after(2):
        d.fit(X, y, folder=tmp_path)
    np.testing.assert_array_equal(d.decision_function(X), Detector().decision_function(X))
    np.testing.assert_array_equal(d.fit(X, y, folder=tmp_path).predict_proba(X), whole.predict_proba(X))
    assert not list(tmp_path.iterdir())
