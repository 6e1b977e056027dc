"Downloads from a server on loopback that serves, lies, breaks off and goes away."

import gzip
import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mirnbdev import data

TEXT = b'>cel-let-7 MI0000001\nUACACUGUGGAUCCGGUGAGGUAGUAGGUUGUAUAGUUUGGAAUAUUACC\n' * 500
SHA256 = hashlib.sha256(TEXT).hexdigest()
NAME = 'mirbase/hairpin.fa'


class Handler(BaseHTTPRequestHandler):
    "Serves what the server's `pages` hold: path -> (status, bytes, length it claims)."

    def do_GET(self):
        status, body, length = self.server.pages.get(self.path, (404, b'', 0))
        self.server.asked.append(self.path)
        self.send_response(status)
        self.send_header('Content-Length', str(length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    s = ThreadingHTTPServer(('127.0.0.1', 0), Handler)
    s.pages, s.asked = {}, []
    thread = threading.Thread(target=s.serve_forever, daemon=True)
    thread.start()
    yield s
    s.shutdown()
    s.server_close()
    thread.join()


@pytest.fixture
def fetch(server, tmp_path, monkeypatch):
    "`data_file` from the server's `paths` into an empty cache."
    monkeypatch.delenv('MIRNBDEV_DATA', raising=False)
    for proxy in ('http_proxy', 'HTTP_PROXY', 'all_proxy', 'ALL_PROXY'):
        monkeypatch.delenv(proxy, raising=False)

    def go(*paths, sha256=SHA256):
        urls = tuple(f'http://127.0.0.1:{server.server_port}{p}' for p in paths)
        monkeypatch.setitem(data.SOURCES, NAME, data.Source(sha256, urls))
        return data.data_file(NAME, tmp_path)

    return go


def serve(server, path, body, status=200, length=None):
    server.pages[path] = status, body, len(body) if length is None else length


def left(folder):
    return [p for p in Path(folder).rglob('*') if p.is_file()]


def test_success_and_cache(server, fetch, tmp_path):
    serve(server, '/a', TEXT)
    assert fetch('/a').read_bytes() == TEXT
    assert fetch('/a') == tmp_path / NAME and server.asked == ['/a']  # the second call asks nobody
    assert left(tmp_path) == [tmp_path / NAME]


@pytest.mark.parametrize(
    'body',
    [gzip.compress(TEXT), TEXT.replace(b'\n', b'\r\n'), TEXT.replace(b'GUGGA', b'GUGGA\n')],
    ids=['gzip', 'crlf', 'wrapped'],
)
def test_other_wrappings_fit_the_same_checksum(server, fetch, body):
    serve(server, '/a', body)
    assert fetch('/a').read_bytes() == TEXT


def test_unchecked_source(server, fetch):
    serve(server, '/a', TEXT)
    assert fetch('/a', sha256=None).read_bytes() == TEXT


@pytest.mark.parametrize(
    'body, status, length, why',
    [
        (TEXT[:-60], 200, None, 'wrong checksum'),  # other content, such as another release or an error page
        (b'<html>moved</html>', 200, None, 'wrong checksum'),
        (TEXT[:9000], 200, len(TEXT), 'connection failed'),  # broken off half-way
        (gzip.compress(TEXT)[:150], 200, None, 'damaged file'),  # a gzip file that ends too early
        (b'', 404, None, 'HTTP status 404'),
        (b'', 503, None, 'HTTP status 503'),
    ],
    ids=['changed', 'html', 'truncated', 'truncated-gzip', '404', '503'],
)
def test_failure_leaves_nothing_and_the_next_call_tries_again(server, fetch, tmp_path, body, status, length, why):
    serve(server, '/a', body, status, length)
    with pytest.raises(ConnectionError) as e:
        fetch('/a')
    assert why in str(e.value) and 'MIRNBDEV_DATA' in str(e.value) and '\n' not in str(e.value)
    assert left(tmp_path) == []
    serve(server, '/a', TEXT)
    assert fetch('/a').read_bytes() == TEXT


def test_second_source_steps_in(server, fetch):
    serve(server, '/first', b'>other\nACGU\n')
    serve(server, '/second', gzip.compress(TEXT))
    assert fetch('/first', '/second').read_bytes() == TEXT
    assert server.asked == ['/first', '/second']


def test_server_down(server, fetch, tmp_path):
    server.shutdown()
    server.server_close()
    with pytest.raises(ConnectionError, match=r'connection failed\): connect to the network, or set MIRNBDEV_DATA'):
        fetch('/a')
    assert left(tmp_path) == []


def test_damaged_cache_is_fetched_again(server, fetch, tmp_path):
    serve(server, '/a', TEXT)
    fetch('/a').write_bytes(b'half')
    assert fetch('/a').read_bytes() == TEXT and server.asked == ['/a', '/a']


def test_nothing_is_written_before_a_download_is_whole(server, fetch, tmp_path, monkeypatch):
    "So a killed download leaves nothing."
    serve(server, '/a', TEXT)
    seen, serve_page = [], Handler.do_GET
    monkeypatch.setattr(Handler, 'do_GET', lambda self: (seen.append(left(tmp_path)), serve_page(self)))
    fetch('/a')
    assert seen == [[]] and left(tmp_path) == [tmp_path / NAME]


def test_a_cache_that_cannot_be_written_is_named(server, fetch, tmp_path):
    serve(server, '/a', TEXT)
    (tmp_path / 'mirbase').write_text('a file, where a folder is needed')
    with pytest.raises(OSError, match='mirbase') as e:
        fetch('/a')
    assert not isinstance(e.value, ConnectionError) and server.asked == []
