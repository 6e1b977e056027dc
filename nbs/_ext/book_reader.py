"""How the book reads a notebook: nbdev's directives become page layout, exported symbols become reference entries.

A reader meets what teaches first: cells with the tag `opening` stand below the title, exported source and cells that
only check are folded, and a page of the library ends with a table of its symbols. Everything is read from the
notebook's own text, so a build neither imports nor runs the library."""

import ast
import re
from functools import cache
from io import StringIO
from itertools import groupby
from json import dumps, loads
from pathlib import Path
from tokenize import COMMENT, generate_tokens

import nbformat
from docutils import nodes
from execnb.nbio import dict2nb, mk_cell, nb2str
from nbdev.doclinks import patch_name
from nbdev.process import NBProcessor, first_code_ln
from nbdev.processors import filter_stream_, hide_line, strip_ansi

LIB = 'mirnbdev'
WIDGET = 'application/vnd.jupyter.widget-view+json'
EXPORTED = {'export', 'exports', 'exporti'}
TAGS = {('echo', 'false'): 'remove-input', ('output', 'false'): 'remove-output', ('code-fold', 'true'): 'hide-input'}
DEFS = ast.FunctionDef, ast.AsyncFunctionDef
IMPORTS = ast.Import, ast.ImportFrom
CHECK = re.compile(r'test(_\w+)?|expect_fail')  # names of fastcore's checks
PICTURES = ('image/png', 'image/svg+xml')
LARGEST_TABLE = 8  # rows that are shown unfolded


def find_scorer(app, config):
    "Sphinx looks for the scorer of its search in the folder in which it was started."
    config.html_search_scorer = str(Path(app.srcdir) / config.html_search_scorer)


def setup(app):
    app.connect('config-inited', find_scorer)
    app.connect('doctree-read', fold_sections)
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


def option(kind, meaning):
    "Type and meaning of a parameter; of an option of the command line, which holds both in one annotation."
    if not (isinstance(kind, ast.Subscript) and ast.unparse(kind.value) == 'Annotated'):
        return kind, meaning
    kind, *more = kind.slice.elts
    helps = [text(k.value) for o in more for k in getattr(o, 'keywords', ()) if k.arg == 'help']
    return kind, meaning or ' '.join(helps)


def row(name, kind, meaning):
    kind, meaning = option(kind, meaning)
    return [name, f'`{ast.unparse(kind)}`' if kind else '', meaning or '']


def table(head, rows):
    "MyST of a table, without the columns that are empty."
    columns = [(h, *cells) for h, cells in zip(head, zip(*rows)) if any(cells)]
    lines = [[c.replace('|', r'\|') for c in line] for line in zip(*columns)]
    lines[1:1] = [['---'] * len(columns)]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def details(caption, body):
    "MyST that is folded under a line."
    html = '```{{raw}} html\n{}\n```'.format
    return f'{html(f"<details><summary>{caption}</summary>")}\n\n{body}\n\n{html("</details>")}'


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
        rows = [row(f'`{n}`', kind_of, meaning) for n, kind_of, _, meaning in rows if kind_of or meaning]
        if not is_class and node.returns and ast.unparse(node.returns) != 'None':
            rows.append(row('**returns**', node.returns, notes.get(node.returns.end_lineno)))
        if rows:
            caption = 'fields' if is_class else 'parameters'
            rows = ['', details(caption, table(('', 'Type', 'Meaning'), rows))]
    if '.' in name or kind == 'data':
        options.append(':no-contents-entry:')
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


# --- what a page shows


def adapt_outputs(cell):
    "A widget needs a kernel: keep another picture of it where there is one, else nothing. Links lead to pages."
    for out in cell.outputs:
        if 'text/markdown' in out.get('data', {}):
            out.data['text/markdown'] = re.sub(
                r'(?<=\]\()([\w/.]+)\.ipynb', r'\1.html', ''.join(out.data['text/markdown'])
            )
        if out.get('data', {}).pop(WIDGET, None):
            out.data.pop('text/plain', None)
    cell.outputs = [o for o in cell.outputs if o.get('data', True)]


