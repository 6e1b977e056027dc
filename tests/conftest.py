import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from filelock import FileLock

ROOT = Path(__file__).parents[1]
CHROMIUM = os.environ.get('CHROMIUM') or shutil.which('chromium') or shutil.which('google-chrome')
ARGS = [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
]

# commands by name are those of the interpreter that runs the tests
os.environ['PATH'] = f'{Path(sys.executable).parent}{os.pathsep}{os.environ["PATH"]}'

# Ctrl-C reaches the commands under test also where a shell started the tests in the background, with SIGINT ignored
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope='session')
def data_dir():
    "The data sets; without `MIRNBDEV_DATA` the test is skipped, with a wrong one it fails."
    if not os.environ.get('MIRNBDEV_DATA'):
        pytest.skip('MIRNBDEV_DATA is not set')
    folder = Path(os.environ['MIRNBDEV_DATA'])
    assert folder.is_dir(), f'MIRNBDEV_DATA is not a folder: {folder}'
    return folder


@pytest.fixture(scope='session')
def browser():
    "A real browser; in CI it must be there."
    if not CHROMIUM:
        (pytest.fail if os.environ.get('CI') else pytest.skip)('no Chromium; install it or set CHROMIUM')
    from playwright.sync_api import sync_playwright

    with sync_playwright() as p:
        browser = p.chromium.launch(executable_path=CHROMIUM, headless=True, args=ARGS)
        yield browser
        browser.close()


@pytest.fixture
def page(browser):
    "A page of the browser, in a session of its own."
    context = browser.new_context(viewport=dict(width=1300, height=1000))
    yield context.new_page()
    context.close()


def complaints(page):
    "A list of what a page complains about, as it comes: errors, warnings, and requests that leave the machine."
    said = []
    page.on('pageerror', lambda e: said.append(str(e)))
    page.on('console', lambda m: said.append(m.text) if m.type in ('error', 'warning') else None)
    page.on('request', lambda r: said.append(r.url) if not r.url.startswith(('file:', 'data:', 'blob:')) else None)
    return said


@pytest.fixture(scope='session')
def site(tmp_path_factory, worker_id):
    "The book, built once from nothing for all workers; a warning is an error."
    base = tmp_path_factory.getbasetemp()
    out = (base if worker_id == 'master' else base.parent) / 'book'
    with FileLock(f'{out}.lock'):
        if not out.exists():
            cmd = ['jupyter-book', 'build', '-W', '-n', '--keep-going', ROOT / 'nbs', '--path-output', out]
            build = subprocess.run(cmd, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
            (out / 'said').write_text('' if build.returncode == 0 else build.stdout)
    assert not (out / 'said').read_text(), (out / 'said').read_text()
    return out / '_build' / 'html'


@pytest.fixture(scope='session')
def lab_env(tmp_path_factory):
    "An environment in which Jupyter sees none of the user's own settings and kernels."
    d = tmp_path_factory.mktemp('jupyter')
    settings = {
        'apputils-extension/notification': '{"fetchNews": "false", "checkForUpdates": false}',
        'notebook-extension/tracker': '{"windowingMode": "none"}',
    }  # all cells stay in the page
    for name, text in settings.items():
        f = d / 'settings' / '@jupyterlab' / f'{name}.jupyterlab-settings'
        f.parent.mkdir(parents=True)
        f.write_text(text)
    env = {k: v for k, v in os.environ.items() if k != 'JUPYTER_PATH'}
    return dict(
        env,
        IPYTHONDIR=str(d / 'ipython'),
        JUPYTERLAB_SETTINGS_DIR=str(d / 'settings'),
        JUPYTERLAB_WORKSPACES_DIR=str(d / 'workspaces'),
        **{f'JUPYTER_{k}_DIR': str(d / k.lower()) for k in ('CONFIG', 'DATA', 'RUNTIME')},
    )


@pytest.fixture(scope='session')
def lab(tmp_path_factory, lab_env):
    "A JupyterLab server on loopback over a copy of `nbs/`: a function from a path in it to a URL."
    d = tmp_path_factory.mktemp('lab')
    shutil.copytree(ROOT / 'nbs', d / 'nbs', ignore=shutil.ignore_patterns('_*', '.ipynb_checkpoints'))
    shutil.copytree(ROOT / 'benchmarks', d / 'benchmarks')
    token = secrets.token_hex(16)
    with socket.socket() as s:
        s.bind(('127.0.0.1', 0))
        port = s.getsockname()[1]
    cmd = [
        sys.executable,
        '-m',
        'jupyterlab',
        '--no-browser',
        '--allow-root',
        '--ip=127.0.0.1',
        f'--port={port}',
        '--ServerApp.port_retries=0',
        f'--ServerApp.root_dir={d}',
        f'--IdentityProvider.token={token}',
    ]
    with open(d / 'log', 'w') as log:
        server = subprocess.Popen(cmd, env=lab_env, stdout=log, stderr=subprocess.STDOUT)
    try:
        for _ in range(240):
            try:
                urllib.request.urlopen(f'http://127.0.0.1:{port}/api/status?token={token}', timeout=2)
                break
            except OSError:
                time.sleep(0.25)
        else:
            pytest.fail((d / 'log').read_text())
        yield lambda path: f'http://127.0.0.1:{port}/lab/tree/{path}?reset&token={token}'
    finally:
        server.terminate()
        server.wait(20)
