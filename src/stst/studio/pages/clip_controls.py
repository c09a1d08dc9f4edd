"""The controls with which a clip is cut: frames, width and frame rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from nicegui import ui

from stst.errors import FramesError
from stst.studio.cutting import Cut
from stst.studio.pages.range_input import TwoEnds
from stst.studio.pages.scrubber import Scrubber
from stst.video.timing import as_rate

EVERY, RETIME = "every", "retime"
SMALLEST = 16  # px, of a width


class ClipControls(ui.column):
    """Choose frames, width and frame rate of a clip.

    Parameters
    ----------
    cut : Cut
        Changed by the controls.
    scrubber : Scrubber
        Shows the frame that is being chosen.
    on_change : callable
        Called after each change.
    """

    def __init__(self, cut: Cut, scrubber: Scrubber, on_change: Callable[[], object]) -> None:
        super().__init__()
        self.cut, self.scrubber, self.on_change = cut, scrubber, on_change
        self.cuts: Sequence[int] = ()
        self._quiet = False  # while controls are set, not changed by the user
        self.classes("grow gap-2").style("flex-basis: 380px; min-width: 0")
        with self:
            self._range()
            with ui.row().classes("items-start gap-4"):
                self._size_and_rate()
            self.summary = ui.label().classes("font-medium").props("aria-live=polite")
            self.note = ui.label().classes("text-sm").props("aria-live=polite")
            self.problem = ui.label().classes("text-negative").props("role=alert")
        self._draw()

    def _range(self) -> None:
        last = self.cut.facts.frames - 1
        ui.label("Frames used").classes("font-medium").props('role="heading" aria-level="2"')
        labels = ("First frame, slider", "Last frame, slider")
        self.range = TwoEnds(labels, last, self._range_moved)
        with ui.row().classes("items-center gap-3"):
            self.first = self._number("First frame", 0, last, self._ends_typed)
            self.last = self._number("Last frame", 0, last, self._ends_typed)
        with ui.row().classes("items-center gap-3"):
            for text, act in (
                ("Begin at the frame shown", lambda: self._begin(self.scrubber.index)),
                ("End at the frame shown", lambda: self._end(self.scrubber.index)),
                ("Whole film", lambda: self.take(0, last)),
            ):
                ui.button(text, on_click=act).props("outline no-caps dense padding='4px 10px'")

    def _size_and_rate(self) -> None:
        facts = self.cut.facts
        self.width = self._number("Width (px)", min(SMALLEST, facts.size[1]), facts.size[1])
        self.width.on_value_change(self._width_typed)
        if facts.needs_rate:
            self.fps = self._rate("Frame rate of the film (per s)", self.cut.fps or "")
            self.fps.on_value_change(self._rates_typed)
        modes = {EVERY: "Take every n-th frame", RETIME: "Resample in time"}
        if facts.is_uneven:
            del modes[EVERY]
        mode = EVERY if self.cut.retime is None else RETIME
        self.mode = ui.select(modes, value=mode, label="Frame rate", on_change=self._rates_typed)
        self.mode.classes("w-52").props("outlined dense bg-color=white")
        self.every = self._number("n (1: all)", 1, max(1, facts.frames // 2), self._rates_typed)
        self.retime = self._rate("New frame rate (per s)", self.cut.retime or str(facts.mean_rate))
        self.retime.on_value_change(self._rates_typed)

    def _number(
        self, label: str, low: int, high: int, act: Callable[[], object] | None = None
    ) -> ui.number:
        number = ui.number(label, min=low, max=high, step=1, precision=0, on_change=act)
        return number.classes("w-32").props("outlined dense bg-color=white debounce=300")

    def _rate(self, label: str, value: str) -> ui.input:
        field = ui.input(label, value=value, validation=rate_fault)
        return field.classes("w-56").props("outlined dense bg-color=white debounce=300")

    def _draw(self) -> None:
        """Show the state of the cut."""
        cut, self._quiet = self.cut, True
        self.range.set_values(cut.first, cut.last)
        self.first.set_value(cut.first)
        self.last.set_value(cut.last)
        self.width.set_value(cut.width)
        self.every.set_value(cut.every)
        self.every.set_visibility(cut.retime is None)
        self.retime.set_visibility(cut.retime is not None)
        self._quiet = False
        problem = cut.problem
        self.problem.set_text(problem or "")
        self.problem.set_visibility(problem is not None)
        self.summary.set_text("" if problem else self._summary())
        self._draw_note()

    def note_shots(self, shots: Sequence[range]) -> None:
        """Take note of the shots of the film, to say if the clip contains cuts."""
        self.cuts = [shot[0] for shot in shots[1:]]
        self._draw_note()

    def _draw_note(self) -> None:
        inside = sum(self.cut.first < cut <= self.cut.last for cut in self.cuts)
        if inside:
            cuts = "a cut" if inside == 1 else f"{inside} cuts"
            self.note.set_text(f"It contains {cuts}. To use one scene, take one of the shots.")
        self.note.set_visibility(inside > 0)

    def _summary(self) -> str:
        seconds = len(self.cut.indices()) / float(self.cut.rate())
        return f"The clip: {self.cut.summary}, {seconds:.3g} s."

    def _changed(self) -> None:
        self._draw()
        self.on_change()

    def take(self, first: int, last: int) -> None:
        """Use these frames."""
        self.cut.first, self.cut.last = first, last
        self._changed()

    def _begin(self, index: int) -> None:
        self.take(index, max(index, self.cut.last))

    def _end(self, index: int) -> None:
        self.take(min(index, self.cut.first), index)

    def _range_moved(self, first: int, last: int) -> None:
        if first != self.cut.first:
            self.scrubber.go(first)
            self.take(first, max(first, last))
        elif last != self.cut.last:
            self.scrubber.go(last)
            self.take(min(first, last), last)

    def _ends_typed(self) -> None:
        if self._quiet or self.first.value is None or self.last.value is None:
            return
        most = self.cut.facts.frames - 1
        first, last = (min(max(int(each.value), 0), most) for each in (self.first, self.last))
        self.take(first, last)

    def _width_typed(self) -> None:
        if self._quiet or self.width.value is None:
            return
        self.cut.width = min(max(int(self.width.value), 1), self.cut.facts.size[1])
        self._changed()

    def _rates_typed(self) -> None:
        if self._quiet:
            return
        if self.cut.facts.needs_rate:
            self.cut.fps = str(self.fps.value or "").strip()
        self.cut.every = max(int(self.every.value or 1), 1)
        retimed = self.mode.value == RETIME
        self.cut.retime = str(self.retime.value or "").strip() if retimed else None
        self._changed()


def rate_fault(text: str | None) -> str | None:
    """Say what is wrong with a frame rate."""
    try:
        as_rate((text or "").strip())
    except FramesError:
        return "A number such as 24, 29.97 or 30000/1001"
    return None
