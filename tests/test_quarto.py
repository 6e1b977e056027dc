"Quarto's list of pages is the book's, and each page passes nbdev's filter (the Quarto program itself is not needed)."

import json

import pytest
import yaml
from conftest import ROOT
from nbdev.cli import nbdev_filter


def files(node):
    "The pages below `node` of a table of contents, in order."
    if isinstance(node, str):
        return [node]
    if isinstance(node, list):
        return [f for o in node for f in files(o)]
    return [
        f
        for key in ('root', 'file', 'parts', 'chapters', 'sections', 'contents')
        if key in node
        for f in files(node[key])
    ]


TOC = [f'nbs/{f}.ipynb' for f in files(yaml.safe_load((ROOT / 'nbs' / '_toc.yml').read_text()))]


def test_same_pages_as_the_book():
    quarto = yaml.safe_load((ROOT / '_quarto.yml').read_text())
    assert files(quarto['website']['sidebar']) == quarto['project']['render'] == TOC


@pytest.mark.parametrize('path', TOC)
def test_filter(path, monkeypatch):
    "What Quarto calls as a program, here in one process."
    monkeypatch.chdir(ROOT)
    assert json.loads(nbdev_filter(fname=path, printit=False))['cells']
