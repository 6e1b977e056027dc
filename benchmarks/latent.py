"""Measure the generator's latents.

usage: MIRNBDEV_DATA=... python benchmarks/latent.py compare|names|simulated|cuts|processed|moves

Each command prints tables and writes them into benchmarks/results/, where the page of the latents finds them. compare
trains four networks twice, keeps them in out/generators/latent-* and uses them again. On two cores: compare an hour,
names and simulated two minutes each, cuts three, processed ten. moves, the times of the explorer in JupyterLab, takes
seconds and no data sets.
"""

from functools import cache
from itertools import compress
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import torch
from common import bootstrap, kept, main, open_words, precursor_clusters, precursors, rows_of, words, write
from torch import nn

from mirnbdev.cnn import Detector
from mirnbdev.cvae import CLADES, CONDITIONS, GeneratorConfig, HairpinCVAE, measure_conditions
from mirnbdev.data import dinucleotide_shuffle, well_known
from mirnbdev.factors import CORE_FACTORS, distinct_factors, factor_table, measure_factors
from mirnbdev.generator import Generator
from mirnbdev.hairpin import fold
from mirnbdev.latent import (
    AXES,
    axis_changes,
    concept_directions,
    core_factor_table,
    disentanglement,
    explore_latents,
    latent_correlations,
    latent_table,
    name_axes,
    probe_table,
    rewritten,
)
from mirnbdev.processing import CUTS, Processing, column_places, read_known_cuts
from mirnbdev.scorecard import scorecard

EPOCHS, SAMPLES, SEEDS = 5, 500, 2  # Of each variant: epochs, samples in the scorecard, trainings
FIT, TEST = 3000, 2000  # Precursors to fit probes on, of the training clusters; and to measure on
MOVED = 60  # Precursors whose axes are moved, no two of a cluster
MODELS = Path('out/generators')

# ---- data


@cache
def some(split, n):
    "Precursors of one side of the split, their factors, and their clusters."
    rows = np.random.default_rng(0).permutation(len(precursors(split)))[:n]
    hairpins = [precursors(split)[i] for i in rows]
    return hairpins, core_factor_table(hairpins), precursor_clusters(split)[rows]


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


def unrelated(n):
    "Held-out precursors, no two of a cluster."
    h, _, clusters = some('test', TEST)
    return list(compress(h, ~pd.Series(clusters).duplicated()))[:n]


def names():
    "What each axis does to held-out precursors, no two of a cluster."
    f, changes = some('test', TEST)[1], axis_changes(Generator.load(), unrelated(MOVED), n_jobs=-1)
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
    return pd.DataFrame(code.z.numpy(), columns=list(AXES)), core_factor_table(hairpins)


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
        'latents of those that fold as designed': (latent_table(g, single), core_factor_table(single)),
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


# ---- cuts

MOTIFS = ['basal_ug', 'apical_ugu', 'mismatched_ghg']  # Of Drosha and its helpers, as factors
CUT_SETS = 600  # Hairpins of each set, at most
CLEAN = 300  # Of those drawn until they are cleanly cut, which takes longest
EMBEDDED, OF_EACH = 30, 10  # Mature arms that are asked for, and samples of each
USUAL_ARMS, USUAL_OVERHANGS = (20, 25), (1, 3)  # nt; a canonical precursor's (Kim et al. 2009)


@cache
def cutter():
    "The shipped network of cut sites."
    return Processing.load()


def overhang(lower, upper):
    "Columns by which a cut of the 3' strand lies farther from the loop than that of the 5' strand."
    return lower - upper if min(lower, upper) >= 0 else np.nan


def predicted_cuts(hairpins):
    "Four boundaries of each, and sureness."
    answers = cutter().answers(hairpins)
    return np.array([a.cuts for a in answers]), np.array([a.processing for a in answers])


def cut_frame(hairpins):
    "Of each hairpin, by prediction: how surely and where it is cut; and its motifs."
    (a, b, c, d), sure = (x.T for x in predicted_cuts(hairpins))
    upper, lower = zip(*map(column_places, hairpins))
    beside = lambda rows, at: [row[k] for row, k in zip(rows, at)]
    out = dict(processing=sure, arm_5p=b - a, arm_3p=d - c, between_arms=c - b, before_5p=a)
    out['dicer_overhang'] = list(map(overhang, beside(lower, c), beside(upper, b - 1)))
    out['drosha_overhang'] = list(map(overhang, beside(lower, d - 1), beside(upper, a)))
    out = pd.DataFrame(out).astype(float)
    return out.fillna(out.median()).join(factor_table(hairpins)[MOTIFS].reset_index(drop=True))


def cuts():
    "Which latents, and which directions, move where a molecule is cut; and what the latents know of it."
    g, (h, _, _), (new_h, _, clusters) = Generator.load(), some('train', FIT), some('test', TEST)
    z, new_z, own, new = latent_table(g, h), latent_table(g, new_h), cut_frame(h), cut_frame(new_h)
    write('latent_cuts_known', probe_table(z, own, new_z, new, clusters).round(3))
    how = dict(values=(-2, 2), measure=cut_frame, n_jobs=-1)
    for name, directions in (('latent_cuts', None), ('latent_cuts_directions', concept_directions(z, own))):
        changes = axis_changes(g, unrelated(MOVED), directions=directions, **how)
        write(name, name_axes(changes, new.std()).round(4))


