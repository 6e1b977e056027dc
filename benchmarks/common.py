"""What the benchmarks and the pages share: tables of results, intervals, sets for the generator, kept models."""

import re
import sys
import textwrap
from functools import cache
from inspect import signature
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / 'results'
INTERVAL = re.compile(r'\d \(-?\d')  # What a cell with an interval holds: 0.966 (0.957-0.974)
ESTIMATE = re.compile(r'(-?[\d.]+)(?: \((-?[\d.]+)(?:-| to )(-?[\d.]+)\))?$')  # A cell: value, and its interval if any
OURS, REST = '#0072B2', '#666666'  # Okabe and Ito's blue, and a grey
SERIES = ['#0072B2', '#D55E00', '#009E73', '#CC79A7', '#E69F00', '#56B4E9']  # Okabe and Ito's, for several marks a row
SEEDS_A_DRAW = 5  # At most, of each bootstrap draw in `interval`

# ---- read


def results(
    name: str,  # Of the file in `benchmarks/results`, without .tsv
    levels: int = 1,  # Columns that make the index
) -> pd.DataFrame:
    "A table of results: numbers, or text throughout ('' where a cell is empty) if a cell holds an interval."
    path = RESULTS / f'{name}.tsv'
    with open(path) as f:
        skip = int(f.readline().startswith('#'))
    how = dict(sep='\t', skiprows=skip, index_col=list(range(levels)))
    t = pd.read_csv(path, **how)
    if t.map(lambda cell: isinstance(cell, str) and bool(INTERVAL.search(cell))).any(axis=None):
        t = pd.read_csv(path, dtype=str, **how).fillna('')
    return t.rename_axis([None if str(n).startswith('Unnamed:') else n for n in t.index.names])


def made_by(*names: str):
    "The command that makes these tables, and its seeds, as Markdown."
    from IPython.display import Markdown

    tables = {}
    for name in names:
        with open(RESULTS / f'{name}.tsv') as f:
            command, *_, seeds, _ = f.readline().removeprefix('# command: ').split('; ')
        tables.setdefault((command, seeds), []).append(name)
    said = (f'{", ".join(own)}: `{command}` ({seeds})' for (command, seeds), own in tables.items())
    return Markdown(f'Table{"s" * (len(names) > 1)} ' + '; '.join(said) + '.')


def number(cell) -> float:
    "The value of a cell, before its interval."
    return float(str(cell).split(' (')[0])


def estimate(cell) -> tuple:  # value, low, high
    "The number in a cell and its interval, which is the number itself if there is none, and NaN in an empty cell."
    if isinstance(cell, tuple):
        return cell
    found = ESTIMATE.match(str(cell))
    value, low, high = (float(x) if x else np.nan for x in found.groups()) if found else [np.nan] * 3
    return value, value if np.isnan(low) else low, value if np.isnan(high) else high


# ---- draw


def _columns(panel):
    "A panel as a table of (value, low, high): one row a name, one column a kind of mark."
    if isinstance(panel, pd.DataFrame) and {'value', 'low', 'high'} <= set(panel):
        panel = panel[['value', 'low', 'high']].apply(tuple, axis=1)
    cells = (panel if isinstance(panel, pd.DataFrame) else pd.Series(panel).to_frame('')).map(estimate)
    return cells[cells.map(lambda cell: cell[0] == cell[0]).any(axis=1)]


def _is_ours(name):
    "Does a row show what this project made?"
    return str(name).lower().startswith('our')


def _look(name, column, k, peers, plain=REST):
    "Colour of a mark, and whether it is open; `plain`: colour of a row that is not ours."
    is_open = any(text in peers or text.startswith('published') for text in (name, column))
    colour = SERIES[k % len(SERIES)] if column else OURS if _is_ours(name) else REST if is_open else plain
    return colour, is_open


