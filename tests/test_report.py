"""What commands write for readers: the pages of `report` and `explain`, scorecards, and the folders of both."""

import re
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

import pytest
from bad_input import MIR21, fasta
from commands import TINY, call, random_stems, start, table, write_hostile

from mirnbdev import fold, scorecard
from mirnbdev.data import well_known
from mirnbdev.processing import Processing
from mirnbdev.report import SIDE_TITLES


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Pages(NamedTuple):
    "Folders with a report and an explanation, and the names of their records that were folded."

    report: Path
    reported: list[str]
    explained: Path
    explained_names: list[str]


@pytest.fixture(scope='module')
def pages(tmp_path_factory):
    "Pages about records with hostile names, a known precursor, and one that failed; explained are names that may hurt."
    folder = tmp_path_factory.mktemp('pages')
    reported = write_hostile(folder / 'all.fa')
    explained = [n for n in reported if re.search(r'[$/<\\\u202e]|^\.\.$|x{99}|\ufffd', n)]
    (folder / 'some.fa').write_text(''.join(f'>{n}\n{TINY}\n' for n in explained), 'utf-8')
    for file in ('all.fa', 'some.fa'):
        with open(folder / file, 'a') as f:
            f.write(f'>known\n{MIR21}\n>odd\nACGX\n')
    call('report', folder / 'all.fa', '-n', 2, '-o', folder / 'r', status=1)
    call('explain', folder / 'some.fa', '-o', folder / 'e', status=1)
    return Pages(folder / 'r', [*reported, 'known'], folder / 'e', [*explained, 'known'])


def watched(context):
    "A page, and the list of its troubles: errors, and requests off the machine."
    page, trouble = context.new_page(), []
    page.on('pageerror', lambda e: trouble.append(str(e)))
    page.on('request', lambda r: r.url.startswith(('file:', 'data:')) or trouble.append(r.url))
    return page, trouble


@pytest.mark.parametrize('scheme', ['light', 'dark'])
def test_pages_are_read_on_a_phone(scheme, browser, pages):
    context = browser.new_context(viewport=dict(width=390, height=800), color_scheme=scheme)
    try:
        for path in (pages.report / 'report.html', pages.explained / 'explanation.html'):
            page, trouble = watched(context)
            page.goto(path.as_uri())
            assert page.evaluate('document.documentElement.scrollWidth') <= 390, path
            assert page.evaluate('[...document.images].every(i => i.alt)') and not trouble
            ground = page.evaluate('getComputedStyle(document.body).backgroundColor')
            assert (ground == 'rgb(255, 255, 255)') == (scheme == 'light'), ground
    finally:
        context.close()


def test_a_drawing_is_enlarged(page, pages):
    page.set_viewport_size(dict(width=390, height=800))
    page.goto((pages.report / 'report.html').as_uri())
    drawing = page.locator('.drawing').last
    width = lambda: drawing.locator('svg').bounding_box()['width']
    before = width()
    drawing.click()
    assert width() > 2 * before and page.evaluate('document.documentElement.scrollWidth') <= 390


def test_hostile_names_in_a_report(pages):
    pictures = sorted((pages.report / 'pictures').glob('*.svg'))
    assert len(pictures) == len(pages.reported)
    titles = [ElementTree.parse(p).findtext('.//{http://www.w3.org/2000/svg}text') for p in pictures]
    assert titles[pages.reported.index('<!--<script>')].startswith('<!--<script>  12 nt')
    text = (pages.report / 'report.html').read_text('utf-8')
    assert '<script' not in text and '<b>&amp;' not in text and 'x' * 99 not in text and '\u202e' not in text
    rows = table((pages.report / 'records.tsv').read_text('utf-8'))
    assert [x['name'] for x in rows] == [*pages.reported, 'odd']


