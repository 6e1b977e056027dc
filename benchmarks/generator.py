"""Measure the generator: MIRNBDEV_DATA=... python benchmarks/generator.py alternatives|rates|control|simulated

Each prints tables and writes them into benchmarks/results/, where the generator's page finds them. Trained networks are kept in out/generators/
and used again. Intervals: 95 %, over resampled clusters of relatives. On one core: rates 40 minutes, alternatives and simulated 30 each, control five.
"""
import sys
from functools import cache
from pathlib import Path
import numpy as np, pandas as pd
from sklearn.metrics import average_precision_score, roc_auc_score
from mirnbdev import cnn
from mirnbdev.cnn import Detector
from mirnbdev.cvae import Written
from mirnbdev.cvae import without_conditions
from mirnbdev.generator import control_table, generation_set, Generator, recall_table, spelled
from mirnbdev.encoding import column_word, encode, word_array
from mirnbdev.hairpin import pair_f1
from mirnbdev.sets import resamples, with_interval
from mirnbdev.scorecard import scorecard
from alternatives import chain, nearest_molecule, paint, pixel_vae, write_chain
from detector import interval, table, write

N, MODELS = 2000, Path('out/generators')
RATES, RATE_EPOCHS = (0, 4, 16, 64), 5 # free nats; epochs
PIXEL_EPOCHS, DETECTOR_EPOCHS, SEEDS = 30, 12, 2 # of the VAE over pixels; of each detector trained on simulated hairpins, and how many detectors

# ---- sets and networks

side = cache(generation_set)

@cache
def words(split):
    "One side of the split, for the network."
    return spelled(side(split))

def precursors(split):
    "Its precursors."
    return [h for h,label in zip(side(split).hairpins, side(split).records.label) if label]

def open_words(split):
    "Its precursors for the network, without conditions."
    return without_conditions(Written(*(x[words(split).label==1] for x in words(split))))

def kept(name, train):
    "A trained generator, or the one that was kept."
    if (MODELS/name/'generator.safetensors').exists(): return Generator.load(MODELS/name)
    g = train()
    g.save(MODELS/name)
    return g

def trained(g, train, validation, epochs=12, **weights):
    "`g`, after training with other `weights` of the loss."
    for k,v in weights.items(): setattr(g.model, k, v)
    return g.fit(train, validation, epochs)

def averages(measures, clusters):
    "Mean of each column, with its interval."
    return with_interval(measures.mean(), [measures.iloc[i].mean() for i in resamples(np.asarray(clusters))])

def raw(g):
    "Samples, none rejected."
    return g.sample(N).designed

# ---- alternatives

def pixel_samples():
    "What the VAE over pixels paints, read as molecules; and the share of pictures that are the drawing of one, with its interval."
    net, history = pixel_vae(precursors('train'), precursors('validation'), PIXEL_EPOCHS)
    pictures = paint(net, N, 0)
    found = [nearest_molecule(x, f'pixel-{i}') for i,x in enumerate(pictures, 1)]
    same, ink = (encode(found).images==pictures).all(-1), (pictures!=255).any(-1)
    shares = pd.DataFrame({'pictures that are the drawing of a molecule': same.all((1, 2)), 'ink as in the drawing of the molecule read': (same & ink).sum((1, 2))/ink.sum((1, 2)),
                           'pictures with nothing to read': [not h.sequence for h in found]}, dtype=float)
    write('alternatives_pixels', table({f'{PIXEL_EPOCHS} epochs, validation loss {history.validation.min():.0f}': averages(shares, range(N))}))
    return [h for h in found if h.sequence], averages(shares, range(N)).iloc[0]

def unconditional():
    "The same network, trained on precursors by the same recipe, without ties, never told a condition."
    return kept('unconditional', lambda: trained(Generator(), open_words('train'), open_words('validation'), tie=0))

def alternatives():
    "Raw samples of four generators in one scorecard; ours also as written at first."
    markov = write_chain(chain(word_array([column_word(h) for h in precursors('train')])), N, 0)
    pixels, decodable = pixel_samples()
    ours = Generator.load()
    sets = {'ours': raw(ours), 'not proofread': ours.decode(ours.draw(N)), 'no conditions': raw(unconditional()), 'Markov chain': markov, 'pixel VAE': pixels}
    card = scorecard(sets, n_jobs=-1)
    card.table.loc[('pixel VAE', 'decodable')] = decodable.to_numpy() # of all pictures; the other rows are of the molecules that were read
    write('alternatives', card.summary())
    ratios = card.factors.value.unstack('set')[list(card.table.index.unique('set'))]
    write('alternatives_factors', ratios.round(2))

