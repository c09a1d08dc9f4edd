"""jsPsych's files: pinned packages, fetched once by npm, checked, and never committed."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import platformdirs

from stst.errors import ExperimentError

PATIENCE = 300  # s, for npm to bring a package


@dataclass(frozen=True)
class Package:
    """A package of npm, its digest as the registry states it, and the file taken of it."""

    name: str
    version: str
    integrity: str
    member: str = "dist/index.browser.min.js"

    @property
    def tarball(self) -> str:
        """The file's name, as ``npm pack`` writes it."""
        return f"{self.name.lstrip('@').replace('/', '-')}-{self.version}.tgz"

    @property
    def script(self) -> str:
        """The name of the script in an experiment."""
        return f"{self.name.split('/')[-1]}.js"

    @property
    def spec(self) -> str:
        """What npm calls it."""
        return f"{self.name}@{self.version}"

    def is_at(self, path: Path) -> bool:
        """Whether a file is this package."""
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha512").digest()
        return found == base64.b64decode(self.integrity)


JSPSYCH = Package(
    "jspsych",
    "8.3.0",
    "UrwSVG14v8oRX6WFQ1L6uuGT0G7KgRDSH48iKIVIQI+yMRGAlvg+tEUNFKe/1xZxgk3kZiZ5xP0AnpPqPj1zkg==",
)
PACKAGES = (
    JSPSYCH,
    Package(
        "@jspsych/plugin-html-keyboard-response",
        "2.2.0",
        "xuNbZH4QNuERMIg2+tHZ0KDpn/TZFXjmUa23zSl2iEmNGp1DNMhOZGlzR4lyavcFeq5qudpr3ZS4AlrlMS0Gdg==",
    ),
    Package(
        "@jspsych/plugin-html-button-response",
        "2.1.0",
        "AhJPePA8s/ount+QYtqfgMtEkz7g+j+bnhQ9XqxfsnK2f5MdnlakYtpjxW9YgFx9y0Gs7yb7OZk1+omcKlzaEQ==",
    ),
    Package(
        "@jspsych/plugin-virtual-chinrest",
        "3.1.0",
        "5PQfCRruwosOliqaltjpYltIo1teypByz6Fa0RBFxj4vKeMTl3WUM2A0ogeBcV4pLDgMFbJTrBLLgtlOsPLHpQ==",
    ),
)
QUEST = Package(
    "jsquest-plus",
    "2.1.0",
    "r0I5OlIoFS8kjtZA8C857kUiYfO5aXGt1Bxlw2JXNxSP3Be5lq2k1hGEHeeEgSABhAm6mdoWtcAG9hiYpFqCdA==",
    "dist/jsQuestPlus.js",
)


def cache_folder() -> Path:
    """Folder of fetched packages, in the user's cache."""
    return Path(platformdirs.user_cache_dir("stst")) / "npm"


def libraries(folder: Path | None = None, *, quest: bool = False) -> tuple[dict[str, str], str]:
    """The scripts of an experiment by their names, and jsPsych's style sheet without fonts.

    Parameters
    ----------
    folder : Path, optional
        Holds the packages, as ``npm pack`` names them. None: the cache, filled if need be.
    quest : bool
        Whether jsQuestPlus is among them.

    Raises
    ------
    ExperimentError
        If a package is not there and cannot be fetched, or is another one.
    """
    scripts = {
        package.script: _read(_tarball(package, folder), package.member)
        for package in (*PACKAGES, *((QUEST,) if quest else ()))
    }
    style = _read(_tarball(JSPSYCH, folder), "css/jspsych.css")
    return scripts, re.sub(r"@font-face\s*\{[^}]*\}", "", style)


def _tarball(package: Package, folder: Path | None) -> Path:
    """Give the package's file, its digest found right."""
    path = (folder or cache_folder()) / package.tarball
    try:
        if not path.is_file():
            if folder or os.environ.get("STST_OFFLINE", "") not in ("", "0"):
                raise FileNotFoundError("it is not there, and nothing may be fetched")
            _fetch(package, path)
        if not package.is_at(path):
            raise ValueError(f"{path} is not the file that was tested")
    except (ValueError, OSError, subprocess.TimeoutExpired) as fault:
        raise ExperimentError(
            f"{package.spec}, needed by the page, could not be had: {fault}. With npm and "
            "internet it comes by itself; without: give a folder with --jspsych, in which "
            f"`npm pack {' '.join(one.spec for one in (*PACKAGES, QUEST))}` ran."
        ) from fault
    return path


def _fetch(package: Package, path: Path) -> None:
    """Let npm bring the package, from the registry that the user has told it of."""
    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("npm is not installed")
    path.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(dir=path.parent) as new:
        call = [npm, "pack", package.spec, "--ignore-scripts"]
        said = subprocess.run(call, capture_output=True, text=True, cwd=new, timeout=PATIENCE)
        brought = Path(new, package.tarball)
        if said.returncode or not brought.is_file():
            raise OSError(f"npm said: {' '.join(said.stderr.split())[:200]}")
        if not package.is_at(brought):
            raise ValueError("npm brought another file than the one that was tested")
        brought.replace(path)


def _read(tarball: Path, member: str) -> str:
    with tarfile.open(tarball) as archive:
        file = archive.extractfile(f"package/{member}")
        assert file is not None  # the digest has shown that the member is there
        return file.read().decode()
