"""Export an experiment for other servers: static hosts, JATOS, Pavlovia."""

from __future__ import annotations

import json
import re
import shutil
import zipfile
from pathlib import Path
from typing import Literal, get_args
from uuid import NAMESPACE_URL, uuid5

from stst.errors import ExperimentError
from stst.experiment.export import CLIPS, LIB, PAGE
from stst.experiment.spec import ExperimentSpec

Host = Literal["static", "jatos", "pavlovia"]
HOSTS: tuple[Host, ...] = get_args(Host)
JAS = "3"  # version of the study description that JATOS 3 reads
_DATA = re.compile(r'(<script type="application/json" id="experiment">)(.*?)(</script>)', re.DOTALL)


def saving(host: Host, save_url: str = "") -> dict[str, str] | None:
    """Return how the page of a host saves responses; None: the page detects it.

    Raises
    ------
    ExperimentError
        If an address is needed but missing, or given but not used.
    """
    if (host == "static") != bool(save_url):
        raise ExperimentError(
            "a static server cannot save: give the address that receives responses, --save-url URL."
            if host == "static"
            else f"--save-url is for static servers; {host} saves responses itself."
        )
    if save_url and not re.fullmatch(r"https?://\S+|[\w./-]+", save_url):
        raise ExperimentError(
            f"--save-url is {save_url!r}. Give an address that begins with https://, or a path "
            "relative to the page, such as save.php."
        )
    if host == "jatos":
        return None
    return {"kind": "address", "url": save_url} if save_url else {"kind": host}


def write_host(
    spec: ExperimentSpec, experiment: Path, host: Host, out: Path, save: dict[str, str] | None
) -> Path:
    """Write the page, its scripts and its films, and nothing else, for a host.

    Parameters
    ----------
    spec : ExperimentSpec
        Settings.
    experiment, out : Path
        Folder of the experiment, and an existing folder to write into.
    host : {"static", "jatos", "pavlovia"}
        Where the experiment will run.
    save : dict, optional
        Result of `saving`.

    Returns
    -------
    Path
        The folder or archive to upload.
    """
    if host == "jatos":
        return _write_jatos(spec, experiment, out)
    _write_folder(experiment, out, save)
    return out


def _write_folder(experiment: Path, out: Path, save: dict[str, str] | None) -> None:
    """Copy page, scripts and films without links, and tell the page where to save."""

    def links(folder: str, names: list[str]) -> list[str]:
        return [name for name in names if Path(folder, name).is_symlink()]

    for part in (LIB, CLIPS):
        shutil.copytree(experiment / part, out / part, ignore=links, dirs_exist_ok=True)
    page = (experiment / PAGE).read_text("utf-8")

    def with_save(match: re.Match[str]) -> str:
        data = json.loads(match[2]) | {"save": save}
        return match[1] + json.dumps(data).replace("<", "\\u003c") + match[3]

    (out / PAGE).write_text(_DATA.sub(with_save, page, count=1), "utf-8")


def _write_jatos(spec: ExperimentSpec, experiment: Path, out: Path) -> Path:
    """Write a study archive: a description (``.jas``) and the files of one component."""
    name = f"stst_{spec.task}_{spec.fingerprint}"
    assets = out / name
    assets.mkdir(exist_ok=True)
    _write_folder(experiment, assets, None)
    component = {
        "uuid": _uuid(spec, "component"),
        "title": spec.title,
        "htmlFilePath": PAGE,
        "reloadable": True,
        "active": True,
        "comments": "",
    }
    study = {
        "uuid": _uuid(spec, "study"),
        "title": spec.title,
        "description": f"The task {spec.task} of stst-vision, {spec.fingerprint}.",
        "dirName": name,
        "comments": "",
        "componentList": [component],
    }
    archive = out / f"{name}.jzip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"{name}.jas", json.dumps({"version": JAS, "data": study}))
        for path in sorted(assets.rglob("*")):
            if path.is_file():
                file.write(path, path.relative_to(out).as_posix())
    shutil.rmtree(assets)
    return archive


def _uuid(spec: ExperimentSpec, part: str) -> str:
    """Return an id that depends on the experiment only: JATOS recognises a study on re-import."""
    return str(uuid5(NAMESPACE_URL, f"stst-vision/{spec.fingerprint}/{part}"))
