"""Convert arrays and decoded frames to RGB in [0, 1].

swscale is only used to bring the chroma planes to full size. The matrix is applied in float,
because swscale scales white to 65280 of 65535 when it converts to more than 8 bits. Imports no
torch.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import av
import numpy as np
import numpy.typing as npt
from av.video.codeccontext import VideoCodecContext
from av.video.reformatter import ColorRange, ColorTrc, Interpolation

from stst.errors import FramesError

Pixels = npt.NDArray[np.float32]  # (H, W, 3), RGB in [0, 1]
ROUNDING = 1e-6  # values outside [0, 1] by less may be rounding errors


def channels_last(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """View frames, (T, H, W, 3) or (T, 3, H, W), as (T, H, W, 3); errors are clauses."""
    shape = array.shape
    if len(shape) != 4 or (shape[1] == 3) == (shape[3] == 3):
        raise FramesError(f"must be (T, H, W, 3) or (T, 3, H, W), got {shape}.")
    if array.dtype != np.uint8 and array.dtype.kind != "f":
        raise FramesError(f"must be uint8, or float in [0, 1]; got {array.dtype}.")
    return array if shape[3] == 3 else np.moveaxis(array, 1, 3)


def to_unit(frame: npt.NDArray[Any], index: int) -> Pixels:
    """Scale a frame, uint8 or float in [0, 1], to float32 in [0, 1]."""
    top = 255 if frame.dtype == np.uint8 else 1
    pixels: Pixels = np.divide(frame, top, dtype=np.float32, casting="same_kind")
    if not (pixels.min() >= 0 and pixels.max() <= 1):  # also refuses NaN
        low, high = float(frame.min()), float(frame.max())
        if not np.isfinite([low, high]).all():
            advice = "Replace the values that are not finite"
        elif max(-low, high - 1) <= ROUNDING:
            advice = "Clip the values: np.clip(frames, 0, 1)"
        else:
            advice = "Divide by the maximum level"
        raise FramesError(
            f"must be finite and in [0, 1]; frame {index} has values from {exact(low)} to "
            f"{exact(high)}. {advice}."
        )
    return pixels


def exact(value: float) -> str:
    """Format a number with all its digits: 1.0000001 is not 1."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)


BT601, BT709 = (0.299, 0.114), (0.2126, 0.0722)
# ITU-T H.273, MatrixCoefficients -> (Kr, Kb)
MATRICES = {1: BT709, 4: (0.30, 0.11), 5: BT601, 6: BT601, 7: (0.212, 0.087), 9: (0.2627, 0.0593)}
HIGH_DYNAMIC_RANGE = (ColorTrc.SMPTE2084, ColorTrc.ARIB_STD_B67)
LIMITED, FULL = int(ColorRange.MPEG), int(ColorRange.JPEG)
GREY = ("gray", "ya")  # prefixes of grey pixel formats
HD_LINES = 720
CHROMA = Interpolation.BICUBIC | Interpolation.FULL_CHR_H_INP | Interpolation.ACCURATE_RND


class Tags(NamedTuple):
    """Codes of ITU-T H.273 stated by one source; 0 if not stated."""

    matrix: int = 0
    transfer: int = 0
    range: int = 0  # LIMITED or FULL

    def before(self, other: Tags) -> Tags:
        """Fill missing codes from the next source."""
        return Tags(*(mine or theirs for mine, theirs in zip(self, other, strict=True)))


UNSTATED = Tags()
UNTAGGED = (0, 2, 3)  # identity on a YUV format, unspecified, reserved


def tags_of(source: av.VideoFrame | VideoCodecContext) -> Tags:
    """Read the codes of a frame, or of a decoder before its first frame."""
    codes = source.colorspace, source.color_trc
    matrix, transfer = (0 if code in UNTAGGED else int(code) for code in codes)
    full = source.color_range
    return Tags(matrix, transfer, full if full in (LIMITED, FULL) else 0)


def to_rgb(frame: av.VideoFrame, tags: Tags = UNSTATED) -> tuple[Pixels, bool]:
    """Return encoded RGB over black, (H, W, 3), and whether any pixel was transparent.

    Codes that the frame does not state come from the `tags` of the file, then from the rules of
    `stst.read_video`.
    """
    tags = tags_of(frame).before(tags)
    if tags.transfer in HIGH_DYNAMIC_RANGE:
        raise FramesError("is a high dynamic range video (PQ or HLG); convert it to SDR first.")
    form = frame.format  # one-bit bitmaps are handled like palettes
    if form.name.startswith("xyz"):
        raise FramesError("has CIE XYZ colours (digital cinema); convert it to BT.709 first.")
    is_rgb = form.is_rgb or form.has_palette or form.components[0].bits < 8
    rgb = _from_rgb(frame) if is_rgb else _from_yuv(frame, tags)
    if not form.has_palette and not any(part.is_alpha for part in form.components):
        return rgb, False
    alpha = _alpha(frame)
    return rgb * alpha, bool((alpha < 1).any())


