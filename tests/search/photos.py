"""Photos as nobody should send them."""

import io
import random
import struct
import zlib
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw, PngImagePlugin

FORMATS = ("JPEG", "PNG", "WEBP", "AVIF", "HEIF")
_MODES = {
    "JPEG": ("RGB", "L", "CMYK"),
    "PNG": ("RGB", "L", "LA", "RGBA", "P", "1", "I;16"),
    "WEBP": ("RGB", "RGBA"),
    "AVIF": ("RGB", "RGBA"),
    "HEIF": ("RGB", "RGBA"),
}


def encoded(image: Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def valid_photos() -> list[tuple[str, bytes]]:
    """Small photos of every format and mode that is taken, with Exif, each as (format, bytes)."""
    pixels = np.random.default_rng(0).integers(0, 255, (12, 16, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels).resize((96, 64))
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0), 3: "E", 4: (11.0, 34.0, 0.0)}
    found = []
    for kind in FORMATS:
        for mode in _MODES[kind]:
            if mode == "I;16":
                image = Image.fromarray(np.asarray(picture.convert("L"), np.uint16) * 257)
            else:
                image = picture.convert(mode)
            if mode in ("LA", "RGBA"):
                image.putalpha(picture.convert("L"))
            found.append((kind, encoded(image, kind, exif=exif)))
    frames = [picture, picture.rotate(90), picture.rotate(180)]
    found.append(("JPEG", encoded(picture, "JPEG", progressive=True, quality=50)))
    for kind in ("PNG", "WEBP"):
        found.append((kind, encoded(picture, kind, save_all=True, append_images=frames)))
    return found


def mutated(content: bytes, chance: random.Random) -> bytes:
    """A photo with a few of its bytes changed, moved, doubled, dropped or cut off."""
    data = bytearray(content)
    for _ in range(chance.randint(1, 8)):
        # Most of what can go wrong is decided by the first bytes.
        end = len(data) if chance.random() < 0.5 else min(len(data), 200)
        at = chance.randrange(end)
        what = chance.randrange(6)
        if what == 0:
            data[at] = chance.randrange(256)
        elif what == 1:
            data[at] ^= 1 << chance.randrange(8)
        elif what == 2:
            data[at : at + 4] = struct.pack(
                chance.choice("<>") + "I", chance.choice((0, 1, 2**31 - 1, 2**31, 2**32 - 1))
            )
        elif what == 3:
            data[at:at] = data[at : at + chance.randint(1, 64)]
        elif what == 4 and len(data) > 80:
            del data[at : at + chance.randint(1, 16)]
        elif len(data) > 80:
            del data[chance.randrange(60, len(data)) :]
    return bytes(data)


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def text_bomb() -> bytes:
    """A PNG with 64 MiB of text in a compressed chunk of some KiB."""
    content = encoded(Image.new("RGB", (64, 64)), "PNG")
    bomb = _chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(64 << 20), 9))
    return content[:33] + bomb + content[33:]


def many_texts() -> bytes:
    """A PNG of 20,000 small texts."""
    info = PngImagePlugin.PngInfo()
    for number in range(20_000):
        info.add_text(f"key{number}", "value")
    return encoded(Image.new("RGB", (64, 64)), "PNG", pnginfo=info)


def exif_bomb() -> bytes:
    """A JPEG whose Exif block has a directory that contains itself, and values of 4 GiB."""
    entries = [
        struct.pack("<HHII", 0x8769, 4, 1, 8),  # the Exif directory is this one
        struct.pack("<HHII", 0x8825, 4, 1, 8),  # and so is the GPS directory
        struct.pack("<HHII", 0x010E, 2, 0xFFFFFFFF, 8),
        struct.pack("<HHII", 2, 5, 0x1FFFFFFF, 8),
    ]
    tiff = b"II*\0" + struct.pack("<IH", 8, len(entries)) + b"".join(entries)
    tiff += struct.pack("<I", 8)  # the next directory is this one
    body = b"Exif\0\0" + tiff
    content = encoded(Image.new("RGB", (64, 64)), "JPEG")
    return content[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + content[2:]


def huge_gif() -> bytes:
    """23 bytes that announce 65535 × 65535 pixels."""
    return b"GIF89a" + b"\xff" * 4 + bytes(3) + b"," + bytes(4) + b"\xff" * 4 + b"\0"


def huge_png(side: int = 30_000) -> bytes:
    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(b""))


def bombs() -> dict[str, tuple[bytes, set[int]]]:
    """Names, contents, and the statuses that each may be answered with."""
    layers = b"\xff\xd8" + b"\xff\xe0\x00\x02" * 100_000 + b"\xff\xd9"
    return {
        "zTXt bomb": (text_bomb(), {200, 422}),
        "many texts": (many_texts(), {200, 422}),
        "Exif bomb": (exif_bomb(), {200, 422}),
        "GIF of 65535²": (huge_gif(), {413, 415}),
        "PNG of 30000²": (huge_png(), {413}),
        "PNG of 2³¹−1 squared": (huge_png(2**31 - 1), {413, 415, 422}),
        "JPEG of empty segments": (layers, {415, 422}),
        "a pickle": (b"\x80\x04\x95cos\nsystem\n(S'true'\ntR.", {415}),
        "an SVG": (b"<svg xmlns='http://www.w3.org/2000/svg'><image href='/etc/passwd'/>", {415}),
        "a zip": (b"PK\x03\x04" + bytes(200), {415}),
        "PostScript": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", {415}),
        "one byte": (b"\xff", {415}),
    }


def black() -> Image.Image:
    return Image.new("RGB", (640, 480))


def sky() -> Image.Image:
    """Blue, paler towards the horizon, with a few soft clouds."""
    blue = np.linspace((90, 140, 220), (200, 220, 245), 480)[:, None].repeat(640, axis=1)
    spots = np.random.default_rng(3).integers(0, 255, (6, 8), dtype=np.uint8)
    soft = Image.fromarray(spots).resize((640, 480), Image.Resampling.BICUBIC)
    clouds = 0.6 * (np.asarray(soft, float)[..., None] / 255) ** 2
    return Image.fromarray((blue * (1 - clouds) + 255 * clouds).astype(np.uint8))


def screenshot() -> Image.Image:
    """A window with a bar, a list and lines of text."""
    image = Image.new("RGB", (1280, 800), "white")
    draw = ImageDraw.Draw(image)
    draw.rectangle((0, 0, 1280, 40), fill="#dddddd")
    draw.rectangle((0, 40, 220, 800), fill="#eeeeff")
    words = ("search", "photo", "index", "settings", "error 404", "click here")
    chosen = np.random.default_rng(1).choice(words, (33, 20))
    for row, line in enumerate(chosen):
        draw.text((16, 60 + 22 * row), line[0], fill="#3333ff")
        draw.text((240, 60 + 22 * row), " ".join(line[1:]), fill="black")
    return image


def face() -> Image.Image:
    """Grace Hopper, by the United States Navy, in the public domain; matplotlib has it."""
    matplotlib = find_spec("matplotlib")
    assert matplotlib is not None
    assert matplotlib.origin is not None
    photo = Path(matplotlib.origin).parent / "mpl-data/sample_data/grace_hopper.jpg"
    return Image.open(photo).convert("RGB")


OF_NO_PLACE = {"black": black, "sky": sky, "screenshot": screenshot, "face": face}
"""What shows no place, each made when it is called."""
NAMES_OF_NO_PLACE = [
    # matplotlib comes with what trains.
    pytest.param(name, marks=[pytest.mark.torch] if name == "face" else [])
    for name in OF_NO_PLACE
]
