"Threads that share a model get what one thread gets, also while another one trains."

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from mirnbdev.cnn import Detector
from mirnbdev.cvae import words_from_hairpins
from mirnbdev.data import well_known
from mirnbdev.evidence import max_sensitivity, randomised
from mirnbdev.generator import Generator, simulate
from mirnbdev.hairpin import fold
from mirnbdev.latent import latent_table
from mirnbdev.saliency import METHODS, attribute
from mirnbdev.training import Run

THREADS = 4
pytestmark = pytest.mark.filterwarnings('ignore:.*miss the difference')  # few steps will do here


@pytest.fixture(scope='module')
def hairpins():
    return [fold(s, n) for n, s in zip(well_known().name[:4], well_known().sequence)]


@pytest.fixture(scope='module')
def detector():
    return Detector.load()


@pytest.fixture(scope='module')
def generator():
    return Generator.load()


def plain(result):
    "A result as bytes and text, equal only if every number is."
    if isinstance(result, (np.ndarray, np.generic)):
        return result.tobytes()
    if isinstance(result, torch.Tensor):
        return result.numpy().tobytes()
    if hasattr(result, 'to_numpy'):
        return result.to_csv()
    return tuple(map(plain, result)) if isinstance(result, (list, tuple)) else repr(result)


def alike(*calls):
    "Call each of `calls` alone, then all of them from several threads at once, twice each."
    alone = [plain(call()) for call in calls]
    with ThreadPoolExecutor(THREADS) as pool:
        together = [pool.submit(call) for call in calls * THREADS]
    for k, found in enumerate(together):
        assert plain(found.result()) == alone[k % len(calls)], f'call {k % len(calls)}'


@pytest.mark.parametrize('method', METHODS)
def test_attributions(method, detector, hairpins):
    short = [fold(h.sequence[20:50], h.name) for h in hairpins[:1]] if method == 'mutagenesis' else hairpins[:2]
    alike(lambda: attribute(detector, short, method, steps=8, seed=1))


def test_different_methods_at_once(detector, hairpins):
    one = lambda method, seed: lambda: attribute(detector, hairpins[:1], method, steps=4, seed=seed)
    detector.model.train()  # the mode is left as it was, and no dropout is seen
    try:
        alike(*(one(m, seed) for m in ('deeplift', 'gradient_shap', 'saliency', 'gradcam') for seed in (1, 2)))
        assert detector.model.training
    finally:
        detector.model.eval()


def test_predictions(detector, hairpins):
    detector.model.train()
    try:
        alike(
            lambda: detector.predict_proba(hairpins),
            lambda: detector.decision_function(hairpins[:2]),
            lambda: detector.posterior(hairpins, 0.01),
        )
    finally:
        detector.model.eval()


def test_writing_and_reading(generator, detector, hairpins):
    words = words_from_hairpins(hairpins)
    alike(
        lambda: generator.sample(2, seed=1, n_jobs=1),
        lambda: generator.sample(1, seed=2, n_jobs=1, terminal_loop=8),
        lambda: generator.encode(hairpins),
        lambda: generator.decode(generator.encode(hairpins)),
        lambda: generator.elbo(words, seed=3),
        lambda: generator.importance_bound(words, 2, seed=4),
        lambda: latent_table(generator, hairpins),
        lambda: simulate(generator, detector, 1, seed=5, n_jobs=1),
    )


def test_random_networks(detector, hairpins):
    alike(
        lambda: [d.model.head[1].weight.detach() for _, d in randomised(detector, 1)],
        lambda: max_sensitivity(detector, hairpins[:1], 'gradient_shap', n=2, seed=2),
        lambda: Detector(seed=3).decision_function(hairpins),
        lambda: Generator(seed=4).latents(words_from_hairpins(hairpins)),
    )


def test_predictions_while_another_thread_trains(detector, hairpins, monkeypatch):
    X, y = hairpins + [fold(h.sequence[::-1], h.name) for h in hairpins], [1] * 4 + [0] * 4
    train = lambda: Detector(seed=1, epochs=3).fit(X * 2, y * 2, validation=(X, y)).decision_function(X)
    alone, shap = plain(train()), plain(attribute(detector, hairpins[:1], 'gradient_shap', steps=4))
    steps, step = [], Run.step
    monkeypatch.setattr(Run, 'step', lambda self, batch: steps.append(1) or step(self, batch))
    with ThreadPoolExecutor(THREADS) as pool:
        trained, answered = pool.submit(train), 0
        while not trained.done():
            assert plain(attribute(detector, hairpins[:1], 'gradient_shap', steps=4)) == shap
            answered += len(steps) > 0
    assert plain(trained.result()) == alone and answered, 'no thread waits for the end of a training'
