"""Tiny films that say all that films can say, made with FFmpeg 9 of the package imageio-ffmpeg.

A film has six frames of 4x3 blocks: the frame's number in binary, and nine colours. Each case is
one combination of codec, container, pixel format, tags, turn, crop and scan. `chosen` has each
codec in each of its containers and pixel formats, and each pair of values that can meet.
"""

import re
import struct
import subprocess
from dataclasses import astuple, dataclass, fields
from itertools import combinations, product
from pathlib import Path
from typing import NamedTuple

import numpy as np

FRAMES, ROWS, COLUMNS = 6, 3, 4
PATCHES = [(255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 0), (128, 128, 128)]
PATCHES += [(0, 255, 255), (255, 0, 255), (230, 140, 60), (40, 50, 60)]
ALPHA = np.array([[255, 255, 255, 255], [255, 255, 128, 255], [0, 255, 255, 64]], np.uint8)


def blocks():
    """The film of one px a block: (T, 3, 4, 4) uint8, RGB and alpha."""
    film = np.empty((FRAMES, ROWS * COLUMNS, 4), np.uint8)
    for number in range(FRAMES):
        film[number, :3, :3] = [[255 * (number >> bit & 1)] * 3 for bit in range(3)]
        film[number, 3:, :3] = PATCHES
    film[..., 3] = ALPHA.ravel()
    return film.reshape(FRAMES, ROWS, COLUMNS, 4)


class Codec(NamedTuple):
    """An encoder of FFmpeg, and what it can be asked for."""

    words: str  # of FFmpeg's command line
    formats: str  # pixel formats
    containers: str
    size: tuple[int, int] = (64, 48)  # width and height that it takes


