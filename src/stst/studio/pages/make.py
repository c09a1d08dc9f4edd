"""The first page: choose a clip, and what to make of it."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from nicegui import run, ui

from stst.errors import RunError, StstError
from stst.studio import words as w
from stst.studio.check import check, config_of
from stst.studio.estimating import Estimator, describe
from stst.studio.fetching import Fetches
from stst.studio.pages.clip_panel import ClipPanel
from stst.studio.pages.kind_form import Group, KindForm
from stst.studio.pages.layout import page
from stst.studio.pages.method import MethodForm, name_of
from stst.studio.studio import Studio

if TYPE_CHECKING:
    from stst.studio.check import Config

METAMER, PAIR, CONTROL, MOTION = "Metamer", "Factorised pair", "Control", "Known motion"
EXPLAINED = {
    METAMER: "A clip that gives a model the same responses as the natural clip.",
    PAIR: "A clip with the appearance of one clip and the motion of another.",
    CONTROL: "The natural clip with some of its statistics kept and others destroyed.",
    MOTION: "A generated stimulus whose optical flow is known. It needs no clip.",
}
FITS = {"": "refused", "crop": "cropped", "pad": "padded", "stretch": "stretched"}
GROUPS: dict[str, Group] = {CONTROL: "controls", MOTION: "stimuli"}
EVERY = 0.5  # s between two looks at what has changed; a change is checked once it has lasted
STYLE = """
.kinds .q-radio { display: flex; align-items: flex-start; padding: 3px 0; }
.make-bar { position: sticky; bottom: 0; background: #fff; z-index: 5; }
.command { max-height: 4.6em; overflow: auto; }
"""


def add_pages(studio: Studio) -> None:
    """Register the page."""
    estimator = Estimator(studio.queue)
    fetches = Fetches(studio.library.records / "weights")

    @ui.page("/")
    def _make() -> None:
        with page(studio, "Make"):
            Maker(studio, estimator, fetches)


class Maker:
    """What to make, the command that makes it, its cost, and the button that makes it.

    Parameters
    ----------
    studio : Studio
        Where it is made.
    estimator : Estimator
        Measurements of the cost.
    fetches : Fetches
        Downloads of weights.
    """

    def __init__(self, studio: Studio, estimator: Estimator, fetches: Fetches) -> None:
        self.studio, self.estimator, self.fetches = studio, estimator, fetches
        self._built, self._seen, self._checked = False, "", ""
        self._config: Config | None = None
        ui.add_css(STYLE)
        with ui.row().classes("w-full items-start gap-4 no-wrap"):
            with ui.column().classes("gap-3").style("flex: 1 1 0; min-width: 0"):
                self._draw_clips()
            with ui.card().classes("gap-2 p-4").style("flex: 0 0 540px; min-width: 0"):
                self._draw_choices()
        self._built = True
        self.changed()
        self.timer = ui.timer(EVERY, self._look)

    def _draw_clips(self) -> None:
        with ui.column().classes("w-full gap-2") as self.clip_box:
            self.first_title = _heading("Clip")
            self.clip = ClipPanel(self.studio, self.changed)
        with ui.column().classes("w-full gap-2") as self.second_box:
            _heading("Second clip: motion (TIME)")
            ui.label(
                "Size, frames and rate of the first clip are used for both clips. The longer clip "
                "is cut to the length of the shorter. For clips of different rates, choose "
                "Resample in time for the first clip."
            ).classes("text-sm")
            with ui.row().classes("items-center gap-4"):
                self.fit = ui.select(FITS, value="", label="A second clip of another shape is")
                self.fit.props("outlined dense bg-color=white").classes("w-64")
                self.enlarge = ui.checkbox("Enlarge a smaller clip")
                for choice in (self.fit, self.enlarge):
                    choice.on_value_change(self.changed)
            self.second: ClipPanel | None = None
        self.no_clip = ui.label("No clip is needed.")

    def _draw_choices(self) -> None:
        with (
            ui.tabs(on_change=self._switch)
            .classes("w-full")
            .props(
                'no-caps dense align=justify inline-label aria-label="What to make"'
            ) as self.tabs
        ):
            for name in EXPLAINED:
                ui.tab(name)
        self.explained = ui.label().classes("text-sm")
        self.name = (
            ui.input("Name of the folder", on_change=self.changed)
            .classes("w-full")
            .props("dense outlined stack-label debounce=300")
        )
        with ui.column().classes("w-full gap-2") as self.method_box:
            self.method = MethodForm(self.fetches, self.changed)
        self.kind_boxes: dict[str, ui.column] = {}
        self.kinds: dict[str, KindForm] = {}
        for name in (CONTROL, MOTION):
            self.kind_boxes[name] = ui.column().classes("w-full")
        self._draw_bar()
        self.tabs.set_value(METAMER)

    def _draw_bar(self) -> None:
        with ui.column().classes("make-bar w-full gap-2 py-2"):
            with ui.row().classes("w-full no-wrap items-center gap-2"):
                self.command = ui.label().classes(
                    "command font-mono text-xs break-all grow bg-grey-2 p-1"
                )
                self.command.props('tabindex=0 role=region aria-label="Command"')
                self.copy = ui.button("Copy", icon="content_copy", on_click=self._copy)
                self.copy.props("flat dense no-caps no-wrap")
            self.problem = ui.label().classes("text-negative text-sm").props("role=alert")
            with ui.row().classes("w-full no-wrap items-center gap-3"):
                self.button = ui.button("Make", icon="play_arrow", on_click=self.make)
                self.button.props("size=lg no-caps")
                self.cost = ui.label().classes("text-sm").props("aria-live=polite")

    @property
    def what(self) -> str:
        """Which of the tabs is shown."""
        return str(self.tabs.value or METAMER)

    def _switch(self) -> None:
        """Show what belongs to a tab; what takes long to build is built when it is first shown."""
        what = self.what
        self.explained.set_text(EXPLAINED[what])
        self.method_box.set_visibility(what in (METAMER, PAIR))
        self.clip_box.set_visibility(what != MOTION)
        self.no_clip.set_visibility(what == MOTION)
        self.second_box.set_visibility(what == PAIR)
        self.first_title.set_text("First clip: appearance (SPACE)" if what == PAIR else "Clip")
        if what == PAIR and self.second is None:
            with self.second_box:
                self.second = ClipPanel(self.studio, self.changed, can_cut=False)
        for name, box in self.kind_boxes.items():
            box.set_visibility(what == name)
        if what in self.kind_boxes and what not in self.kinds:
            with self.kind_boxes[what]:
                self.kinds[what] = KindForm(GROUPS[what], self.changed)
        self.changed()

    def words(self) -> tuple[str, ...]:
        """Return the words of the command; StstError in words if something is missing."""
        what, clip = self.what, self.clip.words
        if what != MOTION and not clip:
            raise RunError("there is no clip yet. Choose one on the left.")
        if what in (CONTROL, MOTION):
            chosen = self.kinds[what].chosen
            if chosen is None:
                raise RunError("the kinds of stimuli are being loaded. Wait a moment.")
            return w.scramble_words(clip, *chosen) if what == CONTROL else w.stimulus_words(*chosen)
        if self.method.network.value is None:
            raise RunError("the networks are being looked for. Wait a moment.")
        if what == METAMER:
            return w.synthesize_words(clip, self.method.method)
        second = self.second.words if self.second else ()
        if not second:
            raise RunError("there is no second clip yet. Choose one on the left.")
        fit = ("--fit", self.fit.value) if self.fit.value else ()
        more = (*fit, *(("--enlarge",) if self.enlarge.value else ()))
        return w.factorize_words((*clip, *more), second, self.method.method)

    def folder(self) -> Path:
        """Return the folder for the results."""
        return self.studio.library.new_folder(self.name.value.strip() or self._usual_name())

    def _usual_name(self) -> str:
        what, clip = self.what, name_of(self.clip.words)
        if what == METAMER:
            return f"{clip}-metamer"
        if what == PAIR:
            return f"{clip}-{name_of(self.second.words if self.second else ())}"
        kind = (self.kinds[what].chosen or ("stimulus", {}))[0]
        return kind if what == MOTION else f"{clip}-{kind}"

    def changed(self) -> None:
        """Show the command that would be run."""
        if not self._built:
            return
        try:
            words, problem = self.words(), ""
            usual = self.studio.library.new_folder(self._usual_name()).name
            self.name.props(f'placeholder="{usual}"')
            text = shlex.join(["stst", *words, "--out", str(self.folder())])
        except StstError as error:
            text, problem = "", _sentence(error)
        self.command.set_text(text)
        self.problem.set_text(problem)

    def _copy(self) -> None:
        ui.clipboard.write(self.command.text)
        ui.notify("Copied")

    async def make(self) -> None:
        """Check everything, queue the command, and watch it."""
        self.button.disable()
        self.button.props("loading")
        try:
            await self._add()
        except StstError as error:  # beside the button: a notification would cover it
            self.problem.set_text(_sentence(error))
        except OSError as error:
            text = f"{error.filename or 'A file'} cannot be used: {error.strerror or error}."
            self.problem.set_text(text)
        finally:
            self.button.props(remove="loading")
            self.button.enable()

    async def _add(self) -> None:
        if self.what in (METAMER, PAIR):
            await self.method.ready.wait()
        words = self.words()
        await run.io_bound(check, words, self.studio.library)
        self.estimator.stop()
        request = self.studio.queue.add(words, self.folder())
        ui.navigate.to(f"/queue/{request.number}")

    async def _look(self) -> None:
        """Check what has changed, once it rests; then show the cost."""
        text = self.command.text
        if text != self._seen:
            self._seen = text
            return
        if text != self._checked:
            self._checked = text
            self._config = await self._parsed() if text else None
        self._show_cost()

    async def _parsed(self) -> Config | None:
        try:
            return await run.io_bound(config_of, self.words())
        except StstError as error:
            self.problem.set_text(_sentence(error))
            return None

    def _show_cost(self) -> None:
        config, size = self._config, self._size()
        if config is None:
            self.cost.set_text("")
            return
        from stst.storage.config import StimulusConfig

        if isinstance(config, StimulusConfig):
            self.cost.set_text("No optimisation: seconds to minutes.")
            return
        if size is None:
            self.cost.set_text("")
            return
        frames, pixels = size
        if failure := self.estimator.failure(config):
            self.problem.set_text(_sentence(failure))
            self.cost.set_text("")
            return
        cost = self.estimator.cost(config, frames, pixels)
        if cost is not None:
            self.cost.set_text(describe(cost, config.recipe))
        elif self.estimator.is_busy:
            self.cost.set_text("The time will be estimated when nothing runs.")
        elif self.estimator.is_measuring:
            self.cost.set_text("Estimating time and memory ...")
        if self.estimator.needs(config, pixels) and self.method.has_weights:
            self.estimator.begin(config)

    def _size(self) -> tuple[int, int] | None:
        """Return the number of frames of the clip, and the pixels of one of them."""
        found = re.search(r"(\d+) frames? of (\d+)x(\d+)", self.clip.summary or "")
        if found is None:
            return None
        frames, width, height = map(int, found.groups())
        return frames, width * height


def _heading(text: str) -> ui.label:
    return ui.label(text).classes("text-lg").props('role="heading" aria-level="2"')


def _sentence(error: object) -> str:
    text = str(error)
    return text[:1].upper() + text[1:]
