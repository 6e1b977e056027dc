"""How the book reads a notebook: nbdev's directives become page layout, exported symbols become reference entries.

Everything is read from the notebook's own text, so a build neither imports nor runs the library."""

import ast
import re
from functools import cache
from io import StringIO
from json import dumps, loads
from pathlib import Path
from tokenize import COMMENT, generate_tokens

import nbformat
from execnb.nbio import dict2nb, mk_cell, nb2str
from nbdev.doclinks import patch_name
from nbdev.process import NBProcessor, first_code_ln
from nbdev.processors import filter_stream_, hide_line, strip_ansi

LIB = 'mirnbdev'
WIDGET = 'application/vnd.jupyter.widget-view+json'
EXPORTED = {'export', 'exports', 'exporti'}
TAGS = {('echo', 'false'): 'remove-input', ('output', 'false'): 'remove-output', ('code-fold', 'true'): 'hide-input'}
DEFS = ast.FunctionDef, ast.AsyncFunctionDef


def setup(app):
    return dict(parallel_read_safe=True)


# --- what a cell exports


def public(name):
    return not any(part.startswith('_') for part in name.split('.'))


def definitions(source):
    "The public `(name, node)` that `source` defines: functions, methods, classes, constants."
    for node in ast.parse(source).body:
        if isinstance(node, (*DEFS, ast.ClassDef)):
            name = patch_name(node)
            for full in [name] if isinstance(name, str) else name:
                if public(full):
                    yield full, node
            if isinstance(node, ast.ClassDef) and public(node.name):
                yield from ((f'{node.name}.{o.name}', o) for o in node.body if isinstance(o, DEFS) and public(o.name))
        elif isinstance(node, (ast.Assign, ast.AnnAssign)):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            names = [o for t in targets for o in (t.elts if isinstance(t, ast.Tuple) else [t])]
            yield from ((o.id, node) for o in names if isinstance(o, ast.Name) and public(o.id))


@cache
def symbols():
    "`{'fold': ['mirnbdev.hairpin'], ...}` for every exported name of every notebook, in their order."
    res = {}
    for path in sorted(Path(__file__).parents[1].glob('[0-9]*.ipynb')):
        nb = NBProcessor(path).nb
        for cell in filter(is_exported, nb.cells):
            for name, _ in definitions(cell.source):
                res.setdefault(name, []).append(module_of(nb))
    return res


def module_of(nb):
    "The module a notebook writes; None for a tutorial."
    return next((f'{LIB}.{c.directives_["default_exp"][0]}' for c in nb.cells if 'default_exp' in c.directives_), None)


def is_exported(cell):
    return cell.cell_type == 'code' and bool(EXPORTED & cell.directives_.keys())


# --- a reference entry


def comments(source):
    "`{line: text}` of the comments: docments."
    return {t.start[0]: t.string.lstrip('# ') for t in generate_tokens(StringIO(source).readline) if t.type == COMMENT}


def field_default(node):
    "The default that a dataclass `field(...)` stands for, if any."
    if not (isinstance(node, ast.Call) and ast.unparse(node.func) == 'field'):
        return node
    return next((k.value for k in node.keywords if k.arg in ('default', 'default_factory')), None)


def parameters(node, notes):
    "`(name, type, default, meaning)` of each parameter, or of each field of a class without `__init__`."
    if isinstance(node, ast.ClassDef):
        init = next((o for o in node.body if isinstance(o, DEFS) and o.name == '__init__'), None)
        if init:
            return parameters(init, notes)[1:]
        return [
            (o.target.id, o.annotation, field_default(o.value), notes.get(o.end_lineno))
            for o in node.body
            if isinstance(o, ast.AnnAssign)
        ]
    a = node.args
    positional = a.posonlyargs + a.args
    defaults = [None] * (len(positional) - len(a.defaults)) + a.defaults
    rows = [(o.arg, o, d) for o, d in zip(positional, defaults)]
    if a.vararg:
        rows.append(('*' + a.vararg.arg, a.vararg, None))
    elif a.kwonlyargs:
        rows.append(('*', None, None))
    rows += [(o.arg, o, d) for o, d in zip(a.kwonlyargs, a.kw_defaults)]
    if a.kwarg:
        rows.append(('**' + a.kwarg.arg, a.kwarg, None))
    if node.returns:
        notes = {k: v for k, v in notes.items() if k != node.returns.end_lineno}
    return [(name, o and o.annotation, d, o and notes.get((d or o).end_lineno)) for name, o, d in rows]


def row(name, kind, default, meaning):
    cells = [name, *(f'`{ast.unparse(o)}`' if o else '' for o in (kind, default)), meaning or '']
    return '| ' + ' | '.join(c.replace('|', r'\|') for c in cells) + ' |'


