"""A finished run: its films in step, the verdicts beside them; and several runs side by side."""

from __future__ import annotations

import asyncio
import mimetypes
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated
from urllib.parse import quote

from fastapi import Query, Response
from nicegui import app, ui
from starlette.concurrency import run_in_threadpool

from stst.errors import FramesError, RunError, StstError
from stst.studio import flow, verdicts
from stst.studio.films import (
    EVALUATION,
    Films,
    find_entry,
    open_films,
    seed_manifests,
    what_is_made,
)
from stst.studio.library import Entry
from stst.studio.media import Shown
from stst.studio.pages import keep
from stst.studio.pages.layout import page
from stst.studio.pages.verdict_panel import (
    EvaluationPanel,
    heading,
    notes,
    own_verdicts,
    parted,
    show_evaluation,
    table,
)
from stst.studio.pages.viewer import Viewer
from stst.studio.studio import Studio

MOST = 6  # runs that are compared
KEEP = {"Cache-Control": "private, max-age=3600, immutable"}
# The page of an evaluation has its figures and its script in itself, and needs nothing else.
ALONE = {
    "Content-Security-Policy": "sandbox allow-scripts; default-src 'none'; img-src data:; "
    "media-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'"
}
SERVED = (".html", ".png")


def add_pages(studio: Studio) -> None:
    """Register the pages, and the addresses of flow pictures and evaluations."""

    @ui.page("/run/{name:path}")
    async def _run(name: str) -> None:
        with page(studio, name), _filled():
            await ui.context.client.connected()
            await look(studio, name)

    @ui.page("/compare")
    async def _compare(runs: Annotated[list[str], Query(default_factory=list)]) -> None:
        with page(studio, "Compare"), _filled():
            await ui.context.client.connected()
            await compare(studio, list(dict.fromkeys(runs)))

    @app.get("/media/{key}/flow.json")
    async def _fastest(key: str) -> Response:
        return await _answer(
            lambda: repr(flow.fastest(studio.media.shown(key))), "application/json"
        )

    @app.get("/media/{key}/flow/{index}.png")
    async def _flow(key: str, index: int, fastest: float) -> Response:
        return await _answer(
            lambda: flow.flow_png(studio.media.shown(key), index, fastest), "image/png"
        )

    @app.get("/evaluation/{name:path}/{file}")
    async def _evaluation(name: str, file: str) -> Response:
        return await run_in_threadpool(evaluation_file, studio, name, file)


@contextmanager
def _filled() -> Iterator[None]:
    """Tell in words if a page cannot be filled."""
    try:
        yield
    except StstError as error:
        text = str(error)
        ui.label(text[:1].upper() + text[1:]).props("role=alert")
        ui.link("Go to the library", "/library")


async def look(studio: Studio, name: str) -> None:
    """Fill the page of one run."""
    waiting = _wait("Reading the films")
    try:
        entry = await asyncio.to_thread(find_entry, studio, name)
        if (entry.folder / EVALUATION).is_file() and entry.kind == "evaluation":
            found = await asyncio.to_thread(verdicts.evaluated, entry.folder)
            waiting.delete()
            _link_to_run(studio, entry)
            show_evaluation(studio, entry.folder, found)
            return
        films = await asyncio.to_thread(open_films, studio, entry)
        manifest = next(iter((await asyncio.to_thread(seed_manifests, entry)).values()))
        columns = await asyncio.to_thread(own_verdicts, entry, what_is_made(manifest))
    finally:
        if not waiting.is_deleted:
            waiting.delete()
    with ui.element("div").classes("flex flex-wrap items-start gap-x-8 w-full"):
        with ui.element("section").classes("grow").style("flex-basis: 560px"):
            show_films(films)
            keep.keep_panel(studio, entry)
        with ui.element("section").classes("max-w-xl").style("flex: 1 1 400px"):
            show_verdicts(columns, verdicts.remarks(manifest))
            heading("Evaluation", 3)
            await EvaluationPanel(studio, entry, films).show()


