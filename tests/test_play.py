"The page on which one plays: detector, folding, paste, link, and how hands move it. Its generator is in test_book.py."

import numpy as np
import pytest
from conftest import complaints

from mirnbdev.cnn import Detector
from mirnbdev.data import dinucleotide_shuffle, well_known
from mirnbdev.encoding import LETTERS, column_word, hairpin_flags
from mirnbdev.generator import Generator
from mirnbdev.hairpin import NUCLEOTIDES, Hairpin, fold, is_single_hairpin, structure_energy

EXPLORER, EXPLANATION = '.mirnbdev-generator', '.mirnbdev-explanation'
SHOWN = f"() => ['pre', '.verdict b'].map(what => document.querySelector('{EXPLORER} ' + what).textContent)"
DRAWN = f"() => document.querySelector('{EXPLORER} pre')?.textContent"
IN_VIEW = f"""() => {{
    const at = what => document.querySelector(what).getBoundingClientRect(), box = at('{EXPLORER} .molecule');
    return box.top >= at('.bd-header-article').bottom - 1 && box.bottom <= innerHeight && box.height > 40;
}}"""


@pytest.fixture
def open_play(site, browser):
    "A function that opens the page, with an address and a screen; errors and requests to a network fail the test."
    trouble, contexts = [], []

    def opened(address='', **screen):
        contexts.append(browser.new_context(**screen))
        page = contexts[-1].new_page()
        trouble.append(complaints(page))
        page.goto((site / 'play.html').as_uri() + address)
        page.wait_for_function(DRAWN)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert not any(trouble), trouble


@pytest.fixture
def play(open_play):
    "The page on a wide screen."
    return open_play(viewport=dict(width=1280, height=900))


def after(page, act):
    "Sequence, structure and probability that the page shows once `act` has changed them."
    before = page.evaluate(DRAWN)
    act()
    page.wait_for_function(
        '([what, before]) => document.querySelector(what).textContent !== before', arg=[f'{EXPLORER} pre', before]
    )
    text, probability = page.evaluate(SHOWN)
    return *text.split('\n'), float(probability)


def paste(page, text):
    page.locator(f'{EXPLORER} textarea').fill(text)
    page.keyboard.press('Enter')


def test_probabilities_are_those_of_python(play):
    generator, detector = Generator.load(), Detector.load()
    hairpins = [h for label in (0, 1) for h in generator.decode(generator.draw(150, label, seed=label))]
    letters = [[LETTERS.index(l) for l in column_word(h)] for h in hairpins]
    score = 'words => words.map(mirnbdevGenerator.spelled).map(mirnbdevGenerator.probability)'
    got, expected = np.array(play.evaluate(score, letters)), detector.predict_proba(hairpins)[:, 1]
    print(f'largest difference {abs(got - expected).max():.1e}')
    assert expected.min() < 0.05 and expected.max() > 0.95 and abs(got - expected).max() < 1e-3


def sequences():
    "Written hairpins, shuffled ones, and random sequences that pair with themselves."
    generator, rng = Generator.load(), np.random.default_rng(0)
    written = [h.sequence for label in (0, 1) for h in generator.decode(generator.draw(100, label, seed=label + 5))]
    shuffled = [dinucleotide_shuffle(s, k) for k, s in enumerate(well_known().sequence.tolist() * 8)]
    random = lambda n: ''.join(rng.choice(list(NUCLEOTIDES), n))
    back = lambda s: ''.join(c if rng.random() < 0.8 else random(1) for c in reversed(s)).translate(
        str.maketrans('ACGU', 'UGCA')
    )
    stems = [random(n) for n in rng.integers(10, 95, 60)]
    return written + shuffled + [random(5) + s + random(rng.integers(3, 9)) + back(s) for s in stems]


def test_folds_are_those_of_viennarna(play):
    expected = [h for h in map(fold, sequences()) if is_single_hairpin(h.structure) and len(h) <= 200]
    shown = 'all => all.map(mirnbdevGenerator.fold).map(h => [h.sequence, h.structure, h.energy])'
    got = play.evaluate(shown, [h.sequence for h in expected])
    same = [h.structure == structure for h, (_, structure, _) in zip(expected, got)]
    energies = [structure_energy(Hairpin('', s, d)) for s, d, _ in got]
    print(f'{sum(same)} of {len(same)} structures are equal, {max(map(len, expected))} nt at most')
    assert len(expected) > 200 and max(map(len, expected)) > 150 and np.mean(same) > 0.98  # there are equally good ones
    assert np.allclose(energies, [h.mfe for h in expected], atol=0.011)
    assert np.allclose(energies, [e for _, _, e in got], atol=0.011)


def test_a_pasted_sequence_is_folded_and_scored(play):
    mir21 = fold(well_known().sequence[1], 'hsa-mir-21')
    sequence, structure, p = after(play, lambda: paste(play, f'>mine\n{mir21.sequence.lower().replace("u", "t")}'))
    assert (sequence, structure) == (mir21.sequence, mir21.structure)
    assert abs(p - Detector.load().predict_proba([mir21])[0, 1]) < 1e-3
    assert play.locator(f'{EXPLORER} .refusal').inner_text() == ''
    longer = after(play, lambda: play.locator('[data-z="0"]').fill('2'))[0]
    assert len(longer) > len(sequence)
    assert after(play, play.locator(f'{EXPLORER} .reset').click)[0] == sequence


