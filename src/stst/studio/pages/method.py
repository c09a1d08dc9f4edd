"""How a metamer is made: quality, number, network; all settings of the recipe behind them."""

from __future__ import annotations

import asyncio
from pathlib import Path

from nicegui import run, ui

from stst.errors import RecipeError
from stst.recipe import LOSSES, QUALITIES, Recipe, list_presets
from stst.studio.fetching import Fetches
from stst.studio.forms import settings_of
from stst.studio.pages.fields import Change, Fields
from stst.studio.pages.layout import button
from stst.studio.words import Method

PREFERRED, STAND_IN = "vgg19", "compact"
QUALITY_TEXTS = {
    "draft": "draft: a quick look",
    "default": "default: for experiments",
    "high": "high: the closest match, slowest",
}
QUALITY_NAMES = {name: QUALITY_TEXTS.get(name, name) for name in QUALITIES}
PRESET_TEXTS = {
    "default": "default: corrected and faster",
    "greco2024": "greco2024: the authors' published code, with its flaws",
}
PRESET_NAMES = {name: PRESET_TEXTS.get(name, name) for name in list_presets()}
STATES = {
    "embedded": "comes with the package",
    "cached": "on this computer",
    "installed": "on this computer",
    "absent": "must be downloaded",
    "own file": "needs your own weights file",
}


class MethodForm:
    """The settings of `stst synthesize` besides its clip.

    Parameters
    ----------
    fetches : Fetches
        Downloads of weights.
    on_change : callable
        Called when anything changes.
    """

    def __init__(self, fetches: Fetches, on_change: Change) -> None:
        self.fetches, self.on_change = fetches, on_change
        self.ready = asyncio.Event()
        self._states = dict[str, str]()
        self._fields: Fields | None = None
        with ui.row().classes("w-full gap-3"):
            self.quality = _select("Quality", QUALITY_NAMES, "default", self._rebase).classes(
                "grow"
            )
            self.seeds = _whole("Number of metamers", 1, 1, on_change)
        with ui.row().classes("w-full gap-3 items-center"):
            self.network = _select("Network for appearance", [], None, self._choose).classes("grow")
            self.fetch = button("Fetch", self._fetch, icon="download").props("no-caps outline")
        self.note = ui.label().classes("text-sm").props("aria-live=polite")
        self.fetch.set_visibility(False)
        with ui.expansion("All settings", icon="tune").classes("w-full") as self.more:
            self._draw_more()
        self.more.on_value_change(self._open)
        ui.timer(0, self.load, once=True)

    def _draw_more(self) -> None:
        change = self.on_change
        with ui.row().classes("w-full gap-3"):
            self.preset = _select("Preset", PRESET_NAMES, "default", self._rebase).classes("grow")
            self.losses = (
                ui.select(
                    list(LOSSES), multiple=True, label="Losses", value=[], on_change=self._rebase
                )
                .classes("grow")
                .props("dense outlined bg-color=white stack-label use-chips")
                .props('hint="Statistics to match. None chosen: those of the preset."')
            )
        with ui.row().classes("w-full gap-3"):
            self.seed = _whole("First random seed", 0, 0, change)
            self.device = _text("Device", "cpu", "cpu, cuda, cuda:1, ...", change)
            self.normalisation = _select(
                "Input scaling of your weights",
                {"": "as the network's own", "torchvision": "torchvision"}
                | {"caffe": "caffe", "none": "none"},
                "",
                change,
            ).classes("grow")
        self.weights = _text(
            "Your own weights of the network for appearance: a file", "", "", change
        )
        self.temporal = _text(
            "Your own weights of the motion network (MSOE): a file", "", "", change
        )
        for field in (self.weights, self.temporal):
            field.classes("w-full")
        self.settings_box = ui.column().classes("w-full")

    @property
    def recipe(self) -> Recipe:
        """The recipe before single settings are changed."""
        recipe = Recipe.preset(self.preset.value)
        if self.quality.value != "default":
            recipe = recipe.with_quality(self.quality.value)
        return recipe.with_losses(self.losses.value) if self.losses.value else recipe

    @property
    def method(self) -> Method:
        """What was chosen."""
        preset, quality, network = self.preset.value, self.quality.value, self.network.value
        return Method(
            spatial=None if network == PREFERRED else network,
            quality=None if quality == "default" else quality,
            preset=None if preset == "default" else preset,
            losses="+".join(name for name in LOSSES if name in self.losses.value) or None,
            device=None if self.device.value.strip() in ("", "cpu") else self.device.value.strip(),
            seed=_int(self.seed, "First random seed", 0),
            seeds=_int(self.seeds, "Number of metamers", 1),
            weights=self.weights.value.strip() or None,
            normalisation=self.normalisation.value or None,
            temporal_weights=self.temporal.value.strip() or None,
            settings=self._fields.changed if self._fields else {},
        )

    @property
    def has_weights(self) -> bool:
        """Whether the weights of the network that is chosen are here."""
        own = bool(self.weights.value.strip())
        return own or self._states.get(self.network.value) not in (None, "absent", "own file")

    def _rebase(self) -> None:
        """Take the defaults of another preset, quality or choice of losses."""
        if self._fields is not None:
            try:
                recipe = self.recipe
            except RecipeError:
                pass  # the command's check says why
            else:
                self._fields.rebase(settings_of(Recipe, recipe.model_dump(mode="json")))
        self.on_change()

    def _open(self) -> None:
        if self._fields is None and self.more.value:
            with self.settings_box:
                defaults = Recipe.preset("default").model_dump(mode="json")
                settings = settings_of(Recipe, defaults)
                self._fields = Fields(settings, self.on_change, sections=True)
                button("Take all defaults", self._fields.reset, "restart_alt").props("flat no-caps")
            self._rebase()

    async def load(self) -> None:
        """Find out which networks are on this computer, and choose one."""
        rows = await run.io_bound(_networks)
        if self.network.is_deleted or not rows:
            return
        self._states = {name: state for name, state, _ in rows}
        options = {
            name: f"{name} ({f'{size:g} MB, ' if state == 'absent' else ''}{STATES[state]})"
            for name, state, size in rows
        }
        has_weights = self._states.get(PREFERRED) != "absent"
        self.network.set_options(
            options, value=self.network.value or (PREFERRED if has_weights else STAND_IN)
        )
        self.ready.set()
        self._choose()

    def _choose(self) -> None:
        name = self.network.value
        if name is None:
            return
        self.note.set_text(
            {
                STAND_IN: "compact: embedded stand-in, not VGG-19. It needs no download; published "
                "work used VGG-19.",
            }.get(name, "")
            or self.fetches.text(name)
        )
        self._show_fetch()
        self.on_change()

    def _show_fetch(self) -> None:
        """Offer the download of the network that is chosen, or of VGG-19 beside its stand-in."""
        name = PREFERRED if self.network.value == STAND_IN else self.network.value
        absent = self._states.get(name) == "absent"
        self.fetch.set_visibility(absent)
        self.fetch.set_text(f"Fetch {name}")
        self._fetched = name

    def _fetch(self) -> None:
        name = self._fetched
        self.fetches.start(name)
        self.fetch.disable()

        async def follow() -> None:
            running = self.fetches.is_running(name)
            self.note.set_text(self.fetches.text(name))
            if not running:
                timer.cancel()
                self.fetch.enable()
                await self.load()
                if self._states.get(name) != "absent":
                    self.network.set_value(name)
                else:
                    self.note.set_text(self.fetches.text(name))

        timer = ui.timer(0.5, follow)