def test_hostile_names_in_an_explanation(page, pages):
    names = pages.explained_names
    pictures = [p.name for p in sorted((pages.explained / 'pictures').iterdir())]
    assert len(pictures) == len(names) > 8 and all(re.fullmatch(r'\d\d_[A-Za-z0-9._-]{0,40}\.png', p) for p in pictures)
    trouble = []
    page.on('pageerror', lambda e: trouble.append(str(e)))
    page.goto((pages.explained / 'explanation.html').as_uri())
    which = page.locator('.which')
    assert which.locator('option').count() == len(names)
    drawn = lambda: (page.locator('.structure circle').count(), page.locator('.logo g').count())
    for k in (names.index('<!--<script>'), names.index('x' * 5000), len(names) - 1, 0):
        which.select_option(index=k)
        assert drawn() == (len(MIR21 if names[k] == 'known' else TINY),) * 2 and not trouble
    which.select_option(index=names.index('<!--<script>'))
    assert page.locator('.said').inner_text().startswith('<!--<script>: probability')


def test_a_report_is_one_self_contained_page(tmp_path):
    call('report', '-n', 6, '-o', 'out')
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert 'src="http' not in page and '<link' not in page and '<script' not in page
    assert page.count('class="drawing"') == 12 + 6 + 4 and page.count('<figcaption>') == 12 + 6 + 4 + 1
    assert (tmp_path / 'out' / 'simulated.fa').read_text().count('>') == 6
    assert 'Now your own' in page and not (tmp_path / 'out' / 'records.tsv').exists()
    known = well_known()
    for side, what in SIDE_TITLES.items():
        names = known.name[known.split == side]
        part = page.partition(what)[2].partition('<h')[0]
        assert part.count('<figcaption>') == len(names) and all(f'<b>{n}</b>' in part for n in names)


def test_a_report_is_about_your_records(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21, 'ACGX', 'A' * 30, MIR21, '') + f'>r0\n{MIR21 * 2}\n'.encode())
    detected = table(call('detect', 'a.fa', status=1).stdout)
    r = call('report', 'a.fa', '-n', 2, '-o', 'out', status=1)
    believed = sum(x['call'] == '1' for x in detected)
    assert r.stderr.splitlines()[-1] == f'mirnbdev: {believed} of 6 believed; 2 failed' and 'r4: empty' in r.stderr
    rows = table((tmp_path / 'out' / 'records.tsv').read_text())
    assert list(rows[0])[-4:] == ['mature_5p', 'mature_3p', 'processing', 'flags']
    for key in ('name', 'length', 'call', 'structure', 'mature_5p', 'mature_3p', 'flags'):
        assert [x[key] for x in rows] == [x[key] for x in detected], key
    for key in ('probability', 'processing'):
        assert [bool(x[key]) for x in rows] == [bool(x[key]) for x in detected]
        assert all(abs(float(x[key] or 0) - float(y[key] or 0)) < 2e-4 for x, y in zip(rows, detected)), key
    page = (tmp_path / 'out' / 'report.html').read_text()
    own, rest = page.split('Beside known precursors')
    assert own.count('class="drawing"') == 4 and rest.count('class="drawing"') == 12 + 2 + 2
    assert 'Could not be folded (2)' in own and 'at position 4' in own and 'duplicate_name' in own
    assert 'hsa-miR-21-5p and hsa-miR-21-3p' in own and 'Kept apart' in rest
    assert sorted(p.name for p in (tmp_path / 'out' / 'pictures').glob('*.svg')) == [
        '01_r0.svg', '02_r2.svg', '03_r3.svg', '04_r0.svg'
    ]  # fmt: skip


def test_a_report_of_nothing_that_folds(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta('ACGX'))
    assert '0 of 1 believed; 1 failed' in call('report', 'a.fa', '-n', 1, '-o', 'out', status=1).stderr
    page = (tmp_path / 'out' / 'report.html').read_text()
    assert 'No record could be folded' in page and 'Could not be folded (1)' in page


def test_a_report_of_many_records_shows_the_best(tmp_path, monkeypatch):
    monkeypatch.setattr('mirnbdev.report.OWN_SHOWN', 2)
    (tmp_path / 'a.fa').write_bytes(fasta(TINY, TINY, MIR21))
    said = call('report', 'a.fa', '-n', 1, '-o', 'out').stderr
    assert 'shows 2 of 3 folded records' in said and '1 of 3 believed' in said
    own = (tmp_path / 'out' / 'report.html').read_text().split('Beside known precursors')[0]
    assert own.count('class="drawing"') == 2 and '<b>r2</b>' in own and '<b>r1</b>' not in own
    assert len(table((tmp_path / 'out' / 'records.tsv').read_text())) == 3


