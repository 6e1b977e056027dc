"""Measure the generator's latents.

usage: MIRNBDEV_DATA=... python benchmarks/latent.py compare|names|simulated|moves

Each command prints tables and writes them into benchmarks/results/, where the page of the latents finds them. compare
trains four networks twice, keeps them in out/generators/latent-* and uses them again. On two cores: compare an hour,
names and simulated two minutes each. moves, the times of the explorer in JupyterLab, takes seconds and no data sets.
"""

from functools import cache
from itertools import compress
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import torch
from common import kept, main, open_words, precursor_clusters, precursors, rows_of, words, write
from torch import nn

from mirnbdev.cnn import Detector
from mirnbdev.cvae import CLADES, CONDITIONS, GeneratorConfig, HairpinCVAE, measure_conditions
from mirnbdev.data import well_known
from mirnbdev.factors import CORE_FACTORS, distinct_factors, measure_factors
from mirnbdev.generator import Generator
from mirnbdev.hairpin import fold
from mirnbdev.latent import (
    AXES,
    axis_changes,
    concept_directions,
    disentanglement,
    explore_latents,
    latent_correlations,
    latent_table,
    name_axes,
    probe_table,
    rewritten,
)
from mirnbdev.scorecard import scorecard

EPOCHS, SAMPLES, SEEDS = 5, 500, 2  # Of each variant: epochs, samples in the scorecard, trainings
FIT, TEST = 3000, 2000  # Precursors to fit probes on, of the training clusters; and to measure on
MOVED = 60  # Precursors whose axes are moved, no two of a cluster
MODELS = Path('out/generators')

# ---- data


def factor_frame(hairpins):
    "The core factors."
    return pd.DataFrame(measure_factors(hairpins), columns=list(CORE_FACTORS))


@cache
def some(split, n):
    "Precursors of one side of the split, their factors, and their clusters."
    rows = np.random.default_rng(0).permutation(len(precursors(split)))[:n]
    hairpins = [precursors(split)[i] for i in rows]
    return hairpins, factor_frame(hairpins), precursor_clusters(split)[rows]


# ---- variants


class TotalCorrelation(HairpinCVAE):
    "Pays for the total correlation of z in place of ties; `tie_weight` is the weight beyond the one that the KL has."

    def tied(self, words):
        return torch.zeros(len(words.label), self.config.latents, dtype=torch.bool, device=words.label.device)

    def loss_terms(self, words):
        e = super().loss_terms(words)
        if not self.training:
            return e
        mu, logvar = self.infer(words, self.read_conditions(words.conditions))
        z = mu + torch.randn_like(mu) * (logvar / 2).exp()
        return e._replace(tie_loss=self.total_correlation(z, mu, logvar))


class BetaTCVAE(TotalCorrelation):
    "Estimated over the batch (Chen et al. 2018, equation S4)."

    def total_correlation(self, z, mu, logvar):
        # (n, n, latents), without constants: they do not move the gradient
        log_q = -0.5 * ((z[:, None] - mu) ** 2 / logvar.exp() + logvar)
        return log_q.sum(2).logsumexp(1) - log_q.logsumexp(1).sum(1)


class FactorVAE(TotalCorrelation):
    "Estimated by a critic that learns to tell z from z with each latent shuffled (Kim & Mnih 2018)."

    units, lr, betas = 256, 1e-3, (0.5, 0.9)  # Of the critic; two moments of Adam, as in adversarial training

    def __init__(self, config=GeneratorConfig()):
        super().__init__(config)
        n, leak = self.units, lambda: nn.LeakyReLU(0.2)
        critic = nn.Sequential(nn.Linear(config.latents, n), leak(), nn.Linear(n, n), leak(), nn.Linear(n, 1))
        # In a tuple, so that it is not among the weights
        self.critic = critic, torch.optim.Adam(critic.parameters(), self.lr, betas=self.betas)

    def total_correlation(self, z, mu, logvar):
        critic, step = self.critic
        critic.to(z.device)
        shuffled = torch.stack([x[torch.randperm(len(x))] for x in z.detach().T], 1)
        step.zero_grad()
        nn.functional.softplus(torch.cat([-critic(z.detach()), critic(shuffled)])).mean().backward()
        step.step()
        return critic(z)[:, 0]