def tags(cell):
    "The cell's own tags, and those that its directives stand for."
    d = cell.directives_
    return cell.metadata.get('tags', []) + [TAGS[k[:-1], v[0]] for k, v in d.items() if v and (k[:-1], v[0]) in TAGS]


def imports_only(source):
    "Does a cell do nothing but import?"
    checking = lambda o: isinstance(o, ast.If) and ast.unparse(o.test) == 'TYPE_CHECKING'
    return all(isinstance(o, IMPORTS) or checking(o) for o in ast.parse(source).body)


def hidden(cell):
    "Is this cell not for readers? A cell of exported imports is not."
    d = cell.directives_
    return (
        bool(d.keys() & {'hide', 'default_exp'})
        or d.get('include:') == ['false']
        or 'nbdev_export(' in cell.source
        or (is_exported(cell) and imports_only(cell.source))
    )


def checks(cell):
    "How many checks stand in a cell that does nothing else for a reader: it ends with one and shows nothing."
    if cell.cell_type != 'code' or cell.outputs:
        return 0
    try:
        body = ast.parse(cell.source).body
    except SyntaxError:  # a command of the shell
        return 0
    is_call = lambda o: isinstance(o, ast.Call) and isinstance(o.func, ast.Name) and CHECK.fullmatch(o.func.id)
    is_check = lambda o: isinstance(o, ast.Assert) or bool(is_call(o))
    ends = bool(body) and any(map(is_check, ast.walk(body[-1])))
    return sum(is_check(o) for statement in body for o in ast.walk(statement)) if ends else 0


def alt_text(cell, before):
    "What a picture shows, in words: its `#| fig-alt:`, else the molecule it draws, else the prose before it."
    said = ' '.join(cell.directives_.get('fig-alt:', []))
    drawn = next((''.join(t) for o in cell.outputs if (t := o.get('data', {}).get('text/plain'))), '')
    molecule = re.match(r'(\S.*: \d+ nt, -?[\d.]+ kcal/mol)\n', drawn)
    return said or (molecule and f'Drawing of {molecule[1]}') or before


def prose(md):
    "The last paragraph of MyST, without its marks; '' if it is a heading."
    last = ' '.join(re.split(r'\n\s*\n', md.strip())[-1].split())
    return '' if last.startswith('#') else re.sub(r'\[([^]]*)\]\([^)]*\)|[`*>]', r'\1', last)


def keep_names(html):
    "A table whose names do not break at their hyphens."
    return re.sub(r'<(t[dh])>(?=[^<\s]*-[^<\s]*</)', r'<\1 class="name">', html)


def fold(cell, caption):
    "Write the line under which the code or the output of a cell is folded."
    cell.metadata.setdefault('mystnb', {}).update(code_prompt_show=caption, code_prompt_hide=caption)


def fold_shown(cell):
    "Fold what the tags ask for, and each large table."
    rows = 0
    for out in cell.outputs:
        if 'text/html' in out.get('data', {}):
            out.data['text/html'] = html = keep_names(''.join(out.data['text/html']))
            rows = max(rows, html.count('<tr') - 1)
    if rows > LARGEST_TABLE and not {'hide-output', 'unfolded'} & set(cell.metadata['tags']):
        cell.metadata['tags'].append('hide-output')
    folded = [t for t in ('hide-input', 'hide-output') if t in cell.metadata['tags']]
    if folded:
        table = f'table of {rows} rows' if rows else 'output'
        fold(cell, '{type}' if len(folded) == 2 else 'code' if folded[0] == 'hide-input' else table)


# --- a page


def opened(cells):
    "The cells, those with the tag `opening` before the first section."
    first = [c for c in cells if 'opening' in c.metadata.get('tags', [])]
    rest = [c for c in cells if c not in first]
    is_heading = lambda c: c.cell_type == 'markdown' and c.source.startswith('## ')
    at = next((k for k, c in enumerate(rest) if is_heading(c)), len(rest))
    return rest[:at] + first + rest[at:]


def runs(cells):
    "Lists of neighbours of one kind: exported cells, cells that only check; every other cell stands alone."
    kind = lambda c: 'source' if is_exported(c) else 'checks' if checks(c) else id(c)
    for what, run in groupby(cells, kind):
        yield what, list(run)