def test_explain_writes_a_page_that_needs_no_network(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21, 'ACGX', MIR21))
    call('explain', 'a.fa', '-o', 'out', '--method', 'deeplift', status=1)
    page = (tmp_path / 'out' / 'explanation.html').read_text()
    assert 'src="http' not in page and '<link' not in page and MIR21 in page and 'deeplift' in page
    pictures = sorted((tmp_path / 'out' / 'pictures').iterdir())
    assert [p.read_bytes()[:4] for p in pictures] == [b'\x89PNG'] * 2
    assert len((tmp_path / 'out' / 'scores.tsv').read_text().splitlines()) == 1 + 2 * len(MIR21) + 1


MUTANT = MIR21[:14] + 'A' + MIR21[15:]  # U15A: only its 3' arm is known


def test_rings_tell_known_arms_from_predicted_ones(page, tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21, MUTANT, 'A' * 30, TINY))
    predicted = {n: Processing.load().predict([fold(s)]).iloc[0] for n, s in (('r1', MUTANT), ('r3', TINY))}
    span = lambda name: [f'{predicted[name][f"start_{m}"]}-{predicted[name][f"end_{m}"]}' for m in ('5p', '3p')]
    words = [
        'rings: hsa-miR-21-5p and hsa-miR-21-3p',
        f'rings: hsa-miR-21-3p; dashed rings: predicted arm {span("r1")[0]}',
    ]
    words += ['', f'dashed rings: predicted arms {" and ".join(span("r3"))}']
    dashed = [0, len(predicted['r1'].mature_5p), 0, len(predicted['r3'].mature_5p + predicted['r3'].mature_3p)]
    call('explain', 'a.fa', '-o', 'e')
    call('report', 'a.fa', '-n', 1, '-o', 'r')
    report = (tmp_path / 'r' / 'report.html').read_text()
    page.goto((tmp_path / 'e' / 'explanation.html').as_uri())
    drawn = sorted((tmp_path / 'r' / 'pictures').glob('*.svg'))
    for k, (said, n, known) in enumerate(zip(words, dashed, (43, 21, 0, 0))):
        page.locator('.which').select_option(index=k)
        assert page.locator('.arms').inner_text().partition('; processing')[0] == said
        rings = [page.locator(f'.structure .{c}').count() for c in ('mature', 'predicted')]
        svg = drawn[k].read_text()
        assert rings == [svg.count('class="mature'), svg.count('class="mature predicted"')] == [known + n, n]
        assert said in report
    page.locator('.which').select_option(index=1)
    style = 'getComputedStyle(document.querySelector(".structure {}")).strokeDasharray'.format
    assert page.evaluate(style('.predicted')) != 'none' == page.evaluate(style('.mature:not(.predicted)'))


def test_explain_of_nothing_that_folds(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta('ACGX'))
    call('explain', 'a.fa', '-o', 'out', status=1)
    assert 'No record could be folded' in (tmp_path / 'out' / 'explanation.html').read_text()


def test_a_folder_used_again(tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21, MIR21[:60], TINY))
    (tmp_path / 'b.fa').write_text(f'>other\n{TINY}\n')
    kept = ('mine.txt', 'pictures/mine.png', 'pictures/1_mine.png')
    (tmp_path / 'out' / 'pictures').mkdir(parents=True)
    for name in kept:
        (tmp_path / 'out' / name).write_text('mine')
    files = lambda: {p.relative_to(tmp_path / 'out').as_posix() for p in (tmp_path / 'out').rglob('*') if p.is_file()}
    own = {'scores.tsv', 'explanation.html'}
    call('explain', 'a.fa', '-o', 'out')
    assert files() == {*kept, *own, *(f'pictures/0{k}_r{k - 1}.png' for k in (1, 2, 3))}
    call('explain', 'b.fa', '-o', 'out')
    assert files() == {*kept, *own, 'pictures/01_other.png'}
    (tmp_path / 'out' / 'pictures' / '01_other.svg').write_text('of an earlier report')
    call('report', 'a.fa', '-n', 1, '-o', 'out')
    own |= {'report.html', 'records.tsv', 'simulated.fa', 'simulated.tsv'}
    own |= {'pictures/simulated.png', 'pictures/scores.png'}
    drawn = {'pictures/01_other.png', *(f'pictures/0{k}_r{k - 1}.svg' for k in (1, 2, 3))}
    assert files() == {*kept, *own, *drawn}
    assert all((tmp_path / 'out' / name).read_text() == 'mine' for name in kept)


