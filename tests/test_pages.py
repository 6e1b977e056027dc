"Notebooks as a reader runs them who has no data sets and no network: from the first cell to the last."

import ast
import json
import re

import nbformat
import pytest
from conftest import ROOT
from nbclient import NotebookClient
from test_quarto import TOC

WIDGET = 'application/vnd.jupyter.widget-view+json'
SAYS = 'Not run: the data sets are missing'
IS_DATA = lambda cell: bool(re.match(r'(#\|.*\n)*#\| data\n', cell.source))


def cells(path):
    return [c for c in nbformat.read(ROOT / path, 4).cells if c.cell_type == 'code']


def names(source, context):
    "The names that a cell binds (`ast.Store`) or reads (`ast.Load`), functions and imports too."
    lines = ['pass' if line.lstrip().startswith(('%', '!')) else line for line in source.split('\n')]
    tree = ast.parse('\n'.join(lines))
    found = {n.id for n in ast.walk(tree) if isinstance(n, ast.Name) and isinstance(n.ctx, context)}
    if context is ast.Store:
        found |= {n.name for n in ast.walk(tree) if isinstance(n, (ast.FunctionDef, ast.ClassDef))}
        found |= {(n.asname or n.name).split('.')[0] for n in ast.walk(tree) if isinstance(n, ast.alias)}
        found |= {n.arg for n in ast.walk(tree) if isinstance(n, ast.arg)}
    return found


@pytest.mark.parametrize('path', TOC)
def test_no_cell_needs_one_that_reads_data(path):
    "What is bound in `#| data` cells only is used in these only; and their stored outputs are kept."
    page = [c for c in cells(path) if not c.source.startswith('%%')]
    data, rest = ([c.source for c in page if IS_DATA(c) == which] for which in (True, False))
    bound = [set().union(*(names(source, ast.Store) for source in part)) for part in (data, rest)]
    for source in rest:
        assert not names(source, ast.Load) & (bound[0] - bound[1]), source
    if data:
        first = next(k for k, c in enumerate(page) if IS_DATA(c))
        assert any('keep_data_cells()' in c.source for c in page[:first]), 'stored outputs would be lost'


def test_runs_without_data(monkeypatch):
    "All cells run, explorers appear, and cells that need data say so and show what is stored."
    path = ROOT / 'nbs' / '17_latent.ipynb'
    monkeypatch.delenv('MIRNBDEV_DATA', raising=False)
    monkeypatch.setenv('JPY_SESSION_NAME', str(path))  # as JupyterLab does
    monkeypatch.setenv('OMP_NUM_THREADS', '1')
    before = nbformat.read(path, 4)
    page = nbformat.from_dict(json.loads(json.dumps(before)))
    for cell in page.cells:
        if 'nbdev_export()' in cell.source:
            cell.source = ''
    ran = NotebookClient(page, timeout=300, resources=dict(metadata=dict(path=str(path.parent)))).execute()
    pictures = lambda c: [
        o.data[k] for o in c.outputs if 'data' in o for k in ('image/png', 'text/html') if k in o.data
    ]
    data = [(a, b) for a, b in zip(before.cells, ran.cells) if b.cell_type == 'code' and IS_DATA(b)]
    assert data and all(b.outputs[0].text.startswith(SAYS) for _, b in data)
    assert [pictures(a) for a, _ in data] == [pictures(b) for _, b in data] and any(pictures(a) for a, _ in data)
    explorer = [c for c in ran.cells if c.cell_type == 'code' and re.match(r'(box = )?explore(_latents)?\(', c.source)]
    assert explorer and all(WIDGET in str(c.outputs) for c in explorer)