VARIANTS = {  # Network, and `tie_weight`
    'plain': (HairpinCVAE, 0.0),
    'beta-TCVAE': (BetaTCVAE, 3.0),
    'FactorVAE': (FactorVAE, 3.0),
    'tied': (HairpinCVAE, 4.0),
}


def variant(name, seed):
    "One of them, trained or kept."

    class Variant(Generator):
        network = VARIANTS[name][0]

    g = Variant(seed, EPOCHS, config=GeneratorConfig(tie_weight=VARIANTS[name][1]))
    train = lambda: g.fit_words(words('train'), words('validation'))
    return kept(Generator, MODELS / f'latent-{name}-{seed}', train)


# ---- compare


def code_metrics(z, factors, new_z, new_factors, told):
    "Spearman of encoded precursors; DCI, MIG, SAP of the distinct factors."
    distinct = list(distinct_factors(factors, 0.9).representative.unique())
    d = disentanglement(z, factors[distinct], new_z, new_factors[distinct])
    return dict(spearman_least=told.min(), spearman_median=told.median(), **d._asdict())


def obeyed(g, hairpins, z, best, directions):
    "|Spearman| of each factor of molecules written at `z` with other draws, and folded, with latent and direction."
    factors = measure_factors(rewritten(g, hairpins, n_jobs=-1).refolded)
    own = lambda x: pd.Series(np.abs(np.diagonal(latent_correlations(x, factors)[0])), CORE_FACTORS)
    return own(z[best].to_numpy()), own((z @ directions.T).to_numpy())


def latents_of(g):
    "Rows of one network: by single latents, and by concept directions."
    (h, f, _), (new_h, new_f, clusters) = some('train', FIT), some('test', TEST)
    z, new_z = latent_table(g, h), latent_table(g, new_h)
    told, d = probe_table(z, f, new_z, new_f, clusters), concept_directions(z, f)
    codes = {
        'single latents': (z, new_z, told['latent value']),
        'concept directions': (z @ d.T, new_z @ d.T, told['direction value']),
    }
    written = obeyed(g, new_h, new_z, told.best, d)
    return {
        k: code_metrics(a, f, b, new_f, t) | dict(written_least=w.min(), written_median=w.median())
        for (k, (a, b, t)), w in zip(codes.items(), written)
    }


def nats_of(g):
    "What held-out precursors cost, nothing asked."
    e = g.elbo(rows_of(open_words('test'), slice(TEST)))
    return dict(NLL=e.nll.mean().item(), KL=e.kl.sum(1).mean().item())


def again(*networks):
    "|Spearman| of each latent of one network with the likest one of the other."
    a, b = (latent_table(g, some('test', TEST)[0]) for g in networks)
    return np.abs(latent_correlations(a.to_numpy(), b.to_numpy())[0]).max(1)


def prices(networks):
    "What each network costs in nats, and how its samples do."
    samples = {'{} {}'.format(*k): g.sample(SAMPLES).designed for k, g in networks.items()}
    card = scorecard(samples, n_jobs=-1).table.value
    measures = ['pair_f1', 'exact_structure', 'single_hairpin', 'AUC']
    rows = {k: nats_of(g) | card['{} {}'.format(*k)][measures].to_dict() for k, g in networks.items()}
    return pd.DataFrame(rows).T.rename_axis(['variant', 'seed'])


def compare():
    "Variants of the network: what their latents mean, whether another training finds them again, and the cost."
    networks = {(name, seed): variant(name, seed) for seed in range(SEEDS) for name in VARIANTS}
    write('latent_prices', prices(networks).round(3), SEEDS)
    rows = {(name, codes, seed): r for (name, seed), g in networks.items() for codes, r in latents_of(g).items()}
    write('latent_variants', pd.DataFrame(rows).T.rename_axis(['variant', 'codes', 'seed']).round(3), SEEDS)
    found = {name: again(*(networks[name, seed] for seed in range(SEEDS))) for name in VARIANTS}
    latents = [f'z{k}' for k in range(len(AXES))]
    write('latent_again', pd.DataFrame(found, latents).rename_axis('latent').round(3), SEEDS)


# ---- names