YUV8 = "yuv420p yuv422p yuv444p"
YUV = f"{YUV8} yuv420p10le yuv422p10le yuv444p10le"
ANY = "mkv nut"
X265 = "libx265 -x265-params log-level=none:lossless=1"
CODECS = {
    "h264": Codec(
        "libx264 -qp 1 -preset ultrafast",
        f"{YUV} yuvj420p nv12 gray gray10le",
        "mp4 mov mkv flv avi ts nut",
    ),
    "h264rgb": Codec("libx264rgb -qp 0", "bgr24 rgb24 bgr0", "mp4 mkv"),
    "hevc": Codec(
        X265, f"{YUV} yuv420p12le gbrp gbrp10le gray gray10le yuva420p", "mp4 mov mkv flv ts"
    ),
    "av1": Codec(
        "libaom-av1 -crf 1 -cpu-used 8",
        f"{YUV8} yuv420p10le gbrp gray",
        "mp4 mkv webm ivf flv",
    ),
    "svtav1": Codec("libsvtav1 -crf 5 -preset 12", "yuv420p yuv420p10le", "mp4 ivf", (64, 64)),
    "vp8": Codec("libvpx -crf 4 -b:v 5M -auto-alt-ref 0", "yuv420p yuva420p", "webm mkv ivf"),
    "vp9": Codec(
        "libvpx-vp9 -lossless 1 -auto-alt-ref 0",
        f"{YUV} gbrp gbrp10le yuva420p yuv420p12le",
        "webm mkv mp4 ivf",
    ),
    "vvc": Codec("libvvenc -qp 10 -preset faster", "yuv420p10le", "mp4 mkv"),
    "mpeg4": Codec("mpeg4 -q:v 1", "yuv420p", "mp4 mov avi mkv nut ts"),
    "xvid": Codec("libxvid -q:v 1", "yuv420p", "avi"),
    "mpeg2": Codec("mpeg2video -q:v 1", "yuv420p yuv422p", "ts mpg mkv mov mxf vob avi"),
    "mpeg1": Codec("mpeg1video -q:v 1", "yuv420p", "mpg mkv"),
    "h263": Codec("h263 -q:v 1", "yuv420p", "3gp avi", (128, 96)),
    "prores": Codec("prores_ks -q:v 1", "yuv422p10le yuv444p10le yuva444p10le", "mov mkv mxf nut"),
    "dnxhr": Codec("dnxhd -profile:v dnxhr_hq", "yuv422p", "mov mxf mkv", (256, 128)),
    "dnxhr10": Codec("dnxhd -profile:v dnxhr_hqx", "yuv422p10le", "mov mxf", (256, 128)),
    "dnxhr444": Codec(
        "dnxhd -profile:v dnxhr_444", "yuv444p10le gbrp10le", "mov mxf mkv", (256, 128)
    ),
    "ffv1": Codec(
        "ffv1",
        f"{YUV} yuv411p yuv440p yuv420p16le yuv444p12le bgr0 bgra gbrp10le gbrp16le rgb48le "
        "yuva420p yuva444p10le rgba64le gray gray10le gray16le ya8 gbrap12le gbrpf32le grayf16le",
        "mkv nut avi mov mxf",
    ),
    "huffyuv": Codec("huffyuv", "yuv422p rgb24 bgra", "avi mkv"),
    "ffvhuff": Codec(
        "ffvhuff",
        f"{YUV8} yuv411p yuv410p yuva422p yuv422p9le yuv444p14le gbrp gbrap gray gray16le",
        "avi mkv nut mov",
    ),
    "utvideo": Codec("utvideo", f"gbrp gbrap {YUV8}", "avi mkv nut mov"),
    "magicyuv": Codec("magicyuv", f"gbrp gbrap yuva444p gray {YUV8}", "avi mkv"),
    "mjpeg": Codec("mjpeg -q:v 1", f"yuvj420p yuvj422p yuvj444p {YUV8}", "avi mov mkv mp4 nut mxf"),
    "ljpeg": Codec("ljpeg", "bgr24 bgra yuvj420p yuvj444p yuv444p", "avi nut"),
    "png": Codec(
        "png", "rgb24 rgba rgb48be rgba64be gray ya8 gray16be monob pal8", "mov mkv avi mp4 nut"
    ),
    "tiff": Codec("tiff", "rgb24 rgb48le rgba gray16le yuv420p yuv444p", "mkv nut"),
    "jpeg2000": Codec(
        "jpeg2000 -pred 1",
        "rgb24 rgb48le gray gray12le yuv420p yuv422p10le yuva444p",
        "mov mkv mxf mp4",
    ),
    "rawvideo": Codec("rawvideo", "yuv420p yuyv422 uyvy422 bgra gray nv12 yuv422p", "avi mov mkv"),
    "rawrgb": Codec("rawvideo", "bgr24 rgb24 rgb555le rgb565le yuv444p", "mkv nut"),
    "v210": Codec("v210", "yuv422p10le", "mov mkv avi"),
    "r210": Codec("r210", "gbrp10le", "mov avi"),
    "y4m": Codec("wrapped_avframe -strict -1", f"{YUV} yuv411p gray gray16le yuv420p12le", "y4m"),
    "cfhd": Codec("cfhd -quality film3+", "yuv422p10le gbrp12le gbrap12le", "mov avi mkv"),
    "theora": Codec("libtheora -q:v 10", YUV8, "ogv mkv"),
    "dirac": Codec("vc2", f"{YUV8} yuv422p10le", "ogv mkv ts mov"),
    "gif": Codec("gif", "rgb8 bgr8 gray pal8", "gif"),
    "apng": Codec("apng", "rgb24 rgba rgb48be gray ya8 pal8", "apng"),
    "wmv1": Codec("wmv1 -q:v 1", "yuv420p", "asf wmv avi"),
    "wmv2": Codec("wmv2 -q:v 1", "yuv420p", "asf wmv avi mkv"),
    "msmpeg4": Codec("msmpeg4 -q:v 1", "yuv420p", "avi asf"),
    "qtrle": Codec("qtrle", "rgb24 rgb555be argb gray", "mov"),
    "cinepak": Codec("cinepak -q:v 1", "rgb24 gray", "avi mov"),
    "svq1": Codec("svq1 -q:v 1", "yuv410p", "mov"),
    "rpza": Codec("rpza", "rgb555le", "mov"),
    "smc": Codec("smc", "pal8", "mov"),
    "msvideo1": Codec("msvideo1", "rgb555le", "avi"),
    "msrle": Codec("msrle", "pal8", "avi"),
    "zmbv": Codec("zmbv", "bgr0 rgb565le pal8", "avi mkv"),
    "zlib": Codec("zlib", "bgr24", "avi"),
    "flashsv": Codec("flashsv", "bgr24", "flv"),
    "flv1": Codec("flv -q:v 1", "yuv420p", "flv"),
    "snow": Codec("snow -q:v 1", "yuv420p yuv444p gray", "avi nut"),
    "hap": Codec("hap -format hap_alpha", "rgba", "mov"),
    "dv": Codec("dvvideo", "yuv420p", "avi mov mkv", (720, 576)),
}
KINDS = {"ts": "mpegts", "mpg": "mpeg", "3gp": "3gp", "ogv": "ogg", "wmv": "asf"}
MATRICES = {  # tag: how swscale names the matrix
    "": "bt601",
    "bt709": "bt709",
    "bt470bg": "bt601",
    "smpte170m": "bt601",
    "smpte240m": "smpte240m",
    "fcc": "fcc",
    "bt2020nc": "bt2020",
    "ycgco": "bt601",
}
RANGES = ("", "tv", "pc")
HDR = ("smpte2084", "arib-std-b67")
TRANSFERS = ("", "bt709", "iec61966-2-1", "linear", *HDR)
PRIMARIES = ("", "bt709", "bt2020", "smpte432")
TURNABLE = ("mp4", "mov", "mkv", "webm", "3gp")
CROPPABLE = {"mp4": "mp4", "mov": "mov", "mkv": "mov", "webm": "mp4"}  # by way of which kind
CROPPED = ("h264", "hevc", "vp9", "prores", "ffv1", "mjpeg", "png", "av1", "mpeg4")
REORDERED = ("h264", "hevc", "mpeg4", "mpeg2", "mpeg1")
ODD = ("vp8", "vp9", "av1", "ffv1", "png", "apng", "gif", "mjpeg", "mpeg4", "rawvideo", "magicyuv")
ODD += ("theora", "jpeg2000", "tiff", "y4m", "qtrle", "h264rgb")
WITH_ALPHA = ("yuva", "ya", "rgba", "bgra", "argb", "gbrap", "ayuv", "pal8")
SUBSAMPLED = ("yuv410p", "yuv411p")  # too far for odd sides


