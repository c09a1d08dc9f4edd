"""Films made to harm: each is a few bytes that ask for depth, length, size or memory."""

import struct
import zlib

MOST = 0xFFFFFFFF


def box(name, content):
    """Build a box of mp4."""
    return struct.pack(">I", 8 + len(content)) + name + content


def element(name, content):
    """Build an element of Matroska."""
    return bytes.fromhex(name) + struct.pack(">Q", len(content) | 1 << 56) + content


def nested(wrap, depth):
    content = b""
    for _ in range(depth):
        content = wrap(content)
    return content


FTYP = box(b"ftyp", b"isom\0\0\2\0isom")


def boxes_in_boxes(films):
    return FTYP + nested(lambda inside: box(b"moov", box(b"trak", inside)), 5000)


def tags_in_tags(films):
    tags = nested(lambda inside: element("67C8", inside), 5000)
    return matroska(element("1254C367", element("7373", tags)))


def a_packed_header_of_2_gib(films):
    packed = struct.pack(">I", 1 << 31) + zlib.compress(bytes(1 << 24))
    return FTYP + box(b"moov", box(b"cmov", box(b"dcom", b"zlib") + box(b"cmvd", packed)))


def matroska(*more):
    info = element("1549A966", element("2AD7B1", b"\x0f\x42\x40"))
    head = element("1A45DFA3", element("4282", b"matroska"))
    return head + element("18538067", info + b"".join(more))


def track(codec, width, height, *more):
    size = element(
        "E0", element("B0", struct.pack(">I", width)) + element("BA", height.to_bytes(4))
    )
    rate = element("23E383", struct.pack(">I", 40_000_000))
    names = element("D7", b"\1") + element("73C5", b"\1") + element("83", b"\1")
    entry = names + element("86", codec) + rate + size + b"".join(more)
    return element("1654AE6B", element("AE", entry))


def a_packed_frame_of_64_mib(films):
    how = element("6D80", element("6240", element("5034", element("4254", b"\0"))))
    block = element("A3", b"\x81\0\0\x80" + zlib.compress(bytes(1 << 26)))
    cluster = element("1F43B675", element("E7", b"\0") + block * 2)
    return matroska(track(b"V_MJPEG", 48, 32, how), cluster)


def a_side_of_two_thousand_million(films):
    return matroska(track(b"V_VP8", 0x7FFFFFFF, 0x7FFFFFFF))


def a_picture_of_65535_px_a_side(films):
    return films["plain.gif"][:6] + struct.pack("<HH", 65535, 65535) + films["plain.gif"][10:]


def plain_frames_of_99999_px_a_side(films):
    return b"YUV4MPEG2 W99999 H99999 F25:1 C420\nFRAME\n" + bytes(1000)


def frames_at_0_by_0_a_second(films):
    return b"YUV4MPEG2 W16 H16 F0:0 C420\n" + (b"FRAME\n" + bytes(384)) * 6


def replaced(film, name, offset, *numbers):
    """Write big-endian numbers over those that follow a name."""
    data = bytearray(film)
    struct.pack_into(f">{len(numbers)}I", data, data.index(name) + offset, *numbers)
    return bytes(data)


def a_time_for_each_of_4_thousand_million_frames(films):
    return replaced(films["mpeg4.mp4"], b"stts", 8, 1, MOST, 512)


def sizes_of_4_thousand_million_frames(films):
    return replaced(films["mpeg4.mp4"], b"stsz", 8, 1, MOST)


def a_clock_that_stands_still(films):
    return replaced(films["mpeg4.mp4"], b"mdhd", 16, 0)


def frames_that_last_forever(films):
    return replaced(films["mpeg4.avi"], b"strh", 28, MOST, 0)


def nothing_but_zeros(films):
    return bytes(1 << 20)


def nothing_but_packet_marks(films):
    return b"\x47\x1f\xff\x10".ljust(188, b"\xff") * 5000


ALL = [
    boxes_in_boxes,
    tags_in_tags,
    a_packed_header_of_2_gib,
    a_packed_frame_of_64_mib,
    a_side_of_two_thousand_million,
    a_picture_of_65535_px_a_side,
    plain_frames_of_99999_px_a_side,
    frames_at_0_by_0_a_second,
    a_time_for_each_of_4_thousand_million_frames,
    sizes_of_4_thousand_million_frames,
    a_clock_that_stands_still,
    frames_that_last_forever,
    nothing_but_zeros,
    nothing_but_packet_marks,
]