def names():
    "What each axis does to held-out precursors, no two of a cluster."
    h, f, clusters = some('test', TEST)
    alone = list(compress(h, ~pd.Series(clusters).duplicated()))[:MOVED]
    changes = axis_changes(Generator.load(), alone, n_jobs=-1)
    write('latent_changes', changes.groupby(['latent', 'value'], sort=False).mean().round(4))
    write('latent_names', name_axes(changes, f.std()).round(4))


# ---- simulated

N = 1200
ASKED = dict(  # Drawn evenly, and independently of each other
    length=(65, 110), gc=(0.35, 0.6), mfe_per_nt=(-0.5, -0.3), terminal_loop=(4, 16), bulges=(0, 4)
)


def drawn_conditions(rng):
    "Condition -> a number for each hairpin."
    real = ('gc', 'mfe_per_nt')
    one = lambda c, low, high: rng.uniform(low, high, N) if c in real else rng.integers(low, high + 1, N)
    return {c: one(c, *ends) for c, ends in ASKED.items()}


def nothing_asked(g):
    "Independent latents, and the factors of what is written there."
    code = g.draw(N)
    clade, asked = torch.full_like(code.clade, len(CLADES)), torch.full_like(code.asked, torch.nan)
    hairpins = g.write_and_fold(code._replace(clade=clade, asked=asked)).refolded
    return pd.DataFrame(code.z.numpy(), columns=list(AXES)), factor_frame(hairpins)


def simulated_cases():
    "Name -> codes and factors."
    g, rng = Generator.load(), np.random.default_rng(0)
    asked = drawn_conditions(rng)
    s = g.sample(N, **asked)
    both = measure_conditions(s.refolded), np.stack(list(asked.values()), 1)
    got, codes = (pd.DataFrame(x, columns=list(CONDITIONS)) for x in both)
    scaled, turn = (codes - codes.mean()) / codes.std(), np.linalg.qr(rng.normal(size=(5, 5)))[0]
    single = list(compress(s.refolded, s.folds_as_designed))
    return {
        'what was asked': (scaled, got),
        'the same, rotated': (scaled @ turn, got),
        'the same, shuffled': (scaled.iloc[rng.permutation(N)].reset_index(drop=True), got),
        'latents of those that fold as designed': (latent_table(g, single), factor_frame(single)),
        'latents drawn independently, nothing asked': nothing_asked(g),
    }


def simulated():
    "Hairpins whose conditions were drawn independently: the right pairing of asked and obtained is known."
    cases, rows = simulated_cases(), {}
    for k, (z, f) in cases.items():
        half = len(z) // 2
        rows[k] = disentanglement(z[:half], f[:half], z[half:], f[half:])._asdict()
    write('latent_simulated', pd.DataFrame(rows).T.round(2))
    z, f = (x.to_numpy() for x in cases['latents of those that fold as designed'])
    found = pd.DataFrame(np.abs(latent_correlations(z, f)[0]), list(AXES), list(CORE_FACTORS))
    write('latent_independent', found.round(2))


# ---- moves


def timed(do):
    "Milliseconds."
    start = perf_counter()
    do()
    return 1000 * (perf_counter() - start)


def sliders_of(box):
    "Sliders of the latents in the explorer, by name."
    controls = box.children[0].children
    return {c.description: c for c in controls if getattr(c, 'description', '') in AXES}


def moves(repeats=5):
    "Times of moves in the explorer, each latent from -2 to 2, and of one decode after each."
    g, k = Generator.load(), well_known()
    hairpins = [fold(s, n) for n, s in zip(k.name, k.sequence)]
    sliders, code = sliders_of(explore_latents(g, Detector.load(), hairpins)), g.encode(hairpins[:1])
    move, decode = [], []
    for slider in sliders.values():
        for value in np.linspace(-2, 2, repeats):
            move.append(timed(lambda: setattr(slider, 'value', value)))
            decode.append(timed(lambda: g.decode(code)))
    rows = {
        name: {'median, ms': np.median(t), 'largest, ms': max(t)} for name, t in dict(move=move, decode=decode).items()
    }
    t = pd.DataFrame(rows).T
    t['median / that of a decode'] = t['median, ms'] / t.loc['decode', 'median, ms']
    write('latent_moves', t.round(2), seeds=0)


COMMANDS = dict(compare=compare, names=names, simulated=simulated, moves=moves)

if __name__ == '__main__':
    main(COMMANDS, __doc__)
