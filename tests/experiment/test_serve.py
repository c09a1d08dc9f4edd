"""The server: its files and nothing else, whatever is asked."""

import json
import socket
import threading
from contextlib import contextmanager
from http.client import HTTPConnection
from queue import Queue
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from served import FILM
from test_store import SESSION, found, response

from stst.errors import ExperimentError
from stst.experiment import serve
from stst.experiment.serve import BODY, experiment_app


@contextmanager
def served(folder, port=0):
    ready = Queue()
    thread = threading.Thread(
        target=serve.serve,
        args=(folder, folder / "responses", "127.0.0.1", port, lambda *told: ready.put(told)),
    )
    thread.start()
    address, stop = ready.get(timeout=10)
    place = urlsplit(address)
    try:
        yield SimpleNamespace(address=address, server_address=(place.hostname, place.port))
    finally:
        stop()
        thread.join()


def ask(server, method, path, body=None, **headers):
    connection = HTTPConnection(*server.server_address, timeout=10)
    try:
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        headers = {name.title(): value for name, value in answer.getheaders()}
        return answer.status, headers, answer.read()
    finally:
        connection.close()


def begun(server, **facts):
    """Begin the visit of the rows of `response`."""
    arrival = {"participant": "p1", "session": SESSION, "sure": True, **facts}
    return json.loads(ask(server, "POST", "/visits", json.dumps(arrival))[2])


def raw(server, data, patience=5, *, ends=True):
    """Send bytes, and the end of them; what comes back until the server closes, or `patience`."""
    with socket.create_connection(server.server_address, timeout=patience) as line:
        back = b""
        try:
            line.sendall(data)
            if ends:
                line.shutdown(socket.SHUT_WR)
            while got := line.recv(65536):
                back += got
        except OSError:
            pass  # it has hung up on us
        return back


def test_it_serves_the_files_of_the_experiment_alone(folder):
    with served(folder) as server:
        assert ask(server, "GET", "/")[2] == b"<p>page"
        status, headers, data = ask(server, "GET", "/clips/a.webm?x=1")
        assert (status, data) == (200, FILM)
        assert headers["Content-Type"] == "video/webm"
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert ask(server, "HEAD", "/clips/a.webm")[2] == b""
        for path in (
            *("/manifest.json", "/clips/link.webm", "/responses/p1.csv", "/clips", "/clips/"),
            *("/../secret", "/clips/%2e%2e/../secret", "/clips/..%2f..%2fsecret", "//secret"),
            *("/clips\\..\\secret", "/clips/a.webm%00", "/clips/a.webm/", "/%69ndex.html"),
        ):
            assert ask(server, "GET", path)[::2] == (404, b""), path
        (folder / "clips" / "a.webm").unlink()
        (folder / "clips" / "a.webm").symlink_to(folder.parent / "secret")  # while it runs
        assert ask(server, "GET", "/clips/a.webm")[0] == 404


@pytest.mark.parametrize(
    ("asked", "status", "data"),
    [
        ("bytes=0-9", 206, FILM[:10]),
        ("bytes=10239-", 206, FILM[-1:]),
        ("bytes=-5", 206, FILM[-5:]),
        ("bytes=5-999999", 206, FILM[5:]),
        ("bytes=10240-", 416, b""),
        ("bytes=-0", 416, b""),
        ("bytes=0-1,4-5", 200, FILM),
        ("bytes=9-5", 200, FILM),
        ("bytes=-", 200, FILM),
        ("bytes=1e3-", 200, FILM),
    ],
)
def test_ranges(folder, asked, status, data):
    with served(folder) as server:
        found, headers, body = ask(server, "GET", "/clips/a.webm", Range=asked)
        assert (found, body) == (status, data)
        if status == 206:
            start = FILM.index(data) if len(data) > 256 else 10240 - len(data)
            start = 0 if asked == "bytes=0-9" else start
            end = start + len(data) - 1
            assert headers["Content-Range"] == f"bytes {start}-{end}/10240"


def test_rows_are_taken_and_counted(folder):
    with served(folder) as server:
        assert json.loads(ask(server, "GET", "/responses")[2]) == {"stst": 1}
        body = json.dumps({"rows": [response(0), response(1)], "turn": 1})
        assert ask(server, "POST", "/responses", body)[0] == 400  # of no visit
        assert begun(server)["list"] == 0
        assert json.loads(ask(server, "POST", "/responses", body)[2]) == {"rows": 2}
    assert found(folder / "responses") == ["0", "1"]


def test_other_sites_cannot_speak_for_the_page(folder):
    body = json.dumps({"rows": [response(0)], "turn": 1})
    with served(folder) as server:
        begun(server)
        host = "{}:{}".format(*server.server_address)
        assert ask(server, "POST", "/responses", body, Origin="http://evil.example")[0] == 404
        assert ask(server, "GET", "/", Host="evil.example")[0] == 404
        assert ask(server, "POST", "/responses", body, Origin=f"http://{host}")[0] == 200


def test_every_answer_is_kept_out_of_caches_and_its_kind_is_not_guessed(folder):
    with served(folder) as server:
        for method, path, host, status in (
            *(("GET", "/", "localhost", 200), ("GET", "/responses", "localhost", 200)),
            *(("GET", "/secret", "localhost", 404), ("GET", "/", "evil.example", 404)),
            *(("PUT", "/", "localhost", 405), ("DELETE", "/responses", "localhost", 405)),
        ):
            answer, headers, _ = ask(server, method, path, Host=host)
            assert answer == status
            assert headers["Cache-Control"] == "no-store"
            assert headers["X-Content-Type-Options"] == "nosniff"


def test_no_experiment_and_a_port_in_use_are_named(folder, tmp_path):
    with pytest.raises(ExperimentError, match="holds no experiment"):
        experiment_app(tmp_path, tmp_path)
    with served(folder) as server, pytest.raises(ExperimentError, match="--port"):
        serve.serve(folder, tmp_path / "r", "127.0.0.1", server.server_address[1], print)


def test_a_body_that_never_comes_and_one_too_large_are_refused(folder):
    head = "POST /responses HTTP/1.1\r\nHost: 127.0.0.1\r\n{}\r\n\r\n"
    with served(folder) as server:
        for line, status in (
            (f"Content-Length: {BODY + 1}", "413"),
            ("X: y", "411"),
            ("Transfer-Encoding: chunked", "411"),
            ("Content-Length: x", "400"),
        ):
            answer = raw(server, head.format(line).encode(), ends=False)
            assert answer.startswith(f"HTTP/1.1 {status}".encode())
        assert raw(server, head.format("Content-Length: 10").encode() + b"{}") == b""
    assert list((folder / "responses").iterdir()) == []


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"POST /responses HTTP/1.1\r\n"
                                   b"Host: localhost\r\nContent-Length: 9\r\n\r\n{"])  # fmt: skip
def test_who_begins_a_request_and_sends_no_more_is_hung_up_on(begun, folder, monkeypatch):
    monkeypatch.setattr(serve, "PATIENCE", 0.2)
    with served(folder) as server:
        with socket.create_connection(server.server_address, timeout=5) as line:
            line.sendall(begun)
            back = b"".join(iter(lambda: line.recv(4096), b""))
        assert back.startswith(b"HTTP/1.1 408") == begun.startswith(b"POST")
