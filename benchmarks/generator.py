"""Measure the generator.

usage: MIRNBDEV_DATA=... python benchmarks/generator.py alternatives|sureness|rates|control|simulated|cost

Each command prints tables and writes them into benchmarks/results/, where the generator's page finds them. Trained
networks are kept in out/generators/ and used again. Intervals: 95 %, over resampled clusters of relatives. On one core:
alternatives an hour, rates 40 minutes, simulated 30, sureness ten, control five, cost one.
"""

import time
from pathlib import Path

import numpy as np
import pandas as pd
from alternatives import PixelVAE, chain, inverse_designs, nearest_molecule, paint, pixel_vae, write_chain
from common import (
    bootstrap,
    interval,
    kept,
    main,
    open_words,
    precursor_clusters,
    precursors,
    rows_of,
    side,
    table,
    words,
    write,
)
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist
from sklearn.metrics import average_precision_score, roc_auc_score

from mirnbdev import sets
from mirnbdev.cnn import Detector
from mirnbdev.cvae import GeneratorConfig
from mirnbdev.encoding import column_word, encode, word_array
from mirnbdev.factors import factor_table
from mirnbdev.generator import Generator, Samples, recall_table
from mirnbdev.hairpin import refold
from mirnbdev.scorecard import (
    CLOSE,
    Measured,
    factor_distances,
    find_relatives,
    natural_sample,
    natural_spread,
    scorecard,
    two_sample_auc,
)

N, TIMED = 2000, 512  # Samples or held-out precursors of a table; samples whose time is measured
RATES, RATE_EPOCHS = (0, 4, 16, 64), 5  # Free nats; epochs
PIXEL_EPOCHS = 30  # Of the VAE over pixels
DETECTOR_EPOCHS, SEEDS = 12, 2  # Of each detector trained on simulated hairpins, and how many detectors
TAUGHT = {'train': 6000, 'validation': 1000}  # Hairpins that these detectors see; repaired samples take time
BOUND_DRAWS = 20  # Of z, for the importance-weighted bound
MODELS = Path('out/generators')


def averages(measures, clusters):
    "Mean of each column, with its interval."
    return bootstrap(lambda i: measures.iloc[i].mean(), clusters)


# ---- alternatives


def pixel_samples():
    "What the VAE over pixels paints, read as molecules; and the share of pictures that are the drawing of one."
    train = lambda: pixel_vae(precursors('train'), precursors('validation'), PIXEL_EPOCHS)
    net = kept(PixelVAE, MODELS / 'pixel-vae', train)
    pictures = paint(net, N, 0)
    found = [nearest_molecule(x, f'pixel-{i}') for i, x in enumerate(pictures, 1)]
    same, ink = (encode(found).images == pictures).all(-1), (pictures != 255).any(-1)
    shares = {
        'pictures that are the drawing of a molecule': same.all((1, 2)),
        'ink as in the drawing of the molecule read': (same & ink).sum((1, 2)) / ink.sum((1, 2)),
        'pictures with nothing to read': [not h.sequence for h in found],
    }
    rows = averages(pd.DataFrame(shares, dtype=float), range(N))
    name = f'{PIXEL_EPOCHS} epochs, validation loss {net.validation_loss:.0f}'
    write('alternatives_pixels', table({name: rows}))
    return [h for h in found if h.sequence], rows.iloc[0]


def rnainverse():
    "A sequence of RNAinverse for the fold of each of `N` training precursors."
    train = precursors('train')
    return inverse_designs([train[i] for i in np.random.default_rng(0).permutation(len(train))[:N]], n_jobs=-1)


def alternatives():
    "Raw samples of the generator and its peers in one scorecard; ours also as written at first."
    pixels, decodable = pixel_samples()
    ours = Generator.load()
    samples = {
        'ours': ours.sample(N).designed,
        'as written': ours.decode(ours.draw(N)),
        'RNAinverse': rnainverse(),
        'Markov chain': write_chain(chain(word_array([column_word(h) for h in precursors('train')])), N, 0),
        'pixel VAE': pixels,
    }
    card = scorecard(samples, n_jobs=-1)
    card.table.loc[('pixel VAE', 'decodable')] = decodable.to_numpy()  # Of all pictures, not of those that were read
    write('alternatives', card.summary())
    ratios = card.factors.value.unstack('set')[list(card.table.index.unique('set'))]
    write('alternatives_factors', ratios.round(2))


# ---- how sure a fold is

SURE = ['mfe_frequency', 'pairing_entropy', 'ensemble_diversity']  # Factors that say how sure a fold is


def sureness_of(hairpins, n_jobs=-1):
    "The factors of `SURE`, put on one scale: shares as log odds."
    t = factor_table(hairpins, SURE, n_jobs)
    p = t.mfe_frequency.clip(1e-6, 1 - 1e-6)
    return t.assign(mfe_frequency=np.log(p / (1 - p)))


def with_factors(hairpins, clusters=None):
    "Folded hairpins as `two_sample_auc` takes them."
    sequences = [h.sequence for h in hairpins]
    groups = find_relatives(sequences, clusters)
    return Measured(sequences, groups, pd.DataFrame(), factor_table(hairpins, n_jobs=-1))