def symbol_table(cells, module):
    "A table of what a page exports: functions and classes, each with its first line."
    rows = [
        (f'`{name}`', ast.get_docstring(node).split('\n')[0] if ast.get_docstring(node) else '')
        for cell in cells
        for name, node in definitions(cell.source)
        if '.' not in name and not isinstance(node, (ast.Assign, ast.AnnAssign))
    ]
    return link('## Symbols\n\n' + table(('Name', 'What it does'), rows), module) if rows else ''


FOLD = '<!-- folded -->'  # stands below the heading of a section with the tag `folded`


def fold_sections(app, doctree):
    "Fold what stands below a marked heading."
    for mark in [n for n in doctree.findall(nodes.raw) if n.astext() == FOLD]:
        section, at = mark.parent, mark.parent.index(mark)
        html = [nodes.raw('', text, format='html') for text in ('<details><summary>show</summary>', '</details>')]
        section.children[at:] = [html[0], *section.children[at + 1 :], html[1]]
        section.setup_child(html[0]), section.setup_child(html[1])


def reference(run, module):
    "Cells of reference entries and their source, folded under a line with the names; without names the source alone."
    source = mk_cell('\n\n\n'.join(c.source for c in run))
    source.directives_ = {}
    source.metadata['tags'] = ['hide-input']
    fold(source, 'source')
    named = [(name, node, c.source) for c in run for name, node in definitions(c.source)]
    if not named:
        return [source]
    shown = [name for name, *_ in named if '.' not in name] or [name for name, *_ in named]
    raw = lambda html: mk_cell(f'```{{raw}} html\n{html}\n```', 'markdown')
    names = ', '.join(f'<code>{name}</code>' for name in shown)
    entries = [entry(*o, module) for o in named]
    first = raw(f'<details class="reference"><summary>reference: {names}</summary>')
    return [first, *entries, source, raw('</details>')]


def page_cells(nb):
    "The cells of the page: reference entries before the source, checks and source folded, a table at the end."
    module, before = module_of(nb), nb.cells[0].source
    cells = opened([c for c in nb.cells if c.cell_type != 'code' or not hidden(c)])
    exported = [c for c in cells if is_exported(c)]
    summary = symbol_table(exported, module)
    for cell in cells:
        if cell.cell_type == 'code':
            lines = cell.source.splitlines(True)
            cell.source = ''.join(lines[first_code_ln(lines) or 0 :])
            adapt_outputs(cell)
    for what, run in runs(cells):
        cell = run[0]
        if cell.cell_type == 'markdown':
            before = prose(cell.source) or before
            cell.source = link(cell.source, module)
            if 'folded' in cell.metadata.get('tags', []):
                cell.source += f'\n\n```{{raw}} html\n{FOLD}\n```'
        elif what == 'source':
            yield from reference(run, module)
            continue
        elif what == 'checks':
            n = sum(map(checks, run))
            cell.source = '\n\n'.join(c.source for c in run)
            cell.metadata['tags'] = ['hide-input']
            fold(cell, f'checked: {n}')
        else:
            cell.metadata['tags'] = tags(cell)
            fold_shown(cell)
            if any(''.join(o.get('data', {}).get('text/plain', '')).startswith('Encoded(') for o in cell.outputs):
                cell.metadata['tags'].append('published-image')
            if any(k in PICTURES for o in cell.outputs for k in o.get('data', {})):
                cell.metadata.setdefault('mystnb', {})['image'] = dict(alt=alt_text(cell, before))
        yield cell
    if summary:
        yield mk_cell(summary, 'markdown')


def read(text):
    "The reader that `_config.yml` names."
    nb = dict2nb(loads(text))
    NBProcessor(nb=nb, procs=[strip_ansi, hide_line, filter_stream_]).process()
    nb.cells = list(page_cells(nb))
    nb.metadata['language_info'] = dict(name='python', pygments_lexer='ipython3')  # `!` begins a command of the shell
    return nbformat.reads(nb2str(nb), as_version=4)