def dot_plot(
    panels,  # Title -> what one panel shows (see below), or that alone
    x: str = '',  # What the numbers are, with unit
    peers=(),  # Names of rows or columns with open marks; those that start with 'published' have them anyway
    line: float | None = None,  # Where to draw a dotted line: chance, nature, ...
    xlim: tuple | None = None,
    log: bool = False,  # A logarithmic axis?
    width: float = 5.4,  # Inches; on a phone it is shrunk to 3.4
    names: int = 26,  # Letters a line of a row's name
):
    """One row a name, a dot at its number, its interval as a line, open marks for what others published.

    A panel is a Series, name -> cell: a number, '0.966 (0.957-0.974)', '0.96 (0.95 to 0.97)' or (value, low, high);
    a table with columns value, low, high; or any other table of cells, whose columns then share the rows and get a key.
    Rows whose name starts with 'our' are blue, the rest grey; if there are none, all are blue.
    Empty cells are left out, and rows of nothing else.
    """
    import matplotlib.pyplot as plt

    panels = panels if isinstance(panels, dict) else {'': panels}
    tables = {title: _columns(panel) for title, panel in panels.items()}
    rows = [len(t) * (1 if t.shape[1] == 1 else 0.5 + 0.5 * t.shape[1]) for t in tables.values()]
    sizes = dict(height_ratios=[n + 0.6 for n in rows])
    with plt.rc_context({'font.size': 11, 'axes.titlesize': 11, 'legend.fontsize': 10}):
        fig, axes = plt.subplots(
            len(tables),
            figsize=(width, 0.34 * sum(rows) + 0.65 * len(rows) + 0.4),
            sharex=True,
            squeeze=False,
            gridspec_kw=sizes,
            layout='constrained',
        )
        for ax, (title, t) in zip(axes[:, 0], tables.items()):
            _dots(ax, t, peers, names)
            ax.tick_params(axis='x', labelbottom=True)
            ax.set_title(title, loc='left', fontweight='bold')
            if line is not None:
                ax.axvline(line, color='#999999', ls=':', lw=1.2, zorder=0)
        ax.set_xlabel(x)
        if log:
            ax.set_xscale('log')
        if xlim:
            ax.set_xlim(xlim)
        columns = {c: k for t in tables.values() for k, c in enumerate(t.columns) if c}
        if columns:
            marks = [plt.Line2D([], [], **_mark(*_look('', c, k, peers)), ls='') for c, k in columns.items()]
            fig.legend(marks, columns, loc='outside upper left', ncols=2, frameon=False)
    plt.show()


def _mark(colour, is_open):
    "A mark's style."
    return dict(marker='D' if is_open else 'o', ms=6, color=colour, mfc='white' if is_open else colour, mew=1.4)


def _digits(value):
    "Decimals to print: as many as it has, three at most, and fewer of a large number."
    most = 3 if not abs(value) >= 10 else 1 if abs(value) < 1000 else 0
    return next((d for d in range(most) if round(value, d) == round(value, most)), most)


def _dots(ax, t, peers, names):
    "The rows of one panel."
    many = t.shape[1] > 1
    digits = max(_digits(value) for value, *_ in t.to_numpy().ravel())
    plain = REST if any(map(_is_ours, t.index)) else OURS
    for y in range(1, len(t), 2) if many else ():
        ax.axhspan(y - 0.5, y + 0.5, color='#f4f4f4', zorder=0)
    for k, column in enumerate(t.columns):
        for y, (name, (value, low, high)) in enumerate(t[column].items()):
            if np.isnan(value):
                continue
            colour, is_open = _look(str(name), column, k, peers, plain)
            y += 0.6 * (k / (t.shape[1] - 1) - 0.5) if many else 0
            ax.plot([low, high], [y, y], color=colour, lw=2, solid_capstyle='butt')
            ax.plot(value, y, **_mark(colour, is_open))
            if not many:
                at_the_edge = dict(transform=ax.get_yaxis_transform(), va='center', color='#444444')
                ax.text(1.02, y, f'{value:.{digits}f}', **at_the_edge)
    ax.set_yticks(range(len(t)), [textwrap.fill(str(name), names) for name in t.index])
    ax.set_ylim(len(t) - 0.4, -0.6)
    ax.grid(axis='x', color='#e5e5e5')
    ax.set_axisbelow(True)
    ax.locator_params(axis='x', nbins=5)
    ax.tick_params(axis='y', length=0)
    ax.spines[['top', 'right', 'left']].set_visible(False)


# ---- write


def origin(seeds: int) -> str:
    "One line that says what makes a table: command, versions, seeds, device."
    from importlib.metadata import version

    import torch

    from mirnbdev.training import find_device

    command = ' '.join(['python', f'benchmarks/{Path(sys.argv[0]).name}', *sys.argv[1:]])
    packages = {'mirnbdev': 'mirnbdev', 'torch': 'torch', 'ViennaRNA': 'viennarna'}
    versions = [f'{name} {version(package).split("+")[0]}' for name, package in packages.items()]
    device = find_device()
    name = torch.cuda.get_device_name(device) if device.type == 'cuda' else str(device)
    used = 'no seeds' if not seeds else 'seed 0' if seeds == 1 else f'seeds 0-{seeds - 1}'
    return '; '.join([f'# command: {command}', *versions, used, f'device {name}'])


