"The generator that runs in a page of the book, opened from disk, beside the one in Python."
import numpy as np, pytest, torch
from mirnbdev.cvae import loop_energy
from mirnbdev.generator import Generator
from mirnbdev.data import well_known
from mirnbdev.encoding import encode, KIND

SHOWN = "() => [document.querySelector('.mirnbdev-generator pre').textContent, document.querySelector('.mirnbdev-generator canvas').toDataURL()]"

@pytest.fixture
def explorer(site, page):
    "The page with its generator; errors and requests to a network fail the test."
    trouble = []
    page.on('pageerror', lambda e: trouble.append(str(e)))
    page.on('console', lambda m: trouble.append(m.text) if m.type in ('error', 'warning') else None)
    page.on('request', lambda r: trouble.append(r.url) if not r.url.startswith(('file:', 'data:', 'blob:')) else None)
    page.goto((site/'15_latent.html').as_uri())
    page.wait_for_function("() => document.querySelector('.mirnbdev-generator pre')?.textContent")
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
    took = explorer.evaluate("document.querySelector('.mirnbdev-generator').milliseconds")
    print(f'a move took {took:.0f} ms')
    assert short < long
    after(explorer, explorer.locator('[data-given="0"]').check)
    assert [len(move('[data-asked="0"]', nt)) for nt in (70, 90)] == [70, 90]

def test_draws_are_renewed_and_reset(explorer):
    start = explorer.evaluate(SHOWN)[0].split('\n')
    assert after(explorer, explorer.locator('.mirnbdev-generator .draws').click) != start
    assert after(explorer, explorer.locator('.mirnbdev-generator .latents').click) != start
    assert after(explorer, explorer.locator('.mirnbdev-generator .reset').click) == start

def test_well_known_precursors_are_written_as_they_are(explorer):
    known, select = dict(well_known()[['name', 'sequence']].to_numpy()), explorer.locator('.mirnbdev-generator .start')
    names = select.locator('option').all_inner_texts()
    shown = [explorer.evaluate(SHOWN)[0].split('\n')[0]] + [after(explorer, lambda n=n: select.select_option(label=n))[0] for n in names[1:]]
    assert len(names) >= 10 and shown == [known[n] for n in names]

def random_loops(n, seed=0):
    "Columns of hairpin loops, stacks, bulges and internal loops."
    rng, of = np.random.default_rng(seed), lambda kind, size: rng.choice([i for i, k in enumerate(KIND) if k == kind], size).tolist()
    size = lambda: rng.choice([0, 1, 2, 3, 5, 12, 35])
    inside = lambda: of('pair', 1) + of(rng.choice(["bulge 5'", "bulge 3'"]), size()) + of('mismatch', size())
    return [(inside() if rng.random() < .7 else of('loop', rng.choice([3, 4, 5, 6, 9, 40]))) + of('pair', 1) for _ in range(n)]

def test_loops_cost_what_viennarna_says(explorer):
    special = [['ACGU'.index(c) for c in s[1:-1]] + [KIND.index('pair') + ('AU', 'UA', 'GC', 'CG').index(s[0]+s[-1])] for s in ('CAACG', 'CUUCGG', 'ACAGUGUU')]
    loops = special + random_loops(3000)
    energies = explorer.evaluate('loops => loops.map(mirnbdevGenerator.loopEnergy)', loops)
    assert np.allclose(energies, [loop_energy(bytes(l)) for l in loops], atol=1e-6)

def codes(generator, n):
    "Places of precursors and pseudo-hairpins: nothing asked, what nature has, some of it."
    for label in (0, 1):
        c = generator.draw(n, label, seed=label)
        for hidden in (torch.ones(n, 5), torch.zeros(n, 5), torch.rand(n, 5, generator=torch.Generator().manual_seed(label)).round()):
            yield c._replace(asked=c.asked.masked_fill(hidden.bool(), torch.nan))

def test_letters_are_those_of_python(explorer):
    generator, equal, n = Generator.load(), [], 25
    for code in codes(generator, n):
        designed = generator.decode(code)
        args = [dict(zip(code._fields, row)) for row in zip(*(x.tolist() for x in code))]
        got = explorer.evaluate('codes => codes.map(code => { const h = mirnbdevGenerator.hairpin(code); return [h.sequence, h.structure, [...mirnbdevGenerator.image(h.columns).data]] })', args)
        same = [h.sequence == s and h.structure == d for h, (s, d, _) in zip(designed, got)]
        pixels = np.array([p for _, _, p in got], np.uint8).reshape(n, 25, 100, 4)[...,:3]
        assert (pixels == encode(designed).images)[same].all()
        equal += same
    print(f'{sum(equal)} of {len(equal)} hairpins are equal')
    assert np.mean(equal) >= .98 # the page's weights are rounded
