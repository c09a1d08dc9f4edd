"""The receiving script of the docs, run on a local server as it stands there."""

import json
import re
import socket
import threading
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest
import uvicorn

GUIDE = Path(__file__).parents[2] / "docs" / "how_to" / "run_an_experiment_online.md"
SESSION, PAGE = "0123456789abcdef", "https://YOUR.PAGE"
JSON = {"Content-Type": "application/json"}


def script_of(language):
    (script,) = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text("utf-8"), re.DOTALL)
    return script


@pytest.fixture
def ask(tmp_path, monkeypatch):
    """``ask(method, body, **headers)`` -> answer of the Python script, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "responses").mkdir()
    names = {}
    exec(script_of("python"), names)
    server = uvicorn.Server(uvicorn.Config(names["app"], log_level="error", ws="none"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=server.run, args=([listener],))
        thread.start()
        while not server.started:
            time.sleep(0.01)

        def asked(method, body=None, **headers):
            client = HTTPConnection(*listener.getsockname(), timeout=30)
            client.request(method, "/save", body and json.dumps(body), headers)
            answer = client.getresponse()
            client.close()
            return answer

        yield asked
        server.should_exit = True
        thread.join()


def body(csv, session=SESSION):
    return {"stst": 1, "participant": "p1", "session": session, "from": 0, "csv": csv, "visit": {}}


def test_rows_of_a_session_are_appended_to_its_file(ask, tmp_path):
    for csv in ("a,b\n1,2\n", "3,4\n", ""):
        assert ask("POST", body(csv), **JSON).status == 204
    assert (tmp_path / "responses" / f"{SESSION}.csv").read_text() == "a,b\n1,2\n3,4\n"


@pytest.mark.parametrize("session", ["../x", "", SESSION.upper(), f"{SESSION}\n"])
def test_no_other_file_can_be_named(session, ask, tmp_path):
    assert ask("POST", body("x", session), **JSON).status == 400
    assert not [*(tmp_path / "responses").iterdir()]


def test_a_page_of_another_site_may_send_json_and_no_third_one(ask):
    wanted = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "content-type",
    }
    answer = ask("OPTIONS", Origin=PAGE, **wanted)
    assert answer.status == 200
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert "content-type" in answer.headers["Access-Control-Allow-Headers"].lower()
    answer = ask("POST", body(""), Origin=PAGE, **JSON)
    assert answer.headers["Access-Control-Allow-Origin"] == PAGE
    assert ask("OPTIONS", Origin="https://another.page", **wanted).status == 400
