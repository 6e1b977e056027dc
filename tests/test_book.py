"The book as a reader meets it: opened from disk in a browser, without a network."

import importlib
import re
from html import unescape

import pytest
from conftest import ROOT
from sphinx.util.inventory import InventoryFile


@pytest.mark.parametrize('name', ['index', 'tutorials/first_steps', '01_encoding'])
def test_page_opens_without_errors(site, page, name):
    trouble = []
    page.on('pageerror', lambda e: trouble.append(str(e)))
    page.on('console', lambda m: trouble.append(m.text) if m.type in ('error', 'warning') else None)
    page.on('request', lambda r: trouble.append(r.url) if not r.url.startswith(('file:', 'data:', 'blob:')) else None)
    page.on('requestfailed', lambda r: trouble.append(r.url))
    page.goto((site / f'{name}.html').as_uri(), wait_until='networkidle')
    assert page.locator('main h1').count() and not trouble, trouble


def test_search_finds_pages_offline(site, page):
    page.goto((site / 'search.html').as_uri() + '?q=hairpin')
    page.locator('#search-results a', has_text='Hairpin').first.wait_for(timeout=20_000)


@pytest.fixture(scope='session')
def html(site):
    "`{page: html}` of the pages that come from notebooks."
    return {
        str(p.relative_to(site)): p.read_text()
        for p in site.rglob('*.html')
        if (ROOT / 'nbs' / p.relative_to(site)).with_suffix('.ipynb').exists()
    }


def test_pages_load_nothing_from_a_network(html):
    loads = {
        name: re.findall(r'<(?:script|link|img|iframe)\b[^>]*\b(?:src|href)="(?:https?:)?//[^"]*', text)
        for name, text in html.items()
    }
    assert not any(loads.values()), loads


def test_directives_are_not_shown(html):
    shown = {
        name: re.findall(r'#\s*\|.*|nbdev_export.*', unescape(re.sub('<[^>]+>', '', text)))
        for name, text in html.items()
    }
    assert not any(shown.values()), shown


def test_every_exported_symbol_has_its_reference_entry(site):
    with open(site / 'objects.inv', 'rb') as f:
        inventory = InventoryFile.load(f, '', lambda base, uri: uri)
    entries = {name for kind, items in inventory.items() if kind.startswith('py:') for name in items}
    index = importlib.import_module('mirnbdev._modidx').d['syms']
    public = {s for syms in index.values() for s in syms if not any(part.startswith('_') for part in s.split('.'))}
    public |= {f'{mod}.{name}' for mod in index for name in importlib.import_module(mod).__all__}
    missing = sorted(public - entries)
    assert public and not missing
