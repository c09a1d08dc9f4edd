"""Write an experiment as a folder for a web server, or as one page that needs no server."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
import shutil
import subprocess
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files as resources
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TypeVar

import platformdirs
import yaml
from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from stst.errors import ExperimentError, RunError
from stst.experiment.design import Trial, make_lists
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.experiment.versions import FilmFile, Version, description
from stst.recipe import FrozenConfig
from stst.storage.manifest import read_manifest

PATIENCE = 300  # s, for npm to fetch a package


@dataclass(frozen=True)
class Package:
    """A package of npm, its digest in the registry, and the file that the page uses."""

    name: str
    version: str
    integrity: str
    member: str

    @property
    def tarball(self) -> str:
        """Name of the file that ``npm pack`` writes."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"

    @property
    def script(self) -> str:
        """Name of the script in an experiment."""
        return f"{self.name.split('/')[-1]}.js"

    @property
    def spec(self) -> str:
        """Name and version for npm."""
        return f"{self.name}@{self.version}"

    def is_at(self, path: Path) -> bool:
        """Whether a file has the digest of this package."""
        digest = hashlib.sha512(path.read_bytes()).digest()
        return digest == base64.b64decode(self.integrity)


def _own(name: str) -> str:
    return (resources("stst.experiment") / "web" / name).read_text("utf-8")


*PACKAGES, QUEST = (Package(**facts) for facts in yaml.safe_load(_own("packages.yaml")))
JSPSYCH = PACKAGES[0]


def cache_folder() -> Path:
    """Return the folder of fetched packages, in the user's cache."""
    return Path(platformdirs.user_cache_dir("stst")) / "npm"


def libraries(folder: Path | None = None, *, quest: bool = False) -> tuple[dict[str, str], str]:
    """Read the scripts and the style sheet of jsPsych.

    Parameters
    ----------
    folder : Path, optional
        Folder with the packages, named as by ``npm pack``. None: the cache; missing packages are
        fetched with npm.
    quest : bool
        Whether jsQuestPlus is needed.

    Returns
    -------
    scripts : dict of str
        Scripts by file name.
    style : str
        Style sheet of jsPsych, without fonts.

    Raises
    ------
    ExperimentError
        If a package is missing and cannot be fetched, or has another digest.
    """
    scripts = {
        package.script: _read(_tarball(package, folder), package.member)
        for package in (*PACKAGES, *((QUEST,) if quest else ()))
    }
    style = _read(_tarball(JSPSYCH, folder), "css/jspsych.css")
    return scripts, re.sub(r"@font-face\s*\{[^}]*\}", "", style)


def _tarball(package: Package, folder: Path | None) -> Path:
    """Return the file of a package; fetch it if needed, and check its digest."""
    path = (folder or cache_folder()) / package.tarball
    try:
        if not path.is_file():
            if folder or os.environ.get("STST_OFFLINE", "") not in ("", "0"):
                raise FileNotFoundError("it is missing, and downloads are not allowed")
            _fetch(package, path)
        if not package.is_at(path):
            raise ValueError(f"{path} is not the file that was tested")
    except (ValueError, OSError, subprocess.TimeoutExpired) as fault:
        raise ExperimentError(
            f"{package.spec}, which the page needs, could not be fetched: {fault}. Install npm "
            "(Node.js), or on another computer run `npm pack "
            f"{' '.join(package.spec for package in (*PACKAGES, QUEST))}` in a folder, copy the "
            "folder, and give it with --jspsych."
        ) from fault
    return path


def _fetch(package: Package, path: Path) -> None:
    """Fetch a package with npm, from the registry that npm is configured for."""
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as new:
        call = [npm, "pack", package.spec, "--ignore-scripts"]
        process = subprocess.run(call, capture_output=True, text=True, cwd=new, timeout=PATIENCE)
        tarball = Path(new, package.tarball)
        if process.returncode or not tarball.is_file():
            raise OSError(f"npm failed: {' '.join(process.stderr.split())[:200]}")
        if not package.is_at(tarball):
            raise ValueError("npm fetched a file that is not the tested one")
        tarball.replace(path)


def _read(tarball: Path, member: str) -> str:
    with tarfile.open(tarball) as archive:
        file = archive.extractfile(f"package/{member}")
        assert file is not None  # the digest guarantees that the member exists
        return file.read().decode()


