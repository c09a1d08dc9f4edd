"""Exports for other servers: what each takes, and nothing that is not for participants."""

import csv
import io
import json
import threading
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from uuid import UUID

import pytest
from participant import answer
from test_tasks_in_browser import first_key
from test_visits_in_browser import NAMING, spec_of, to_trials

from stst.errors import ExperimentError
from stst.experiment.hosts import HOSTS, saving, write_host
from stst.experiment.store import COLUMNS

RECRUITMENT = {"consent": "Yes?", "completed": {"code": "C</script>9"}}


def made(experiment, host, out, url=""):
    """An export of an experiment that has a secret, which is not among the page's files."""
    folder = experiment("naming", **NAMING, recruitment=RECRUITMENT)
    (folder / "key.csv").write_text("SECRET")
    (folder / "responses").mkdir()
    (folder / "responses" / "p.csv").write_text("SECRET")
    (folder / "clips" / "link.webm").symlink_to(folder / "key.csv")
    out.mkdir()
    return folder, write_host(spec_of(folder), folder, host, out, saving(host, url))


@pytest.mark.slow
@pytest.mark.parametrize("host", HOSTS)
def test_an_export_has_the_page_and_nothing_that_is_secret(host, experiment, tmp_path):
    url = "https://lab.example/save" if host == "static" else ""
    folder, path = made(experiment, host, tmp_path / "out", url)
    if host == "jatos":
        with zipfile.ZipFile(path) as file:
            file.extractall(tmp_path / "in")
        path = tmp_path / "in" / path.stem
    parts = [file for file in path.rglob("*") if file.is_file()]
    names = {file.relative_to(path).as_posix() for file in parts}
    expected = {"index.html"} | {
        file.relative_to(folder).as_posix()
        for part in ("lib", "clips")
        for file in (folder / part).iterdir()
        if not file.is_symlink()
    }
    assert names == expected
    assert not any(b"SECRET" in file.read_bytes() for file in parts)
    data = (path / "index.html").read_text().split('id="experiment">')[1].split("</script>")[0]
    page = json.loads(data)
    assert page["recruitment"]["completed"]["code"] == "C</script>9"
    kinds = {"static": {"kind": "address", "url": url}, "pavlovia": {"kind": "pavlovia"}}
    assert page["save"] == kinds.get(host)


@pytest.mark.slow
def test_a_jatos_archive_is_what_jatos_reads(experiment, tmp_path):
    """Names and types are those of its classes Study and Component, which refuse others."""
    _, path = made(experiment, "jatos", tmp_path / "out")
    with zipfile.ZipFile(path) as file:
        assert file.testzip() is None
        (name,) = (name for name in file.namelist() if name.endswith(".jas"))
        study = json.loads(file.read(name))
        assert "/" not in name
        assert study["version"] == "3"
        data = study["data"]
        assert set(data) <= {"uuid", "title", "description", "dirName", "comments", "componentList"}
        (component,) = data["componentList"]
        assert set(component) == {
            *("uuid", "title", "htmlFilePath", "reloadable", "active", "comments")
        }
        assert f"{data['dirName']}/{component['htmlFilePath']}" in file.namelist()
        assert {member.split("/")[0] for member in file.namelist()} == {name, data["dirName"]}
    assert str(UUID(data["uuid"])) == data["uuid"] != component["uuid"]
    assert [*(tmp_path / "out").iterdir()] == [path]


@pytest.mark.parametrize(
    ("host", "url", "words"),
    [
        ("static", "", "--save-url URL"),
        ("jatos", "https://x", "saves responses itself"),
        ("static", "javascript:alert(1)", "begins with https"),
    ],
)
def test_where_to_save_has_to_fit_the_host(host, url, words):
    with pytest.raises(ExperimentError, match=words):
        saving(host, url)