def chunk(name, content):
    """Build a chunk of PNG."""
    check = zlib.crc32(name + content)
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", check)


def png(width, height, *chunks):
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + b"".join(chunks) + chunk(b"IEND", b"")


def a_png_of_a_side_of_two_thousand_million(pictures):
    return png(0x7FFFFFFF, 0x7FFFFFFF, chunk(b"IDAT", zlib.compress(bytes(1000))))


def a_png_with_text_of_64_mib(pictures):
    text = b"k\0\0" + zlib.compress(bytes(1 << 26))
    return png(48, 32, chunk(b"zTXt", text), chunk(b"IDAT", zlib.compress(bytes(32 * 145))))


def a_png_of_4_thousand_million_frames(pictures):
    data = pictures["moving.png"]
    at = data.index(b"acTL")
    return data[: at - 4] + chunk(b"acTL", struct.pack(">II", MOST, 0)) + data[at + 16 :]


def a_jpeg_of_65535_px_a_side(pictures):
    data = bytearray(pictures["photo.jpg"])
    struct.pack_into(">HH", data, data.index(b"\xff\xc0") + 5, 65535, 65535)
    return bytes(data)


def a_bmp_of_a_side_of_two_thousand_million(pictures):
    data = bytearray(pictures["plain.bmp"])
    struct.pack_into("<ii", data, 18, 0x7FFFFFFF, 0x7FFFFFFF)
    return bytes(data)


def a_webp_of_16384_px_a_side(pictures):
    data = bytearray(pictures["moving.webp"])
    at = data.index(b"VP8X") + 12
    data[at : at + 6] = b"\xff\x3f\0" * 2
    return bytes(data)


def an_avif_of_a_side_of_4_thousand_million(pictures):
    return replaced(pictures["still.avif"], b"ispe", 8, MOST, MOST)


def a_pgm_of_99999_px_a_side(pictures):
    return b"P5\n99999 99999\n255\n" + bytes(1000)


def tiff(entries, data=b"", following=0):
    """Build a TIFF of one directory; `entries` are (tag, type, count, value)."""
    rows = b"".join(struct.pack("<HHII", *entry) for entry in sorted(entries))
    directory = struct.pack("<H", len(entries)) + rows + struct.pack("<I", following)
    return b"II*\0" + struct.pack("<I", 8) + directory + data


def page(side, strip_bytes, strips=1):
    return [
        *((256, 4, 1, side), (257, 4, 1, side), (258, 3, 1, 8), (259, 3, 1, 8)),
        *((262, 3, 1, 1), (273, 4, strips, 200), (277, 3, 1, 1), (279, 4, strips, strip_bytes)),
    ]


def a_tiff_of_a_side_of_two_thousand_million(pictures):
    return tiff(page(0x7FFFFFFF, 100), bytes(1000))


def a_strip_of_1_gib(pictures):
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(bytes(1 << 24)) for _ in range(64)) + packer.flush()
    head = tiff(page(64, len(data)), following=8)  # the next page is the same again
    return head.ljust(200, b"\0") + data


def four_thousand_million_strips(pictures):
    return tiff(page(64, 100, MOST), bytes(1000))


def pages_that_go_round(pictures):
    return tiff(page(64, 100), bytes(1000), following=8)


def a_hundred_thousand_empty_pages(pictures):
    directory = struct.pack("<HHHII", 1, 256, 4, 1, 64)
    places = range(8, 8 + 18 * 100_000, 18)
    return b"II*\0\x08\0\0\0" + b"".join(directory + struct.pack("<I", at + 18) for at in places)


PICTURES = [
    a_png_of_a_side_of_two_thousand_million,
    a_png_with_text_of_64_mib,
    a_png_of_4_thousand_million_frames,
    a_jpeg_of_65535_px_a_side,
    a_bmp_of_a_side_of_two_thousand_million,
    a_webp_of_16384_px_a_side,
    an_avif_of_a_side_of_4_thousand_million,
    a_pgm_of_99999_px_a_side,
    a_tiff_of_a_side_of_two_thousand_million,
    a_strip_of_1_gib,
    four_thousand_million_strips,
    pages_that_go_round,
    a_hundred_thousand_empty_pages,
]