PAGE, SPEC, CLIPS, LIB = "index.html", "experiment.yaml", "clips", "lib"
OWN = (
    *("files.js", "save.js", "pages.js", "visit.js", "start.js", "screen.js", "rows.js"),
    *("clips.js", "run.js"),
)
LICENCES = "LICENSES.txt"
SINGLE_LIMIT = 100_000_000  # bytes of films in one page; browsers read larger pages slowly


def write_page(
    spec: ExperimentSpec,
    lists: Sequence[Sequence[Trial]],
    films: Mapping[Version, FilmFile],
    library: tuple[Mapping[str, str], str],
    out: Path,
    *,
    single: bool = False,
) -> None:
    """Write the page of an experiment.

    Parameters
    ----------
    spec : ExperimentSpec
        Resolved settings.
    lists : sequence of lists of Trial
        Trials of each list.
    films : mapping
        Files of each version, in ``out/clips``.
    library : tuple
        Result of `libraries`.
    out : Path
        An existing folder.
    single : bool
        Whether to put scripts and films into the page.

    Raises
    ------
    ExperimentError
        If the films are too large for one page.
    """
    names = [name for file in films.values() for name in (file.vp9, file.h264)]
    size = sum((out / name).stat().st_size for name in names)
    if single and size > SINGLE_LIMIT:
        raise ExperimentError(
            f"the films are {size / 1e6:.0f} MB, too large for one page ({SINGLE_LIMIT / 1e6:.0f} "
            "MB). Leave out --single, and use a web server."
        )
    scripts = {**library[0], **{name: _own(name) for name in OWN}}
    styles = {"jspsych.css": library[1], "style.css": _own("style.css")}
    licences = _own(LICENCES)
    data = {name: base64.b64encode((out / name).read_bytes()).decode() for name in names if single}
    page = _template().render(
        title=spec.title,
        language=spec.page_words["language"],
        direction=spec.page_words["direction"],
        background=spec.background,
        description=description(spec, lists, films),
        films=data,
        styles=styles,
        scripts=scripts,
        licences=licences,
        single=single,
    )
    (out / PAGE).write_text(page, "utf-8")
    if single:
        shutil.rmtree(out / CLIPS)
        (out / LICENCES).write_text(licences, "utf-8")
    else:
        (out / LIB).mkdir(exist_ok=True)
        for name, text in {**scripts, **styles, LICENCES: licences}.items():
            (out / LIB / name).write_text(text, "utf-8")


def _template() -> Template:
    jinja = Environment(
        loader=PackageLoader("stst.experiment", "web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters |= {"json": _json, "script": _script}
    return jinja.get_template(PAGE)


def _json(data: Any) -> Markup:  # noqa: ANN401
    """Return JSON that cannot close the element around it."""
    return Markup(json.dumps(data, allow_nan=False).replace("<", "\\u003c"))


def _script(text: str) -> Markup:
    """Return a script that cannot close its element: ``</script`` occurs only in strings."""
    return Markup(text.replace("</script", "<\\/script"))


Config = TypeVar("Config", bound=FrozenConfig)
Experiment = tuple[ExperimentSpec, list[list[Trial]], dict[Version, FilmFile]]


def read_experiment(folder: Path) -> Experiment:
    """Read an experiment that `stst experiment new` wrote.

    Returns
    -------
    spec : ExperimentSpec
        Settings.
    lists : list of lists of Trial
        Trials of each list.
    films : dict
        Files of each version.

    Raises
    ------
    ExperimentError
        If the folder has no experiment, or one whose films are in its page.
    """
    try:
        manifest = read_manifest(folder).model_extra or {}
        settings = {k: v for k, v in manifest["experiment"].items() if k != "fingerprint"}
        spec = ExperimentSpec.parse(settings)
        films = {_part(Version, film): _part(FilmFile, film) for film in manifest["films"]}
        whole = all((folder / file.vp9).is_file() for file in films.values())
    except (RunError, ValueError, KeyError, TypeError) as error:
        raise ExperimentError(f"{folder} holds no experiment: {error}.") from error
    if not whole:
        raise ExperimentError(
            f"{folder} has no films. Make the experiment again, without --single."
        )
    return spec, make_lists(spec, read_set(folder)), films


def _part(model: type[Config], film: Mapping[str, Any]) -> Config:
    return model.parse({name: film[name] for name in film if name in model.model_fields})
