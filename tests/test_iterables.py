"Whatever takes hairpins takes any iterable of them, once through; what is no hairpin is an error that says so."

import inspect

import numpy as np
import pandas as pd
import pytest
import torch

import mirnbdev.biology as biology
import mirnbdev.cnn as cnn
import mirnbdev.cvae as cvae
import mirnbdev.evidence as evidence
import mirnbdev.generator as generation
import mirnbdev.latent as latent
import mirnbdev.saliency as saliency
import mirnbdev.scorecard as scoring
import mirnbdev.sets as sets
from mirnbdev.data import dinucleotide_shuffle, well_known
from mirnbdev.hairpin import Failed, fold
from mirnbdev.processing import Processing

D, G, C = cnn.Detector.load(), generation.Generator.load(), Processing.load()
HAIRPINS = [fold(s[15:60], n) for n, s in zip(well_known().name[:2], well_known().sequence)]  # short: soon folded
BOTH = HAIRPINS + [fold(dinucleotide_shuffle(h.sequence, seed=1), f'{h.name} shuffled') for h in HAIRPINS]
LABELS = [1, 1, 0, 0]
SCORES = [np.arange(len(h), dtype=float) - 9 for h in HAIRPINS]
KNOWN = well_known()[['name', 'sequence']]
EXPLAINED = {'occlusion': saliency.attribute(D, HAIRPINS)}


def small(hairpins, labels=LABELS):
    "Fit a small detector, and let it answer."
    return cnn.Detector(epochs=1).fit(hairpins, labels, validation=(iter(BOTH), iter(LABELS))).decision_function(BOTH)


def writer(hairpins, labels=LABELS):
    "Fit a generator, and let it answer."
    g = generation.Generator(epochs=1).fit(hairpins, labels, validation=(iter(BOTH), iter(LABELS)))
    return g.encode(HAIRPINS).z


# name -> the function, of hairpins; those of `FOUR` take `BOTH`, the others `HAIRPINS`
TAKES = {
    'as_images': cnn.as_images,
    'Detector.decision_function': D.decision_function,
    'Detector.predict_proba': D.predict_proba,
    'Detector.predict': D.predict,
    'Detector.posterior': lambda hs: D.posterior(hs, 0.01),
    'Detector.out_of_range': D.out_of_range,
    'factor_range': cnn.factor_range,
    'similarity_clusters': sets.similarity_clusters,
    'measure_conditions': cvae.measure_conditions,
    'words_from_hairpins': lambda hs: cvae.words_from_hairpins(hs, iter([1, 0])),
    'Generator.encode': G.encode,
    'recall_table': lambda hs: generation.recall_table(G, hs),
    'latent_table': lambda hs: latent.latent_table(G, hs),
    'rewritten': lambda hs: latent.rewritten(G, hs),
    'axis_changes': lambda hs: latent.axis_changes(generation.Generator(seed=1), hs, values=(0,)),
    'explore_latents': lambda hs: latent.explore_latents(G, D, hs).children[1].value,
    'mutagenesis': lambda hs: saliency.mutagenesis(D, hs),
    'attribute': lambda hs: saliency.attribute(D, hs),
    'average_map': lambda hs: saliency.average_map(EXPLAINED['occlusion'].pixels, hs, 'base'),
    'explanation_page': lambda hs: saliency.explanation_page(D, hs, EXPLAINED),
    'explore': lambda hs: saliency.explore(D, hs).children[2].value,
    'control_scores': evidence.control_scores,
    'removal_curve': lambda hs: evidence.removal_curve(D, hs, iter(SCORES)),
    'infidelity': lambda hs: evidence.infidelity(D, hs, iter(SCORES)),
    'max_sensitivity': lambda hs: evidence.max_sensitivity(D, hs, 'saliency', n=1),
    'transferred_regions': lambda hs: list(biology.transferred_regions(hs, np.full((2, 4), 5.0) + range(4), 1)),
    'context_scores': lambda hs: biology.context_scores(hs, iter(SCORES)),
    'check_each': lambda hs: scoring.check_each(hs, iter(HAIRPINS), iter([0.5, 0.5]), D, C),
    'measure': lambda hs: scoring.measure(hs, KNOWN, D, C),
    'measure_sets': lambda hs: scoring.measure_sets({'a': scoring.HairpinSet(hs)}, KNOWN, D, C),
    'fake': lambda hs: scoring.fake(hs, scoring.mutate),
}
FOUR = {
    'Detector.fit': small,
    'Detector.calibrate': lambda hs: cnn.Detector(seed=1).calibrate(hs, iter(LABELS)).card['calibration'],
    'Detector.score': lambda hs: D.score(hs, iter(LABELS)),
    'factor_baseline': lambda hs: cnn.factor_baseline(hs, iter(LABELS))(iter(BOTH)),
    'Generator.fit': writer,
}
# what these take is read by one of the above, or needs the data sets or more hairpins than a test has time for
ELSEWHERE = {
    'hold_out': 'similarity_clusters',
    'interpolate': 'Generator.encode',
    'scorecard': 'measure_sets',
    'write_explanation': 'explanation_page',
}


def same(a, b):
    "Compare results, number by number."
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[k], b[k]) for k in a)
    if isinstance(a, pd.DataFrame):
        return a.equals(b)
    if isinstance(a, (np.ndarray, torch.Tensor)):
        return bool(np.array_equal(np.asarray(a), np.asarray(b), equal_nan=np.asarray(a).dtype.kind == 'f'))
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    return a == b


KINDS = {
    'generator': lambda hs: (h for h in hs),
    'column': lambda hs: pd.Series(hs, range(5, 5 + len(hs)), dtype=object),
    'array': lambda hs: np.array(hs, object),
}


@pytest.mark.parametrize('name', [*TAKES, *FOUR])
def test_any_iterable(name):
    call, hairpins = (TAKES | FOUR)[name], BOTH if name in FOUR else HAIRPINS
    expected = call(tuple(hairpins))
    kinds = KINDS if name in TAKES else dict(generator=KINDS['generator'], array=KINDS['array'])
    for kind, make in kinds.items():
        assert same(call(make(hairpins)), expected), kind


@pytest.mark.parametrize('name', [*TAKES, *FOUR])
def test_what_is_no_hairpin(name):
    call, hairpins = (TAKES | FOUR)[name], BOTH if name in FOUR else HAIRPINS
    for odd, words in (
        (hairpins[0], 'put it into a list'),
        ([hairpins[0], Failed('bad', 'ACGX', 'why'), *hairpins[2:]], 'item 2 is no Hairpin'),
        ([hairpins[0], hairpins[1].sequence, *hairpins[2:]], 'item 2 is no Hairpin'),
        (hairpins[0].sequence, 'hairpins are expected'),
    ):
        with pytest.raises(ValueError, match=words):
            call(odd)


def test_none_is_forgotten():
    "Each public function with hairpins among its parameters stands in a table above."
    found = set()
    for module in (sets, cnn, cvae, generation, scoring, saliency, evidence, biology, latent):
        for name in module.__all__:
            thing = getattr(module, name)
            methods = [(f'{name}.{k}', m) for k, m in vars(thing).items()] if inspect.isclass(thing) else []
            for full, f in [(name, thing), *methods]:
                takes = inspect.isfunction(f) and any(
                    'Iterable[Hairpin' in str(p.annotation) for p in inspect.signature(f).parameters.values()
                )
                found |= {full} if takes else set()
    assert found - {*TAKES, *FOUR, *ELSEWHERE} == set()