@dataclass(frozen=True)
class Case:
    """One film: what it is encoded with, and what it says."""

    codec: str
    container: str
    format: str
    matrix: str = ""
    range: str = ""
    transfer: str = ""
    primaries: str = ""
    turn: int = 0  # 1 to 3 quarters anticlockwise; 4 to 7 are mirrored afterwards
    crop: str = ""  # a column and a row of blocks, by the bitstream or the container
    aspect: str = ""
    scan: str = ""
    reordered: bool = False
    odd: bool = False

    @property
    def is_yuv(self):
        return self.format.startswith(("yuv", "nv", "uyvy", "yuyv", "p010", "y210", "ayuv"))

    @property
    def is_grey(self):
        return self.format.startswith(("gray", "ya", "mono"))

    @property
    def has_alpha(self):
        return self.format.startswith(WITH_ALPHA)

    @property
    def is_deep(self):
        return re.search("p9|1[0246]|48|64|v210|r210|f32", self.format) is not None

    @property
    def size(self):
        width, height = CODECS[self.codec].size
        return width - self.odd, height - self.odd

    @property
    def name(self):
        marks = [self.codec, self.format, self.matrix, self.range, self.transfer, self.primaries]
        marks += [f"turn{self.turn}" * bool(self.turn), self.crop, self.aspect.replace("/", "to")]
        marks += [self.scan, "reordered" * self.reordered, "odd" * self.odd]
        return "_".join(filter(None, marks)) + "." + self.container


def options(codec, container, pixel_format):
    """The values that each further property can have."""
    base = Case(codec, container, pixel_format)
    crops = ["bitstream"] if codec in ("h264", "hevc") and base.is_yuv else []
    if codec in CROPPED and container in CROPPABLE:
        crops.append("container")
    is_odd = codec in ODD and pixel_format not in SUBSAMPLED
    return {
        "codec": (codec,),
        "container": (container,),
        "format": (pixel_format,),
        "matrix": tuple(MATRICES) if base.is_yuv else ("",),
        "range": RANGES if base.is_yuv and not pixel_format.startswith("yuvj") else ("",),
        "transfer": TRANSFERS if base.is_yuv else ("",),
        "primaries": PRIMARIES if base.is_yuv else ("",),
        "turn": tuple(range(8)) if container in TURNABLE else (0,),
        "crop": ("", *crops),
        "aspect": ("", "4/3"),
        "scan": ("", "tff") if codec in ("h264", "mpeg2", "prores") and base.is_yuv else ("",),
        "reordered": (False, True) if codec in REORDERED else (False,),
        "odd": (False, True) if is_odd else (False,),
    }


TRIES = 6


