"Write README.md and its pictures from nbs/index.ipynb."

import re
import shutil
from pathlib import Path

import nbformat
from execnb.nbio import nb2str
from nbconvert import MarkdownExporter
from nbdev.process import NBProcessor
from nbdev.processors import hide_, hide_line
from traitlets.config import Config

ROOT = Path(__file__).parents[2]


def main():
    nb = NBProcessor(ROOT / 'nbs' / 'index.ipynb', procs=[hide_, hide_line], process=True).nb
    nb.metadata['language_info'] = {'name': 'python'}  # the language of the code fences
    exporter = MarkdownExporter(
        config=Config(TagRemovePreprocessor=dict(enabled=True, remove_input_tags={'remove-input'}))
    )
    text, resources = exporter.from_notebook_node(
        nbformat.reads(nb2str(nb), as_version=4), {'output_files_dir': 'nbs/_readme', 'unique_key': 'readme'}
    )
    alt = iter(' '.join(c.directives_['fig-alt:']) for c in nb.cells if 'fig-alt:' in c.directives_)
    text = re.sub(r'!\[(png|svg)\]', lambda _: f'![{next(alt)}]', text)
    shutil.rmtree(ROOT / 'nbs/_readme', ignore_errors=True)
    for name, picture in resources['outputs'].items():
        (ROOT / name).parent.mkdir(parents=True, exist_ok=True)
        (ROOT / name).write_bytes(picture)
    text = re.sub(r'\]\((?=[\w/]+\.ipynb)', '](nbs/', text)  # links are those of the notebook's folder
    (ROOT / 'README.md').write_text(re.sub(r'\n{3,}', '\n\n', text).strip() + '\n', encoding='utf-8')


if __name__ == '__main__':
    main()
