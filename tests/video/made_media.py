"""Small video files made for the tests, and colours computed apart from the package."""

from fractions import Fraction

import av
import numpy as np

BT601, BT709 = (0.299, 0.114), (0.2126, 0.0722)


def moving(count=10, height=48, width=64, seed=0):
    """(T, H, W, 3) uint8: a smooth pattern that drifts, so that no two frames are alike."""
    y, x = np.mgrid[:height, :width]
    phase = np.random.default_rng(seed).uniform(0, 6, 3)
    waves = [
        np.stack([np.sin(x / 5 + y / 7 * c - t / 2 + phase[c]) for c in range(3)], -1)
        for t in range(count)
    ]
    return np.round(127.5 + 120 * np.array(waves)).astype(np.uint8)


def rgb_frames(levels, pixel_format="gbrp"):
    for level in levels:
        yield av.VideoFrame.from_ndarray(level, "rgb24").reformat(format=pixel_format)


def plane_frame(planes, pixel_format):
    """Build a frame from its planes of codes."""
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, pixel_format)
    for plane, codes in zip(frame.planes, planes, strict=True):
        kind = np.uint16 if frame.format.components[0].bits > 8 else np.uint8
        rows = np.zeros((plane.height, plane.line_size // kind().itemsize), kind)
        rows[:, : codes.shape[1]] = codes
        plane.update(rows.tobytes())
    return frame


def write(path, frames, *, codec="ffv1", rate=25, times=None, tags=None, options=None, **more):
    """Encode frames; `times` are in frames, `tags` are attributes of the codec context."""
    rate = Fraction(rate)
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate, **more)
        for index, frame in enumerate(frames):
            if index == 0:
                stream.width, stream.height = frame.width, frame.height
                stream.pix_fmt = frame.format.name
                for name, value in (tags or {}).items():
                    setattr(stream.codec_context, name, value)
            frame.pts = index if times is None else times[index]
            frame.time_base = 1 / rate
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def to_codes(rgb, weights, full, bits):
    """Apply ITU-R BT.601/709: (H, W, 3) in [0, 1] -> codes of Y, Cb, Cr."""
    (kr, kb), (r, g, b) = weights, np.moveaxis(rgb, -1, 0)
    luma = kr * r + (1 - kr - kb) * g + kb * b
    blue, red = (b - luma) / (2 * (1 - kb)), (r - luma) / (2 * (1 - kr))
    top, unit = 2**bits - 1, 2 ** (bits - 8)
    if full:
        codes = luma * top, blue * top + 2 ** (bits - 1), red * top + 2 ** (bits - 1)
    else:
        codes = (16 + 219 * luma) * unit, (128 + 224 * blue) * unit, (128 + 224 * red) * unit
    return [np.clip(np.round(plane), 0, top).astype(np.uint16) for plane in codes]


def bars(height=64, width=128):
    """(H, W, 3) in {0, 1}: the eight colour bars."""
    colours = np.array([[(k >> 2) & 1, (k >> 1) & 1, k & 1] for k in range(8)], float)
    return np.broadcast_to(np.repeat(colours, width // 8, axis=0), (height, width, 3))
