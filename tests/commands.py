"Run `mirnbdev` as a user does, in this process or in one of its own: for tests of commands and of their pages."

import csv
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from bad_input import random_sequence
from typer.testing import CliRunner

from mirnbdev.cli import app
from mirnbdev.hairpin import read_fasta

TINY = 'GGGGAAAACCCC'
COMMAND = str(Path(sys.executable).with_name('mirnbdev'))


class Answer(NamedTuple):
    "What a command gives back."

    status: int
    stdout: str
    stderr: str


def call(*args, status=0, **options):
    "Run `mirnbdev` in this process; it must end with `status`, and not with an exception."
    r = CliRunner().invoke(app, [str(a) for a in args], **options)
    assert not isinstance(r.exception, Exception), r.exception
    return check(Answer(r.exit_code, r.stdout, r.stderr), status)


def start(*args, status=0, stdin=b'', **options):
    "Run `mirnbdev` in a process of its own; it must end with `status`."
    command = [COMMAND, *map(str, args)]
    plain = {k: v for k, v in os.environ.items() if k != 'PYTHONUNBUFFERED'}  # output is buffered, as users have it
    options = dict(stdout=subprocess.PIPE, env=plain) | options
    r = subprocess.run(command, input=stdin, stderr=subprocess.PIPE, timeout=300, **options)
    return check(Answer(r.returncode, (r.stdout or b'').decode(), r.stderr.decode()), status)


def check(answer, status):
    assert 'Traceback' not in answer.stderr, answer.stderr
    assert answer.status == status, (answer.status, answer.stderr)
    return answer


def table(text):
    return list(csv.DictReader(text.splitlines(), delimiter='\t', quoting=csv.QUOTE_NONE))


def reverse_complement(s):
    return s[::-1].translate(str.maketrans('ACGU', 'UGCA'))


def random_stems(n):
    rng = random.Random(0)
    arms = [random_sequence(rng, 30) for _ in range(n)]
    return [a + 'GAAAUUCA' + reverse_complement(a) for a in arms]


HOSTILE = (
    '$ mir$_$x \\frac{ a/b a:b .. . -rf --help <!--<script> </script> <b>&amp; "quoted" it\'s back\\slash 50% %s {x} '
    '$HOME `id` =1+1 _x 🧬😀 \u202eabc\u200f 微小 \ufeff c c'
).split() + ['x' * 5000, 'é' * 300]


def write_hostile(path):
    "Write a file with a record of each hostile name, and one of control characters; give the names as they are read."
    path.write_text(''.join(f'>{n}\n{TINY}\n' for n in [*HOSTILE, 'a\x1b[31m\x01\x85b']), 'utf-8')
    return [r.name for r in read_fasta(path)]