def chosen(seed=0):
    """Cases with each codec, container and pixel format, and with all pairs of values."""
    rng = np.random.default_rng(seed)
    rows = [
        options(name, *pair)
        for name, codec in CODECS.items()
        for pair in product(codec.containers.split(), codec.formats.split())
    ]
    meeting = {
        pair: row for row in rows for two in combinations(row.items(), 2) for pair in values_of(two)
    }
    cases, covered = [], set()

    def add(row, fixed=()):
        """Take the one of some random cases that has the most new pairs."""
        drawn = (draw(rng, row, fixed) for _ in range(TRIES))
        cases.append(max(drawn, key=lambda case: len(pairs(case) - covered)))
        covered.update(pairs(cases[-1]))

    for row in rows:
        add(row)
    for pair, row in meeting.items():
        if pair not in covered:
            add(row, pair)
    return list(dict.fromkeys(cases))


def draw(rng, row, fixed):
    """A case of random values, but for those that are fixed."""
    values = {name: values[rng.integers(len(values))] for name, values in row.items()}
    if is_refused(values) and rng.random() < 0.9:  # so that most films are compared
        values |= {"transfer": "", "matrix": ""}
    values |= dict(fixed)
    return Case(**values | ({"odd": False} if values["crop"] else {}))  # half a px is no crop


def is_refused(values):
    return values["transfer"] in HDR or values["matrix"] == "ycgco"


def values_of(two):
    """All pairs of values of two properties."""
    (first, mine), (second, theirs) = two
    return (((first, a), (second, b)) for a in mine for b in theirs)


NAMES = [field.name for field in fields(Case)]


def pairs(case):
    """All pairs of values in a case."""
    return set(combinations(zip(NAMES, astuple(case), strict=True), 2))


# ---------------------------------------------------------------- bytes that FFmpeg cannot write

TO_SAMPLES = (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"stsd")


def box(kind, body):
    return struct.pack(">I4s", 8 + len(body), kind) + body


def clean_aperture(width, height, right=0, down=0):
    """What is to be shown: its size, and how far its centre is off that of the frame."""
    numbers = (number for value in (width, height, right, down) for number in (value, 1))
    return box(b"clap", struct.pack(">8i", *numbers))


def dolby_vision(profile, base):
    """The record of a profile whose base layer is compatible with displays of a kind."""
    return box(b"dvvC", bytes([1, 0, profile << 1, 0b1101, base << 4]) + bytes(19))


def plant(path, new):
    """Append a box to the first description of samples in an MP4 whose index is at its end."""
    data, at, spans = bytearray(path.read_bytes()), 0, []
    for kind in TO_SAMPLES:
        while data[at + 4 : at + 8] != kind:
            at += struct.unpack_from(">I", data, at)[0]
        spans.append(at)
        at += 8
    at += 8  # past the version and the count of descriptions
    end = at + struct.unpack_from(">I", data, at)[0]
    data[end:end] = new
    for span in (*spans, at):
        struct.pack_into(">I", data, span, struct.unpack_from(">I", data, span)[0] + len(new))
    path.write_bytes(data)


# ---------------------------------------------------------------- films, by FFmpeg's program

TOGETHER = 24  # films in one call
SCALE = "flags=bicubic+accurate_rnd+full_chroma_int+full_chroma_inp"
SHOWN = re.compile(r" sar:(\S+) s:(\d+)x(\d+) i:(.) ")  # by the filter showinfo
OWN_ALPHA = {"vp8": "libvpx", "vp9": "libvpx-vp9"}  # FFmpeg's own decoders leave it out


class Decoded(NamedTuple):
    """What FFmpeg shows of a film."""

    frames: np.ndarray  # (T, H, W, 3) in [0, 1], over black
    marks: set[str]  # what a user is to be told of


