"Encodings that must not change from one version to the next."

import hashlib
from pathlib import Path

from mirnbdev.data import well_known
from mirnbdev.encoding import column_word, encode
from mirnbdev.hairpin import Record, fold_many


def golden_lines():
    "One line a known precursor: name, structure, word, hash of the image."
    hairpins = list(fold_many(Record(x.name, x.sequence) for x in well_known().itertuples()))
    digests = [hashlib.sha256(x.tobytes()).hexdigest() for x in encode(hairpins).images]
    return [f'{h.name}\t{h.structure}\t{column_word(h)}\t{d}' for h, d in zip(hairpins, digests)]


def test_known_precursors_are_encoded_as_ever():
    assert golden_lines() == (Path(__file__).parent / 'golden' / 'known.tsv').read_text().splitlines()
