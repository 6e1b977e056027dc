"Write README.md and its pictures from nbs/index.ipynb."

import shutil
from pathlib import Path

import nbformat
from execnb.nbio import nb2str
from nbconvert import MarkdownExporter
from nbdev.process import NBProcessor
from nbdev.processors import hide_, hide_line

ROOT = Path(__file__).parents[2]


def main():
    nb = NBProcessor(ROOT / 'nbs' / 'index.ipynb', procs=[hide_, hide_line], process=True).nb
    nb.metadata['language_info'] = {'name': 'python'}  # the language of the code fences
    text, resources = MarkdownExporter().from_notebook_node(
        nbformat.reads(nb2str(nb), as_version=4), {'output_files_dir': 'nbs/_readme', 'unique_key': 'readme'}
    )
    shutil.rmtree(ROOT / 'nbs/_readme', ignore_errors=True)
    for name, picture in resources['outputs'].items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_bytes(picture)
    (ROOT / 'README.md').write_text(text.strip() + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
