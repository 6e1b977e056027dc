"""What the generator needs to run in a page: weights, tables and examples.

They are written at each build as a script, which a page opened from disk can load."""

import base64
import re
from json import dumps
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import RNA
from safetensors.numpy import load_file

from mirnbdev import cvae
from mirnbdev.data import well_known
from mirnbdev.encoding import COLOUR, COLUMNS, IMAGE_WIDTH, MAY_FOLLOW, STRENGTH, SYMBOLS, hairpin_flags
from mirnbdev.factors import CORE_FACTORS, factor_label
from mirnbdev.generator import Generator
from mirnbdev.hairpin import COLOURS, fold
from mirnbdev.training import WEIGHTS

DECODER = {  # the parts of `HairpinCVAE` that write
    *('letter', 'label', 'clade', 'condition', 'plan_columns', 'plan_constant', 'countdown', 'debt', 'gru', 'out'),
    *('centre', 'scale', 'quantiles'),
}
STEPS = dict(length=1, gc=0.01, mfe_per_nt=0.01, terminal_loop=1, bulges=1)  # of the sliders of `CONDITIONS`
PAIRS = ('CG', 'GC', 'GU', 'UG', 'AU', 'UA')  # in the order of the energy tables; a seventh stands for others
SPECIAL = ('Triloops', 'Tetraloops', 'Hexaloops')  # hairpin loops with an energy of their own


def setup(app):
    app.connect('build-finished', write_script)
    return dict(parallel_read_safe=True)


def write_script(app, error):
    "Write the script beside the book's others."
    if error or app.builder.format != 'html':
        return
    tables = dict(**energies(), **drawing(), **rules(), **offered())
    text = dumps(dict(**weights(), tables=tables), separators=(',', ':'))
    (Path(app.outdir) / '_static' / 'generator_data.js').write_text(f'mirnbdevGenerator.load({text})\n')


# --- weights


def packed(arrays):
    "Numbers as float32 in base 64, rounded to the upper three bytes; half precision would change letters."
    words = np.concatenate([np.ravel(a) for a in arrays]).astype('<f4').view('<u4') + 0x80
    return base64.b64encode(words.view(np.uint8).reshape(-1, 4)[:, 1:].tobytes()).decode()


def weights():
    "Names, shapes and numbers of the decoder."
    tensors = load_file(Path(WEIGHTS) / 'generator.safetensors')
    tensors = {k: v for k, v in tensors.items() if k.split('.')[0] in DECODER}
    return dict(shapes=[(k, v.shape) for k, v in tensors.items()], bytes=packed(tensors.values()))


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
    "How debts are scaled, and how energy is caught up with; see `HairpinCVAE.debts`."
    debts = dict(behind=cvae.BEHIND_SCALE, small=cvae.SMALL_DEBT_SCALE, rest=cvae.REST_SCALE)
    debts |= dict(largestRest=cvae.REST_LIMIT, total=cvae.TOTAL_SCALE, leastLeft=cvae.LEAST_LEFT)
    return dict(width=IMAGE_WIDTH, gain=Generator.load().model.config.energy_gain, debts=debts)


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
    return dict(factors=[factor_label(f) for f in CORE_FACTORS], conditions=conditions, examples=examples)