def write(
    name: str,  # Of the file, without .tsv
    table: pd.DataFrame,
    seeds: int = 1,  # How many were used, from 0 on; 0: nothing is random
) -> None:
    "Print a table, and keep it under a line that says what made it."
    RESULTS.mkdir(exist_ok=True)
    with open(RESULTS / f'{name}.tsv', 'w') as f:
        f.write(origin(seeds) + '\n')
        table.to_csv(f, sep='\t')
    print(f'\n{name}\n{table.to_string()}', flush=True)


def _cells(row):
    "A row as text: metric -> value, with its interval if there is one."
    if isinstance(row, pd.DataFrame):
        return {m: f'{r.value:.3f} ({r.low:.3f}-{r.high:.3f})' for m, r in row.iterrows()}
    return {m: f'{v:.3f}' for m, v in row.items()}


def table(
    rows: dict,  # Name of a row -> its metrics, as of `interval` or a dictionary of numbers
) -> pd.DataFrame:
    "One row a method; an interval stands behind its value."
    return pd.DataFrame({name: _cells(row) for name, row in rows.items()}).T.fillna('')


# ---- intervals


def bootstrap(
    measure,  # measure(positions) -> a number, or a Series of numbers
    groups,  # (n,) relatives share one
    n: int | None = None,  # Draws; None: `mirnbdev.sets.DRAWS`
) -> pd.DataFrame:  # Columns value, low, high
    "What is measured of all, and its 95 % interval over resampled groups."
    from mirnbdev.sets import DRAWS, resamples, with_interval

    draws = resamples(np.asarray(groups), n=n or DRAWS)
    return with_interval(measure(np.arange(len(groups))), [measure(i) for i in draws])


def interval(
    metrics,  # metrics(y, p) -> name -> number
    y,  # (n,) labels
    scores,  # (seeds, n), or (n,)
    clusters=None,  # (n,) relatives share one; None: no relatives
    n: int = 200,  # Draws
) -> pd.DataFrame:  # Columns value, low, high
    "Mean over seeds, and 95 % interval over resampled clusters and seeds; a draw without both labels is drawn again."
    from mirnbdev.sets import with_interval

    y, scores, rng = np.asarray(y), np.atleast_2d(scores), np.random.default_rng(0)
    clusters = np.arange(len(y)) if clusters is None else np.asarray(clusters)
    members = list(pd.Series(np.arange(len(y))).groupby(clusters).indices.values())
    mean = lambda i, seeds: pd.DataFrame([metrics(y[i], scores[s][i]) for s in seeds]).mean()
    draws = []
    while len(draws) < n:
        i = np.concatenate([members[k] for k in rng.integers(len(members), size=len(members))])
        if len(set(y[i])) == len(set(y)):
            draws.append(mean(i, rng.integers(len(scores), size=min(len(scores), SEEDS_A_DRAW))))
    return with_interval(mean(np.arange(len(y)), range(len(scores))), draws)


# ---- models and sets


def kept_data(
    path,  # Of a file that is kept
    make,  # make() -> data
):
    "What was made before, or `make()`."
    if (path := Path(path)).exists():
        return pd.read_pickle(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.to_pickle(out := make(), path)
    return out


def kept(
    kind,  # `Detector` or `Generator`
    folder,  # Where the model is kept
    train,  # train() -> the model
):
    "A trained model, or the one that was kept."
    if (Path(folder) / f'{kind.kind}.safetensors').exists():
        return kind.load(folder)
    model = train()
    model.save(folder)
    return model


@cache
def side(split):
    "One side of the split, as the generator can write it; see `generation_set`."
    from mirnbdev.generator import generation_set

    return generation_set(split)


def precursors(split):
    "Precursors of one side."
    return [h for h, label in zip(side(split).hairpins, side(split).records.label) if label]


def precursor_clusters(split):
    "Clusters of relatives of `precursors`."
    return side(split).records.query('label==1').cluster.to_numpy()


@cache
def words(split):
    "One side of the split, spelled for the network."
    from mirnbdev.generator import generation_words

    return generation_words(side(split))


def open_words(split):
    "Its precursors spelled for the network, without conditions."
    from mirnbdev.cvae import without_conditions

    return without_conditions(rows_of(words(split), words(split).label == 1))


def rows_of(spelled, rows):
    "Some of the spelled hairpins."
    return type(spelled)(*(x[rows] for x in spelled))


# ---- command line


def main(
    commands: dict,  # Name -> function, whose parameters are whole numbers
    usage: str,
) -> None:
    "Do what the command line asks for."
    what, *numbers = sys.argv[1:] or ['']
    if what not in commands or len(numbers) > len(signature(commands[what]).parameters):
        sys.exit(usage)
    commands[what](*map(int, numbers))
