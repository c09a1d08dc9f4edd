"""The table of the library: one row for each run, in words."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from urllib.parse import quote

from PIL import Image

from stst.errors import RunError, StstError
from stst.studio.library import Entry, Library
from stst.studio.progress import replace_file
from stst.studio.repeating import section

CONTROLS = {
    "band": "frequency band",
    "phases-space": "phases over space",
    "phases-time": "phases over time",
    "portilla-simoncelli": "Portilla-Simoncelli",
    "shuffled": "shuffled frames",
    "static": "static frame",
    "stps": "STPS",
}
OTHERS = {"prediction": "PredNet prediction", "training": "PredNet training"}
ARRANGEMENT = "the arrangement of the "  # begins the warning of an object that may be seen
THUMBNAIL = (112, 72)  # px
NONE = "–"  # noqa: RUF001


@dataclass(frozen=True)
class Row:
    """A run in words.

    Parameters
    ----------
    name, address : str
        Name, and address of its page.
    kind, clip, size, seed, network, check, note : str
        Kind, natural clip, size in px, seed, spatial network, whether the object is gone, and
        the beginning of the user's note.
    frames : int, optional
        Number of frames.
    made : float
        When it was made, in seconds since 1970.
    date : str
        The same in local time.
    picture : str
        Address of its thumbnail; empty if it has none.
    """

    name: str
    address: str
    kind: str
    clip: str
    size: str
    frames: int | None
    seed: str
    network: str
    check: str
    note: str
    made: float
    date: str
    picture: str

    def data(self) -> dict[str, object]:
        """Return the row as plain data for the browser."""
        return asdict(self)

    def has(self, text: str) -> bool:
        """Whether all words of a text occur in the row."""
        own = " ".join([self.name, self.kind, self.clip, self.network, self.note, self.date])
        return all(word in own.casefold() for word in text.casefold().split())


def rows(library: Library) -> list[Row]:
    """Return the rows of all runs, the newest first."""
    return [row(library, entry) for entry in library.runs()]


def row(library: Library, entry: Entry) -> Row:
    """Describe a run; what its manifest does not state is left out."""
    made = entry.made
    width, height, frames = _form(entry)
    note = " ".join(library.note(entry).split())
    picture = _pictured(entry)
    return Row(
        name=entry.name,
        address=f"/run/{quote(entry.name)}",
        kind=kind_words(entry),
        clip=clip_words(entry),
        size=f"{width} x {height}" if width and height else NONE,
        frames=frames,
        seed=NONE if (seed := entry.manifest.get("seed")) is None else str(seed),
        network=network_words(entry),
        check=check_word(entry),
        note=note[:79] + "…" if len(note) > 80 else note,
        made=made,
        date=f"{datetime.fromtimestamp(made).astimezone():%Y-%m-%d %H:%M}",
        # The digest in the address makes the browser load the picture of a run that was remade.
        picture=f"/thumbnail?run={quote(entry.name)}&v={picture[1][:12]}" if picture else "",
    )


def shown(
    all_rows: Sequence[Row], text: str = "", kind: str = "", clip: str = "", network: str = ""
) -> list[Row]:
    """Return the rows that pass the filters; an empty filter passes all."""
    return [
        row
        for row in all_rows
        if row.has(text)
        and (not kind or row.kind == kind)
        and (not clip or row.clip == clip)
        and (not network or row.network == network)
    ]


def kind_words(entry: Entry) -> str:
    """Say in words what a run made."""
    if entry.kind == "synthesis":
        return "factorised" if section(entry, "time") else "metamer"
    if entry.kind == "experiment":
        return f"experiment: {section(entry, 'experiment').get('task', '')}".rstrip(": ")
    if entry.kind != "stimulus":
        return OTHERS.get(entry.kind, entry.kind or "unknown")
    kind = str(section(entry, "stimulus").get("kind", ""))
    if kind == "natural":
        return "natural clip"
    if kind == "match":
        return "matched clip"
    if section(entry, "source"):
        return f"control: {CONTROLS.get(kind, kind)}"
    return f"known motion: {kind.replace('-', ' ')}"


def clip_words(entry: Entry) -> str:
    """Name the natural clip, or the two of a factorised pair."""
    files = [section(entry, name).get("file") for name in ("source", "time")]
    return " + ".join(Path(str(file)).stem for file in files if file) or NONE


def network_words(entry: Entry) -> str:
    """Name the spatial network, and say whether it is a stand-in for that of the paper."""
    streams = entry.manifest.get("streams")
    first = streams[0] if isinstance(streams, list) and streams else None
    if not isinstance(first, dict):
        return NONE
    stand_in = " (stand-in)" if first.get("origin") == "embedded" else ""
    return f"{first.get('name', '')}{stand_in}"


def check_word(entry: Entry) -> str:
    """Say whether the object of the natural clip is gone, if the run has measured it."""
    if not section(entry, "arrangement"):
        return NONE
    warnings = entry.manifest.get("warnings")
    texts = warnings if isinstance(warnings, list) else []
    return "visible?" if any(str(text).startswith(ARRANGEMENT) for text in texts) else "gone"


def _form(entry: Entry) -> tuple[int | None, int | None, int | None]:
    source = section(entry, "source") or section(entry, "stimulus").get("settings")
    values = source if isinstance(source, dict) else {}
    width, height, frames = (values.get(name) for name in ("width", "height", "frames"))
    return tuple(n if isinstance(n, int) else None for n in (width, height, frames))  # type: ignore[return-value]


def _pictured(entry: Entry) -> tuple[str, str] | None:
    """Return name and digest of the file that the thumbnail shows: the film, or a figure."""
    outputs = section(entry, "outputs")
    for ending in (".webm", ".png"):
        for name, record in outputs.items():
            sha256 = record.get("sha256") if isinstance(record, dict) else None
            if str(name).endswith(ending) and isinstance(sha256, str) and sha256.isalnum():
                return str(name), sha256
    return None


def thumbnail(library: Library, name: str) -> bytes | None:
    """Return a small picture of a run as PNG, from the cache if it has been made before.

    None if there is no such run, or nothing that could be shown.
    """
    try:
        entry = library.run(name)
    except RunError:
        return None
    pictured = _pictured(entry)
    if pictured is None:
        return None
    cached = library.records / "thumbnails" / f"{pictured[1]}.png"
    if cached.is_file():
        return cached.read_bytes()
    try:
        picture = _first_frame(library.allowed(entry.folder / pictured[0]))
    except (OSError, ValueError, StopIteration, StstError, Image.DecompressionBombError):
        return None
    picture.thumbnail(THUMBNAIL)
    encoded = io.BytesIO()
    picture.save(encoded, format="PNG")
    cached.parent.mkdir(exist_ok=True)
    replace_file(cached, encoded.getvalue())
    return encoded.getvalue()


def _first_frame(path: Path) -> Image.Image:
    if path.suffix == ".png":
        with Image.open(path) as figure:
            return figure.convert("RGB")
    import av

    with av.open(str(path)) as film:  # av.FFmpegError is an OSError or a ValueError
        picture: Image.Image = next(film.decode(video=0)).to_image()  # type: ignore[no-untyped-call]
        return picture
