"""The frames of a film, one at a time, with its shots."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from fractions import Fraction
from weakref import WeakKeyDictionary

from nicegui import run, ui

from stst.studio.cutting import Cut
from stst.studio.media import Shown
from stst.studio.pages.range_input import RangeInput
from stst.studio.studio import Studio

WIDTH, BYTES = 320, 1 << 30  # px and bytes of the frames that are kept for the scrubber, at most
MANY = 3000  # frames; shots of longer films are only sought when asked for
BUTTONS = 8  # shots; more are chosen from a list
SHADES = ("#0b5c6b", "#8fb8c0")

_shots: WeakKeyDictionary[Shown, Sequence[range]] = WeakKeyDictionary()
_seeking = threading.Lock()  # one film at a time


class Scrubber(ui.column):
    """One frame of a film, a slider to choose it, and the shots.

    Parameters
    ----------
    studio : Studio
        Its media read the frames.
    cut : Cut
        The film.

    Attributes
    ----------
    take : callable
        Called with the first and the last frame of a shot that the user takes.
    found : callable
        Called with the shots when they have been found.
    """

    def __init__(self, studio: Studio, cut: Cut) -> None:
        super().__init__()
        self.studio, self.cut, self.shown = studio, cut, None
        self.take, self.found = lambda first, last: None, lambda shots: None
        self.classes("gap-1").style(f"width: {WIDTH}px; flex: none")
        facts = cut.facts
        width, height = preview_size(cut)
        with self:
            with ui.element().style(f"width: {width}px; height: {height}px; background: #d5dadd"):
                self.picture = ui.element("img").classes("pixels").props('alt="Frame 0"')
                self.picture.style(f"width: {width}px; height: {height}px").set_visibility(False)
            self.text = ui.label().classes("text-sm")
            self.marks = ui.html("", sanitize=False).classes("w-full")
            self.slider = RangeInput("Frame", facts.frames - 1, lambda _: self._show())
            self.slider.classes("stst-single")
            self.shots = ui.row().classes("w-full items-center gap-2")
        with self.shots:
            self._wait("Reading the frames, to show them here")
        self._show()

    shown: Shown | None
    take: Callable[[int, int], object]
    found: Callable[[Sequence[range]], object]

    @property
    def index(self) -> int:
        """The frame that is shown."""
        return self.slider.value

    def _wait(self, text: str) -> None:
        with ui.row().classes("items-center gap-2").props("role=status"):
            ui.spinner(size="sm").props("aria-hidden=true")
            ui.label(text).classes("text-sm")

    def go(self, index: int) -> None:
        """Show a frame."""
        self.slider.set_value(index)
        self._show()

    def _show(self) -> None:
        index = self.index
        self.text.set_text(f"Frame {index} of 0 to {self.cut.facts.frames - 1}{self._time(index)}")
        self.slider.say(self.text.text)
        if self.shown is not None:
            index = min(index, len(self.shown.footage) - 1)
            self.picture.props(f'src="/media/{self.shown.key}/{index}.png" alt="Frame {index}"')

    def _time(self, index: int) -> str:
        """Say when a frame is shown, if the film states it or has a constant rate."""
        facts = self.cut.facts
        if facts.seconds is not None:
            return f", at {float(facts.seconds[index]):.3f} s"
        return f", at {index / float(facts.rates[0]):.3f} s" if len(facts.rates) == 1 else ""

    async def read(self) -> Shown | None:
        """Read the frames, small enough to be kept; the errors of the reader are raised."""
        facts, path = self.cut.facts, self.cut.path
        rate = None if len(facts.rates) == 1 else Fraction(self.cut.fps or facts.mean_rate)
        selection = {
            "width": preview_size(self.cut)[0],
            "frames": facts.frames if facts.is_cut else None,
            "frame_rate": None if rate is None else str(rate),
        }
        shown = await run.io_bound(self.studio.media.open, path, **selection)
        if shown is not None and not self.is_deleted:
            self.shown = shown
            self.shots.clear()
            self.picture.set_visibility(True)
            self._show()
        return shown

    def fail(self, text: str) -> None:
        """Say why the frames cannot be shown."""
        self.shots.clear()
        with self.shots:
            ui.label(f"The frames cannot be shown: {text}").classes("text-sm").props("role=alert")

    async def find_shots(self, *, asked: bool = False) -> None:
        """Find the shots of the film and show them; those of a long film only if asked for."""
        shown = self.shown
        if shown is None or self.is_deleted:
            return
        self.shots.clear()
        with self.shots:
            if self.cut.facts.frames > MANY and not asked and shown not in _shots:
                ui.button("Find shots", on_click=lambda: self.find_shots(asked=True)).props(
                    "outline no-caps dense"
                )
                return
            self._wait("Looking for cuts")
        shots = await run.io_bound(_find_shots, shown)
        if shots is not None and not self.is_deleted:
            self._show_shots(shots)

    def _show_shots(self, shots: Sequence[range]) -> None:
        self.found(shots)
        self.shots.clear()
        with self.shots:
            if len(shots) == 1:
                ui.label("No cuts: the film is one shot.").classes("text-sm")
                return
            self.marks.set_content(_marks(shots, self.cut.facts.frames))
            ui.label(f"{len(shots)} shots. Take one:").classes("text-sm")
            names = {i: f"Shot {i + 1}: {shot[0]} to {shot[-1]}" for i, shot in enumerate(shots)}
            if len(shots) > BUTTONS:
                chosen = ui.select(names, label="Shot").classes("w-48").props("dense outlined")
                chosen.on_value_change(lambda: self._take(shots[int(chosen.value)]))
                return
            for i, name in names.items():
                ui.button(name, on_click=lambda shot=shots[i]: self._take(shot)).props(
                    "outline no-caps dense padding='2px 8px'"
                )

    def _take(self, shot: range) -> None:
        self.go(shot[0])
        self.take(shot[0], shot[-1])


def preview_size(cut: Cut) -> tuple[int, int]:
    """Return width and height of the frames in the scrubber: what is kept of them is bounded."""
    height, width = cut.facts.size
    each = BYTES / cut.facts.frames / 12  # px
    wide = min(width, WIDTH, max(48, int((each * width / height) ** 0.5)))
    return wide, max(1, round(height * wide / width))


def _find_shots(shown: Shown) -> Sequence[range]:
    from stst.video.shots import find_shots

    with _seeking:
        if shown not in _shots:
            _shots[shown] = find_shots(shown.footage)
        return _shots[shown]


def _marks(shots: Sequence[range], frames: int) -> str:
    """Draw the shots as a bar above the slider."""
    parts = "".join(
        f'<div style="width: {100 * len(shot) / frames:.4f}%; background: {SHADES[i % 2]}"></div>'
        for i, shot in enumerate(shots)
    )
    return f'<div aria-hidden="true" style="display: flex; height: 8px">{parts}</div>'