class Maker:
    """Films of cases, and what FFmpeg shows of them."""

    def __init__(self, program, folder):
        self.program, self.folder = program, Path(folder)
        self.source = self.folder / "blocks.rgba"
        self.source.write_bytes(blocks().tobytes())

    def path(self, case):
        return self.folder / case.name

    def run(self, *words):
        command = [self.program, "-hide_banner", "-nostats", "-nostdin", "-y", *map(str, words)]
        return subprocess.run(command, capture_output=True, check=False)

    def make(self, cases):
        """Make films; give the cases that FFmpeg can make."""
        cases = [
            case
            for at in range(0, len(cases), TOGETHER)
            for case in self._encode(cases[at : at + TOGETHER])
        ]
        for case in cases:
            if case.crop == "container":
                width, height = case.size
                aperture = (width * 3 // 4, height * 2 // 3, width // 8, -height // 6)
                plant(self._draft(case), clean_aperture(*aperture))
                self.run("-i", self._draft(case), "-c", "copy", self.path(case))
        return [case for case in cases if self.path(case).exists()]

    def _draft(self, case):
        """The file that a container's crop is planted in; FFmpeg writes it to another kind."""
        kind = "mp4" if case.container == "mp4" or case.codec in ("vp9", "av1") else "mov"
        return self.path(case) if case.crop != "container" else self.folder / f"{case.name}.{kind}"

    def _encode(self, cases):
        """All in one call, or half of them where that fails."""
        outputs = ([*_words(case), self._draft(case)] for case in cases)
        result = self.run(*self._inputs(), *(word for output in outputs for word in output))
        if not result.returncode:
            return cases
        for case in cases:
            self._draft(case).unlink(missing_ok=True)
        half = len(cases) // 2
        return self._encode(cases[:half]) + self._encode(cases[half:]) if half else []

    def _inputs(self):
        """The source eight times: each turn of it."""
        raw = f"-f rawvideo -pix_fmt rgba -s {COLUMNS}x{ROWS} -r 25 -noautorotate".split()
        for turn in range(8):
            mirror = ["-display_hflip"] if turn >= 4 else []
            yield from ["-display_rotation", 90 * (turn % 4), *mirror, *raw, "-i", self.source]

    def decode(self, case):
        """Frames as FFmpeg's program shows them; None where it cannot."""
        form, kind = ("rgba64le", np.uint16) if case.is_deep else ("rgba", np.uint8)
        steps = [*[f"scale=interl=-1:{SCALE}"] * case.is_yuv, f"format={form}", "showinfo"]
        decoder = []
        if case.has_alpha and case.codec in OWN_ALPHA:
            decoder = ["-c:v", OWN_ALPHA[case.codec]]
        source = [*decoder, "-i", self.path(case), "-map", "0:v:0", "-fps_mode", "passthrough"]
        result = self.run(*source, "-vf", ",".join(steps), "-f", "rawvideo", "-")
        line = SHOWN.search(result.stderr.decode(errors="replace"))
        if result.returncode or not line:
            return None
        aspect, width, height, fields = line.groups()
        shape = -1, int(height), int(width), 4
        rgba = np.frombuffer(result.stdout, kind).reshape(shape) / np.iinfo(kind).max
        marks = {
            "not square": aspect not in ("0/1", "1/1"),
            "interlaced": fields != "P",
            "transparent": bool((rgba[..., 3] < 1).any()),
        }
        return Decoded(rgba[..., :3] * rgba[..., 3:], {name for name in marks if marks[name]})


def _words(case):
    """What makes one film of the source."""
    width, height = case.size
    full = "pc" if case.format.startswith("yuvj") else case.range or "tv"
    steps = [f"scale={width}:{height}:flags=neighbor"]
    if case.is_yuv:
        matrix = MATRICES[case.matrix]
        steps.append(f"scale=out_color_matrix={matrix}:out_range={full}:{SCALE}")
    palette = "split[a][b];[a]palettegen=stats_mode=single[p];[b][p]paletteuse=new=1"
    steps.append(palette if case.format == "pal8" else f"format={case.format}")
    tags = {"color_trc": case.transfer, "color_primaries": case.primaries, "field_mode": case.scan}
    if case.is_yuv:
        tags["colorspace"] = case.matrix or "unknown"
        tags["range"] = full if case.format.startswith("yuvj") else case.range or "unknown"
    said = ":".join(f"{name}={value}" for name, value in tags.items() if value)
    steps += [f"setparams={said}"] * bool(said) + [f"setsar={case.aspect}"] * bool(case.aspect)
    words = ["-map", f"{case.turn}:v", "-vf", ",".join(steps), "-frames:v", FRAMES]
    words += ["-c:v", *CODECS[case.codec].words.split(), "-strict", "-2"]
    words += ["-bf", 2 * case.reordered] if case.codec in REORDERED else []
    words += ["-flags", "+ilme+ildct"] if case.scan else []
    if case.crop == "bitstream":
        left, bottom = width // COLUMNS, height // ROWS
        words += ["-bsf:v", f"{case.codec}_metadata=crop_left={left}:crop_bottom={bottom}"]
    return [*words, *(["-f", KINDS[case.container]] if case.container in KINDS else [])]
