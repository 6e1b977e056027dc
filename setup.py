"Packaging: everything is read from settings.ini."

from configparser import ConfigParser
from pathlib import Path

from setuptools import setup

here = Path(__file__).parent
parser = ConfigParser(delimiters=['='])
parser.read(here / 'settings.ini', encoding='utf-8')
cfg = parser['DEFAULT']

setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    long_description=(here / 'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    keywords=cfg['keywords'].split(),
    author=cfg['author'],
    license='MIT',
    packages=['mirnbdev'],
    package_data={'mirnbdev': ['*.*', 'weights/*', 'weights/scanner/*', 'splits/*', 'templates/*']},
    python_requires=f'>={cfg["min_python"]}',
    install_requires=cfg['requirements'].split(),
    extras_require={x: cfg[f'{x}_requirements'].split() for x in ('dev', 'dask')},
    entry_points={'console_scripts': ['mirnbdev=mirnbdev.__main__:main']},
)
