"""The panel in which a clip is chosen and cut."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from nicegui import run, ui

from stst.errors import StstError
from stst.studio.cutting import FRAMES, WIDTH, Cut
from stst.studio.facts import Facts, known_facts, read_facts
from stst.studio.library import CLIPS, EXAMPLE
from stst.studio.pages.clip_controls import ClipControls
from stst.studio.pages.clip_drop import ClipDrop
from stst.studio.pages.scrubber import Scrubber
from stst.studio.studio import Studio

BUILT_IN = "Built-in example: a reef, 6 frames"


class ClipPanel(ui.element):
    """Choose a clip, look at its frames, and choose frames, size and rate.

    Parameters
    ----------
    studio : Studio
        Its library gives the clips.
    on_change : callable
        Called whenever the clip or what is cut from it has changed.
    can_cut : bool, default True
        Whether frames, size and rate are chosen here.

    Attributes
    ----------
    cut : Cut or None
        What is chosen; None while nothing can be used.
    """

    def __init__(
        self, studio: Studio, on_change: Callable[[], object], *, can_cut: bool = True
    ) -> None:
        super().__init__("section")
        self.studio, self.on_change, self.cut = studio, on_change, None
        self.can_cut = can_cut
        self.classes("w-full").props('aria-label="Choose and cut a clip"')
        with self, ui.row().classes("w-full no-wrap items-start gap-6"):
            with ui.column().classes("gap-3").style("width: 280px; flex: none"):
                self.choice = self._choice()
                ClipDrop(self._add)
                self.said = ui.column().classes("w-full gap-2")
            self.parts = ui.row().classes("grow items-start gap-6").style("min-width: 0")
        ui.timer(0, lambda: self._load(self.path), once=True)

    cut: Cut | None

    @property
    def words(self) -> tuple[str, ...]:
        """The words of the clip for the command; empty while nothing usable is chosen."""
        return self.cut.words if self.cut else ()

    @property
    def selection(self) -> dict[str, Any]:
        """The arguments of `stst.storage.config.Source`; empty while nothing usable is chosen."""
        return self.cut.selection if self.cut else {}

    @property
    def summary(self) -> str | None:
        """Length, size and rate of the clip in words."""
        return self.cut.summary if self.cut else None

    @property
    def path(self) -> Path:
        """The file that is chosen."""
        return Path(str(self.choice.value))

    def _choice(self) -> ui.select:
        names = self._names()
        first = next((path for path in names if Path(path).name == EXAMPLE), next(iter(names), ""))
        return (
            ui.select(
                names,
                value=first or None,
                label="Clip",
                on_change=lambda: self._load(self.path),
            )
            .classes("w-full")
            .props("outlined bg-color=white options-dense")
        )

    def _names(self) -> dict[str, str]:
        own = self.studio.library.folder / CLIPS
        names = {str(path): path.name for path in self.studio.library.clips()}
        for text in names:
            path = Path(text)
            if path == own / EXAMPLE:
                names[text] = BUILT_IN
            elif path.parent != own:
                names[text] = f"{path.name}, in {path.parent.name}"
        return names

    def _add(self, name: str) -> None:
        """Choose a clip that was uploaded."""
        names = self._names()
        path = str(self.studio.library.folder / CLIPS / name)
        if path in names:
            self.choice.set_options(names, value=path)

    async def _load(self, path: Path) -> None:
        """Read what is known of a film, and show the controls."""
        self.cut = None
        self.said.clear()
        self.parts.clear()
        self.on_change()
        facts = known_facts(path)
        try:
            if facts is None:
                with self.said:
                    busy(f"Reading {path.name}")
                facts = await run.io_bound(self._read, path)
        except (StstError, OSError) as error:
            if self._is_shown(path):
                self._refuse(path, error)
            return
        if facts is not None and self._is_shown(path):  # None while the studio ends
            self._show(path, facts)

    def _read(self, path: Path) -> Facts:
        return read_facts(self.studio.library.allowed(path))

    def _is_shown(self, path: Path) -> bool:
        """Whether the page is still there, with the same clip."""
        return not self.is_deleted and self.path == path

    def _refuse(self, path: Path, error: Exception) -> None:
        self.said.clear()
        with self.said:
            text = str(error).replace(str(path), path.name)
            say(text, "error", "negative").props("role=alert")

    def _show(self, path: Path, facts: Facts) -> None:
        self.cut = Cut.default(path, facts)
        self._tell(path, facts, [f"{path.name} {remark}." for remark in facts.remarks])
        with self.parts:
            scrubber = Scrubber(self.studio, self.cut)
            controls = ClipControls(self.cut, scrubber, self.on_change)
        controls.set_visibility(self.can_cut)
        if self.can_cut:
            scrubber.take, scrubber.found = controls.take, controls.note_shots
        self.on_change()
        ui.timer(0, lambda: self._look(scrubber, path), once=True)

    async def _look(self, scrubber: Scrubber, path: Path) -> None:
        """Read the frames of the film, to show them and find its shots."""
        if self.cut is None:
            return
        facts = self.cut.facts
        try:
            shown = await scrubber.read()
        except (StstError, OSError) as error:
            if self._is_shown(path):
                scrubber.fail(str(error).replace(str(path), path.name))
            return
        if shown is None or not self._is_shown(path):
            return
        texts = [text.replace(str(path), path.name) for text in shown.warnings]
        if facts.is_uneven:  # for the scrubber alone, each frame is read once
            texts = [text for text in texts if "these times are not kept" not in text]
        if texts:
            self._tell(path, facts, texts)
        await asyncio.sleep(0)
        await scrubber.find_shots()

    def _tell(self, path: Path, facts: Facts, warnings: Sequence[str]) -> None:
        """Say what the film is, what was assumed, and what the reader warned of."""
        height, width = facts.size
        self.said.clear()
        with self.said:
            count = f"{'more than ' * facts.is_cut}{facts.frames} frames"
            say(f"{path.name}: {count} of {width}x{height} px{rate_text(facts)}.")
            if facts.is_cut:
                say(f"Only the first {facts.frames} frames can be chosen here.", "info")
            if width > WIDTH or facts.frames > FRAMES:
                say(
                    f"To keep the first run short, at most {FRAMES} frames of width {WIDTH} px are "
                    "chosen. You can take more.",
                    "info",
                    "primary",
                )
            for text in warnings:
                say(text, "warning", "orange-10")


def rate_text(facts: Facts) -> str:
    """Say at which rate a film shows its frames."""
    if facts.is_uneven:
        return (
            f", unevenly timed (about {facts.mean_rate} frames/s). They are resampled by their "
            "times, to a constant frame rate"
        )
    if facts.needs_rate:
        fitting = " or ".join(f"{float(rate):.5g}" for rate in facts.rates)
        if fitting:
            return f". Their times fit {fitting} frames/s equally well; state which it is"
        return f". The file states no frame rate: {facts.mean_rate} frames/s is assumed"
    return f" at {float(facts.rates[0]):.5g} frames/s"


def say(text: str, icon: str | None = None, colour: str = "primary") -> ui.row:
    """Show a text, with an icon that tells how serious it is."""
    with ui.row().classes("w-full no-wrap items-start gap-2") as row:
        if icon:
            ui.icon(icon, color=colour, size="sm").props("aria-hidden=true")
        ui.label(text).classes("text-sm").style("overflow-wrap: anywhere; min-width: 0")
    return row


def busy(text: str) -> ui.row:
    """Show that something is being done."""
    with ui.row().classes("items-center gap-2").props("role=status") as row:
        ui.spinner(size="sm").props("aria-hidden=true")
        ui.label(text).classes("text-sm")
    return row
