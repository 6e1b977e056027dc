"Readers on anything a disk may hold, and encodings that must not change from one version to the next."

import gzip
import hashlib
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mirnbdev.data import well_known
from mirnbdev.encoding import column_word, encode
from mirnbdev.hairpin import Record, fold_many, read_dot_bracket, read_fasta, write_fasta

fuzz = settings(
    max_examples=300,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
text = st.text('>ACGUTNacgu.()- \t\r\n0123456789;', max_size=80)
cut_gzip = text.map(lambda t: gzip.compress(t.encode())[:-4])
name, sequence = st.text('abcXYZ019-_.', min_size=1, max_size=12), st.text('ACGUN', min_size=1, max_size=200)


@fuzz
@given(st.one_of(st.binary(max_size=200), text.map(str.encode), cut_gzip))
def test_anything_is_records_or_a_value_error(tmp_path, data):
    (tmp_path / 'x').write_bytes(data)
    for read in (read_fasta, read_dot_bracket):
        try:
            out = list(read(tmp_path / 'x'))
        except ValueError as e:
            assert str(tmp_path / 'x') in str(e) or read is read_dot_bracket
        else:
            assert out and all(r.name for r in out)


@fuzz
@given(st.lists(st.tuples(name, sequence), min_size=1, max_size=5))
def test_what_is_written_is_read_back(tmp_path, pairs):
    records = [Record(*p) for p in pairs]
    write_fasta(records, tmp_path / 'x.fa')
    assert list(read_fasta(tmp_path / 'x.fa')) == records


def golden_lines():
    "One line a known precursor: name, structure, word, hash of the image."
    hairpins = list(fold_many(Record(x.name, x.sequence) for x in well_known().itertuples()))
    digests = [hashlib.sha256(x.tobytes()).hexdigest() for x in encode(hairpins).images]
    return [f'{h.name}\t{h.structure}\t{column_word(h)}\t{d}' for h, d in zip(hairpins, digests)]


def test_known_precursors_are_encoded_as_ever():
    assert golden_lines() == (Path(__file__).parent / 'golden' / 'known.tsv').read_text().splitlines()
