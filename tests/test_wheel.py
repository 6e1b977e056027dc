"The wheel holds all that the library needs at run time."

import shutil
import subprocess
import sys
import zipfile

import pytest
from conftest import ROOT


def test_wheel_is_complete(tmp_path):
    src = tmp_path / 'src'
    shutil.copytree(ROOT / 'mirnbdev', src / 'mirnbdev', ignore=shutil.ignore_patterns('__pycache__'))
    for name in ('settings.ini', 'setup.py', 'pyproject.toml', 'MANIFEST.in', 'README.md', 'LICENSE'):
        shutil.copy(ROOT / name, src)
    subprocess.run(
        [sys.executable, '-m', 'pip', 'wheel', '-q', '--no-deps', '--no-build-isolation', '-w', tmp_path, src],
        check=True,
    )
    with zipfile.ZipFile(next(tmp_path.glob('mirnbdev-*.whl'))) as wheel:
        names = set(wheel.namelist())
        scripts = wheel.read(next(n for n in names if n.endswith('entry_points.txt'))).decode()
    missing = {str(p.relative_to(src)) for p in (src / 'mirnbdev').rglob('*') if p.is_file()} - names
    assert not missing, sorted(missing)
    assert {'weights', 'splits', 'templates'} <= {n.split('/')[1] for n in names}
    assert 'mirnbdev=mirnbdev.__main__:main' in scripts.replace(' ', '')


IMPORT_ALL = """import importlib, pkgutil, sys, mirnbdev
for m in pkgutil.iter_modules(mirnbdev.__path__): importlib.import_module(f'mirnbdev.{m.name}')
print(*{'nbdev', 'execnb', 'pytest', 'edlib'} & sys.modules.keys())"""


def test_library_imports_no_development_tool():
    assert not subprocess.run(
        [sys.executable, '-c', IMPORT_ALL], check=True, stdout=subprocess.PIPE, text=True
    ).stdout.strip()


NAMES = """from mirnbdev import Detector, Generator, Hairpin, attribute, encode, find_hairpins, fold, simulate
import mirnbdev
assert {'Detector', 'fold'} <= set(dir(mirnbdev))
try: mirnbdev.nothing
except AttributeError as e: print(e)"""


def test_the_main_names_are_at_the_top():
    out = subprocess.run([sys.executable, '-c', NAMES], check=True, stdout=subprocess.PIPE, text=True).stdout
    assert out.strip() == "module 'mirnbdev' has no attribute 'nothing'"


LIGHT = """import sys, {module}
print(*sorted({'torch', 'pandas', 'scipy', 'sklearn', 'matplotlib', 'captum'} & sys.modules.keys()))"""


@pytest.mark.parametrize(
    'module, heavy',
    [('mirnbdev.encoding', ''), ('mirnbdev.factors', ''), ('mirnbdev.scan', ''), ('mirnbdev.cnn', 'torch')],
)
def test_modules_import_no_more_than_they_need(module, heavy):
    assert (
        subprocess.run(
            [sys.executable, '-c', LIGHT.replace('{module}', module)], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()
        == heavy
    )
