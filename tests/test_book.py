"The book as a reader meets it: opened from disk in a browser, without a network. Its generator beside Python's."

import importlib
import re
from dataclasses import replace
from functools import cache
from html import unescape
from pathlib import Path
from urllib.parse import quote, unquote, urlparse

import numpy as np
import pytest
import RNA
import torch
from conftest import ROOT, complaints
from sphinx.util.inventory import InventoryFile
from test_quarto import TOC

from mirnbdev.cvae import loop_energy
from mirnbdev.data import well_known
from mirnbdev.encoding import KIND, LETTERS, column_word, encode
from mirnbdev.factors import CORE_FACTORS, measure_factors
from mirnbdev.generator import Generator

EXPLORER = '.mirnbdev-generator'
SHOWN = f"""() => ['pre', 'canvas'].map(what => document.querySelector('{EXPLORER} ' + what))
    .map(el => el.toDataURL ? el.toDataURL() : el.textContent)"""


PAGES = [str(Path(f).relative_to('nbs').with_suffix('')) for f in TOC]
HEAVIEST = 4e6  # bytes of a page with all that it loads; only Play loads the networks of the explorers
PLAY = 'play'

WITHOUT_WORDS = """() => [...document.querySelectorAll('main img')]
    .filter(img => !/\\w+\\W+\\w+/.test(img.alt)).map(img => `${img.alt} ${img.src.slice(-40)}`)"""
TOO_WIDE = """() => { const root = document.documentElement, most = root.clientWidth;
    return root.scrollWidth > most && [...document.querySelectorAll('main *')].map(el => [el.className, el])
        .filter(([, el]) => el.getBoundingClientRect().right > most).map(([name, el]) => `${el.tagName} ${name}`) }"""
WHITE = """() => [...document.querySelectorAll('main .cell_output img')].map(img => [img, getComputedStyle(img)])
    .filter(([img, style]) => style.filter === 'none' && !img.closest('[class*=mirnbdev-]')).map(([img]) => img.alt)"""


@pytest.fixture(scope='module')
def tab(browser):
    "One tab for all pages, and what it has complained about or loaded."
    context = browser.new_context(viewport=dict(width=1280, height=900))
    tab, loaded = context.new_page(), []
    trouble = complaints(tab)
    tab.on('requestfailed', lambda r: trouble.append(f'failed: {r.url}'))
    tab.on('request', lambda r: loaded.append(r.url))
    yield tab, trouble, loaded
    context.close()


def size(url):
    "Bytes of a file that a page has loaded."
    return Path(unquote(urlparse(url).path)).stat().st_size if url.startswith('file:') else len(url)


@pytest.mark.parametrize('name', PAGES)
def test_page(name, site, tab):
    "Wide, narrow and dark: no error, nothing from elsewhere, pictures in words, nothing cut, not heavy."
    tab, trouble, loaded = tab
    trouble.clear(), loaded.clear()
    tab.set_viewport_size(dict(width=1280, height=900))
    tab.goto((site / f'{name}.html').as_uri(), wait_until='load')
    assert tab.locator('main h1').count(), 'no title'
    assert not tab.evaluate(WITHOUT_WORDS)
    assert not tab.evaluate(TOO_WIDE)
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert not tab.evaluate(WHITE)
    tab.set_viewport_size(dict(width=390, height=800))
    assert not tab.evaluate(TOO_WIDE)
    assert not trouble, trouble
    assert name == PLAY or sum(map(size, set(loaded))) < HEAVIEST


@pytest.mark.parametrize('words, first', [('terminal loop', 'glossary'), ('train my own', 'own_species')])
def test_search_finds_pages_offline(site, page, words, first):
    page.goto((site / 'search.html').as_uri() + f'?q={quote(words)}')
    found = page.locator('#search-results li a')
    found.first.wait_for(timeout=20_000)
    assert first in found.first.get_attribute('href'), found.all_inner_texts()[:5]


def test_links_within_the_book_lead_somewhere(site, html):
    "Each link to a page of the book, and to a place on it."
    ids = cache(lambda page: set(re.findall(r'\bid="([^"]+)"', page.read_text())))
    dead = []
    for name, text in html.items():
        for href in set(map(unescape, re.findall(r'<a\b[^>]*\bhref="([^"]+)"', text))):
            path, _, place = href.partition('#')
            if re.match(r'[a-z]+:', href):
                continue
            to = (site / name).parent / unquote(path) if path else site / name
            if not to.exists() or (place and to.suffix == '.html' and unquote(place) not in ids(to)):
                dead.append((name, href))
    assert not dead


@pytest.fixture(scope='session')
def html(site):
    "`{page: html}` of the pages that come from notebooks."
    return {
        str(p.relative_to(site)): p.read_text()
        for p in site.rglob('*.html')
        if (ROOT / 'nbs' / p.relative_to(site)).with_suffix('.ipynb').exists()
    }


