"""Readers, and hairpin <-> word <-> image, on anything: the right records or a `ValueError`, and nothing lost.

`make fuzz` gives 100,000 inputs, another 100,000 each time; the usual run has a hundredth of them, the same each time.
"""

import gzip
import os
import re

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirnbdev.cli import _table_records
from mirnbdev.encoding import (
    COLOUR,
    END,
    IMAGE_WIDTH,
    LETTERS,
    MAY_FOLLOW,
    column_word,
    encode,
    hairpin_flags,
    hairpin_from_image,
    hairpin_from_word,
    is_canonical,
)
from mirnbdev.hairpin import (
    IMPOSSIBLE,
    Hairpin,
    Record,
    axis,
    draw,
    fold,
    layout,
    normalise,
    read_dot_bracket,
    read_fasta,
    structure_energy,
    write_dot_bracket,
    write_fasta,
)

TARGETS = 11  # tests below
INPUTS = int(os.environ.get('FUZZ', 1000)) // TARGETS  # of each test

fuzz = settings(
    max_examples=INPUTS,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    derandomize='FUZZ' not in os.environ,
    database=None,
)

text = st.text('>ACGUTNacgu.()-[]{}, \t\r\n0123456789;#\ufeffë\0', max_size=80)
data = st.one_of(st.binary(max_size=200), text.map(str.encode), text.map(lambda t: t.encode('latin-1', 'replace')))
name = st.text(st.characters(exclude_categories=['Cc', 'Cs', 'Z']), min_size=1, max_size=12)
sequence = st.text('ACGUN', min_size=1, max_size=200)


@st.composite
def structures(draw_from, most=60):
    "Balanced dot-bracket structures, also with loops that no RNA can form."
    out, opened = '', 0
    for c in draw_from(st.text('(.)', max_size=most)):
        opened += (c == '(') - (c == ')')
        out, opened = (out + '.', 0) if opened < 0 else (out + c, opened)
    return out + ')' * opened


@st.composite
def hairpins(draw_from):
    "Molecules with any structure."
    structure = draw_from(structures())
    letters = st.text('ACGUN', min_size=len(structure), max_size=len(structure))
    return Hairpin(draw_from(name), draw_from(letters), structure)


@st.composite
def words(draw_from):
    "Canonical words that an image can hold."
    letters, word, last = LETTERS + END, '', None
    for _ in range(draw_from(st.integers(0, IMAGE_WIDTH))):
        allowed = [c for k, c in enumerate(letters) if (k < 4 if last is None else MAY_FOLLOW[last, k])]
        c = draw_from(st.sampled_from(allowed))
        if c == END:
            break
        word, last = word + c, letters.index(c)
    return word


def read(reader, path):
    "What a reader gives, or None after a `ValueError` that names the file."
    try:
        return list(reader(path))
    except ValueError as e:
        assert str(path) in str(e)
        return None


def lines(data):
    "The lines of a text, as any reader should see them."
    decoded = data.decode('utf-8', 'replace')
    return [line.strip().lstrip('\ufeff') for line in re.split('\r\n|\r|\n', decoded)]


@fuzz
@given(data)
def test_fasta_has_a_record_for_each_name(tmp_path, data):
    (tmp_path / 'x').write_bytes(data)
    if (records := read(read_fasta, tmp_path / 'x')) is not None and data[:2] != b'\x1f\x8b':
        found = lines(data)
        assert len(records) == sum(line.startswith('>') for line in found) > 0
        assert all(r.name and not re.search('[\0-\x1f]', r.name) for r in records)
        kept = [line for line in found if not line.startswith(('>', '#'))]
        assert ''.join(r.sequence for r in records) == normalise(''.join(kept)), 'no letter is lost'


@fuzz
@given(data)
def test_dot_bracket_has_a_hairpin_for_each_structure(tmp_path, data):
    (tmp_path / 'x').write_bytes(data)
    if (found := read(read_dot_bracket, tmp_path / 'x')) is not None and data[:2] != b'\x1f\x8b':
        assert len(found) == sum(bool(re.match(r'[().]+(\s*$|\s+\()', line)) for line in lines(data)) > 0


