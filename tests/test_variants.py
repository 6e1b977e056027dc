"""`mirnbdev variants` as a user calls it: every variant comes out, and errors name record and position."""

import gzip
import re

import pytest
from bad_input import MIR21, fasta
from commands import TINY, call, start, table, write_hostile

RECORDS = {'hsa-mir-21': MIR21, 'tiny': TINY, 'two': 'GGGGAAAACCCCAGGGGAAAACCCC', 'flat': 'A' * 30}
VCF = """##fileformat=VCFv4.2
#CHROM\tPOS\tID\tREF\tALT\tQUAL\tFILTER\tINFO
hsa-mir-21\t15\trs1\tT\tA,G\t.\t.\t.
hsa-mir-21\t14\t.\tAT\tA\t.\t.\t.
hsa-mir-21\t15\t.\tG\tA\t.\t.\t.
hsa-mir-21\t99\tfar\tG\tA\t.\t.\t.
hsa-mir-21\t15\t.\tT\t<DEL>\t.\t.\t.
chr7\t15\t.\tT\tA\t.\t.\t.
"""


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'a.fa').write_text(''.join(f'>{n} of a test\n{s}\n' for n, s in RECORDS.items()))


def measured(*args, status=0):
    "Rows that a command writes, and what it says."
    r = call('variants', *args, '-o', 'out', '-j', 1, status=status)
    return table(open('out/variants.tsv', encoding='utf-8').read()), r.stderr


def test_every_variant_of_every_record(tmp_path):
    rows, said = measured('a.fa')
    assert [x['name'] for x in rows] == [n for n, s in RECORDS.items() for _ in range(4 * len(s))]
    assert said.splitlines() == [f'mirnbdev: {len(rows)} variant(s) of 4 record(s)']
    for x in rows:
        assert len(x['sequence']) == len(x['structure']) and 0 <= float(x['probability']) <= 1
        position, s = int(x['positions']), RECORDS[x['name']]
        assert x['variant'].startswith(f'{s[position - 1]}{position}')
        assert len(x['sequence']) == len(s) - x['variant'].endswith('del')
    flags = {n: {f for x in rows if x['name'] == n for f in re.split('[;:,]', x['flags'])} for n in RECORDS}
    assert 'several_hairpins' in flags['two'] and 'no_pairs' in flags['flat']
    assert sorted(p.name for p in (tmp_path / 'out' / 'pictures').iterdir())[0] == '01_hsa-mir-21.png'


def test_a_list_a_table_and_a_vcf_file_say_the_same(tmp_path):
    given, _ = measured('a.fa', '--variants', 'U15A t15g U15del', status=1)
    (tmp_path / 'v.tsv').write_text('record\tvariant\r\nhsa-mir-21\tU15A\r\nhsa-mir-21\tT15G\r\nhsa-mir-21\tu15del\r\n')
    listed, said = measured('a.fa', '--variants', 'v.tsv')
    assert said.splitlines() == ['mirnbdev: 3 variant(s) of 4 record(s)']
    (tmp_path / 'v.vcf.gz').write_bytes(gzip.compress(VCF.encode()))
    called, _ = measured('a.fa', '--variants', 'v.vcf.gz', status=1)
    assert [x['id'] for x in called[:4]] == ['rs1', 'rs1', '', '']
    assert given[:3] == listed == [x | {'id': ''} for x in called[:3]]
    assert len(given) == 12 and sum('failed: ' in x['flags'] for x in given) == 9
    two, _ = measured('a.fa', '--variants', 'A58U,U15A', status=1)
    assert (two[0]['variant'], two[0]['positions']) == ('U15A,A58U', '15,58')
    assert abs(float(two[0]['logit_change'])) < 1 < -float(given[0]['logit_change'])


