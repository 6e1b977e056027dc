"The command line on good and bad input, as a user calls it: never a traceback, never a lost record, no half-written file."
import csv, gzip, os, random, signal, subprocess, sys, time
from pathlib import Path
import numpy as np, pytest

MIR21 = 'UGUCGGGUAGCUUAUCAGACUGAUGUUGACUGUUGAAUCUCAUGGCAACACCAGUCGAUGGGCUGUCUGACA'
COMMAND = [str(Path(sys.executable).with_name('mirnbdev'))]

def mirnbdev(*args, cwd, stdin=b''):
    return subprocess.run([*COMMAND, *map(str, args)], cwd=cwd, input=stdin, capture_output=True, timeout=300)

def fasta(*sequences, end='\n'): return ''.join(f'>r{i}{end}{s}{end}' for i,s in enumerate(sequences)).encode()

# name -> (bytes, rows that must come out, exit status, a word in the flags or in the message)
RECORDS = {
    'plain.fa': (fasta(MIR21), 1, 0, ''),
    'crlf.fa': (fasta(MIR21, MIR21[:40], end='\r\n'), 2, 0, ''),
    'lower.fa': (fasta(MIR21.lower()), 1, 0, ''),
    'dna.fa': (fasta(MIR21.replace('U', 'T')), 1, 0, ''),
    'gz.fa.gz': (gzip.compress(fasta(MIR21)), 1, 0, ''),
    'lines.fa': (fasta('\n'.join(MIR21[i:i+7] for i in range(0, len(MIR21), 7))), 1, 0, ''),
    'letters.fa': (fasta(MIR21, 'ACGX'+MIR21, MIR21), 3, 1, "letter 'X' at position 4"),
    'iupac.fa': (fasta(MIR21[:30]+'N'+MIR21[30:]), 1, 1, "letter 'N' at position 31"),
    'nosequence.fa': (b'>a\n>b\n'+MIR21.encode()+b'\n', 2, 1, 'empty sequence'),
    'duplicate.fa': (b'>a\nGGGGAAAACCCC\n>a\nGGGGAAAACCCC\n', 2, 0, 'duplicate_name'),
    'noname.fa': (b'>\n'+MIR21.encode()+b'\n', 1, 0, ''),
    'one.fa': (fasta('A'), 1, 0, 'no_pairs'),
    'flat.fa': (fasta('A'*60), 1, 0, 'no_pairs'),
    'long.fa': (fasta(''.join(random.Random(0).choices('ACGU', k=5000)), MIR21), 2, 1, '5000 nt is longer than'),
    'cut.fa': (fasta('G'*5+'GC'*60+'AAAA'+'GC'*60+'C'*5), 1, 0, 'cut'),
    'line10M.fa': (b'>a\n'+b'ACGU'*2_500_000+b'\n>b\n'+MIR21.encode()+b'\n', 2, 1, 'is longer than'),
}
# name -> (bytes, a word in the message): no file can come out
FILES = {
    'empty.fa': (b'', 'no records'),
    'blank.fa': (b'\n\n', 'no records'),
    'headless.fa': (b'ACGU\nACGU\n', "Expected '>'"),
    'binary.fa': (bytes(range(256))*50, 'not text'),
    'image.fa': (b'\x89PNG\r\n\x1a\n\0\0', 'not text'),
    'short.fa.gz': (gzip.compress(fasta(*[MIR21]*500))[:-30], 'too early'),
    'fake.fa.gz': (b'this is not gzip', 'gzip file'),
}

def check(r, status):
    assert b'Traceback' not in r.stderr, r.stderr.decode()
    assert r.returncode==status, (r.returncode, r.stderr.decode())

def names(data):
    text = gzip.decompress(data) if data[:2]==b'\x1f\x8b' else data
    return [(l[1:].split() or [b'record_1'])[0].decode() for l in text.splitlines() if l.startswith(b'>')]