def sureness():
    "Half of some samples, chosen so that folds are as sure as those of training precursors, beside the rest of nature."
    samples, train = Generator.load().sample(N, seed=1).refolded, sets.detection_records('train')
    like = sets.fold_frame(train[train.label == 1].sample(N // 2, random_state=0))
    wanted, own = sureness_of(like), sureness_of(samples)
    distance = cdist((wanted - wanted.mean()) / wanted.std(), (own - wanted.mean()) / wanted.std())
    chosen = linear_sum_assignment(distance)[1]
    test = sets.detection_records('test').query('label == 1')
    nature = natural_sample(test, N)
    nature = with_factors(list(nature.hairpin), nature.cluster)
    spread, rows, factors = natural_spread(nature.factors, nature.group), {}, {}
    for name, hairpins in {
        'as they come': samples[: N // 2],
        'as sure as nature': [samples[i] for i in chosen],
    }.items():
        m = with_factors(hairpins)
        factors[name] = factor_distances(m.factors, nature.factors) / spread
        rows[name] = dict(n=len(hairpins), **two_sample_auc(m, nature).iloc[0], beyond=(factors[name] > CLOSE).sum())
    write('sureness', pd.DataFrame(rows).T.rename_axis('samples').round(3))
    write('sureness_factors', pd.DataFrame(factors).rename_axis('factor').round(2))


# ---- rate and distortion


def with_free_nats(nats):
    "An untied generator, trained with other free nats."
    g = Generator(epochs=RATE_EPOCHS, config=GeneratorConfig(free_nats=nats, tie_weight=0.0))
    return kept(Generator, MODELS / f'rate-{nats}', lambda: g.fit_words(words('train'), words('validation')))


def costs(g, test, clusters):
    "What held-out precursors cost."
    e = g.elbo(test)
    nats = pd.DataFrame(dict(nll=e.nll, kl=e.kl.sum(1), weighted=g.importance_bound(test, BOUND_DRAWS)))
    return averages(nats, clusters)


def rates():
    "What more nats in z buy: held-out precursors without conditions."
    rows, recall = {}, {}
    some = np.random.default_rng(0).permutation(len(precursors('test')))[:N]
    hairpins, test = [precursors('test')[i] for i in some], rows_of(open_words('test'), some)
    for nats in RATES:
        g, name = with_free_nats(nats), f'{nats} free nats'
        rows[name] = costs(g, test, precursor_clusters('test')[some])
        recall[name] = recall_table(g, hairpins).loc['z'].to_dict()
        print(name, rows[name].value.round(3).to_dict(), flush=True)
    write('rates', table(rows))
    write('rates_recall', table(recall))


# ---- control


def ranking(y, p):
    "Both areas."
    return dict(AUROC=roc_auc_score(y, p), AUPR=average_precision_score(y, p))


def control():
    "Measure the detector's ranking of samples of both labels, beside that of natural hairpins."
    g, detector = Generator.load(), Detector.load()
    asked = [h for label in (1, 0) for h in g.sample(N, label=label, seed=label).refolded]
    score, test = lambda hairpins: detector.predict_proba(hairpins)[:, 1], side('test')
    rows = {
        'simulated': interval(ranking, np.repeat([1, 0], N), score(asked)),
        'held-out natural': interval(ranking, test.records.label, score(test.hairpins), test.records.cluster),
    }
    write('control_label', table(rows), 2)


# ---- simulated training data


def real_side(split):
    "A random part of one side of the split, folded; and labels."
    rows = np.random.default_rng(0).permutation(len(side(split).hairpins))[: TAUGHT[split]]
    return [side(split).hairpins[i] for i in rows], side(split).records.label.to_numpy()[rows]


def simulated_side(split, seed):
    "As many simulated precursors and pseudo-hairpins as `real_side` has, folded; and labels."
    g, labels = Generator.load(), np.sort(real_side(split)[1])
    drawn = (g.sample(int((labels == k).sum()), label=k, seed=seed + k).refolded for k in (0, 1))
    return [h for hairpins in drawn for h in hairpins], labels


def simulated():
    "A detector that saw simulated hairpins only, and one that saw as many real ones, on real test records."
    sources = {
        'simulated hairpins': [simulated_side('train', 0), simulated_side('validation', 2)],
        'real hairpins': [real_side(split) for split in TAUGHT],
    }
    d, scores = sets.detection_records('test'), {}
    h = sets.fold_frame(d)
    for k, (train, check) in sources.items():
        fitted = (Detector(s, DETECTOR_EPOCHS).fit(*train, check) for s in range(SEEDS))
        name = f'trained on {len(train[1]):,} {k}'
        scores[name] = np.array([m.predict_proba(h)[:, 1] for m in fitted])
    kinds = [s for s in d.source.unique() if s != 'precursor']
    tests = {'all negatives': d.label >= 0, **{f'{s} negatives': (d.label == 1) | (d.source == s) for s in kinds}}
    one = lambda p, keep: interval(ranking, d.label[keep], p[:, keep], d.cluster[keep])
    rows = {(t, k): one(p, keep.to_numpy()) for t, keep in tests.items() for k, p in scores.items()}
    write('simulated', table(rows), SEEDS)


# ---- cost


def cost():
    "CPU time of the steps of a sample, in one process, beside that of folding."
    g = Generator.load()
    code, done, times = g.draw(TIMED), {}, {}
    for step, do in (
        ('writing', lambda: g.decode(code)),
        ('folding', lambda: refold(done['writing'], 1)),
        ('repair', lambda: g.repair(Samples(done['writing'], done['folding'], TIMED, code), n_jobs=1)),
    ):
        start = time.process_time()
        done[step] = do()
        times[step] = time.process_time() - start
    t = pd.Series(times)
    columns = {'CPU ms a sample': 1000 * t / TIMED, 'times folding': t / t.folding}
    write('generator_cost', pd.DataFrame(columns).round(2))


COMMANDS = dict(cost=cost, alternatives=alternatives, sureness=sureness, rates=rates)
COMMANDS |= dict(control=control, simulated=simulated)

if __name__ == '__main__':
    main(COMMANDS, __doc__)