def test_what_does_not_fit_is_said_and_kept(tmp_path):
    (tmp_path / 'v.vcf').write_text(VCF)
    rows, said = measured('a.fa', '--variants', 'v.vcf', status=1)
    assert [x['name'] for x in rows] == ['hsa-mir-21'] * 6 + ['chr7'] and rows[4]['id'] == 'far'
    reasons = [x['flags'].removeprefix('failed: ') for x in rows[3:]]
    assert reasons[0] == 'G15A: at position 15 stands U, not G'
    assert reasons[1] == 'G99A: position 99 lies outside of the 72 nucleotides'
    assert "'T15<DEL>' is no variant; accepted are G12A" in reasons[2]
    assert reasons[3] == 'T15A: there is no record of this name'
    assert all(x['logit'] == x['sequence'] == '' for x in rows[3:])
    for name, reason in zip([x['name'] for x in rows[3:]], reasons):
        assert f'mirnbdev: {name}: {reason}' in said.splitlines()
    assert said.splitlines()[-1] == 'mirnbdev: 7 variant(s) of 4 record(s); 4 failed'


def test_a_record_that_fails_keeps_its_variants(tmp_path):
    (tmp_path / 'b.fa').write_bytes(fasta('ACGX', MIR21))
    rows, said = measured('b.fa', '--variants', 'U15A U38C', status=1)
    assert [(x['name'], x['variant'], bool(x['logit'])) for x in rows] == [
        ('r0', 'U15A', False),
        ('r0', 'U38C', False),
        ('r1', 'U15A', True),
        ('r1', 'U38C', True),
    ]
    assert "failed: letter 'X' at position 4" in rows[0]['flags'] and '1 failed' in said
    (tmp_path / 'c.fa').write_text(f'>a\n{TINY}\n>a\n{TINY}\n')
    rows, _ = measured('c.fa', '--variants', 'A5del')
    assert [x['flags'].split(';')[0] == 'duplicate_name' for x in rows] == [False, True]


REFUSED = {
    'variants nowhere.fa': 'nowhere.fa: no such file',
    'variants a.fa --variants nowhere.vcf': "--variants: no such file, and 'nowhere.vcf' is no variant",
    'variants a.fa --variants G12': "'G12' is no variant; accepted are G12A, U30del",
    'variants a.fa --variants .': '.: is a folder; give a file',
    'variants - --variants -': 'holds the sequences or the variants, not both',
    'variants a.fa -o a.fa': 'a.fa: is a file, not a folder',
}


@pytest.mark.parametrize('command', REFUSED)
def test_wrong_usage(command, tmp_path):
    r = call(*command.split(), status=2)
    assert REFUSED[command] in ' '.join(r.stderr.split()) and [p.name for p in tmp_path.iterdir()] == ['a.fa']


@pytest.mark.parametrize('text', ['', '# only a comment\n', 'a\tb\tc\n', '\x00'])
def test_a_file_of_no_variants_writes_nothing(text, tmp_path):
    (tmp_path / 'v').write_text(text)
    r = call('variants', 'a.fa', '--variants', 'v', '-o', 'out', status=1)
    assert r.stderr.startswith('mirnbdev: v: ') and not (tmp_path / 'out').exists()


def test_variants_from_standard_input(tmp_path):
    r = start('variants', 'a.fa', '--variants', '-', '-o', 'out', stdin=b'tiny\tA5G\n')
    assert r.stdout.startswith('Open out/variants.html in a browser')
    assert [x['variant'] for x in table((tmp_path / 'out' / 'variants.tsv').read_text())] == ['A5G']


def test_a_page_of_hostile_names_is_read_on_a_phone(browser, tmp_path):
    names = [n for n in write_hostile(tmp_path / 'all.fa') if re.search(r'[$/<\\\u202e]|x{99}|\ufffd', n)]
    (tmp_path / 'h.fa').write_text(''.join(f'>{n}\n{TINY}\n' for n in names), 'utf-8')
    call('variants', 'h.fa', '--variants', 'A5G', '-o', 'out', '-j', 1)
    text = (tmp_path / 'out' / 'variants.html').read_text('utf-8')
    assert '<script' not in text and 'src="http' not in text and 'x' * 99 not in text and '\u202e' not in text
    context = browser.new_context(viewport=dict(width=390, height=800))
    try:
        page, trouble = context.new_page(), []
        page.on('pageerror', lambda e: trouble.append(str(e)))
        page.on('request', lambda r: r.url.startswith(('file:', 'data:')) or trouble.append(r.url))
        page.goto((tmp_path / 'out' / 'variants.html').as_uri())
        assert page.evaluate('document.documentElement.scrollWidth') <= 390 and not trouble
        assert page.evaluate('[...document.images].every(i => i.alt)')
    finally:
        context.close()
