"""What the generator and the detector need to run in a page: weights, tables and examples.

They are written at each build as scripts, which a page opened from disk can load."""

import base64
import re
from json import dumps
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import RNA
import torch
from safetensors.numpy import load_file

import mirnbdev
from mirnbdev import cvae
from mirnbdev.cnn import Detector
from mirnbdev.data import well_known
from mirnbdev.encoding import COLOUR, COLUMNS, IMAGE_WIDTH, MAY_FOLLOW, STRENGTH, SYMBOLS, hairpin_flags
from mirnbdev.factors import ALL_FACTORS, CORE_FACTORS, factor_label
from mirnbdev.generator import Generator
from mirnbdev.hairpin import COLOURS, fold
from mirnbdev.latent import axis_text
from mirnbdev.training import WEIGHTS

# the parts of `HairpinCVAE` that write
DECODER = 'letter label clade condition plan_columns plan_constant countdown debt gru out'.split()
RESULTS = Path(mirnbdev.__file__).parents[1] / 'benchmarks' / 'results'
STEPS = dict(length=1, gc=0.01, mfe_per_nt=0.01, terminal_loop=1, bulges=1)  # of the sliders of `CONDITIONS`
PAIRS = ('CG', 'GC', 'GU', 'UG', 'AU', 'UA')  # in the order of the energy tables; a seventh stands for others
PARTS = ('weight', 'bias')
SPECIAL = ('Triloops', 'Tetraloops', 'Hexaloops')  # hairpin loops with an energy of their own


def setup(app):
    app.connect('build-finished', write_script)
    return dict(parallel_read_safe=True)


def write_script(app, error):
    "Write the scripts beside the book's others."
    if error or app.builder.format != 'html':
        return
    tables = dict(**energies(), **drawing(), **rules(), **offered(), detector=judge())
    scripts = dict(generator_data=('load', dict(**weights(), tables=tables)), encoder_data=('loadMore', encoder()))
    for name, (call, data) in scripts.items():
        text = f'mirnbdevGenerator.{call}({dumps(data, separators=(",", ":"))})\n'
        (Path(app.outdir) / '_static' / f'{name}.js').write_text(text)


# --- weights


def packed(tensors):
    "Names, shapes, and numbers as 16 bits in base 64, with a scale for each row; half precision would change letters."
    rows = [a.reshape(len(a), -1) if a.ndim > 1 else a[None] for a in tensors.values()]
    scales = [abs(r).max(1, keepdims=True) / (2**15 - 1) + 1e-12 for r in rows]
    numbers = [np.rint(r / s).ravel() for r, s in zip(rows, scales)]
    text = lambda parts, dtype: base64.b64encode(np.concatenate(parts).astype(dtype).tobytes()).decode()
    shapes = [(name, a.shape) for name, a in tensors.items()]
    return dict(shapes=shapes, numbers=text(numbers, '<i2'), scales=text([s[:, 0] for s in scales], '<f4'))


def weights():
    "The decoder, and the detector's network."
    tensors = load_file(Path(WEIGHTS) / 'generator.safetensors')
    decoder = {k: v for k, v in tensors.items() if k.split('.')[0] in DECODER}
    return packed(decoder | detector_weights(Detector.load().model))


def encoder():
    "What finds the latents of a hairpin: means only."
    model, layers = Generator.load().model, {}
    for k in range(0, 9, 3):
        layers[f'encoder.{k // 3}'] = folded(*model.encoder[k : k + 2])
    inner, outer = model.posterior[0], model.posterior[2]
    layers['posterior.0'] = (inner.weight, inner.bias)
    layers['posterior.1'] = [x.chunk(2)[0] for x in (outer.weight, outer.bias)]
    return packed(named(layers))


def named(layers):
    "Arrays of layers, by name; a layer is a weight and a bias."
    return {f'{name}.{what}': x.detach().numpy() for name, both in layers.items() for what, x in zip(PARTS, both)}


def folded(convolution, norm):
    "Weight and bias of a convolution and the batch normalisation behind it, as one convolution."
    scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
    weight = convolution.weight * scale.reshape(-1, *[1] * (convolution.weight.ndim - 1))
    bias = 0 if convolution.bias is None else convolution.bias
    return weight, norm.bias + (bias - norm.running_mean) * scale


def detector_weights(model):
    "Weights and biases of `HairpinCNN`, by the names that the page has for its layers."
    first, bias = folded(model.stem[0], model.stem[2])
    layers = dict(stem=(torch.nn.functional.pad(first.flatten(1), (0, 1)), bias))  # the page sums even numbers
    for k, stage in enumerate(model.body):
        branch = stage[3].branch
        layers[f'{k}.inputs'] = folded(*stage[:2])
        layers |= {f'{k}.first': folded(*branch[:2]), f'{k}.second': folded(*branch[3:])}
    for name, layer in dict(hidden=model.head[1], output=model.head[4]).items():
        layers[name] = (layer.weight, layer.bias)
    return {f'detector.{k}': v for k, v in named(layers).items()}


