"""The settings that tools/settings_pictures.py shows: values, and what the pictures show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

Settings = Mapping[str, Any]

# The octaves of the preset, with other numbers.
SCALES, STEPS = (
    (0.5, 0.7071, 1.0),
    ((80, 40, 30, 25, 20), (60, 40, 30, 20, 0), (50, 90, 70, 50, 32)),
)
RATES = (0.015, 0.015, 0.012)
EARLY = ["block1_conv1"]
MIDDLE = ["block1_conv1", "block2_conv1", "block3_conv1"]
LATE = [f"block{number}_conv1" for number in range(1, 6)]
CONTENT = {"weights.space_content": 1, "weights.space_texture": 0}


def octaves(share: float = 1.0, rate: float = 1.0, first: int = 0) -> Settings:
    """The octaves of the preset with a share of the steps, another rate, or without some."""
    rows = [
        {"scale": scale, "steps": [round(share * n) for n in steps], "rate": rate * own}
        for scale, steps, own in zip(SCALES, STEPS, RATES, strict=True)
    ]
    return {"octaves": rows[first:]}


# All of two fifths of the steps are taken, and one pad frame is made: enough to see a difference.
FULL = {"stop": None, "pad": 1, **octaves(0.4)}
ROUNDS = {"stop.tolerance": 0.06, "pad": 1, **octaves(0.4)}


class Shown(NamedTuple):
    """A section of the page.

    `does` says what the setting does, `seen` what the picture shows. `common` are settings of all
    columns, `clip` is another clip than coffee.
    """

    title: str
    does: str
    values: Mapping[str, Settings]
    seen: str = ""
    moving: bool = False
    common: Settings | None = None
    clip: str = ""
    seeds: int = 1

    @property
    def columns(self) -> dict[str, Settings]:
        """All settings of each column that differ from the preset."""
        return {label: {**(self.common or {}), **own} for label, own in self.values.items()}

    @property
    def file(self) -> str:
        """The name of the picture."""
        return self.title.replace(".", "_")


def varied(name: str, *values: object, default: object = None) -> dict[str, Settings]:
    """Columns with one setting each."""
    return {f"{text(value)}{' (default)' * (value == default)}": {name: value} for value in values}


def text(value: object) -> str:
    """A value as it is written in YAML."""
    words = {"None": "null", "True": "true", "False": "false"}
    return words.get(str(value), str(value))


SHOWN = [
    Shown(
        "octaves",
        "Sizes at which a frame is optimised, coarse to fine.",
        {"full size only": octaves(first=2), "0.5, 0.7071, 1 (default)": octaves()},
        seen="No visible difference here: the scrambled noise of the start already has the large "
        "structures, so the full size alone is nearly enough.",
    ),
    Shown(
        "octaves.steps",
        "Optimiser steps in each octave. More steps match the target more closely. Here without "
        "a stopping rule.",
        {"a tenth": octaves(0.1), "two fifths": octaves(0.4), "as in the preset": octaves()},
        seen="With few steps edges are blurred and contrast is low.",
        common=FULL,
    ),
    Shown(
        "octaves.rate",
        "Step size of the optimiser, in pixel values.",
        {
            "a fifth": octaves(rate=0.2),
            "as in the preset": octaves(),
            "five times": octaves(rate=5),
        },
        seen="The largest rate gives larger, blurred patches; a smaller rate changes little here.",
    ),
    Shown(
        "weights.space_texture",
        "Weight of the textures of single frames.",
        varied("weights.space_texture", 0.1, 1, 10, default=1),
        seen="No visible difference here: the textures are matched with each of them.",
    ),
    Shown(
        "weights.space_content",
        "Weight of spatial activations at each position.",
        varied("weights.space_content", 0, 1, default=0),
        seen="With weight 1 the layout of the cup returns.",
    ),
    Shown(
        "weights.time_texture",
        "Weight of the statistics of motion.",
        varied("weights.time_texture", 0, [0, 1], [0, 10], default=[0, 1]),
        seen="With weight 0 the clip does not move. A larger weight makes no visible difference "
        "here.",
        moving=True,
    ),
    Shown(
        "weights.time_content",
        "Weight of motion at each position.",
        varied("weights.time_content", 0, 1, default=0),
        seen="With weight 1 the rim of the cup returns, because its contours move.",
        moving=True,
    ),
    Shown(
        "weights.colour_moments",
        "Weight of the mean and covariance of colours.",
        varied("weights.colour_moments", 0, 1, default=1),
        seen="No visible difference here: the start has the right colours.",
    ),
    Shown(
        "weights.gamut",
        "Weight of the penalty on colours that the target does not contain.",
        varied("weights.gamut", 0, 0.1, 10, default=0.1),
        seen="No visible difference here, not even with the largest weight.",
    ),
    Shown(
        "weights.total_variation",
        "Weight of the penalty on roughness above that of the target.",
        varied("weights.total_variation", 0, 1, 100, default=1),
        seen="Only the largest weight blurs visibly.",
    ),
    Shown(
        "weights.sameness",
        "Weight of the penalty on similar layouts of several seeds.",
        varied("weights.sameness", 0, 1, default=0),
        seen="The two seeds differ with both weights; weight 1 changes the layout of the second "
        "seed a little.",
        seeds=2,
    ),
    Shown(
        "layers.space_texture",
        "Layers whose textures are matched. Here with `field: null`, so that all are used.",
        {
            "block 1": {"layers.space_texture": EARLY},
            "blocks 1 to 3": {"layers.space_texture": MIDDLE},
            "blocks 1 to 5 (default)": {"layers.space_texture": LATE},
        },
        seen="Deeper layers give larger, smoother pieces; with all five the round cup begins to "
        "return.",
        common={"field": None},
    ),
    Shown(
        "layers.space_content",
        "Layers whose activations are matched at each position. Here with "
        "`weights.space_content: 1` and `weights.space_texture: 0`.",
        {
            "block 1": {"layers.space_content": EARLY},
            "block 5 (default)": {"layers.space_content": LATE[-1:]},
        },
        seen="With block 1 the scene returns, with block 5 only its rough layout.",
        common=CONTENT,
    ),
    Shown(
        "layers.time_texture",
        "Layers of the temporal stream whose statistics are matched.",
        {
            "energy (default)": {"layers.time_texture": ["energy"]},
            "energy3": {"layers.time_texture": ["energy3"]},
            "flow": {"layers.time_texture": ["flow"]},
        },
        seen="No visible difference here: all three move by 2 px per frame.",
        moving=True,
    ),
    Shown(
        "layers.time_content",
        "Layers of the temporal stream matched at each position. Here with "
        "`weights.time_content: 1`.",
        {
            "energy (default)": {"layers.time_content": ["energy"]},
            "flow": {"layers.time_content": ["flow"]},
        },
        seen="With `energy` the rim of the cup returns, with `flow` less of it.",
        common={"weights.time_content": 1},
        moving=True,
    ),
    Shown(
        "optimiser.method",
        "Update rule.",
        varied("optimiser.method", "normalised", "adam", "lbfgs", default="adam"),
        seen="Little difference: `lbfgs` is slightly smoother.",
    ),
    Shown(
        "optimiser.decay",
        "Whether steps get smaller within an octave. Here without a stopping rule.",
        varied("optimiser.decay", "constant", "cosine", default="cosine"),
        seen="Little difference: constant steps leave slightly more grain.",
        common=FULL,
    ),
    Shown(
        "optimiser.betas",
        "Decay of Adam's running means.",
        varied("optimiser.betas", [0, 0.9], [0.9, 0.99], default=[0.9, 0.99]),
        seen="No visible difference here.",
    ),
    Shown(
        "optimiser.damping",
        "How strongly the steps of pixels with small gradients are reduced.",
        varied("optimiser.damping", 0, 1, default=1),
        seen="No visible difference here: all parts of the clip move.",
        moving=True,
    ),
    Shown(
        "stop.tolerance",
        "Largest relative residual at which an octave ends.",
        {
            "0.4 (draft)": {"stop.tolerance": 0.4},
            "0.12 (default)": {"stop.tolerance": 0.12},
            "0.06 (high)": {"stop.tolerance": 0.06},
        },
        seen="Lower values give smoother surfaces and sharper outlines.",
    ),
    Shown(
        "stop.rounds",
        "How often the steps of an octave may be repeated. Here with `stop.tolerance: 0.06`.",
        varied("stop.rounds", 1, 4, default=1),
        seen="More rounds give cleaner surfaces.",
        common=ROUNDS,
    ),
    Shown(
        "stop.improvement",
        "Smallest improvement for which another round starts. Here with four rounds and "
        "`stop.tolerance: 0.06`.",
        varied("stop.improvement", 0.02, 0.5, default=0.02),
        seen="With the larger value there are fewer rounds, and more grain is left.",
        common={**ROUNDS, "stop.rounds": 4},
    ),
    Shown(
        "stop.every",
        "Number of steps between two checks of the residuals.",
        varied("stop.every", 1, 8, 40, default=8),
        seen="With rare checks an octave takes more steps than the tolerance requires, and the "
        "picture is cleaner.",
    ),
    Shown(
        "start.noise",
        "The noise before the first step. Here without a stopping rule.",
        {
            "uniform": {"start.noise": "uniform"},
            "matched": {"start.noise": "matched"},
            "scrambled (default)": {"start.noise": "scrambled"},
        },
        seen="After so few steps, `uniform` and `matched` have finer structures and no large dark "
        "or light areas.",
        common=FULL,
    ),
    Shown(
        "start.blend",
        "Weight of the previous frame at the start of the next one; the rest is fresh noise.",
        varied("start.blend", 0, 0.5, 1, default=1),
        seen="With lower values the clip flickers, and its motion is matched less well.",
        moving=True,
    ),
    Shown(
        "start.warp",
        "How the previous frame is moved at the start of the next one.",
        varied("start.warp", "none", "affine", "scrambled", default="scrambled"),
        seen="With `none` motion is too slow, and frames are blurred along it. `affine` and "
        "`scrambled` look alike, because the whole clip moves at one velocity.",
        moving=True,
    ),
    Shown(
        "start.draws",
        "Number of candidates of scrambled noise. The one least similar to the target is used.",
        varied("start.draws", 1, 12, default=12),
        seen="Another candidate gives another layout.",
    ),
    Shown(
        "colour.after",
        "When colours are transferred from the target. Here in all frames, and with "
        "`weights.colour_moments: 0`.",
        varied("colour.after", "never", "frame", "octave", default="octave"),
        seen="Without a transfer colours are harsher. `frame` and `octave` look alike.",
        common={"weights.colour_moments": 0, "colour.frames": None},
    ),
    Shown(
        "colour.regrain",
        "Whether local gradients are restored after the transfer. Here with `colour.after: frame`, "
        "in all frames.",
        varied("colour.regrain", False, True, default=True),
        seen="Without it the contrast of fine detail is exaggerated.",
        common={"colour.after": "frame", "colour.frames": None},
    ),
    Shown(
        "colour.keep_grey",
        "Whether metamers of grey clips stay grey.",
        varied("colour.keep_grey", False, True, default=True),
        seen="No visible difference here: a faint tint at most.",
        clip="grey",
    ),
    Shown(
        "colour.frames",
        "How many frames, from the first one on, get the colours of the target; `null`: all.",
        varied("colour.frames", 2, None, default=2),
        seen="With a transfer in all frames colours are softer.",
    ),
    Shown(
        "scaling",
        "Whether the error of each layer is relative to its target. Here without a stopping "
        "rule, which `raw` cannot have.",
        varied("scaling", "raw", "relative", default="relative"),
        seen="With `raw` deep layers dominate: outlines are harder.",
        common=FULL,
    ),
    Shown(
        "equalise",
        "Value to which each loss is rescaled at the start of each octave; `null`: not rescaled. "
        "Here without a stopping rule.",
        varied("equalise", None, 10000.0),
        seen="Little difference.",
        common=FULL,
    ),
    Shown(
        "variation",
        "Whether all variation is penalised, or only variation above that of the target. Here with "
        "`weights.total_variation: 10`.",
        varied("variation", "absolute", "excess", default="excess"),
        seen="No visible difference here.",
        common={"weights.total_variation": 10},
    ),
    Shown(
        "resize",
        "Whether the target of an octave is resized from the source, or from the target of the "
        "octave before.",
        varied("resize", "successive", "source", default="source"),
        seen="With `successive` the target at full size is blurred, and so is the metamer.",
    ),
    Shown(
        "antialias",
        "Whether targets are low-pass filtered before they are reduced.",
        varied("antialias", False, True, default=True),
        seen="No visible difference here.",
    ),
    Shown(
        "pad",
        "Number of frames that are made before the first one and then dropped. Motion builds up in "
        "them.",
        varied("pad", 1, 4, default=4),
        seen="With one pad frame the first frame is rougher; later frames look alike.",
        moving=True,
    ),
    Shown(
        "pad_order",
        "Targets of the pad frames: forwards, with a jump to the first frame (`authors`), or "
        "backwards to the first frame (`mirror`).",
        varied("pad_order", "authors", "mirror", default="mirror"),
        seen="No visible difference here: the motion of the clip is uniform.",
        moving=True,
    ),
    Shown(
        "field",
        "Largest receptive field of a matched layer, as a fraction of the frame.",
        varied("field", 0.1, 0.33, None, default=0.33),
        seen="Without a limit, round parts of the cup return.",
    ),
    Shown(
        "distances",
        "Distances, in frames, between the frames that the temporal stream compares.",
        varied("distances", [1], [1, 2], default=[1]),
        seen="The second distance gives larger pieces and another layout here.",
        moving=True,
    ),
    Shown(
        "whole",
        "Whether all frames are optimised together, and whether they form a loop.",
        {
            "null (default)": {"whole": None},
            "{}": {"whole": {}},
            "{loop: true}": {"whole": {"loop": True}},
        },
        seen="All three move like the clip. Frames that are optimised together are rougher at "
        "this quality.",
        moving=True,
    ),
    Shown(
        "whole.chunk",
        "Number of windows that are processed at a time. Fewer windows need less memory.",
        {"1": {"whole": {"chunk": 1}}, "4 (default)": {"whole": {"chunk": 4}}},
        seen="No visible difference: results differ only by rounding.",
    ),
    Shown(
        "shots",
        "How cuts in the target are treated. This clip has a cut after three frames. Here with "
        "`pad: 2`.",
        varied("shots", "ignore", "each", default="each"),
        seen="With `ignore` the colours of the first shot remain after the cut.",
        moving=True,
        common={"pad": 2},
        clip="cut",
    ),
    Shown(
        "precision",
        "Number format of activations.",
        varied("precision", "float32", "bfloat16"),
        seen="No visible difference. `auto` is `float32` on this CPU.",
    ),
]