def test_after_an_error_a_folder_is_as_it_was(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, 'No space left on device', 'somewhere')

    (tmp_path / 'a.fa').write_bytes(fasta(TINY))
    call('explain', 'a.fa', '-o', 'used')
    before = {p: p.stat().st_mtime_ns for p in sorted((tmp_path / 'used').rglob('*'))}
    monkeypatch.setattr('mirnbdev.saliency.write_explanation', full)
    monkeypatch.setattr('mirnbdev.report.report_page', full)
    for command in ('explain a.fa -o used', 'explain a.fa -o new/folder', 'report a.fa -n 1 -o new'):
        assert 'somewhere: No space left' in call(*command.split(), status=1).stderr
        left = {p: p.stat().st_mtime_ns for p in sorted((tmp_path / 'used').rglob('*'))}
        assert left == before and sorted(p.name for p in tmp_path.iterdir()) == ['a.fa', 'used']


def test_a_scorecard_has_every_set_and_says_what_failed(data_dir, tmp_path, monkeypatch):
    cards, made = [], scorecard.scorecard
    monkeypatch.setattr(scorecard, 'scorecard', lambda *args: cards.append(made(*args)) or cards[0])
    stems, design = random_stems(20), '(' * 30 + '.' * 8 + ')' * 30
    designs = (f'{s}\n{design} (-40.00)' for s in stems[10:])
    (tmp_path / 'a.fa').write_bytes(fasta(*stems[:10], *designs, MIR21 + 'X', f'{MIR21}\n((..))'))
    a = call('score', 'a.fa', '-o', 'a.tsv', '-j', '1', status=1)
    b = start('score', 'a.fa', '-o', '-', '-j', '1', status=1)
    assert "letter 'X' at position 73" in a.stderr and '72 nucleotides but 6 structure characters' in a.stderr
    assert '2 record(s) failed' in a.stderr
    assert (tmp_path / 'a.tsv').read_bytes().decode() == b.stdout, 'equal seeds'
    monkeypatch.setattr(scorecard, 'scorecard', lambda *args: cards[0])  # it takes long, and is known
    call('score', 'a.fa', '-o', 'a.png', '-j', '1', status=1)
    assert (tmp_path / 'a.png').read_bytes()[:4] == b'\x89PNG'
    rows = {(x['set'], x['measure']): x for x in table(b.stdout)}
    assert {s for s, _ in rows} == {'a.fa', 'natural', 'training', 'shuffled', 'near copies'}
    value = lambda measure: float(rows['a.fa', measure]['value'])
    assert value('unique') == value('new') == 1 and value('pair_f1') > 0.8
    assert value('distance of largest_interruption') > 2


def test_a_scorecard_needs_enough_hairpins(data_dir, tmp_path):
    (tmp_path / 'a.fa').write_bytes(fasta(*random_stems(19)))
    r = call('score', 'a.fa', '-o', 'a.tsv', status=1)
    assert 'a.fa: 19 hairpins are too few' in r.stderr and not (tmp_path / 'a.tsv').exists()


def test_a_scorecard_without_data(tmp_path, monkeypatch):
    monkeypatch.setenv('MIRNBDEV_DATA', str(tmp_path))
    (tmp_path / 'a.fa').write_bytes(fasta(MIR21))
    r = call('score', 'a.fa', status=1)
    assert 'hairpin.fa: no such file in the folder that MIRNBDEV_DATA names' in r.stderr and not r.stdout