def test_directives_are_not_shown(html):
    shown = {
        name: re.findall(r'(?m)^\s*#\s*\|.*|nbdev_export.*', unescape(re.sub('<[^>]+>', '', text)))
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


@pytest.fixture
def explorer(site, page):
    "The page with its generator; errors and requests to a network fail the test."
    trouble = complaints(page)
    page.goto((site / 'play.html').as_uri())
    page.wait_for_function(f"() => document.querySelector('{EXPLORER} pre')?.textContent")
    yield page
    assert not trouble, trouble


def after(page, act):
    "What the page shows once `act` has changed it: it draws in the next frame, before any asked for later."
    before = page.evaluate(SHOWN)
    act()
    page.evaluate('() => new Promise(requestAnimationFrame)')
    shown = page.evaluate(SHOWN)
    assert all(x != y for x, y in zip(before, shown))
    return shown[0].split('\n')


def test_latents_and_conditions_move_the_hairpin(explorer):
    move = lambda slider, value: after(explorer, lambda: explorer.locator(slider).fill(str(value)))[0]
    short, long = (len(move('[data-z="0"]', z)) for z in (-2, 2))
    took = explorer.evaluate(f"document.querySelector('{EXPLORER}').milliseconds")
    print(f'a move took {took:.0f} ms')
    assert short < long
    after(explorer, explorer.locator('[data-given="0"]').check)
    assert [len(move('[data-asked="0"]', nt)) for nt in (70, 90)] == [70, 90]


def test_draws_are_renewed_and_reset(explorer):
    start = explorer.evaluate(SHOWN)[0].split('\n')
    assert after(explorer, explorer.locator(f'{EXPLORER} .draws').click) != start
    assert after(explorer, explorer.locator(f'{EXPLORER} .latents').click) != start
    assert after(explorer, explorer.locator(f'{EXPLORER} .reset').click) == start


def test_well_known_precursors_are_written_as_they_are(explorer):
    known, select = dict(well_known()[['name', 'sequence']].to_numpy()), explorer.locator(f'{EXPLORER} .start')
    names, shown = select.locator('option').all_inner_texts(), [explorer.evaluate(SHOWN)[0].split('\n')[0]]
    shown += [after(explorer, lambda n=n: select.select_option(label=n))[0] for n in names[1:]]
    assert len(names) >= 10 and shown == [known[n] for n in names]


def random_loops(n, seed=0):
    "Columns of hairpin loops, stacks, bulges and internal loops."
    rng = np.random.default_rng(seed)
    of = lambda kind, size: rng.choice([i for i, k in enumerate(KIND) if k == kind], size).tolist()
    size = lambda: rng.choice([0, 1, 2, 3, 5, 12, 35])
    inside = lambda: of('pair', 1) + of(rng.choice(["bulge 5'", "bulge 3'"]), size()) + of('mismatch', size())
    hairpin_loop = lambda: of('loop', rng.choice([3, 4, 5, 6, 9, 40]))
    return [(inside() if rng.random() < 0.7 else hairpin_loop()) + of('pair', 1) for _ in range(n)]


def closed_by(loop):
    "Columns of a hairpin loop and its pair, from a sequence."
    pair = ('AU', 'UA', 'GC', 'CG').index(loop[0] + loop[-1])
    return ['ACGU'.index(c) for c in loop[1:-1]] + [KIND.index('pair') + pair]


def test_loops_cost_what_viennarna_says(explorer):
    loops = [closed_by(s) for s in ('CAACG', 'CUUCGG', 'ACAGUGUU')] + random_loops(3000)
    energies = explorer.evaluate('loops => loops.map(mirnbdevGenerator.loopEnergy)', loops)
    assert np.allclose(energies, [loop_energy(bytes(l)) for l in loops], atol=1e-6)


def codes(generator, n):
    "Places of precursors and pseudo-hairpins: nothing asked, what nature has, some of it."
    for label in (0, 1):
        c = generator.draw(n, label, seed=label)
        some = torch.rand(n, 5, generator=torch.Generator().manual_seed(label)).round()
        for hidden in (torch.ones(n, 5), torch.zeros(n, 5), some):
            yield c._replace(asked=c.asked.masked_fill(hidden.bool(), torch.nan))


def rows(code):
    "A code as the page takes it: one object for each hairpin."
    return [dict(zip(code._fields, row)) for row in zip(*(x.tolist() for x in code[:-1]))]


def test_letters_are_those_of_python(explorer):
    generator, equal, n = Generator.load(), [], 25
    write = """codes => codes.map(code => {
        const h = mirnbdevGenerator.hairpin(code);
        return [h.sequence, h.structure, [...mirnbdevGenerator.image(h.columns).data]];
    })"""
    for code in codes(generator, n):
        designed, got = generator.decode(code), explorer.evaluate(write, rows(code))
        same = [h.sequence == s and h.structure == d for h, (s, d, _) in zip(designed, got)]
        pixels = np.array([p for _, _, p in got], np.uint8).reshape(n, 25, 100, 4)[..., :3]
        assert (pixels == encode(designed).images)[same].all()
        equal += same
    print(f'{sum(equal)} of {len(equal)} hairpins are equal')
    assert np.mean(equal) >= 0.98  # the page's weights are rounded


def with_own_energy(h):
    "The hairpin with the energy of its own structure."
    return replace(h, mfe=RNA.fold_compound(h.sequence).eval_structure(h.structure))


def test_factors_are_those_of_python(explorer):
    generator = Generator.load()
    designed = [h for label in (0, 1) for h in generator.decode(generator.draw(250, label, seed=label))]
    letters = [[LETTERS.index(l) for l in column_word(h)] for h in designed]
    measure = '(words) => words.map(mirnbdevGenerator.spelled).map(h => [h.sequence, h.structure, h.factors])'
    sequences, structures, got = zip(*explorer.evaluate(measure, letters))
    assert list(zip(sequences, structures)) == [(h.sequence, h.structure) for h in designed]
    expected = measure_factors(map(with_own_energy, designed))
    worst = abs(np.array(got) - expected).max(0)
    assert expected.shape == (500, 10) and (expected.std(0) > 0).all()
    assert worst.max() < 1e-6, dict(zip(CORE_FACTORS, worst))
