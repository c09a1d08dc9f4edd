"""Requests that nobody should send: they get nothing, take nothing, and break nothing."""

import random
import re
import socket
from http import HTTPStatus
from itertools import cycle
from pathlib import Path

import pytest
from served import FILM, SECRET, served_apart
from starlette.datastructures import MutableHeaders
from starlette.responses import FileResponse, Response
from test_serve import ask, raw, served

from stst.experiment import serve
from stst.experiment.serve import BODY

SIZE = len(FILM)
FLOOD, TAKEN = 64 << 20, 24 << 20  # bytes; what may lie in the buffers of two sockets, and more
PIECES = (
    *("..", "%2e%2e", "%2E.", "\\", "%5c", "%00", "\x00", "secret", "clips", "a.webm", "/", "%2f"),
    *("//", "etc/passwd", "responses", "p1.csv", "%c0%ae", "\xff", "?", "#", ";", "~"),
)
RANGES = (
    *("bytes=0-0", "bytes=5-", "bytes=-7", f"bytes={SIZE - 1}-", f"bytes={SIZE}-", "bytes=-0"),
    *("bytes=", "bytes=-", "bytes=--1", "bytes=9-5", "bytes=0-1,4-5", "bytes=1e3-", "bytes=٣-"),
    *(
        f"bytes=-{SIZE + 1}",
        f"bytes=3-{SIZE + 5}",
        "bytes=0-" + "9" * 99,
        "bytes=" + "9" * 18 + "-",
    ),
    *("bytes=-1-2", "bytes =0-1", "lines=0-1", "x" * 9000, "bytes=0x1-0x2", "bytes=-" + "9" * 19),
)
ENDLESS = (f"Content-Length: {FLOOD}\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n", "X: ")


def garbled(dice):
    """Any method, path, headers and body, and often half of it."""
    path = "/" + "".join(dice.choices(PIECES, k=dice.randrange(1, 9)))
    method = dice.choice(
        ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "\x01", "G" * 99]
    )
    known = dice.random() < 0.3
    paths = ["/responses", "/visits", "/visits/" + "0" * 16, "/clips/a.webm", "/"]
    path = dice.choice(paths) if known else path
    path = path * dice.choice([1, 1, 1, 9000])
    numbers = ["0", "5", "-1", "1e9", "9" * 30, str(BODY + 1), "٣", "", "1, 2"]
    headers = {
        "Host": dice.choice(["127.0.0.1", "evil", "", "[::1", "127.0.0.1:99999"]),
        "Content-Length": dice.choice(numbers),
        "Range": dice.choice(RANGES),
        "Transfer-Encoding": dice.choice(["chunked", "gzip", "identity"]),
        "Origin": dice.choice(["null", "http://evil"]),
        "X": "y" * dice.choice([1, 70000]),
    }
    kept = dict(dice.sample(sorted(headers.items()), dice.randrange(len(headers) + 1)))
    kept.setdefault("Host", "127.0.0.1")
    lines = "".join(f"{name}: {value}\r\n" for name, value in kept.items())
    lines *= dice.choice([1, 1, 1, 200])
    bodies = [b"", b"{", b"[" * 9000, b'{"rows": 1}', b'{"rows": [["a"]]}', b"\xff" * 99, b"null"]
    bodies += [b'{"participant": "../p1", "session": "0000000000000000"}', b'{"session": {}}']
    bodies += [b'{"participant": "p1", "session": "x", "evil": 1}', b'{"turn": 1, "facts": {}}']
    head = f"{method} {path} HTTP/{dice.choice(['1.1', '1.0', '9.9', 'x'])}\r\n{lines}\r\n"
    data = head.encode("latin-1", "replace") + dice.choice(bodies)
    return data[: dice.randrange(len(data))] if dice.random() < 0.1 else data