class Host(SimpleHTTPRequestHandler):
    """A static server that keeps what is posted, and answers as Pavlovia does."""

    def do_POST(self):
        data = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posted.append((self.command, self.path, data))
        body = json.dumps({"token": "t", "experiment": {"status2": "RUNNING"}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_DELETE = do_POST

    def log_message(self, *_):
        pass


@pytest.fixture
def host_of():
    """``host_of(folder)``: a server of it, and what it got."""
    servers = []

    def start(folder):
        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), partial(Host, directory=folder)))
        servers[-1].posted = []
        threading.Thread(target=servers[-1].serve_forever).start()
        return f"http://127.0.0.1:{servers[-1].server_port}/", servers[-1].posted

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.mark.slow
def test_a_static_server_gets_every_row_once_and_the_visit(experiment, page, tmp_path, host_of):
    _, folder = made(experiment, "static", tmp_path / "out", "save.php")
    address, posted = host_of(folder)
    start(page, address)
    answer(page, first_key)
    assert "were saved" in page.locator("#saved").inner_text()
    bodies = [json.loads(data) for _, path, data in posted if path == "/save.php"]
    table = "".join(body["csv"] for body in bodies)
    rows = list(csv.DictReader(io.StringIO(table)))
    assert list(rows[0]) == list(COLUMNS)
    assert [row["row"] for row in rows] == [str(k) for k in range(4)]
    assert [row for body in bodies for row in body["rows"]] == [[*row.values()] for row in rows]
    assert {body["participant"] for body in bodies} == {"p1"}
    last = bodies[-1]["visit"]
    assert (last["outcome"], len(last["consent"])) == ("completed", 12)
    page.goto(f"{address}?participant=p1")  # another time
    page.get_by_role("button", name="Start").click()
    page.wait_for_selector("#code")
    assert len(posted) == len(bodies)


MANY_ROWS = """async (url) => {
  const { columns } = embedded("experiment");
  const rows = Array.from({ length: 300 }, () => columns.map(() => "x".repeat(20)));
  const visit = { participant: "p1", session: "0".repeat(16), outcome: "", rows, sent: 280,
    news: {} };
  return addressSender(columns, url).send(rows.slice(280), 280, visit);
}"""


@pytest.mark.slow
def test_rows_of_a_long_session_are_sent_without_those_before(experiment, page, tmp_path, host_of):
    _, folder = made(experiment, "static", tmp_path / "out", "save.php")
    address, posted = host_of(folder)
    page.goto(address)
    assert page.evaluate(MANY_ROWS, "save.php") == 300
    (data,) = (json.loads(data) for _, _, data in posted)
    assert len(data["rows"]) == 20
    assert data["visit"] == {"participant": "p1", "session": "0" * 16, "outcome": ""}


@pytest.mark.slow
def test_a_request_larger_than_browsers_keep_alive_is_sent(experiment, page, tmp_path, host_of):
    _, folder = made(experiment, "static", tmp_path / "out", "save.php")
    address, posted = host_of(folder)
    page.goto(address)
    page.evaluate("post('save.php', { text: 'ü'.repeat(40000) })")
    assert len(posted) == 1


@pytest.mark.slow
def test_pavlovia_gets_one_table_and_its_session_is_closed(experiment, page, tmp_path, host_of):
    _, folder = made(experiment, "pavlovia", tmp_path / "out")
    address, posted = host_of(folder)
    config = {"pavlovia": {"URL": address[:-1]}, "gitlab": {"projectId": 7}}
    (folder / "config.json").write_text(json.dumps(config))
    start(page, address)
    answer(page, first_key)
    assert "were saved" in page.locator("#saved").inner_text()
    base = "/api/v2/experiments/7/sessions"
    assert [call[:2] for call in posted] == [
        *(("POST", base), ("POST", f"{base}/t/results"), ("POST", f"{base}/t/results")),
        ("DELETE", f"{base}/t"),
    ]
    table = posted[1][2].decode().split("\r\n\r\n")[2].split("\r\n--")[0]
    assert [row["row"] for row in csv.DictReader(io.StringIO(table))] == ["0", "1", "2", "3"]
    assert b'"outcome":"completed"' in posted[2][2]
    assert b"true" in posted[3][2]


def start(page, address):
    """Agree to take part."""
    page.goto(f"{address}?participant=p1&list=0")
    page.get_by_role("button", name="Start").click()
    page.get_by_role("button", name="I agree").click()
    to_trials(page)