def _networks() -> list[tuple[str, str, float]]:
    """Name, state and size in MB of each spatial network. Imports torch."""
    from stst.models.weights import CATALOGUE, state

    spatial = [name for name, file in CATALOGUE.items() if file.role == "spatial"]
    return [(name, state(name), CATALOGUE[name].megabytes) for name in spatial]


def _select(
    label: str, options: list[str] | dict[str, str], value: str | None, change: Change
) -> ui.select:
    field = ui.select(options, value=value, label=label, on_change=lambda: change())
    return field.props("dense outlined bg-color=white options-dense")


def _whole(label: str, value: int, least: int, change: Change) -> ui.number:
    field = ui.number(label, value=value, min=least, step=1, on_change=lambda: change())
    return field.props("dense outlined bg-color=white").style("width: 150px")


def _text(label: str, value: str, hint: str, change: Change) -> ui.input:
    field = ui.input(label, value=value, placeholder=hint, on_change=lambda: change())
    return field.props("dense outlined bg-color=white debounce=300")


def _int(field: ui.number, name: str, least: int) -> int:
    value = field.value
    if value is None or value != int(value) or value < least:
        raise RecipeError(f"{name} must be a whole number, {least} or more, got {value}.")
    return int(value)


def name_of(words: tuple[str, ...]) -> str:
    """Return the name of a clip from its words."""
    return Path(words[0]).stem if words else ""