# ---- rate and distortion

def rates():
    "What more nats in z buy: held-out precursors without conditions, and raw samples."
    rows, recall = {}, {}
    some = np.random.default_rng(0).permutation(len(precursors('test')))[:N]
    hairpins, test = [precursors('test')[i] for i in some], Written(*(x[some] for x in open_words('test')))
    clusters = side('test').records.query('label==1').cluster.to_numpy()[some]
    for rate in RATES:
        g = kept(f'rate-{rate}', lambda: trained(Generator(), words('train'), words('validation'), RATE_EPOCHS, rate=rate, tie=0))
        e, s = g.elbo(test), g.sample(500)
        nats = pd.DataFrame(dict(nll=e.nll, kl=e.kl.sum(1), weighted=g.importance_bound(test, 20)))
        folds = pd.DataFrame(dict(pair_f1=[pair_f1(a.structure, b.structure) for a,b in zip(s.designed, s.refolded)], exact=s.folds_as_designed), dtype=float)
        rows[f'{rate} free nats'] = pd.concat([averages(nats, clusters), averages(folds, range(500))])
        recall[f'{rate} free nats'] = recall_table(g, hairpins).loc['z'].to_dict()
        print(rate, rows[f'{rate} free nats'].value.round(3).to_dict(), flush=True)
    write('rates', table(rows))
    write('rates_recall', table(recall))

# ---- control

def ranking(y, p):
    "Both areas."
    return dict(AUROC=roc_auc_score(y, p), AUPR=average_precision_score(y, p))

def control():
    "Asked and obtained; and what the detector makes of samples asked as precursors and as pseudo-hairpins, beside natural ones."
    g, test = Generator.load(), words('test')
    wanted = test.asked[test.label==1].numpy()
    write('control', control_table(g, np.random.default_rng(0).permutation(wanted)[:N]).round(3))
    asked = [h for label in (1, 0) for h in g.sample(N, label=label, seed=label).refolded]
    score = lambda hairpins: Detector.load().predict_proba(hairpins)[:,1]
    write('control_label', table({'simulated': interval(ranking, np.repeat([1, 0], N), score(asked)),
                                  'held-out natural': interval(ranking, test.label.numpy(), score(side('test').hairpins), side('test').records.cluster)}))

# ---- simulated training data

def simulated_side(split, seed):
    "As many simulated precursors and pseudo-hairpins as one side of the split has, folded."
    g, labels = Generator.load(), np.sort(side(split).records.label)
    return [h for label in (0, 1) for h in g.sample(int((labels==label).sum()), label=label, seed=seed+label).refolded], labels

def simulated():
    "A detector that saw simulated hairpins only, and one that saw as many real ones, on real test records."
    real = [(side(s).hairpins, side(s).records.label) for s in ('train', 'validation')]
    sources = {'simulated hairpins': [simulated_side('train', 0), simulated_side('validation', 2)], 'real hairpins': real}
    d = cnn.detection_records('test')
    h = cnn.fold_frame(d)
    tests = {'all negatives': d.label>=0, **{f'{s} negatives': (d.label==1) | (d.source==s) for s in d.source.unique() if s!='precursor'}}
    scores = {k: [Detector(s, DETECTOR_EPOCHS).fit(*train, check).predict_proba(h)[:,1] for s in range(SEEDS)] for k,(train,check) in sources.items()}
    write('simulated', table({(t, f'trained on {len(sources[k][0][1]):,} {k}'): interval(ranking, d.label[keep], np.array(p)[:,keep], d.cluster[keep])
                              for t,keep in tests.items() for k,p in scores.items()}))

COMMANDS = dict(alternatives=alternatives, rates=rates, control=control, simulated=simulated)

if __name__=='__main__':
    if len(sys.argv)!=2 or sys.argv[1] not in COMMANDS: sys.exit(__doc__)
    COMMANDS[sys.argv[1]]()
