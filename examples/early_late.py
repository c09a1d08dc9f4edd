"""Match some layers of a simple network, and measure the similarity of the others.

Makes metamers of one clip that match Gram matrices or activations of early, middle or late
layers of the embedded network. Measures how similar every layer is to that of the natural clip:
activations at each place (Pearson's r, without the mean of each channel) and Gram matrices
(1 - relative error). The clip with scrambled phases (STPS) shows the similarity of any clip with
the same spectrum.

    python examples/early_late.py CLIP --out early_late.png
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

import matplotlib.pyplot as plt
import numpy as np
import torch
from torch import Tensor

from stst import Clip, Recipe, load_stream, make_control, read_video, synthesize
from stst.losses.functional import gram, relative_error
from stst.video.frames import to_uint8

BLOCKS = [f"block{number}_conv1" for number in range(1, 6)]
CONDITIONS = {
    "texture, block 1": ("space_texture", BLOCKS[:1]),
    "texture, blocks 1-3": ("space_texture", BLOCKS[:3]),
    "texture, blocks 1-5": ("space_texture", BLOCKS),
    "content, block 1": ("space_content", BLOCKS[:1]),
    "content, block 3": ("space_content", BLOCKS[2:3]),
    "content, block 5": ("space_content", BLOCKS[4:]),
}
Likeness = tuple[list[float], list[float]]
COLOURS = ["0.5", "#0072B2", "#56B4E9", "#009E73", "#D55E00", "#E69F00", "#CC79A7"]  # Okabe and Ito


def metamer(natural: Clip, loss: str, layers: Sequence[str]) -> Clip:
    """Make a metamer that matches only these layers, however large their receptive fields are."""
    only = {f"layers.{loss}": list(layers), "weights.colour_moments": 0, "colour.after": "never"}
    only |= {"weights.gamut": 0, "field": None}
    recipe = Recipe.preset("default").with_losses(loss).with_settings(only)
    return synthesize(natural, spatial="compact", recipe=recipe).result().clip


def likeness(natural: Clip, made: Clip) -> Likeness:
    """Return Pearson's r of activations and 1 - relative error of Gram matrices, for each block."""
    trunk = load_stream("compact")
    with torch.no_grad():
        wanted, found = (trunk(clip.frames[:, None], BLOCKS) for clip in (natural, made))
    grams = [relative_error(gram(found[name]), gram(wanted[name])) for name in BLOCKS]
    return [pearson(found[n], wanted[n]) for n in BLOCKS], [1 - float(e.mean()) for e in grams]


def pearson(one: Tensor, other: Tensor) -> float:
    """Pearson's r without the mean of each channel, which any two pictures share."""
    placed = [(x - x.mean((0, 2, 3), keepdim=True)).flatten() for x in (one, other)]
    return float(np.corrcoef(*placed)[0, 1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("clip")
    parser.add_argument("--frames", type=int, default=5)
    parser.add_argument("--out", required=True)
    options = parser.parse_args()
    natural = read_video(options.clip, frames=options.frames)
    films = {"STPS": make_control(natural, "stps").clip}
    films |= {name: metamer(natural, *what) for name, what in CONDITIONS.items()}
    found = {name: likeness(natural, film) for name, film in films.items()}
    for name, values in found.items():
        for kind, one in zip(("r", "Gram"), values, strict=True):
            print(f"{name:20} {kind:5}", *(f"{value:6.2f}" for value in one))
    draw({"natural": natural} | films, found).savefig(options.out, dpi=110)


def draw(films: dict[str, Clip], found: dict[str, Likeness]) -> plt.Figure:
    """Draw the last frames above, and the similarity of each block below."""
    figure = plt.figure(figsize=(14, 6), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=(1, 1.7))
    for axes, (name, film) in zip(above.subplots(1, len(films)), films.items(), strict=True):
        axes.imshow(to_uint8(film.frames[-1:])[0])
        axes.set_title(name, fontsize=10)
        axes.set_axis_off()
    panels = below.subplots(1, 2, sharex=True)
    for (name, values), colour in zip(found.items(), COLOURS, strict=True):
        for axes, one in zip(panels, values, strict=True):
            line = "--" if "content" in name else "-"
            axes.plot(range(1, 6), one, line, color=colour, marker="o", label=name)
    for axes, title in zip(panels, ("r of activations", "1 - relative error of Gram"), strict=True):
        axes.set(xlabel="block", ylabel=title, xticks=range(1, 6))
    panels[0].legend(fontsize=8)
    return figure


if __name__ == "__main__":
    main()
