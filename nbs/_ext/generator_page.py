"""What the generator needs to run in a page, written at each build as a script, which a page opened from disk can load: weights, tables, examples."""
import base64, re
from json import dumps
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np, RNA
from safetensors.numpy import load_file
from mirnbdev.factors import CORE_FACTORS
from mirnbdev.training import WEIGHTS
from mirnbdev.cvae import CONDITIONS, RANGES
from mirnbdev.generator import Generator
from mirnbdev.data import well_known
from mirnbdev.encoding import COLOUR, COLUMNS, hairpin_flags, MAY_FOLLOW, STRENGTH, SYMBOLS
from mirnbdev.hairpin import COLOURS, fold

DECODER = {'letter', 'label', 'clade', 'condition', 'unfold', 'flat', 'left', 'drift', 'gru', 'out', 'centre', 'scale', 'quantiles'}  # parts of `HairpinCVAE`
STEPS = 1, .01, .01, 1, 1  # of the sliders of `CONDITIONS`
PAIRS = 'CG', 'GC', 'GU', 'UG', 'AU', 'UA'  # in the order of the energy tables; a seventh stands for others


def setup(app):
    app.connect('build-finished', write_script)
    return dict(parallel_read_safe=True)

def write_script(app, error):
    "Beside the book's other scripts."
    if error or app.builder.format != 'html': return
    text = dumps(dict(**weights(), tables=dict(**energies(), **drawing(), **offered())), separators=(',', ':'))
    (Path(app.outdir)/'_static'/'generator_data.js').write_text(f'mirnbdevGenerator.load({text})\n')


# --- weights

def packed(arrays):
    "Float32, rounded to the upper three bytes, in base 64: the letters hardly ever differ, as they would with half precision."
    words = np.concatenate([np.ravel(a) for a in arrays]).astype('<f4').view('<u4') + 0x80
    return base64.b64encode(words.view(np.uint8).reshape(-1, 4)[:,1:].tobytes()).decode()

def weights():
    "Names, shapes and numbers of the decoder."
    tensors = {k: v for k, v in load_file(Path(WEIGHTS)/'generator.safetensors').items() if k.split('.')[0] in DECODER}
    return dict(shapes=[(k, v.shape) for k, v in tensors.items()], bytes=packed(tensors.values()))


# --- energies

def sections():
    "ViennaRNA's parameter file: `{title: words}`, without comments."
    with TemporaryDirectory() as d:
        RNA.params_save(f'{d}/parameters')
        text = re.sub(r'/\*.*?\*/', '', Path(f'{d}/parameters').read_text(), flags=re.S)
    return {title: words.split() for title, words in re.findall(r'^# (\w+)\n(.*?)(?=^#)', text, flags=re.M | re.S)}

def table(words, *axes):
    "As nested lists; 7 and 5 are axes of pairs and nucleotides that hold others too: the last pair, the first nucleotide."
    numbers = np.array([dict(INF=10**7, DEF=-50).get(w) or int(w) for w in words]).reshape(axes)
    return numbers[tuple({7: slice(6), 5: slice(1, 5)}.get(n, slice(n)) for n in axes)].tolist()

def energies():
    "What a loop costs, in 0.01 kcal/mol."
    s = sections()
    mismatches = {k: (7, 5, 5) for k in ('mismatch_hairpin', 'mismatch_internal', 'mismatch_internal_1n', 'mismatch_internal_23', 'mismatch_exterior')}
    axes = dict(mismatches, stack=(7, 7), dangle5=(7, 5), dangle3=(7, 5), int11=(7, 7, 5, 5), int21=(7, 7, 5, 5, 5), int22=(6, 6, 4, 4, 4, 4), hairpin=(31,), bulge=(31,), internal=(31,))
    special = {loop: int(e) for k in ('Triloops', 'Tetraloops', 'Hexaloops') for loop, e in zip(s[k][::3], s[k][1::3])}
    return dict({k: table(s[k], *a) for k, a in axes.items()}, pairs=PAIRS, special=special, ninio=[int(s['NINIO'][k]) for k in (0, 2)],
                terminal=int(s['Misc'][2]), lxc=float(s['Misc'][4]))


# --- letters, pictures, controls

def drawing():
    "How columns are spelled and drawn; nucleotides as numbers, 4 is a gap."
    code = SYMBOLS.index
    return dict(columns=[(code(a), code(b)) for _, a, b in COLUMNS], follows=MAY_FOLLOW.astype(int).tolist(), strength=STRENGTH[:5,:5].tolist(),
                colours=[(*c, 255) for c in COLOUR[:5].tolist()], fills=COLOURS)

def offered():
    "What can be moved, and where to start: well-known precursors."
    hairpins = [h for h in (fold(r.sequence, r.name) for r in well_known().itertuples()) if not hairpin_flags(h)]
    codes = Generator.load().encode(hairpins)
    examples = [dict(name=h.name, z=z.round(4).tolist(), draws=d.round(4).tolist(), label=1, clade=c)
                for h, z, d, c in zip(hairpins, codes.z.double().numpy(), codes.draws.numpy(), codes.clade.tolist())]
    return dict(factors=CORE_FACTORS, ranges=list(RANGES.values()), conditions=[(k.replace('_', ' '), unit, step) for (k, unit), step in zip(CONDITIONS.items(), STEPS)], examples=examples)
