"""What the benchmarks and the pages share: tables of results, intervals, sets for the generator, kept models."""

import re
import sys
from functools import cache
from inspect import signature
from pathlib import Path

import numpy as np
import pandas as pd

RESULTS = Path(__file__).parent / 'results'
INTERVAL = re.compile(r'\d \(-?\d')  # What a cell with an interval holds: 0.966 (0.957-0.974)
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


def number(cell) -> float:
    "The value of a cell, before its interval."
    return float(str(cell).split(' (')[0])


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