@pytest.mark.parametrize('file', RECORDS)
def test_every_record_comes_out_of_detect(file, tmp_path):
    data, rows, status, word = RECORDS[file]
    (tmp_path/file).write_bytes(data)
    r = mirnbdev('detect', file, '-o', 'out.tsv', cwd=tmp_path)
    check(r, status)
    out = list(csv.DictReader((tmp_path/'out.tsv').open(), delimiter='\t', quoting=csv.QUOTE_NONE))
    assert [x['name'] for x in out]==names(data) and len(out)==rows
    assert any(word in x['flags'] for x in out)
    for x in out:
        if 'failed' in x['flags']: assert x['probability']=='' and r.stderr
        else: assert 0<=float(x['probability'])<=1 and x['call'] in '01' and len(x['structure'])==int(x['length'])

def test_every_record_comes_out_of_windows(tmp_path):
    rng = random.Random(1)
    flank = [''.join(rng.choices('ACGU', k=400)) for _ in range(4)]
    records = {'alone': MIR21, 'window': flank[0][:60]+MIR21+flank[1][:60], 'transcript': (flank[0]+MIR21+'N'*50+flank[1]+MIR21+flank[2]).lower().replace('u', 't'),
               'behind': flank[3]+MIR21[::-1].translate(str.maketrans('ACGU', 'UGCA'))+flank[2], 'flat': 'A'*300, 'unknown': 'N'*300, 'letters': MIR21+'X', 'empty': '', 'one': 'A'}
    (tmp_path/'a.fa').write_text(''.join(f'>{n}\r\n{s}\r\n' for n,s in [*records.items(), ('alone', MIR21)]))
    r = mirnbdev('detect', '--windows', '--both-strands', 'a.fa', '-o', 'out.tsv', cwd=tmp_path)
    check(r, 1)
    rows = list(csv.DictReader((tmp_path/'out.tsv').open(), delimiter='\t', quoting=csv.QUOTE_NONE))
    assert [x['name'] for x in rows]==[*records, 'alone']
    for x in rows:
        if 'failed' in x['flags']: assert x['name'] in ('letters', 'empty') and x['start']==x['probability']==''; continue
        if 'no_hairpin' in x['flags']: assert x['name'] in ('flat', 'unknown', 'one') and x['hairpins']=='0' and x['call']=='0'; continue
        s = records[x['name']]
        assert 1<=int(x['start'])<=int(x['end'])<=len(s) and int(x['end'])-int(x['start'])+1==int(x['length'])==len(x['structure'])
    place = lambda x: range(int(x['start']), int(x['end'])+1)
    window, behind = rows[1], rows[3]
    assert 60+36 in place(window) and window['strand']=='+'
    assert 400+36 in place(behind) and behind['strand']=='-', 'the precursor is on the other strand'
    assert rows[-1]['flags'].startswith('duplicate_name') and rows[-1]['probability']==rows[0]['probability']

def test_options_of_windows(tmp_path):
    (tmp_path/'a.fa').write_bytes(fasta(MIR21))
    for args in (['--both-strands'], ['--windows', '--iupac']): check(mirnbdev('detect', 'a.fa', *args, cwd=tmp_path), 2)

@pytest.mark.parametrize('file', RECORDS)
def test_every_record_comes_out_of_encode(file, tmp_path):
    data, rows, status, word = RECORDS[file]
    (tmp_path/file).write_bytes(data)
    check(mirnbdev('encode', file, '-o', 'out.npz', cwd=tmp_path), status)
    with np.load(tmp_path/'out.npz', allow_pickle=False) as z:
        assert z['images'].shape==(rows, 25, 100, 3) and z['images'].dtype==np.uint8
        assert list(z['names'])==names(data)
        assert {len(z[k]) for k in ('sequences', 'structures', 'mfe', 'flags')}=={rows}
        assert any(word in f for f in z['flags'])
        for image,flag in zip(z['images'], z['flags']): assert (image==255).all()==('failed' in flag)

@pytest.mark.parametrize('file', FILES)
def test_what_is_no_fasta_is_said_and_writes_nothing(file, tmp_path):
    data, word = FILES[file]
    (tmp_path/file).write_bytes(data)
    r = mirnbdev('encode', file, '-o', 'out.npz', cwd=tmp_path)
    check(r, 1)
    assert word in r.stderr.decode() and file in r.stderr.decode()
    assert [p.name for p in tmp_path.iterdir()]==[file]