def judge():
    "What makes a probability of a logit, what is called a precursor, and which factors it was trained on."
    detector = Detector.load()
    calibration = {k: detector.card['calibration'][k] for k in ('slope', 'intercept')}
    ranges = [detector.card['range'][f] for f in CORE_FACTORS]
    return dict(**calibration, threshold=detector.threshold, parts=detector.card['config']['parts'], range=ranges)


# --- energies


def sections():
    "Read ViennaRNA's parameters: `{title: words}`, without comments."
    with TemporaryDirectory() as d:
        RNA.params_save(f'{d}/parameters')
        text = re.sub(r'/\*.*?\*/', '', Path(f'{d}/parameters').read_text(), flags=re.S)
    return {title: words.split() for title, words in re.findall(r'^# (\w+)\n(.*?)(?=^#)', text, flags=re.M | re.S)}


def table(words, *axes):
    "Nested lists; axes of 7 pairs and 5 nucleotides lose those that stand for others: the last, and the first."
    numbers = np.array([dict(INF=10**7, DEF=-50).get(w) or int(w) for w in words]).reshape(axes)
    return numbers[tuple({7: slice(6), 5: slice(1, 5)}.get(n, slice(n)) for n in axes)].tolist()


def energies():
    "What a loop costs, in 0.01 kcal/mol."
    s = sections()
    mismatches = ('hairpin', 'internal', 'internal_1n', 'internal_23', 'exterior')
    axes = dict(
        **{f'mismatch_{k}': (7, 5, 5) for k in mismatches},
        **dict(stack=(7, 7), dangle5=(7, 5), dangle3=(7, 5), hairpin=(31,), bulge=(31,), internal=(31,)),
        **dict(int11=(7, 7, 5, 5), int21=(7, 7, 5, 5, 5), int22=(6, 6, 4, 4, 4, 4)),
    )
    special = {loop: int(e) for k in SPECIAL for loop, e in zip(s[k][::3], s[k][1::3])}
    ninio, terminal, lxc = [int(s['NINIO'][k]) for k in (0, 2)], int(s['Misc'][2]), float(s['Misc'][4])
    more = dict(pairs=PAIRS, special=special, ninio=ninio, terminal=terminal, lxc=lxc)
    return {k: table(s[k], *a) for k, a in axes.items()} | more


# --- letters, pictures, controls


def drawing():
    "How columns are spelled and drawn; nucleotides as numbers, 4 is a gap."
    code = SYMBOLS.index
    return dict(
        columns=[(code(a), code(b)) for _, a, b in COLUMNS],
        follows=MAY_FOLLOW.astype(int).tolist(),
        strength=STRENGTH[:5, :5].tolist(),
        colours=[(*c, 255) for c in COLOUR[:5].tolist()],
        fills=COLOURS,
    )


def rules():
    "How debts are scaled; see `HairpinCVAE.debts`."
    debts = dict(behind=cvae.BEHIND_SCALE, small=cvae.SMALL_DEBT_SCALE, rest=cvae.REST_SCALE)
    debts |= dict(largestRest=cvae.REST_LIMIT, total=cvae.TOTAL_SCALE)
    model = Generator.load().model
    scaling = {k: getattr(model, k).tolist() for k in ('centre', 'scale', 'quantiles')} | dict(extreme=cvae.EXTREME)
    return dict(width=IMAGE_WIDTH, clade=len(cvae.CLADES), debts=debts, **scaling)


def offered():
    "What can be moved, and where to start: well-known precursors."
    hairpins = [h for h in (fold(r.sequence, r.name) for r in well_known().itertuples()) if not hairpin_flags(h)]
    codes = Generator.load().encode(hairpins)
    rows = zip(hairpins, codes.z.double().numpy().round(4), codes.draws.numpy().round(4), codes.clade.tolist())
    examples = [dict(name=h.name, z=z.tolist(), draws=d.tolist(), label=1, clade=c) for h, z, d, c in rows]
    conditions = [
        dict(name=factor_label(name), unit=c.unit, low=c.low, high=c.high, step=STEPS[name])
        for name, c in cvae.CONDITIONS.items()
    ]
    factors = dict(factors=[factor_label(f) for f in CORE_FACTORS], units=[ALL_FACTORS[f].unit for f in CORE_FACTORS])
    return dict(**factors, moves=moves(), conditions=conditions, examples=examples)


def moves():
    "What each latent does from -2 to 2, as it was measured: the first two changes of each sentence."
    table = pd.read_csv(RESULTS / 'latent_names.tsv', sep='\t', comment='#', index_col=[0, 1])
    return [', '.join(text.split('; ')[0].split(', ')[:2]) for text in axis_text(table)]