# ---- processed


def cut_summary(frame):
    "How surely a set is cut, how many members cleanly, and how many as a canonical precursor is."
    arms = frame[['arm_5p', 'arm_3p']].apply(lambda x: x.between(*USUAL_ARMS)).all(axis=1)
    overhangs = frame[['dicer_overhang', 'drosha_overhang']].apply(lambda x: x.between(*USUAL_OVERHANGS)).all(axis=1)
    clean = frame.processing >= cutter().clean
    return pd.DataFrame(dict(processing=frame.processing, clean=clean, arms=arms, overhangs=overhangs), dtype=float)


def sampled_sets(g, nature):
    "Hairpins of nature, of the generator, and controls."
    clean = {'processed': lambda s: cutter().is_clean(s.refolded)}
    shuffled = [fold(dinucleotide_shuffle(h.sequence, seed=i), h.name) for i, h in enumerate(nature)]
    return {
        'natural, held out': nature,
        'simulated': g.sample(CUT_SETS, seed=1).refolded,
        'simulated, as written': g.sample(CUT_SETS, seed=1, repair=False).refolded,
        'simulated, same latents as nature': rewritten(g, nature, n_jobs=-1).refolded,
        'simulated, --processed': g.sample(CLEAN, seed=2, accept=clean).refolded,
        'simulated pseudo-hairpins': g.sample(CUT_SETS, label=0, seed=1, repair=False).refolded,
        'natural, shuffled': [h for h in shuffled if '(' in h.structure],
    }


def places_of_cuts(hairpins):
    "Column of the nucleotide outside each predicted cut, counted from the loop; (n, 4)."
    outside = predicted_cuts(hairpins)[0] + (0, -1, 0, -1)
    return np.array([column_places(h).max(0)[k] for h, k in zip(hairpins, outside)])


def kept_cuts(nature, written):
    "Are molecules of the same latents cut in the same columns? Beside another precursor's."
    was, now = places_of_cuts(nature), places_of_cuts(written)
    other = was[np.random.default_rng(0).permutation(len(was))]
    cases = {'same latents': abs(now - was), 'another precursor': abs(now - other)}
    one = lambda x: {f'{c}, within {k}': (x[:, i] <= k).mean() for i, c in enumerate(CUTS) for k in (0, 2)}
    rows = {k: bootstrap(lambda i: pd.Series(one(x[i])), np.arange(len(x))) for k, x in cases.items()}
    return pd.concat(rows, names=['beside', 'cut'])


def embedded(g):
    "Is a mature sequence that must stand on the 5' arm also cut out there?"
    d = read_known_cuts().query('split == "test" and drosha_5p >= 0 and dicer_5p >= 0').drop_duplicates('cluster')
    d, off = d.sample(EMBEDDED, random_state=0), {}
    for x in d.itertuples():
        mature = x.sequence[x.drosha_5p : x.dicer_5p]
        s = g.sample(OF_EACH, fixed={'5p': mature}, seed=0)
        at = np.array([h.sequence.index(mature) for h in s.refolded])
        found = predicted_cuts(s.refolded)[0][:, :2]
        off[x.name] = abs(found - np.stack([at, at + len(mature)], 1))
    off, groups = np.concatenate(list(off.values())), np.repeat(np.arange(len(d)), OF_EACH)
    keys = {f'{c}, within {k}': (j, k) for j, c in enumerate(CUTS[:2]) for k in (0, 1, 2)}
    return bootstrap(lambda i: pd.Series({name: (off[i, j] <= k).mean() for name, (j, k) in keys.items()}), groups)


def processed():
    "Is a simulated precursor cut where, and as surely as, its nature is?"
    g, nature = Generator.load(), unrelated(CUT_SETS)
    sets = sampled_sets(g, nature)
    frames = {k: cut_summary(cut_frame(hs)) for k, hs in sets.items()}
    rows = {k: bootstrap(lambda i: f.iloc[i].mean(), np.arange(len(f))) for k, f in frames.items()}
    write('latent_cuts_sets', pd.concat(rows, names=['set', 'measure']).round(3))
    write('latent_cuts_kept', kept_cuts(nature, sets['simulated, same latents as nature']).round(3))
    write('latent_cuts_embedded', embedded(g).rename_axis('cut').round(3))
    shown = {k: sets[k][:CLEAN] for k in ('simulated', 'simulated, --processed')}
    write('latent_cuts_scorecard', scorecard(shown, n_jobs=-1).summary())


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


COMMANDS = dict(compare=compare, names=names, simulated=simulated, cuts=cuts, processed=processed, moves=moves)

if __name__ == '__main__':
    main(COMMANDS, __doc__)