def test_iupac_letters_are_kept_when_asked(tmp_path):
    (tmp_path/'n.fa').write_bytes(RECORDS['iupac.fa'][0])
    r = mirnbdev('detect', 'n.fa', '--iupac', cwd=tmp_path)
    check(r, 0)
    assert b'iupac' in r.stdout

@pytest.mark.parametrize('data', [fasta(MIR21), gzip.compress(fasta(MIR21))])
def test_standard_input(data, tmp_path):
    r = mirnbdev('detect', '-', cwd=tmp_path, stdin=data)
    check(r, 0)
    assert r.stdout.splitlines()[1].startswith(b'r0\t72\t')

@pytest.mark.parametrize('args', [('detect', 'nowhere.fa'), ('encode', 'a.fa', '-o', 'a.txt'), ('encode', 'a.fa', '-o', 'no/such/a.npz'), ('encode', 'a.fa', '-o', '.'),
                                  ('detect',), ('frobnicate',), ('simulate', '-n', '0'), ('simulate', '--length', '900'), ('simulate', '--label', 'cat'),
                                  ('simulate', '--gc', '2'), ('simulate', '--clade', 'cat'), ('simulate', '--design', '--strict'), ('simulate', '-o', 'a.txt'), ('explain', 'a.fa', '--method', 'magic'),
                                  ('score', 'nowhere.fa'), ('score', 'a.fa', '-o', 'a.txt')])
def test_wrong_usage(args, tmp_path):
    (tmp_path/'a.fa').write_bytes(fasta(MIR21))
    check(mirnbdev(*args, cwd=tmp_path), 2)

def test_a_full_disk(tmp_path):
    (tmp_path/'a.fa').write_bytes(fasta(MIR21))
    r = mirnbdev('detect', 'a.fa', '-o', '/dev/full', cwd=tmp_path)
    check(r, 1)
    assert b'No space left' in r.stderr

def test_damaged_weights(tmp_path):
    (tmp_path/'a.fa').write_bytes(fasta(MIR21))
    (tmp_path/'detector.safetensors').write_bytes(b'damaged')
    r = mirnbdev('detect', 'a.fa', '--model', '.', cwd=tmp_path)
    check(r, 1)
    assert b'not the weights of a detector' in r.stderr

@pytest.mark.parametrize('command', ['encode', 'detect'])
def test_ctrl_c_leaves_nothing_behind(command, tmp_path):
    rng = random.Random(0)
    (tmp_path/'a.fa').write_bytes(fasta(*[''.join(rng.choices('ACGU', k=400)) for _ in range(3000)]))
    out = {'encode':'out.npz', 'detect':'out.tsv'}[command]
    p = subprocess.Popen([*COMMAND, command, 'a.fa', '-j', '2', '-o', out], cwd=tmp_path, stderr=subprocess.PIPE, start_new_session=True)
    time.sleep(12)
    assert p.poll() is None, 'it should still be folding'
    os.killpg(p.pid, signal.SIGINT) # as a terminal does, to the workers too
    _, err = p.communicate(timeout=60)
    assert p.returncode==130 and b'Traceback' not in err and b'interrupted' in err, err.decode()
    assert [f.name for f in tmp_path.iterdir()]==['a.fa']

def table(text): return list(csv.DictReader(text.splitlines(), delimiter='\t'))

def test_equal_seeds_give_equal_molecules(tmp_path, monkeypatch):
    monkeypatch.setenv('MIRNBDEV_DATA', str(tmp_path))
    a, b, c = (mirnbdev('simulate', '-n', 5, '--seed', s, cwd=tmp_path).stdout for s in (1, 1, 2))
    assert a==b!=c and len(a.splitlines())==6

