"""What tests of the guarded server share: its patience, and a photo that keeps it busy."""

import io

from PIL import Image

READ_SECONDS = 1.5


def slow_png() -> bytes:
    """A photo that takes a good part of a second to decode, in few bytes."""
    out = io.BytesIO()
    Image.new("RGBA", (5000, 5000), (9, 99, 9, 99)).save(out, "PNG")
    return out.getvalue()
