"""An experiment -> a folder that any web server can show, or one page that needs no server."""

from __future__ import annotations

import json
import shutil
from base64 import b64encode
from collections.abc import Mapping, Sequence
from importlib.resources import files as resources
from pathlib import Path
from typing import Any, TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from stst.errors import ExperimentError
from stst.experiment.description import description
from stst.experiment.design import make_lists
from stst.experiment.libraries import JSPSYCH
from stst.experiment.spec import ExperimentSpec
from stst.experiment.stimuli import read_set
from stst.experiment.trials import Trial
from stst.experiment.versions import File, Version

PAGE, SPEC, CLIPS, LIB = "index.html", "experiment.yaml", "clips", "lib"
OWN = ("clips.js", "files.js", "save.js", "rows.js", "pages.js", "run.js")
STYLES = ("jspsych.css", "style.css")
LICENCES = "LICENSES.txt"
_Part = TypeVar("_Part", Version, File)
SINGLE_LIMIT = 100_000_000  # bytes of films in one page; browsers read more only slowly


def write_page(
    spec: ExperimentSpec,
    lists: Sequence[Sequence[Trial]],
    made: Mapping[Version, File],
    library: tuple[Mapping[str, str], str],
    out: Path,
    *,
    single: bool = False,
) -> None:
    """Write the page beside its ``clips``; `single` puts them into it, and removes them.

    Parameters
    ----------
    spec, lists, made
        Resolved; as `make_lists` and `write_versions` give them.
    library : tuple
        As `stst.experiment.libraries.libraries` gives it.
    out : Path
        A folder that is there.

    Raises
    ------
    ExperimentError
        If the films are too large for one page.
    """
    names = [name for file in made.values() for name in (file.vp9, file.h264)]
    size = sum((out / name).stat().st_size for name in names)
    if single and size > SINGLE_LIMIT:
        raise ExperimentError(
            f"the films are {size / 1e6:.0f} MB, too much for one page ({SINGLE_LIMIT / 1e6:.0f} "
            "MB). Leave --single out, and show the folder by a web server."
        )
    scripts = _scripts(library[0])
    styles = dict(zip(STYLES, (library[1], _own("style.css")), strict=True))
    films = {name: b64encode((out / name).read_bytes()).decode() for name in names if single}
    page = (
        _jinja()
        .get_template(PAGE)
        .render(
            title=spec.texts.title,
            background=spec.background,
            description=description(spec, lists, made),
            films=films,
            styles=styles,
            scripts=scripts,
            licences=_own(LICENCES),
            single=single,
        )
    )
    (out / PAGE).write_text(page, "utf-8")
    if single:
        shutil.rmtree(out / CLIPS)
        (out / LICENCES).write_text(_own(LICENCES), "utf-8")
    else:
        (out / LIB).mkdir(exist_ok=True)
        for name, text in {**scripts, **styles, LICENCES: _own(LICENCES)}.items():
            (out / LIB / name).write_text(text, "utf-8")


def _scripts(library: Mapping[str, str]) -> dict[str, str]:
    """All scripts in the order in which they must run: jsPsych, its plugins, ours."""
    first = JSPSYCH.script
    others = {name: text for name, text in library.items() if name != first}
    return {first: library[first], **others, **{name: _own(name) for name in OWN}}


def _own(name: str) -> str:
    return (resources("stst.experiment") / "web" / name).read_text("utf-8")


def _jinja() -> Environment:
    jinja = Environment(
        loader=PackageLoader("stst.experiment", "web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    jinja.filters["json"] = _json
    jinja.filters["script"] = _script
    return jinja


def _json(data: Any) -> Markup:  # noqa: ANN401
    """Data as JSON that cannot end the element that it stands in."""
    return Markup(json.dumps(data, allow_nan=False).replace("<", "\\u003c"))


def _script(text: str) -> Markup:
    """A script that cannot end its element: ``</script`` is there only in strings."""
    return Markup(text.replace("</script", "<\\/script"))


def read_experiment(
    folder: Path,
) -> tuple[ExperimentSpec, list[list[Trial]], dict[Version, File]]:
    """Read what `stst experiment new` wrote: spec, lists and films.

    Raises
    ------
    ExperimentError
        If the folder holds none, or one whose films are in its page.
    """
    try:
        told = json.loads((folder / "manifest.json").read_text("utf-8"))
        spec = ExperimentSpec.parse(
            {k: v for k, v in told["experiment"].items() if k != "fingerprint"}
        )
        facts = told["films"]
        made = {_part(Version, one): _part(File, one) for one in facts}
        whole = all((folder / file.vp9).is_file() for file in made.values())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ExperimentError(f"{folder} holds no experiment: {error}.") from error
    if not whole:
        raise ExperimentError(f"{folder} lacks films. Make the experiment again, without --single.")
    return spec, make_lists(spec, read_set(folder)), made


def _part(kind: type[_Part], facts: Mapping[str, Any]) -> _Part:
    """Take what is of one kind out of the facts of a film."""
    return kind.model_validate({k: v for k, v in facts.items() if k in kind.model_fields})