def test_a_folder_of_strict_samples_under_conditions(data_dir, tmp_path):
    r = mirnbdev('simulate', '-n', 6, '--length', 70, '--loop', 7, '--clade', 'Mammalia', '--strict', '-o', 'new', cwd=tmp_path)
    check(r, 0)
    assert 'samples' in r.stderr.decode() and 'refold to their design' in r.stderr.decode()
    assert sorted(p.name for p in (tmp_path/'new').iterdir())==['contact_sheet.png', 'simulated.fa', 'simulated.tsv']
    assert (tmp_path/'new'/'contact_sheet.png').read_bytes()[:4]==b'\x89PNG'
    rows = table((tmp_path/'new'/'simulated.tsv').read_text())
    assert (tmp_path/'new'/'simulated.fa').read_text()==''.join(f'>{x["name"]}\n{x["sequence"]}\n' for x in rows)
    for x in rows:
        assert x['designed']==x['refolded'] and len(x['sequence'])==70 and float(x['pair_f1'])==1
        assert x['asked_length']==x['obtained_length']=='70' and x['asked_terminal_loop']==x['obtained_terminal_loop']=='7' and x['asked_gc']==''
        assert x['nearest'] and 0<float(x['identity'])<1

def test_designs_without_mirbase(tmp_path, monkeypatch):
    monkeypatch.setenv('MIRNBDEV_DATA', str(tmp_path))
    r = mirnbdev('simulate', '-n', 3, '--design', '--length', 70, cwd=tmp_path)
    check(r, 0)
    assert b'of 3 fool the detector' in r.stderr and b'nearest and identity stay empty' in r.stderr and b'hairpin.fa: no such file' in r.stderr
    rows = table(r.stdout.decode())
    assert len(rows)==3
    for x in rows: assert len(x['designed'])==70 and x['fooled'] in ('True', 'False') and x['nearest']==x['identity']=='' and 0<=float(x['score_before'])<=1

def test_a_loop_that_does_not_fit(tmp_path):
    r = mirnbdev('simulate', '--length', 40, '--loop', 40, '-o', 'new', cwd=tmp_path)
    check(r, 1)
    assert b'loop: must leave room' in r.stderr and len(r.stderr.splitlines())==1

def test_explain_scores_every_nucleotide(tmp_path):
    (tmp_path/'a.fa').write_bytes(fasta(MIR21, 'ACGX'))
    r = mirnbdev('explain', 'a.fa', cwd=tmp_path)
    check(r, 1)
    rows = list(csv.DictReader(r.stdout.decode().splitlines(), delimiter='\t'))
    assert ''.join(x['nucleotide'] for x in rows)==MIR21 and rows[-1]['name']=='r1' and rows[-1]['flags'].startswith('failed')

def test_explain_writes_a_page_that_needs_no_network(tmp_path):
    (tmp_path/'a.fa').write_bytes(fasta(MIR21, 'ACGX', MIR21))
    check(mirnbdev('explain', 'a.fa', '-o', 'out', '--method', 'deeplift', cwd=tmp_path), 1)
    page = (tmp_path/'out'/'explanation.html').read_text()
    assert 'src="http' not in page and '<link' not in page and MIR21 in page and 'deeplift' in page
    assert [p.read_bytes()[:4] for p in sorted((tmp_path/'out'/'pictures').iterdir())]==[b'\x89PNG']*2
    assert len((tmp_path/'out'/'scores.tsv').read_text().splitlines())==1+2*len(MIR21)+1

def test_explain_of_nothing_that_folds(tmp_path):
    (tmp_path/'a.fa').write_bytes(fasta('ACGX'))
    check(mirnbdev('explain', 'a.fa', '-o', 'out', cwd=tmp_path), 1)
    assert 'No record could be folded' in (tmp_path/'out'/'explanation.html').read_text()

def test_the_explanation_follows_the_reader(tmp_path, page):
    (tmp_path/'a.fa').write_bytes(fasta(MIR21, MIR21[5:-5]))
    check(mirnbdev('explain', 'a.fa', '-o', 'out', cwd=tmp_path), 0)
    trouble = []
    page.on('pageerror', lambda e: trouble.append(str(e)))
    page.goto((tmp_path/'out'/'explanation.html').as_uri())
    assert page.locator('.structure circle').count()==page.locator('.logo g').count()==len(MIR21)
    page.locator('.which').select_option(index=1)
    assert page.locator('.structure circle').count()==page.locator('.logo g').count()==len(MIR21)-10 and not trouble

