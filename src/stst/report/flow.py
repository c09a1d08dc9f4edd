"""Pictures of optical flow."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import torch
from matplotlib.colors import hsv_to_rgb
from matplotlib.figure import Figure
from torch import Tensor

from stst.drawing.figures import NotebookFigure
from stst.metrics.clips import find_cuts
from stst.metrics.motion import Estimator, flow_within_shots
from stst.video.frames import Footage

_UNKNOWN = 128
_ARROWS = 12  # number along the longer side


def flow_picture(flow: Tensor, fastest: float | None = None) -> npt.NDArray[np.uint8]:
    """Draw optical flow as colours: hue is direction, saturation is speed.

    Parameters
    ----------
    flow : Tensor
        Optical flow, px/frame to the right and DOWN, shape (T, 2, H, W).
    fastest : float, optional
        Speed at full saturation, px/frame; by default the highest speed.

    Returns
    -------
    ndarray of uint8
        RGB images, shape (T, H, W, 3). Red moves to the right and hues follow the colour wheel
        counter-clockwise. White does not move. NaN is grey.

    Examples
    --------
    >>> flow = torch.zeros(1, 2, 1, 1)
    >>> flow[:, 0] = 1  # to the right
    >>> flow_picture(flow).tolist()
    [[[[255, 0, 0]]]]
    """
    right, down = flow.detach().double().cpu().numpy().transpose(1, 0, 2, 3)
    speed = np.hypot(right, down)
    known = np.isfinite(speed)
    fastest = fastest or speed.max(where=known, initial=0) or 1
    hue = np.where(known, np.arctan2(-down, right) / (2 * np.pi) % 1, 0)
    saturation = np.where(known, speed / fastest, 0)
    wheel = hsv_to_rgb(np.stack([hue, saturation, np.ones_like(hue)], -1))
    return np.where(known[..., None], np.rint(255 * wheel), _UNKNOWN).astype(np.uint8)


def flow_figure(films: Mapping[str, Footage], flow: Estimator) -> Figure:
    """Draw the mean flow of each clip on one scale, with a colour wheel.

    Parameters
    ----------
    films : mapping of str to Clip or Film
        Clips by name, the natural clip first.
    flow : Estimator
        Optical-flow method.

    Returns
    -------
    Figure
        One panel per clip, with colours and arrows, and the wheel. Pairs of frames across cuts are
        left out, as in `stst.evaluate`.

    Examples
    --------
    >>> import stst
    >>> from stst.metrics.motion import DIS
    >>> clip = stst.make_stimulus("dead-leaves", frames=4, height=32, width=32, speed=1).clip
    >>> len(flow_figure({"natural": clip}, DIS).axes)
    2
    """
    cuts = find_cuts(next(iter(films.values())))
    fields = {
        name: flow_within_shots(film, flow, cuts and cuts | find_cuts(film))[0].mean(0)
        for name, film in films.items()
    }
    fastest = max(float(np.hypot(*field).max()) for field in fields.values()) or 1.0
    figure = NotebookFigure(figsize=(3.2 * len(fields) + 2, 3), dpi=150, layout="constrained")
    grid = figure.subplots(1, len(fields) + 1, width_ratios=[*[2] * len(fields), 1])
    for axes, (name, field) in zip(grid, fields.items(), strict=False):
        height, width = field.shape[1:]
        step = max(1, max(height, width) // _ARROWS)
        y, x = np.mgrid[step // 2 : height : step, step // 2 : width : step]
        axes.quiver(x, y, *field[:, y, x], angles="xy", scale_units="xy", scale=fastest / step)
        axes.set(title=name, xlabel=f"x, {width} px", ylabel=f"y, {height} px")
    right, down = np.meshgrid(*[np.linspace(-fastest, fastest, 201)] * 2)
    disc = np.where(np.hypot(right, down) <= fastest, np.stack([right, down]), 0)
    grid[-1].set(title=f"rim: {fastest:.2g} px/frame", xlabel="rightward", ylabel="upward")
    for axes, field in zip(grid, [*fields.values(), disc], strict=True):
        axes.imshow(flow_picture(torch.from_numpy(field)[None], fastest)[0])
        axes.set(xticks=[], yticks=[])
    return figure