def _alpha(frame: av.VideoFrame) -> Pixels:
    """Return opacity in [0, 1], (H, W, 1)."""
    bits = 8 if frame.format.has_palette else min(16, frame.format.components[-1].bits)
    name, stored = ("rgba64le", 16) if bits > 8 else ("rgba", 8)
    codes = cast(npt.NDArray[np.uint16], frame.reformat(format=name).to_ndarray()[..., 3:])
    # Depending on the format, swscale fills the low bits or not; the shift removes them.
    alpha: Pixels = np.divide(codes >> (stored - bits), 2**bits - 1, dtype=np.float32)
    return alpha


def _from_rgb(frame: av.VideoFrame) -> Pixels:
    deep = max(part.bits for part in frame.format.components) > 8
    name, top = ("rgb48le", 65535) if deep else ("rgb24", 255)
    return np.divide(frame.reformat(format=name).to_ndarray(), top, dtype=np.float32)


def _from_yuv(frame: av.VideoFrame, tags: Tags) -> Pixels:
    kr, kb = matrix(frame, tags)
    luma, blue, red = _scaled(frame, is_full_range(frame, tags))
    r = luma + np.float32(2 * (1 - kr)) * red
    b = luma + np.float32(2 * (1 - kb)) * blue
    g = (luma - np.float32(kr) * r - np.float32(kb) * b) / np.float32(1 - kr - kb)
    rgb: Pixels = np.stack((r, g, b), axis=-1)
    return rgb.clip(0, 1)


def _scaled(frame: av.VideoFrame, full: bool) -> tuple[Pixels, Pixels, Pixels]:
    """Return Y in [0, 1], Cb and Cr in [-0.5, 0.5], each (H, W)."""
    bits = min(16, frame.format.components[0].bits)
    full_size = frame.reformat(
        format="yuv444p16le",
        src_color_range=ColorRange.JPEG,  # equal ranges: codes are only shifted
        dst_color_range=ColorRange.JPEG,
        interpolation=CHROMA,
    )
    planes = cast(npt.NDArray[np.uint16], full_size.to_ndarray())
    y, *chroma = planes if len(planes) == 3 else np.moveaxis(planes, -1, 0)
    # Depending on the format, swscale fills the low bits of luma or not; the shift removes them.
    luma = (y >> (16 - bits)).astype(np.float32)
    unit = np.float32(2.0 ** (bits - 8))
    blue, red = (plane / np.float32(2 ** (16 - bits)) - 128 * unit for plane in chroma)
    if full:
        top = np.float32(2**bits - 1)
        return luma / top, blue / top, red / top
    return (luma / unit - 16) / 219, blue / (224 * unit), red / (224 * unit)


def matrix(frame: av.VideoFrame, tags: Tags) -> tuple[float, float]:
    """Return the weights of red and blue in luma, from the tag or by convention."""
    if not tags.matrix:
        return BT601 if frame.height < HD_LINES else BT709
    if tags.matrix not in MATRICES:
        raise FramesError(
            f"has colour matrix {tags.matrix} of ITU-T H.273, which is not supported; convert it "
            "to BT.709 first."
        )
    return MATRICES[tags.matrix]


def is_full_range(frame: av.VideoFrame, tags: Tags) -> bool:
    """Whether luma is full range (0 to 255) rather than limited range (16 to 235)."""
    if tags.range:
        return tags.range == FULL
    return frame.format.name.startswith(("yuvj", *GREY))


def turned(rgb: Pixels, orientation: int) -> Pixels:
    """Rotate and mirror an image by its EXIF orientation, 1 to 8."""
    if orientation > 4:  # rows and columns are swapped
        rgb = rgb.transpose(1, 0, 2)
    down = orientation in (3, 4, 7, 8)
    across = orientation in (2, 3, 6, 7)
    return rgb[:: -1 if down else 1, :: -1 if across else 1]


def upright(rgb: Pixels, side: bytes | None) -> Pixels:
    """Apply a display matrix: quarter turns and mirrors."""
    if side is None:
        return rgb
    a, b, _, c, d = np.frombuffer(side, dtype=np.int32)[:5].tolist()
    if not (a == d == 0 or b == c == 0) or a * d == b * c:
        raise FramesError(
            "has a display matrix that is not a quarter turn or mirror. Rotate it upright first."
        )
    if a == 0:  # x' = c y and y' = b x: a transpose, then mirrors
        rgb, a, d = rgb.transpose(1, 0, 2), c, b
    return rgb[:: -1 if d < 0 else 1, :: -1 if a < 0 else 1]
