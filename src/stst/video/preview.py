"""Clips as small animations that a notebook plays by itself."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping
from html import escape
from io import BytesIO
from itertools import pairwise

from PIL import Image

from stst.video.frames import Footage, to_uint8

SIDE, FRAMES = 320, 100  # px of the longer side, and frames, that are shown at most


def preview_html(clips: Mapping[str, Footage]) -> str:
    """Show clips side by side under their titles, as HTML that needs no other file."""
    figures = "".join(
        '<figure style="display:inline-block;margin:0 8px 8px 0">'
        f'<img alt="{escape(title)}" src="data:image/webp;base64,{_encoded(clip)}">'
        f"<figcaption>{escape(title)}{_note(clip)}</figcaption></figure>"
        for title, clip in clips.items()
    )
    return f"<div>{figures}</div>"


def animation(clip: Footage) -> bytes:
    """Encode the first frames, made small, as an animated WebP that repeats."""
    pictures = [
        Image.fromarray(to_uint8(clip.take([index]))[0]) for index in range(min(len(clip), FRAMES))
    ]
    for picture in pictures:
        picture.thumbnail((SIDE, SIDE), Image.Resampling.BOX)
    starts = [round(1000 * index / clip.frame_rate) for index in range(len(pictures) + 1)]
    encoded = BytesIO()
    pictures[0].save(
        encoded,
        "WebP",
        save_all=True,
        append_images=pictures[1:],
        duration=[end - start for start, end in pairwise(starts)],
        loop=0,
        quality=80,
        method=0,
    )
    return encoded.getvalue()


def _encoded(clip: Footage) -> str:
    return b64encode(animation(clip)).decode()


def _note(clip: Footage) -> str:
    return f" (first {FRAMES} frames shown)" if len(clip) > FRAMES else ""
