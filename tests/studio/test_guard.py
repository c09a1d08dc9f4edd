"""Only a browser on this computer that knows the token gets an answer."""

import random
import socket

import httpx
import pytest

from stst.errors import FramesError, RunError
from stst.studio.library import Library

PATHS = (
    "/",
    "/queue",
    "/library",
    "/_nicegui/x",
    "/media/0/0.png",
    "/requests/1/preview.png",
    "/x",
)


def ask(studio, path, **headers):
    return httpx.get(studio.base + path, headers=headers, follow_redirects=False, timeout=30)


@pytest.mark.slow
def test_the_token_opens_the_studio_to_one_browser_and_is_not_kept_in_the_address(open_studio):
    studio = open_studio()
    answer = httpx.get(studio.address, follow_redirects=False, timeout=30)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    for path in PATHS:
        assert ask(studio, path).status_code == 403
        assert ask(studio, path, Cookie=f"stst-studio-{studio.port}=wrong").status_code == 403
        assert ask(studio, f"{path}?token=wrong").status_code == 403
    known = studio.headers
    assert ask(studio, "/", **known).status_code == 200
    for host in ("evil.example", f"evil.example:{studio.port}", "127.0.0.1:1", ""):
        assert ask(studio, "/", **known, Host=host).status_code in (400, 404)
    for origin in ("http://evil.example", "null", f"https://127.0.0.1:{studio.port}"):
        assert ask(studio, "/", **known, Origin=origin).status_code == 404
    lines = [f"POST / HTTP/1.1\r\nHost: 127.0.0.1:{studio.port}", f"Content-Length: {99 << 30}"]
    with socket.create_connection(("127.0.0.1", studio.port), timeout=30) as client:
        client.sendall("\r\n".join([*lines, "", ""]).encode())
        assert client.recv(99).startswith(b"HTTP/1.1 413")


@pytest.mark.slow
def test_hostile_requests_get_nothing_and_break_nothing(open_studio, tmp_path):
    studio = open_studio()
    (tmp_path / "secret").write_bytes(b"not for the world")
    (studio.library / "clips" / "link.webm").symlink_to(tmp_path / "secret")
    dice = random.Random(1)
    pieces = (
        "..",
        "%2e%2e",
        "%2f",
        "\\",
        "%00",
        "secret",
        "clips",
        "link.webm",
        "/",
        "media",
        "run",
    )
    for count in range(600):
        path = "/" + "".join(dice.choices(pieces, k=dice.randrange(1, 9)))
        path = path * dice.choice([1, 1, 1, 900])
        method = dice.choice(["GET", "HEAD", "POST", "PUT", "DELETE", "\x01", "G" * 99])
        lines = [f"{method} {path} HTTP/1.1", f"Host: 127.0.0.1:{studio.port}"]
        if count % 2:
            lines.append(f"Cookie: {studio.headers['Cookie']}")
        lines += dice.sample(
            ["Content-Length: -1", "Transfer-Encoding: chunked", "X: " + "y" * 70000, "Upgrade: x"],
            dice.randrange(4),
        )
        data = "\r\n".join([*lines, "Connection: close", "", ""]).encode("latin-1")
        with socket.create_connection(("127.0.0.1", studio.port), timeout=5) as client:
            client.sendall(data[: dice.randrange(1, len(data))] if dice.random() < 0.1 else data)
            client.shutdown(socket.SHUT_WR)
            answer = b""
            try:
                while part := client.recv(1 << 16):
                    answer += part
            except (ConnectionResetError, TimeoutError):
                pass
        assert b"not for the world" not in answer
    assert ask(studio, "/", **studio.headers).status_code == 200


@pytest.mark.slow
def test_a_library_has_one_studio_at_a_time(open_studio):
    studio = open_studio()
    with pytest.raises(RuntimeError, match="is in use by process"):
        open_studio()
    assert ask(studio, "/", **studio.headers).status_code == 200


def test_no_path_outside_the_chosen_folders_is_allowed(tmp_path):
    (tmp_path / "films").mkdir()
    (tmp_path / "films" / "a.webm").write_bytes(b"")
    (tmp_path / "b.webm").write_bytes(b"")
    library = Library(tmp_path / "library", [tmp_path / "films"])
    (library.folder / "link.webm").symlink_to(tmp_path / "b.webm")
    assert library.allowed(tmp_path / "films" / "a.webm").name == "a.webm"
    for path in (
        tmp_path / "b.webm",
        library.folder / "link.webm",
        library.folder / ".." / "b.webm",
    ):
        with pytest.raises(FramesError, match="not in a folder"):
            library.allowed(path)
    (tmp_path / "manifest.json").write_text('{"kind": "synthesis"}')
    for name in ("..", "../library/..", str(tmp_path)):
        with pytest.raises(RunError, match="has no run"):
            library.run(name)


def test_names_of_new_folders_suit_every_system_and_are_free(tmp_path):
    library = Library(tmp_path / "library")
    assert library.new_folder("../a b/c").name == "a-b-c"
    (library.folder / "a-b-c").mkdir()
    assert library.new_folder("a b c").name == "a-b-c-2"
    assert library.new_folder("...").name == "run"
