"Other code may change the defaults of torch: nothing changes here, and what was set stays set."

import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pytest
import torch

from mirnbdev.cnn import Detector
from mirnbdev.cvae import words_from_hairpins
from mirnbdev.data import well_known
from mirnbdev.evidence import max_sensitivity
from mirnbdev.generator import Generator, control_rows, likelihood_table, recall_table, simulate
from mirnbdev.hairpin import fold
from mirnbdev.latent import latent_table, traverse
from mirnbdev.saliency import METHODS, attribute

pytestmark = pytest.mark.filterwarnings('ignore:.*miss the difference')  # two steps are few
HAIRPINS = [fold(s, n) for n, s in zip(well_known().name[:2], well_known().sequence)]
BOTH, LABELS = HAIRPINS + [fold(h.sequence[5:-5], f'{h.name} cut') for h in HAIRPINS], [1, 1, 0, 0]


@contextmanager
def changed(dtype=None, device=None, inference=False, autocast=False):
    "Change torch's defaults, and check afterwards that they are still changed."
    before = torch.get_default_dtype(), torch.get_default_device()
    try:
        torch.set_default_dtype(dtype or torch.float32), torch.set_default_device(device)
        there = torch.get_default_dtype(), torch.get_default_device()
        with torch.inference_mode(inference), torch.autocast('cpu', torch.bfloat16, enabled=autocast):
            yield
            assert torch.is_inference_mode_enabled() == inference and torch.is_autocast_enabled('cpu') == autocast
        assert (torch.get_default_dtype(), torch.get_default_device()) == there
    finally:
        torch.set_default_dtype(before[0]), torch.set_default_device(None)


CHANGES = {
    'half': dict(dtype=torch.bfloat16),
    'float64 on meta': dict(dtype=torch.float64, device='meta'),
    'inference mode': dict(inference=True),
    'autocast': dict(autocast=True),
}


def scores(method, baseline='white'):
    "Pixels of one hairpin."
    return attribute(Detector.load(), HAIRPINS[:1], method, baseline, steps=2).pixels


def sequences(samples):
    "What was written."
    return [h.sequence for h in getattr(samples, 'designed', samples)]


def fitted(model):
    "What a small training learns."
    model.fit(BOTH, LABELS, validation=(BOTH, LABELS))
    return torch.cat([p.detach().flatten() for p in model.model.parameters()]).numpy()


CALLS = {
    'predict': lambda: Detector.load().predict_proba(HAIRPINS),
    'calibrate': lambda: Detector(seed=1).calibrate(BOTH, LABELS).predict_proba(HAIRPINS),
    **{f'attribute, {m}': lambda m=m: scores(m) for m in METHODS[:-1]},
    'attribute, shuffled': lambda: scores('deeplift', 'shuffled'),
    'sensitivity': lambda: max_sensitivity(Detector.load(), HAIRPINS[:1], 'saliency', n=1),
    'sample': lambda: [
        h.sequence for h in Generator.load().sample(2, seed=1, n_jobs=1, gc=0.5, clade='Mammalia').designed
    ],
    'simulate': lambda: simulate(Generator.load(), Detector.load(), 1, n_jobs=1).to_numpy(str),
    'latents': lambda: latent_table(Generator.load(), HAIRPINS).to_numpy(),
    'decode': lambda: sequences(Generator.load().decode(Generator.load().encode(HAIRPINS))),
    'interpolate': lambda: sequences(Generator.load().interpolate(*HAIRPINS, n=3, n_jobs=1)),
    'neighbours': lambda: sequences(Generator.load().neighbours(HAIRPINS[0], n=2, n_jobs=1)),
    'traverse': lambda: sequences(traverse(Generator.load(), HAIRPINS[0], 'gc', [0.4])),
    'elbo': lambda: Generator.load().elbo(words_from_hairpins(HAIRPINS)).nll.numpy(),
    'likelihood': lambda: likelihood_table(Generator.load(), words_from_hairpins(BOTH, LABELS), 2).to_numpy(),
    'recall': lambda: recall_table(Generator.load(), BOTH).to_numpy(),
    'control': lambda: control_rows(Generator.load(), words_from_hairpins(BOTH).asked.numpy(), ['length'], n_jobs=1),
    'design': lambda: Generator.load().design(Detector.load(), 1, steps=1, n_jobs=1).to_numpy(str),
    'train a detector': lambda: fitted(Detector(seed=1, epochs=1)),
    'train a generator': lambda: fitted(Generator(seed=1, epochs=1)),
}


@pytest.fixture(scope='module')
def plain():
    "What each call gives with torch's own defaults."
    return {name: call() for name, call in CALLS.items()}


@pytest.mark.parametrize('how', CHANGES)
def test_nothing_changes(how, plain):
    for name, call in CALLS.items():
        with changed(**CHANGES[how]):
            found = call()
        np.testing.assert_equal(found, plain[name], err_msg=name)


def test_also_after_an_error(plain):
    with changed(torch.float64, 'meta'):
        with pytest.raises(ValueError, match='is no Hairpin'):
            Detector.load().predict_proba(['ACGU'])
        with pytest.raises(ValueError, match='gc: from 0 to 1'):
            Generator.load().sample(1, gc=60)
        with pytest.raises(ValueError, match='cannot be used here'):
            attribute(Detector.load(), HAIRPINS[:1], device='abacus')


def test_set_before_the_library_is_imported(plain):
    code = (
        "import torch; torch.set_default_dtype(torch.float64); torch.set_default_device('meta')\n"
        'from mirnbdev import Detector, Generator, fold\n'
        f'hairpins = [fold(s) for s in {[h.sequence for h in HAIRPINS]}]\n'
        'print(Detector.load().predict_proba(hairpins).tolist())\n'
        "samples = Generator.load().sample(2, seed=1, n_jobs=1, gc=0.5, clade='Mammalia').designed\n"
        'print([h.sequence for h in samples])\n'
        "assert torch.get_default_dtype() == torch.float64 and torch.get_default_device().type == 'meta'\n"
    )
    r = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True)
    assert r.returncode == 0, r.stderr
    assert r.stdout.splitlines() == [str(plain['predict'].tolist()), str(plain['sample'])]