def test_latents_of_a_sequence_are_those_of_python(play):
    hairpins = [h for h in map(fold, sequences()) if not hairpin_flags(h)][::9]
    encode = """async all => { await mirnbdevGenerator.fetchEncoder(); return all.map(s => {
        const code = mirnbdevGenerator.encode(mirnbdevGenerator.fold(s));
        return [code.z, mirnbdevGenerator.hairpin(code).sequence];
    }); }"""
    z, written = zip(*play.evaluate(encode, [h.sequence for h in hairpins]))
    worst = abs(np.array(z) - Generator.load().encode(hairpins).z.numpy()).max(1)
    print(f'{len(z)} hairpins; differences of a latent at most {worst.max():.1e}, median {np.median(worst):.1e}')
    assert len(z) > 15 and list(written) == [h.sequence for h in hairpins]
    assert np.median(worst) < 2e-3 and np.mean(worst < 0.02) >= 0.9  # another fold of equal energy has other latents


def test_what_cannot_be_written_is_scored_all_the_same(play):
    long = fold('GGGAUCGAUCC' * 3 + 'A' * 90 + 'GGAUCGAUCCC' * 3)
    _, structure, p = after(play, lambda: paste(play, long.sequence))
    assert structure == long.structure and abs(p - Detector.load().predict_proba([long])[0, 1]) < 1e-3
    assert 'sliders rest' in play.locator(f'{EXPLORER} .refusal').inner_text()
    assert play.locator('[data-z="0"]').is_disabled()


@pytest.mark.parametrize(
    'text, reason',
    [('ACGNA', 'Letter N at position 4'), ('', 'no sequence'), ('AAAAAAAAAA', 'does not fold'), ('GC' * 101, '202 nt')],
)
def test_what_cannot_be_shown_is_refused_with_its_reason(play, text, reason):
    before = play.evaluate(DRAWN)
    paste(play, text)
    assert reason in play.locator(f'{EXPLORER} .refusal').inner_text()
    assert play.evaluate(DRAWN) == before


def test_a_link_brings_the_hairpin_back(play, open_play):
    after(play, lambda: play.locator(f'{EXPLORER} .start').select_option(index=3))
    after(play, play.locator('.draws').click)
    after(play, lambda: play.locator('[data-z="0"]').fill('1.5'))
    play.locator('[data-given="3"]').check()
    after(play, lambda: play.locator('[data-asked="3"]').fill('12'))
    play.wait_for_url('**terminal_loop=12*')
    assert open_play(play.url[play.url.index('#') :]).evaluate(SHOWN) == play.evaluate(SHOWN)
    after(play, lambda: paste(play, well_known().sequence[5]))
    play.wait_for_url('**sequence=*')
    assert open_play(play.url[play.url.index('#') :]).evaluate(SHOWN) == play.evaluate(SHOWN)


def test_a_damaged_link_opens_the_page(open_play):
    start = open_play().evaluate(SHOWN)
    assert open_play('#start=nobody&z1=x&z2=77&length=1e9&as=5&draws=-1').evaluate(SHOWN) == start
    tight = open_play('#length=30&terminal_loop=60')
    assert len(tight.evaluate(DRAWN).split('\n')[0]) == 30


@pytest.mark.parametrize('width, height', [(1280, 900), (390, 800)])
def test_mouse_touch_and_keys_move_it_in_view(open_play, width, height):
    page = open_play(viewport=dict(width=width, height=height), has_touch=True)
    for slider in ('[data-z="0"]', '[data-z="9"]', '[data-z="15"]'):
        page.evaluate("what => document.querySelector(what).scrollIntoView({block: 'center'})", slider)
        box = page.locator(slider).bounding_box()
        x, y = box['x'], box['y'] + box['height'] / 2
        drag = lambda: (
            page.mouse.move(x + box['width'] / 2, y),
            page.mouse.down(),
            page.mouse.move(x + 2, y, steps=3),
            page.mouse.up(),
        )
        after(page, drag)
        after(page, lambda: page.touchscreen.tap(x + 0.9 * box['width'], y))
        page.locator(slider).focus()
        after(page, lambda: page.keyboard.press('Home'))
        assert page.evaluate(IN_VIEW), slider
    assert page.evaluate('document.documentElement.scrollWidth') <= width


def test_each_control_has_a_sentence(play):
    controls = play.locator(f'{EXPLORER} :is(select, button, input, textarea):not(.copy, .paste button)')
    for k in range(controls.count()):
        assert controls.nth(k).evaluate("c => c.closest('[data-says]')?.dataset.says"), controls.nth(k).inner_html()
    play.locator('[data-z="3"]').focus()
    assert 'terminal loop grows' in play.locator(f'{EXPLORER} .hint').inner_text()


def test_weights_are_loaded_on_this_page_only(site, page):
    loaded = []
    page.on('request', lambda r: loaded.append(r.url))
    for name in ('index', '17_latent'):
        page.goto((site / f'{name}.html').as_uri(), wait_until='networkidle')
    assert loaded and not any('generator_data' in url for url in loaded)
    assert (site / '_static' / 'generator_data.js').stat().st_size < 3e6


def test_an_explanation_is_chosen(play):
    look = lambda: play.locator(f'{EXPLANATION} .logo').inner_html()
    seen = {look()}
    for which, k in (('.which', 1), ('.method', 1), ('.method', 2)):
        play.locator(f'{EXPLANATION} {which}').select_option(index=k)
        seen.add(look())
    assert len(seen) == 4
