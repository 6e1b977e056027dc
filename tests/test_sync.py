"The library, the notebooks and the README in git are what nbdev would write."

import filecmp
import shutil
import subprocess
import sys

from conftest import ROOT


def generated(base):
    files = [
        *(base / 'mirnbdev').glob('*.py'),
        *(base / 'nbs').rglob('*.ipynb'),
        base / 'README.md',
        *(base / 'nbs' / '_readme').glob('*'),
    ]
    return {p.relative_to(base) for p in files if p.exists() and '.ipynb_checkpoints' not in p.parts}


def test_export_clean_and_readme_change_nothing(tmp_path):
    shutil.copytree(
        ROOT / 'nbs', tmp_path / 'nbs', ignore=shutil.ignore_patterns('.ipynb_checkpoints', '_build', '_readme')
    )
    shutil.copy(ROOT / 'settings.ini', tmp_path)
    (tmp_path / 'mirnbdev').mkdir()
    for name in ('__init__.py', '__main__.py'):  # written by hand; nbdev changes the version in the first
        shutil.copy(ROOT / 'mirnbdev' / name, tmp_path / 'mirnbdev')
    for cmd in (['nbdev_export'], ['nbdev_clean'], [sys.executable, 'nbs/_ext/readme.py']):
        subprocess.run(cmd, cwd=tmp_path, check=True)
    changed = [
        str(p)
        for p in sorted(generated(tmp_path) | generated(ROOT))
        if not ((tmp_path / p).exists() and (ROOT / p).exists() and filecmp.cmp(tmp_path / p, ROOT / p, shallow=False))
    ]
    assert not changed, f'run `nbdev_export`, `nbdev_clean` and `make readme`, then commit: {changed}'