def text(node):
    "A text of the source; what is filled in when it runs is an ellipsis."
    if isinstance(node, ast.JoinedStr):
        return ''.join(v.value if isinstance(v, ast.Constant) else '…' for v in node.values)
    return ast.literal_eval(node)


def entry(name, node, source, module):
    "MyST for one exported symbol: a `py` domain directive with its docstring and a table of its parameters."
    notes, options = comments(source), [f':module: {module}']
    if isinstance(node, (ast.Assign, ast.AnnAssign)):
        kind, signature, rows = 'data', '', []
        doc = notes.get(node.end_lineno) or next(
            (text(k.value) for k in ast.walk(node) if isinstance(k, ast.keyword) and k.arg == 'help'), ''
        )
        value = ast.unparse(node.value)
        if len(value) < 60 and ast.unparse(node).startswith(f'{name} '):
            options.append(f':value: {dumps(value)}')
    else:
        marks = {ast.unparse(d) for d in node.decorator_list}
        is_class = isinstance(node, ast.ClassDef)
        kind = (
            'class'
            if is_class
            else 'function'
            if '.' not in name
            else 'property'
            if any('prop' in m for m in marks)
            else 'method'
        )
        options += [f':{m}:' for m in ('classmethod', 'staticmethod') if m in marks]
        rows = parameters(node, notes)
        if '.' in name and 'staticmethod' not in marks:
            rows = rows[1:]
        signature = (
            ''
            if kind == 'property'
            else '(%s)' % ', '.join(n + (f'={ast.unparse(d)}' if d else '') for n, _, d, _ in rows)
        )
        doc = ast.get_docstring(node) or ''
        rows = [row(f'`{n}`', *rest) for n, *rest in rows if any(rest)]
        if not is_class and node.returns and ast.unparse(node.returns) != 'None':
            rows.append(row('**returns**', node.returns, None, notes.get(node.returns.end_lineno)))
        if rows:
            rows = ['', '| | Type | Default | |', '|---|---|---|---|', *rows]
    body = link('\n'.join([doc, *rows]), module)
    return mk_cell(f'`````{{py:{kind}}} {name}{signature}\n' + '\n'.join(options) + f'\n\n{body}\n`````', 'markdown')


def link(md, module):
    "Turn `name` into a reference to the symbol, of this module if it has it; code fences stay as they are."

    def ref(m):
        homes = symbols().get(m[1])
        return f'{{py:obj}}`{m[1]}{m[2]} <{module if module in homes else homes[0]}.{m[1]}>`' if homes else m[0]

    parts = re.split(r'(^ *```.*?^ *```)', md, flags=re.M | re.S)
    return ''.join(
        p if i % 2 else re.sub(r'(?<![}`])`([A-Za-z_][\w.]*)((?:\(\))?)`(?!`)', ref, p) for i, p in enumerate(parts)
    )


# --- a page


def drop_widgets(cell):
    "A widget needs a kernel: keep another picture of it where there is one, else nothing."
    for out in cell.outputs:
        if out.get('data', {}).pop(WIDGET, None):
            out.data.pop('text/plain', None)
    cell.outputs = [o for o in cell.outputs if o.get('data', True)]


def page_cells(nb):
    "The cells of the page, hidden ones left out, a reference entry before each cell that exports."
    module = module_of(nb)
    for cell in nb.cells:
        if cell.cell_type == 'markdown':
            cell.source = link(cell.source, module)
        if cell.cell_type != 'code':
            yield cell
            continue
        d = cell.directives_
        if d.keys() & {'hide', 'default_exp'} or d.get('include:') == ['false'] or 'nbdev_export(' in cell.source:
            continue
        lines = cell.source.splitlines(True)
        cell.source = ''.join(lines[first_code_ln(lines) or 0 :])
        drop_widgets(cell)
        tags = cell.metadata.get('tags', []) + [
            TAGS[k[:-1], v[0]] for k, v in d.items() if v and (k[:-1], v[0]) in TAGS
        ]
        if is_exported(cell):
            yield from (entry(name, node, cell.source, module) for name, node in definitions(cell.source))
            tags.append('hide-input')
            cell.metadata['mystnb'] = dict(code_prompt_show='Exported source', code_prompt_hide='Exported source')
        if tags:
            cell.metadata['tags'] = tags
        yield cell


def read(text):
    "The reader that `_config.yml` names."
    nb = dict2nb(loads(text))
    NBProcessor(nb=nb, procs=[strip_ansi, hide_line, filter_stream_]).process()
    nb.cells = list(page_cells(nb))
    return nbformat.reads(nb2str(nb), as_version=4)
