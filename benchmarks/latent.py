"""Measure the generator's latents: MIRNBDEV_DATA=... python benchmarks/latent.py compare|names|simulated

Each prints tables and writes them into benchmarks/results/, where the page of the latents finds them. compare trains four networks twice, keeps them in out/generators/latent-*
and uses them again. On two cores: compare an hour, names and simulated two minutes each.
"""
import sys
from functools import cache
import numpy as np, pandas as pd, torch
from torch import nn
from mirnbdev.factors import CORE_FACTORS
from mirnbdev.cnn import plain_factors
from mirnbdev.cvae import CLADES, CONDITIONS, HairpinCVAE, Written
from mirnbdev.generator import Generator, obtained
from mirnbdev.factors import distinct_factors
from mirnbdev.latent import AXES, axis_changes, concept_directions, disentanglement, latent_correlations, latent_table, name_axes, probe_table, rewritten
from mirnbdev.scorecard import scorecard
from detector import write
from generator import kept, open_words, precursors, side, trained, words

EPOCHS, SAMPLES, SEEDS = 5, 500, (0, 1)
FIT, TEST = 3000, 2000 # precursors to fit probes on, of the training clusters; and to measure on

# ---- data

@cache
def some(split, n):
    "Precursors of one side of the split, their factors, and their clusters."
    rows = np.random.default_rng(0).permutation(len(precursors(split)))[:n]
    hairpins = [precursors(split)[i] for i in rows]
    return hairpins, factor_frame(hairpins), side(split).records.query('label==1').cluster.to_numpy()[rows]

def factor_frame(hairpins):
    "The ten factors."
    return pd.DataFrame(measure_factors(hairpins), columns=list(CORE_FACTORS))

# ---- variants

class Untied(HairpinCVAE):
    "Pays for the total correlation of z too; `tie` is the weight beyond the one that the KL has."
    def tied(self, words): return torch.zeros(len(words.label), self.latents, dtype=torch.bool, device=words.label.device)

    def elbo_terms(self, words):
        e = super().elbo_terms(words)
        if not self.training: return e
        mu, logvar = self.infer(words, self.read_conditions(words.label, words.clade, words.asked))
        return e._replace(off=self.total_correlation(mu+torch.randn_like(mu)*(logvar/2).exp(), mu, logvar))

class BetaTCVAE(Untied):
    "Estimated over the batch (Chen et al. 2018, equation S4)."
    def total_correlation(self, z, mu, logvar):
        log_q = -.5*((z[:,None]-mu)**2/logvar.exp()+logvar) # (n, n, latents), without constants: they do not move the gradient
        return log_q.sum(2).logsumexp(1)-log_q.logsumexp(1).sum(1)

class FactorVAE(Untied):
    "Estimated by a critic that learns to tell z from z with each latent shuffled (Kim & Mnih 2018)."
    def __init__(self):
        super().__init__()
        critic = nn.Sequential(nn.Linear(self.latents, 256), nn.LeakyReLU(.2), nn.Linear(256, 256), nn.LeakyReLU(.2), nn.Linear(256, 1))
        self.critic = critic, torch.optim.Adam(critic.parameters(), 1e-3, betas=(.5, .9)) # in a tuple: not among the weights

    def total_correlation(self, z, mu, logvar):
        critic, step = self.critic
        shuffled = torch.stack([x[torch.randperm(len(x))] for x in z.detach().T], 1)
        step.zero_grad()
        nn.functional.softplus(torch.cat([-critic(z.detach()), critic(shuffled)])).mean().backward()
        step.step()
        return critic(z)[:,0]

VARIANTS = {'plain': (HairpinCVAE, 0.), 'beta-TCVAE': (BetaTCVAE, 3.), 'FactorVAE': (FactorVAE, 3.), 'tied': (HairpinCVAE, 4.)} # network, and the weight of `Elbo.off`

def variant(name, seed):
    "One of them, trained or kept."
    class Variant(Generator): network = VARIANTS[name][0]
    return kept(f'latent-{name}-{seed}', lambda: trained(Variant(seed), words('train'), words('validation'), EPOCHS, tie=VARIANTS[name][1]))

# ---- compare

def code_metrics(z, factors, new_z, new_factors, told):
    "Spearman of encoded precursors; DCI, MIG, SAP of the distinct factors."
    distinct = list(distinct_factors(factors, .9).representative.unique())
    return dict(spearman_least=told.min(), spearman_median=told.median(), **disentanglement(z, factors[distinct], new_z, new_factors[distinct])._asdict())

def obeyed(g, hairpins, z, best, directions):
    "|Spearman| of each factor with the place `z`, by the same latents and directions: of molecules written there with other draws, and folded."
    factors = measure_factors(rewritten(g, hairpins, n_jobs=-1).refolded)
    own = lambda x: pd.Series(np.abs(np.diagonal(latent_correlations(x, factors)[0])), CORE_FACTORS)
    return own(z[best].to_numpy()), own((z@directions.T).to_numpy())

