"""How long does the library take to import, and the command to start?

usage: python benchmarks/speed.py imports

CPU time of one thread in new processes, in turn, and its ratio to `import torch`: medians of five rounds, after one
that is not counted. The speed of detection and of drawing: detector.py speed, encoding.py.
"""

import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import pandas as pd
from common import main, write

ROUNDS = 5
LET7 = 'UGGGAUGAGGUAGUAGGUUGUAUAGUUUUAGGGUCACACCCACCACUGGGAGAUAACUAUACAAUCUACUGUCUUUCCUA'


def cpu_seconds(command, folder):
    "CPU time of a new process."
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    env = {**os.environ, 'OMP_NUM_THREADS': '1'}
    subprocess.run(command, cwd=folder, env=env, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def commands():
    "What is run: name -> command."
    imports = ('import torch', 'import mirnbdev.encoding', 'import mirnbdev.cnn')
    detect = [str(Path(sys.executable).with_name('mirnbdev')), 'detect', 'one.fa']
    return {**{code: [sys.executable, '-c', code] for code in imports}, 'mirnbdev detect one.fa': detect}


def imports():
    "CPU time of imports and of the shortest detection."
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, 'one.fa').write_text(f'>hsa-let-7a-1\n{LET7}\n')
        rounds = [{k: cpu_seconds(c, folder) for k, c in commands().items()} for _ in range(1 + ROUNDS)][1:]
    t = pd.DataFrame(rounds)
    ratio = t.div(t['import torch'], axis=0)
    rows = {'CPU seconds': t.median().round(2), 'ratio to import torch': ratio.median().round(2)}
    write('imports', pd.DataFrame(rows), seeds=0)


COMMANDS = dict(imports=imports)

if __name__ == '__main__':
    main(COMMANDS, __doc__)
