"""An outside oracle for flows: the second frame, moved back along the flow, is the first."""

import numpy as np
from scipy.ndimage import map_coordinates

EDGE = 4  # px beside the frame's that splines do not get right


def misses(made, *, t=0, wrong=(0, 0), channel=0):
    """Differences at the pixels that stay in the frame; `wrong` is added to the flow."""
    first, second = made.clip.frames[t : t + 2, channel].double().numpy()
    right, down = made.flow[t].double().numpy() + np.reshape(wrong, (2, 1, 1))
    rows, columns = np.indices(first.shape)
    ends = np.stack([rows + down, columns + right])
    last = np.reshape(first.shape, (2, 1, 1)) - 1 - EDGE
    stays = ((ends >= EDGE) & (ends <= last)).all(0)  # NaN is not
    assert stays.any()
    return map_coordinates(second, ends[:, stays], order=3) - first[stays]


def gap(made, **options):
    """Root of their mean square, in deviations of the clip."""
    return np.sqrt((misses(made, **options) ** 2).mean()) / float(made.clip.frames.std())