def latents_of(g):
    "Rows of one network: by single latents, and by concept directions."
    (h, f, _), (new_h, new_f, clusters) = some('train', FIT), some('test', TEST)
    z, new_z = latent_table(g, h), latent_table(g, new_h)
    told, d = probe_table(z, f, new_z, new_f, clusters), concept_directions(z, f)
    written = obeyed(g, new_h, new_z, told.best, d)
    codes = {'single latents': (z, new_z, told['latent value']), 'concept directions': (z@d.T, new_z@d.T, told['direction value'])}
    return {k: code_metrics(a, f, b, new_f, t) | dict(written_least=w.min(), written_median=w.median()) for (k,(a,b,t)),w in zip(codes.items(), written)}

def nats_of(g):
    "What held-out precursors cost, nothing asked."
    e = g.elbo(Written(*(x[:TEST] for x in open_words('test'))))
    return dict(NLL=e.nll.mean().item(), KL=e.kl.sum(1).mean().item())

def again(*networks):
    "|Spearman| of each latent of one network with the likest one of the other."
    a, b = (latent_table(g, some('test', TEST)[0]) for g in networks)
    return np.abs(latent_correlations(a.to_numpy(), b.to_numpy())[0]).max(1)

def compare():
    "Variants of the network: what their latents mean, whether another training finds them again, and what it costs."
    networks = {(name, seed): variant(name, seed) for seed in SEEDS for name in VARIANTS}
    card = scorecard({'{} {}'.format(*k): g.sample(SAMPLES).designed for k,g in networks.items()}, n_jobs=-1).table.value
    write('latent_prices', pd.DataFrame({k: nats_of(g) | card['{} {}'.format(*k)][['pair_f1', 'exact_structure', 'single_hairpin', 'AUC']].to_dict() for k,g in networks.items()}).T.rename_axis(['variant', 'seed']).round(3))
    write('latent_variants', pd.DataFrame({(name, codes, seed): r for (name,seed),g in networks.items() for codes,r in latents_of(g).items()}).T.rename_axis(['variant', 'codes', 'seed']).round(3))
    write('latent_again', pd.DataFrame({name: again(*(networks[name, seed] for seed in SEEDS)) for name in VARIANTS}, [f'z{k}' for k in range(len(AXES))]).rename_axis('latent').round(3))

# ---- names

def names():
    "What each axis does to sixty held-out precursors, no two of a cluster."
    h, f, clusters = some('test', TEST)
    alone = np.flatnonzero(~pd.Series(clusters).duplicated())[:60]
    changes = axis_changes(Generator.load(), [h[i] for i in alone], n_jobs=-1)
    write('latent_changes', changes.groupby(['latent', 'value'], sort=False).mean().round(4))
    write('latent_names', name_axes(changes, f.std()).round(4))

# ---- simulated

ASKED = dict(length=(65, 110), gc=(.35, .6), mfe_per_nt=(-.5, -.3), terminal_loop=(4, 16), bulges=(0, 4)) # drawn evenly, and independently of each other

def simulated(n=1200):
    "Hairpins whose conditions were drawn independently: the right pairing of what was asked with what came out is known."
    g, rng = Generator.load(), np.random.default_rng(0)
    asked = {c: rng.uniform(*ends, n) if c in ('gc', 'mfe_per_nt') else rng.integers(ends[0], ends[1]+1, n) for c,ends in ASKED.items()}
    s = g.sample(n, **asked)
    got, codes = (pd.DataFrame(x, columns=list(CONDITIONS)) for x in (obtained(s.refolded), np.stack(list(asked.values()), 1)))
    scaled, turn = (codes-codes.mean())/codes.std(), np.linalg.qr(rng.normal(size=(5, 5)))[0]
    cases = {'what was asked': (scaled, got), 'the same, rotated': (scaled@turn, got), 'the same, shuffled': (scaled.iloc[rng.permutation(n)].reset_index(drop=True), got)}
    single = [h for h,d in zip(s.refolded, s.designed) if h.structure==d.structure]
    cases['latents of those that fold as designed'] = latent_table(g, single), factor_frame(single)
    code = g.draw(n)
    code = code._replace(clade=torch.full_like(code.clade, len(CLADES)), asked=torch.full_like(code.asked, torch.nan))
    cases['latents drawn independently, nothing asked'] = pd.DataFrame(code.z.numpy(), columns=list(AXES)), factor_frame(g.write_and_fold(code).refolded)
    halves = {k: (z[:len(z)//2], f[:len(z)//2], z[len(z)//2:], f[len(z)//2:]) for k,(z,f) in cases.items()}
    write('latent_simulated', pd.DataFrame({k: disentanglement(*x)._asdict() for k,x in halves.items()}).T.round(2))
    write('latent_independent', pd.DataFrame(np.abs(latent_correlations(*(x.to_numpy() for x in cases['latents of those that fold as designed']))[0]), list(AXES), list(CORE_FACTORS)).round(2))

COMMANDS = dict(compare=compare, names=names, simulated=simulated)

if __name__=='__main__':
    if len(sys.argv)!=2 or sys.argv[1] not in COMMANDS: sys.exit(__doc__)
    COMMANDS[sys.argv[1]]()
