"""Native sliders: one for a frame, and two on one line for a range of frames."""

from __future__ import annotations

from collections.abc import Callable

from nicegui import events, ui

STYLE = """
.stst-range { position: relative; height: 24px; }
.stst-range .line { position: absolute; left: 0; right: 0; top: 10px; height: 4px; }
.stst-range input { position: absolute; inset: 0; width: 100%; height: 24px; margin: 0;
  appearance: none; background: none; pointer-events: none; border-radius: 4px; }
.stst-range input::-webkit-slider-thumb { pointer-events: auto; appearance: none; width: 18px;
  height: 18px; border: none; border-radius: 50%; background: #0b5c6b; cursor: pointer; }
.stst-range input::-moz-range-thumb { pointer-events: auto; width: 18px; height: 18px;
  border: none; border-radius: 50%; background: #0b5c6b; cursor: pointer; }
.stst-single { width: 100%; accent-color: #0b5c6b; margin: 4px 0; }
"""


class RangeInput(ui.element, component="range_input.js"):
    """A slider.

    Parameters
    ----------
    label : str
        What is chosen.
    most : int
        Highest value; the lowest is 0.
    moved : callable
        Called with the value when the user moves the slider.
    """

    def __init__(self, label: str, most: int, moved: Callable[[int], object]) -> None:
        super().__init__()
        ui.add_css(STYLE)
        self.value, self.most = 0, most
        self._props.update({"min": 0, "max": most, "label": label})
        self._props["order"] = {"value": 0, "number": 0}

        def take(event: events.GenericEventArguments) -> None:
            self.value = min(max(int(event.args), 0), most)
            moved(self.value)

        self.on("moved", take, throttle=0.05)

    def set_value(self, value: int) -> None:
        """Move the slider."""
        if value != self.value:
            self.value = value
            # The number makes every order a new one: the browser has moved on by itself.
            number = self._props["order"]["number"] + 1
            self._props["order"] = {"value": value, "number": number}
            self.update()

    def say(self, text: str) -> None:
        """Let screen readers say this as the value."""
        self._props["says"] = text
        self.update()


class TwoEnds(ui.element):
    """Two sliders on one line.

    Parameters
    ----------
    labels : tuple of str
        Names of the two.
    most : int
        Highest value.
    moved : callable
        Called with both values when the user moves one.
    """

    def __init__(
        self, labels: tuple[str, str], most: int, moved: Callable[[int, int], object]
    ) -> None:
        super().__init__()
        self.classes("stst-range w-full")

        def act(_: int) -> None:
            moved(self.low.value, self.high.value)

        with self:
            self.line = ui.element().classes("line")
            self.low, self.high = (RangeInput(label, most, act) for label in labels)

    def set_values(self, low: int, high: int) -> None:
        """Move both."""
        self.low.set_value(low)
        self.high.set_value(high)
        most = self.low.most
        left, right = 100 * low / most, 100 * high / most
        self.line.style(
            f"background: linear-gradient(to right, #c3cacd {left}%, #0b5c6b {left}%, "
            f"#0b5c6b {right}%, #c3cacd {right}%)"
        )
        # Where both are far to the right, the lower one must be on top to be moved.
        self.low.style(f"z-index: {int(2 * low > most)}")