@fuzz
@given(data)
def test_a_table_of_designs_has_a_record_for_each_line(tmp_path, data):
    (tmp_path / 'x.tsv').write_bytes(table := b'name\tsequence\tdesigned\n' + data)
    if (found := read(_table_records, str(tmp_path / 'x.tsv'))) is not None:
        assert len(found) == sum(map(bool, lines(table))) - 1


@fuzz
@given(st.lists(st.tuples(name, sequence), min_size=1, max_size=5), st.integers(0, 10**6), st.integers(1, 255))
def test_a_damaged_gzip_file_is_noticed(tmp_path, pairs, place, change):
    records = [Record(*p) for p in pairs]
    write_fasta(records, tmp_path / 'x.fa')
    packed = bytearray(gzip.compress((tmp_path / 'x.fa').read_bytes(), mtime=0))
    packed[place % len(packed)] ^= change
    (tmp_path / 'x').write_bytes(packed)
    try:
        found = read(read_fasta, tmp_path / 'x')
    except OSError:
        raise AssertionError('a damaged file is a ValueError') from None
    assert found is None or found == records or place % len(packed) < 10, 'only the header of gzip is not checked'


@fuzz
@given(st.lists(st.tuples(name, sequence), min_size=1, max_size=5))
def test_fasta_that_is_written_is_read_back(tmp_path, pairs):
    records = [Record(*p) for p in pairs]
    write_fasta(records, tmp_path / 'x')
    assert list(read_fasta(tmp_path / 'x')) == records


@fuzz
@given(st.lists(hairpins().filter(lambda h: h.sequence), min_size=1, max_size=4))
def test_dot_bracket_that_is_written_is_read_back(tmp_path, molecules):
    write_dot_bracket(molecules, tmp_path / 'x')
    back = list(read_dot_bracket(tmp_path / 'x'))
    assert back == molecules and [h.name for h in back] == [h.name for h in molecules]


@fuzz
@given(words())
def test_word_and_image_give_the_molecule_back(word):
    assert is_canonical(word)
    h = hairpin_from_word(word)
    assert column_word(h) == word and not set(hairpin_flags(h)) - {'no_pairs'}
    if word:
        assert hairpin_from_image(encode([h]).images[0]) == h


@fuzz
@given(st.text(LETTERS + END + 'xXé', max_size=30))
def test_any_letters_are_a_molecule_or_a_value_error(word):
    try:
        h = hairpin_from_word(word)
    except ValueError:
        return
    assert column_word(h) == word.split(END)[0] or not is_canonical(word.split(END)[0])


@fuzz
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.booleans())
def test_any_image_is_a_molecule_or_a_value_error(seed, width, shown):
    rng = np.random.default_rng(seed)
    image = (
        COLOUR[rng.integers(0, len(COLOUR), (25, width))] if shown else rng.integers(0, 256, (25, width, 3), np.uint8)
    )
    try:
        h = hairpin_from_image(image)
    except ValueError:
        return
    assert isinstance(h, Hairpin)


@fuzz
@given(hairpins())
def test_any_molecule_is_drawn_and_has_an_energy_or_none(h):
    xy = layout(h.structure)
    assert xy.shape == (len(h), 2) and np.isfinite(xy).all()
    assert draw(h).count('<circle') == len(h)
    energy = structure_energy(h)
    assert energy < IMPOSSIBLE or np.isnan(energy) and re.search(r'^$|\(\.{0,2}\)', h.structure)
    if h.sequence:
        image = encode([h]).images[0]
        if not hairpin_flags(h) and re.fullmatch('[ACGU]+', h.sequence):
            assert hairpin_from_image(image).sequence == h.sequence and axis(h.structure) == h.structure


@fuzz
@given(st.text(max_size=40))
def test_any_text_is_folded_or_a_value_error(text):
    try:
        h = fold(text, iupac=True)
    except ValueError:
        return
    assert h.sequence == normalise(text) and h.mfe <= 0
