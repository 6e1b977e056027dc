"What users bring, and what must come out: one table for the tests of the command line and for the page on bad input."

import bz2
import gzip
import random
from typing import NamedTuple

MIR21 = 'UGUCGGGUAGCUUAUCAGACUGAUGUUGACUGUUGAAUCUCAUGGCAACACCAGUCGAUGGGCUGUCUGACA'


class Case(NamedTuple):
    "A file, and what `mirnbdev detect` makes of it."

    what: str  # It holds, in words
    data: bytes
    rows: int  # That come out; 0: the file is refused
    status: int  # With which the command ends
    says: str  # Words among the flags, or in the message if the file is refused


def fasta(*sequences, end='\n'):
    return ''.join(f'>r{i}{end}{s}{end}' for i, s in enumerate(sequences)).encode()


def random_sequence(rng, n):
    return ''.join(rng.choices('ACGU', k=n))


_LINES = '\n'.join(MIR21[i : i + 7] for i in range(0, len(MIR21), 7))
_LONG = random_sequence(random.Random(0), 5000)
_BYTES = MIR21.encode()
_STEM = 'G' * 5 + 'GC' * 60 + 'AAAA' + 'GC' * 60 + 'C' * 5

RECORDS = {
    'plain.fa': Case('RNA', fasta(MIR21), 1, 0, ''),
    'crlf.fa': Case('lines that end as on Windows', fasta(MIR21, MIR21[:40], end='\r\n'), 2, 0, ''),
    'mac.fa': Case('lines that end as on old Macs', fasta(MIR21, MIR21[:40], end='\r'), 2, 0, ''),
    'lower.fa': Case('small letters', fasta(MIR21.lower()), 1, 0, ''),
    'dna.fa': Case('DNA', fasta(MIR21.replace('U', 'T')), 1, 0, ''),
    'gz.fa.gz': Case('gzip', gzip.compress(fasta(MIR21)), 1, 0, ''),
    'gz.fa': Case('gzip without its suffix', gzip.compress(fasta(MIR21)), 1, 0, ''),
    'lines.fa': Case('a sequence on many lines', fasta(_LINES), 1, 0, ''),
    'bom.fa': Case('a byte-order mark', '\ufeff'.encode() + fasta(MIR21), 1, 0, ''),
    'utf8.fa': Case('a foreign letter in a description', b'>r0 Epichlo\xc3\xab\n' + _BYTES, 1, 0, ''),
    'latin1.fa': Case('a header that is not UTF-8', b'>r0 caf\xe9\n' + _BYTES, 1, 0, 'not_utf8'),
    'noname.fa': Case('a record without a name', b'>\n' + _BYTES + b'\n', 1, 0, ''),
    'duplicate.fa': Case('a name twice', b'>a\nGGGGAAAACCCC\n>a\nGGGGAAAACCCC\n', 2, 0, 'duplicate_name'),
    'one.fa': Case('one nucleotide', fasta('A'), 1, 0, 'no_pairs'),
    'flat.fa': Case('a sequence that does not pair', fasta('A' * 60), 1, 0, 'no_pairs'),
    'cut.fa': Case('a stem longer than the image', fasta(_STEM), 1, 0, 'cut'),
    'letters.fa': Case('a wrong letter', fasta(MIR21, 'ACGX' + MIR21, MIR21), 3, 1, "letter 'X' at position 4"),
    'foreign.fa': Case('a foreign letter in a sequence', fasta(MIR21, 'ACë' + MIR21), 2, 1, "letter 'ë' at position 3"),
    'comment.fa': Case('a comment among the sequence', fasta(f';my\n{MIR21}'), 1, 1, "letter ';' at position 1"),
    'aligned.fa': Case('an alignment', fasta(f'{MIR21[:30]}-{MIR21[30:]}'), 1, 1, "letter '-' at position 31"),
    'iupac.fa': Case('an unknown nucleotide', fasta(MIR21[:30] + 'N' + MIR21[30:]), 1, 1, "letter 'N' at position 31"),
    'nosequence.fa': Case('a name without a sequence', b'>a\n>b\n' + _BYTES + b'\n', 2, 1, 'empty sequence'),
    'long.fa': Case('a transcript', fasta(_LONG, MIR21), 2, 1, '5000 nt is longer than'),
    'line10M.fa': Case('ten million letters on a line', fasta('ACGU' * 2_500_000, MIR21), 2, 1, 'is longer than'),
}
FILES = {
    'empty.fa': Case('nothing', b'', 0, 1, 'no records'),
    'blank.fa': Case('empty lines', b'\n\n', 0, 1, 'no records'),
    'headless.fa': Case('sequences without names', b'ACGU\nACGU\n', 0, 1, "Expected '>'"),
    'reads.fq': Case('FASTQ', b'@r0\nACGU\n+\n!!!!\n', 0, 1, "Expected '>'"),
    'binary.fa': Case('a program', bytes(range(256)) * 50, 0, 1, 'not text'),
    'image.fa': Case('a picture', b'\x89PNG\r\n\x1a\n\0\0', 0, 1, 'not text'),
    'utf16.fa': Case('text in UTF-16', fasta(MIR21).decode().encode('utf-16'), 0, 1, 'text in UTF-16'),
    'short.fa.gz': Case('a cut gzip file', gzip.compress(fasta(*[MIR21] * 500))[:-30], 0, 1, 'too early'),
    'fake.fa.gz': Case('plain text that is named .gz', b'this is not gzip', 0, 1, "Expected '>'"),
    'packed.fa.bz2': Case('another compression', bz2.compress(fasta(MIR21)), 0, 1, 'bzip2'),
    'all.tar': Case('an archive', b'a.fa'.ljust(257, b'\0') + b'ustar\0', 0, 1, 'tar archive'),
}
# a command on a file a.fa -> what it says, with exit status 2
REFUSED = {
    'detect nowhere.fa': 'nowhere.fa: no such file',
    'detect .': '.: is a folder; give a file',
    'detect a.fa -o a.png': 'a.png: must end in .tsv',
    'detect a.fa -o no/such/a.tsv': 'no/such: no such folder',
    'encode a.fa -o ./a.fa': 'must end in .npz or .png',
    'latent a.fa -o a.csv': 'a.csv: must end in .tsv or .png, or be a folder',
    'explain a.fa --method magic': "'magic' is not one of 'occlusion'",
    'simulate --clade Fungi': "'Fungi' is not one of",
    'simulate --length 10': "'--length': ",
    'simulate --design --strict': 'not together with --strict',
    'simulate --design --min-score 0.9 --fixed avoid=GAAUUC': 'not together with --fixed or --min-score',
    'simulate --min-score 2': "'--min-score': ",
    'simulate --fixed mature=UGAGGUAG': 'a KEY of 5p, 3p, loop, structure, sequence, avoid; not ',
    'simulate --fixed 5p=': 'a KEY of 5p, 3p, loop, structure, sequence, avoid; not ',
    'simulate --fixed 5p=UGAG --fixed 5p=UGAG': '5p is given twice',
    'report a.fa -o a.fa': 'a.fa: is a file, not a folder',
}
