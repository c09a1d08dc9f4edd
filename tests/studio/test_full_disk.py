"""The studio on a disk that is full: what is told, and that work goes on once there is room."""

import shutil
import subprocess

import pytest

import stst
from stst.studio.library import Library
from stst.studio.queue import Queue

pytestmark = pytest.mark.slow
SIZE = 64 << 20  # bytes


@pytest.fixture
def small_disk(tmp_path):
    """A folder with a disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    words = ("mount", "-t", "tmpfs", "-o", f"size={SIZE}", "none", str(folder))
    if subprocess.run(words, capture_output=True).returncode:
        pytest.skip("disks can be mounted by root only")
    yield folder
    subprocess.run(("umount", "--lazy", str(folder)), check=True)


def fill(folder, left=0):
    """Leave so many bytes free."""
    filler = folder / "filler"
    filler.unlink(missing_ok=True)
    filler.write_bytes(bytes(shutil.disk_usage(folder).free - left))


def test_a_full_disk_is_told_and_work_goes_on_when_there_is_room(
    small_disk, open_studio, tab, tmp_path
):
    library = Library(small_disk / "library")
    (library.folder / "clips").mkdir()
    clip = stst.make_stimulus("dead-leaves", frames=4, width=64, height=48).clip
    stst.write_video(clip, library.folder / "clips" / "leaves.webm")
    studio = open_studio(library=library.folder)
    page = tab()
    page.goto(studio.address)
    page.get_by_text("--spatial compact").first.wait_for()
    fill(small_disk, left=100_000)
    (tmp_path / "long.webm").write_bytes(bytes(200_000))
    page.locator("input[type=file]").set_input_files(tmp_path / "long.webm")
    page.get_by_role("alert").filter(has_text="disk").wait_for()
    assert len(library.clips()) == 2
    page.get_by_role("tab", name="Known motion").click()
    make = page.get_by_role("button", name="Make", exact=True)
    page.get_by_text("stst stimulus drifting-grating").wait_for()
    fill(small_disk)
    make.click()
    page.get_by_role("alert").filter(has_text="No space left on device").wait_for()
    assert not Queue(library.records / "requests").requests
    fill(small_disk, left=40_000)  # room for the request, and not for its film
    make.click()
    page.wait_for_url("**/queue/1")
    page.get_by_text("failed. ").wait_for()
    (small_disk / "filler").unlink()
    page.get_by_role("button", name="Try again").click()
    page.wait_for_url("**/run/drifting-grating")
    assert stst.load_run(library.folder / "drifting-grating").clip.size == (128, 128)