def test_latents_of_what_can_be_written(tmp_path):
    (tmp_path/'a.fa').write_bytes(fasta(MIR21, 'ACGX', 'A'*30, MIR21+MIR21, MIR21.lower().replace('u', 't')))
    r = mirnbdev('latent', 'a.fa', cwd=tmp_path)
    check(r, 1)
    rows = list(csv.DictReader(r.stdout.decode().splitlines(), delimiter='\t'))
    assert [bool(x['z0_length']) for x in rows]==[True, False, False, False, True] and all(rows[0][k]==rows[4][k] for k in rows[0] if k.startswith('z'))
    assert [x['flags'].split(':')[0].split(';')[0] for x in rows]==['', 'failed', 'no_pairs', 'several_hairpins', '']

def test_a_report_is_one_self_contained_page(tmp_path):
    check(mirnbdev('report', '-n', 6, '-o', 'out', cwd=tmp_path), 0)
    page = (tmp_path/'out'/'report.html').read_text()
    assert 'src="http' not in page and '<link' not in page and page.count('<svg')==12+6
    assert (tmp_path/'out'/'simulated.fa').read_text().count('>')==6

def random_stems(n):
    rng = random.Random(0)
    arms = [''.join(rng.choices('ACGU', k=30)) for _ in range(n)]
    return [a+'GAAAUUCA'+a[::-1].translate(str.maketrans('ACGU', 'UGCA')) for a in arms]

def test_a_scorecard_has_every_set_and_says_what_failed(data_dir, tmp_path):
    stems, design = random_stems(24), '('*30+'.'*8+')'*30
    (tmp_path/'a.fa').write_bytes(fasta(*stems[:12], *(f'{s}\n{design} (-40.00)' for s in stems[12:]), MIR21+'X', f'{MIR21}\n((..))'))
    a, b = (mirnbdev('score', 'a.fa', '-o', o, '-j', '1', cwd=tmp_path) for o in ('a.tsv', '-'))
    check(a, 1); check(b, 1)
    assert b"letter 'X' at position 73" in a.stderr and b'72 nucleotides but 6 structure characters' in a.stderr and b'2 record(s) failed' in a.stderr
    assert (tmp_path/'a.tsv').read_bytes()==b.stdout, 'equal seeds'
    rows = {(x['set'], x['measure']): x for x in csv.DictReader(b.stdout.decode().splitlines(), delimiter='\t')}
    assert {s for s,_ in rows}=={'a.fa', 'natural', 'training', 'shuffled', 'near copies'}
    value = lambda measure: float(rows['a.fa', measure]['value'])
    assert value('unique')==value('new')==1 and value('pair_f1')>.8 and value('distance of largest_interruption')>2

def test_a_scorecard_as_picture(data_dir, tmp_path):
    (tmp_path/'a.fa').write_bytes(fasta(*random_stems(20)))
    check(mirnbdev('score', 'a.fa', '-o', 'a.png', '-j', '1', cwd=tmp_path), 0)
    assert (tmp_path/'a.png').read_bytes()[:4]==b'\x89PNG'

def test_a_scorecard_needs_enough_hairpins(data_dir, tmp_path):
    (tmp_path/'a.fa').write_bytes(fasta(*random_stems(19)))
    r = mirnbdev('score', 'a.fa', '-o', 'a.tsv', cwd=tmp_path)
    check(r, 1)
    assert b'a.fa: 19 hairpins are too few' in r.stderr and not (tmp_path/'a.tsv').exists()

def test_a_scorecard_without_data(tmp_path, monkeypatch):
    monkeypatch.setenv('MIRNBDEV_DATA', str(tmp_path))
    (tmp_path/'a.fa').write_bytes(fasta(MIR21))
    r = mirnbdev('score', 'a.fa', cwd=tmp_path)
    check(r, 1)
    assert b'hairpin.fa: no such file in the folder that MIRNBDEV_DATA names' in r.stderr and not r.stdout