def get(path, **headers):
    """A request in good form."""
    told = {"Host": "127.0.0.1", "Connection": "close", **headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    return f"GET {path} HTTP/1.1\r\n{lines}\r\n".encode()


def climbing(dice):
    """Ask for what is not for the world, by all ways up."""
    up = dice.choice(["..", "%2e%2e", "%2E.", ".%2e"])
    slash = dice.choice(["/", "/", "%2f", "\\", "//"])
    where = ["clips"] * dice.randrange(2)
    wanted = dice.choice(["secret", "secret", "experiment/manifest.json"])
    path = slash.join([*where, *[up] * dice.randrange(1, 4), wanted])
    return get("/" + dice.choice([path, path, path, "manifest.json", "clips/link.webm"]))


def refuse_wrong_part(back):
    """Assert that an answer to a range is whole: that part, all of the film, or none of it."""
    head, _, body = back.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 "), "no answer"
    status = int(head.split()[1])
    headers = dict(re.findall(r"(?m)^([\w-]+): (.*?)\r?$", head.decode("latin-1").lower()))
    assert int(headers["content-length"]) == len(body)
    if status == HTTPStatus.PARTIAL_CONTENT:
        told = re.fullmatch(rf"bytes (\d+)-(\d+)/{SIZE}", headers["content-range"])
        first, last = map(int, told.groups())
        assert 0 <= first <= last < SIZE
        assert body == FILM[first : last + 1]
    else:
        assert (status, body) in (
            (HTTPStatus.OK, FILM),
            (HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, b""),
        )


def taken(server, without_end):
    """How many bytes the server takes of a body, or of headers, that have no end."""
    head = f"POST /responses HTTP/1.1\r\nHost: 127.0.0.1\r\n{without_end}"
    chunk, count = b"[" * (1 << 18), 0
    with socket.create_connection(server.server_address, timeout=5) as line:
        try:
            line.sendall(head.encode())
            while count < FLOOD:
                count += line.send(chunk)
        except OSError:
            pass  # it has hung up, or does not read
    return count


def fuzz(server, count, seed=0):
    """Send hostile requests, of four kinds in turn, until one gets what it should not."""
    dice, ranges, endless = random.Random(seed), cycle(RANGES), cycle(ENDLESS)
    for number in range(count):
        if number % 25 == 0:
            assert taken(server, next(endless)) < TAKEN
        elif number % 4 == 1:
            asked = next(ranges).encode().decode("latin-1")
            refuse_wrong_part(raw(server, get("/clips/a.webm", Range=asked)))
        else:
            back = raw(server, climbing(dice) if number % 4 == 2 else garbled(dice))
            assert SECRET not in back
            assert b"Traceback" not in back
    assert ask(server, "GET", "/clips/a.webm")[2] == FILM


def untouched(folder):
    """Whether nothing was written."""
    beside = {path.name for path in folder.parent.iterdir()}
    return beside == {"experiment", "secret"} and not list((folder / "responses").iterdir())


def test_a_hundred_hostile_requests_get_nothing(folder):
    with served(folder) as server:
        fuzz(server, 100)
    assert untouched(folder)


@pytest.mark.slow
def test_two_thousand_hostile_requests_get_nothing_and_take_no_memory(folder):
    with served_apart(folder) as server:
        ask(server, "GET", "/clips/a.webm")
        before = server.most_memory
        fuzz(server, 2000)
        assert server.most_memory - before < 20_000  # kB
    assert untouched(folder)


def by_its_path(request):
    """A planted bug: any path is a file below the folder, or above it."""
    folder = request.app.state.files["/"].parent
    path = Path(folder, request.scope["path"].lstrip("/"))
    return FileResponse(path) if path.is_file() else Response(status_code=404)


def rewritten(change):
    """A planted bug: the header of a part of a film says something else than what is sent."""

    class Rewritten(FileResponse):
        async def __call__(self, scope, receive, send):
            async def sending(message):
                headers = MutableHeaders(raw=message.get("headers", []))
                if "content-range" in headers:
                    headers["content-range"] = change(headers["content-range"])
                await send(message)

            await super().__call__(scope, receive, sending)

    return Rewritten


@pytest.mark.parametrize(
    ("where", "name", "bug"),
    [
        (serve, "_send_file", by_its_path),
        (serve, "BODY", 1 << 40),
        (serve, "_is_single_range", lambda _: True),
        (serve, "FileResponse", rewritten(lambda told: re.sub(r"-\d+", f"-{SIZE + 5}", told))),
        (serve, "FileResponse", rewritten(lambda told: re.sub(r"\d+-", "1-", told))),
    ],
    ids=["paths", "bodies", "unread", "unclipped", "moved"],
)
def test_a_planted_bug_is_caught(where, name, bug, folder, monkeypatch):
    monkeypatch.setattr(where, name, bug)
    with served(folder) as server, pytest.raises(AssertionError):
        fuzz(server, 100)
