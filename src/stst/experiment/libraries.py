"""jsPsych's files: pinned packages of npm, fetched once, checked, and never committed."""

from __future__ import annotations

import base64
import os
import re
import tarfile
from dataclasses import dataclass
from pathlib import Path

import platformdirs

from stst.errors import ExperimentError
from stst.streams.download import download

REGISTRY = "https://registry.npmjs.org"


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
    def url(self) -> str:
        """Where it comes from: ``STST_NPM_REGISTRY`` names another registry."""
        place = os.environ.get("STST_NPM_REGISTRY") or REGISTRY
        return f"{place.rstrip('/')}/{self.name}/-/{self.name.split('/')[-1]}-{self.version}.tgz"


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
    digest = f"sha512:{base64.b64decode(package.integrity).hex()}"
    place = folder or cache_folder()
    offline = folder or os.environ.get("STST_OFFLINE", "") not in ("", "0")
    url = (place / package.tarball).absolute().as_uri() if offline else package.url
    try:
        if offline and not (place / package.tarball).is_file():
            raise FileNotFoundError("it is not there, and nothing may be fetched")
        return download(url, package.tarball, digest, place)
    except (ValueError, OSError) as fault:
        said = str(fault).splitlines()[0]
        raise ExperimentError(
            f"{package.name} {package.version}, needed by the page, could not be had: {said}. With "
            "internet it comes by itself; without: give a folder with --jspsych, in which "
            f"`npm pack {' '.join(f'{one.name}@{one.version}' for one in (*PACKAGES, QUEST))}` ran."
        ) from fault


def _read(tarball: Path, member: str) -> str:
    with tarfile.open(tarball) as archive:
        file = archive.extractfile(f"package/{member}")
        assert file is not None  # the digest has shown that the member is there
        return file.read().decode()