async def compare(studio: Studio, names: list[str]) -> None:
    """Fill the page of several runs.

    Raises
    ------
    RunError
        If there are too few or too many, or one cannot be read.
    """
    if not 2 <= len(names) <= MOST:
        raise RunError(f"choose 2 to {MOST} runs of the library, not {len(names)}.")
    waiting = _wait("Reading the films")
    try:
        entries = [await asyncio.to_thread(find_entry, studio, name) for name in names]
        opened = {e.name: await asyncio.to_thread(open_films, studio, e) for e in entries}
        columns = dict[str, dict[str, verdicts.Verdict]]()
        for entry in entries:
            columns |= await asyncio.to_thread(columns_of, studio, entry)
    finally:
        waiting.delete()
    show_films(together(opened))
    with ui.row().classes("gap-4"):
        for entry in entries:
            ui.link(f"Look at {entry.name}", f"/run/{quote(entry.name)}")
    heading("Verdicts")
    of_object, others = parted(verdicts.by_measure(columns))
    table("Is the object gone?", of_object, [*columns])
    layers = {name: others.pop(name) for name in list(others) if "/" in name}
    table("Are the layers matched?", layers, [*columns])
    if others:
        table("Measures of the newest evaluation of each run", others, [*columns])
    ui.label("A run that has not been evaluated has empty cells.").classes("text-sm")


def _link_to_run(studio: Studio, entry: Entry) -> None:
    """Show a link to the run that was evaluated, if the studio has evaluated it."""
    request = studio.queue.of_folder(entry.folder)
    folder = Path(request.words[1]) if request else entry.folder
    if folder.is_relative_to(studio.library.folder) and folder != entry.folder:
        name = folder.relative_to(studio.library.folder).as_posix()
        ui.link(f"Look at {name}", f"/run/{quote(name)}")


def columns_of(studio: Studio, entry: Entry) -> dict[str, dict[str, verdicts.Verdict]]:
    """Return the verdicts of a run by column: one for each seed, with those of its evaluation."""
    columns = own_verdicts(entry, entry.name)
    evaluation = verdicts.evaluation_of(studio.library, entry)
    found = verdicts.evaluated(evaluation.folder) if evaluation else {}
    measures = found.get(evaluation.condition, {}) if evaluation else {}  # means over seeds
    return {title: own | measures for title, own in columns.items()}


def together(opened: dict[str, Films]) -> Films:
    """Bring the films of several runs together; a natural clip that they share is shown once."""
    naturals, made = dict[str, Shown](), dict[str, Shown]()
    for run_name, films in opened.items():
        for title, film in films.naturals.items():
            if all(film.key != other.key for other in naturals.values()):
                naturals[f"{title} of {run_name}"] = film
        made |= {f"{run_name}: {title}": film for title, film in films.made.items()}
    if len(naturals) == 1:
        naturals = {"natural": next(iter(naturals.values()))}
    missing = [f"{name}: {text}" for name, films in opened.items() for text in films.missing]
    return Films(naturals, made, tuple(missing))


def show_films(films: Films) -> None:
    """Show the films of a run, and why others are missing."""
    notes(films.missing)
    if films.shown:
        Viewer(films.shown)


def show_verdicts(columns: dict[str, dict[str, verdicts.Verdict]], remarks: list[str]) -> None:
    """Show what a run itself says of its success: the object first, then the layers."""
    heading("Verdicts of the run")
    rows = verdicts.by_measure(columns)
    table("Is the object gone?", {verdicts.OBJECT: rows.pop(verdicts.OBJECT)}, [*columns])
    table("Are the layers matched?", rows, [*columns])
    if remarks:
        heading("Notes", 3)
        notes(remarks)


def _wait(text: str) -> ui.row:
    with ui.row().classes("items-center") as row:
        ui.spinner().props("aria-hidden=true")
        ui.label(f"{text} ...").props("aria-live=polite")
    return row


async def _answer(make: Callable[[], bytes | str], media_type: str) -> Response:
    try:
        content = await run_in_threadpool(make)
    except FramesError as error:
        return Response(str(error), 404, media_type="text/plain")
    return Response(content, media_type=media_type, headers=KEEP)


def evaluation_file(studio: Studio, name: str, file: str) -> Response:
    """Answer with a page or a figure that the evaluation in a folder of the library lists."""
    from stst.storage.manifest import read_manifest

    try:
        folder = studio.library.allowed(studio.library.folder / name)
        if not folder.is_relative_to(studio.library.folder):
            raise RunError(f"{name} is not in the library.")
        listed = read_manifest(folder).outputs if (folder / EVALUATION).is_file() else {}
        path = studio.library.allowed(folder / file)
        if file not in listed or path.parent != folder or path.suffix not in SERVED:
            raise RunError(f"{file} is no page or figure of an evaluation.")
        content = path.read_bytes()
    except (StstError, OSError, ValueError):  # a null byte is a ValueError
        return Response("Not found", 404, media_type="text/plain")
    return Response(content, media_type=mimetypes.types_map[path.suffix], headers=ALONE)
