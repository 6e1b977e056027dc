"""What is left of a command that is stopped from outside, at any moment: no process, no file, no traceback."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

LEFT = 20  # s in which all processes must be gone; two seconds are usual
MARK = 'MIRNBDEV_TEST_MARK'  # in the environment of a command and of all that it starts


def marked(mark):
    "Processes that the command, or what it started, has left."
    found = []
    for p in Path('/proc').glob('[0-9]*'):
        try:
            if f'{MARK}={mark}'.encode() in (p / 'environ').read_bytes():
                found.append(int(p.name))
        except OSError:
            pass
    return found


def gone(mark):
    "Wait until no marked process is left."
    end = time.monotonic() + LEFT
    while left := marked(mark):
        if time.monotonic() > end:
            return left
        time.sleep(0.1)
    return []


def stop(folder, signal_number, after, command='detect', group=False):
    "Start a command that folds in two processes, stop it `after` s, and give its status and what it said."
    rng = random.Random(0)
    records = (f'>r{i}\n{"".join(rng.choices("ACGU", k=100))}\n' for i in range(20_000))
    (folder / 'a.fa').write_text(''.join(records))
    mark = f'{os.getpid()}-{signal_number}-{after}'
    out = 'out.npz' if command == 'encode' else 'out.tsv'
    p = subprocess.Popen(
        [sys.executable, '-m', 'mirnbdev', command, 'a.fa', '-o', out, '-j', '2'],
        cwd=folder,
        env=dict(os.environ, **{MARK: mark}),
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    time.sleep(after)
    (os.killpg if group else os.kill)(p.pid, signal_number)
    said = p.communicate(timeout=60)[1].decode()
    assert not gone(mark), 'processes are left'
    return p.returncode, said


@pytest.mark.skipif(not Path('/proc/self/environ').exists(), reason='needs the processes of Linux')
@pytest.mark.parametrize('command, after', [('detect', 1.5), ('encode', 4)])
@pytest.mark.parametrize('how, status', [('SIGINT', 130), ('SIGTERM', 143)])
def test_a_signal_leaves_nothing(tmp_path, how, status, command, after):
    "Ctrl-C, which a terminal sends to all processes of a command, and SIGTERM."
    code, said = stop(tmp_path, getattr(signal, how), after, command, group=how == 'SIGINT')
    assert code == status, said
    assert 'Traceback' not in said and 'Warning' not in said
    assert [p.name for p in tmp_path.iterdir()] == ['a.fa']


@pytest.mark.skipif(not Path('/proc/self/environ').exists(), reason='needs the processes of Linux')
@pytest.mark.parametrize('after', [2, 5])
def test_a_killed_command_leaves_no_process_and_no_file(tmp_path, after):
    code, said = stop(tmp_path, signal.SIGKILL, after)
    assert code == -signal.SIGKILL and [p.name for p in tmp_path.iterdir()] == ['a.fa']
