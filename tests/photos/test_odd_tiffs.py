"""TIFF files that libtiff has something to say about."""

import io
import subprocess
import sys
from pathlib import Path

from PIL import Image

CODE = """
import sys
from pathlib import Path
from place_search.photos import UnreadablePhotoError, decode_photo
try:
    decode_photo(Path(sys.argv[1]))
except UnreadablePhotoError as error:
    print(error)
"""


def test_libtiff_writes_nothing_to_the_terminal(tmp_path: Path) -> None:
    stream = io.BytesIO()
    Image.linear_gradient("L").save(stream, "TIFF", compression="tiff_lzw")
    content = bytearray(stream.getvalue())
    middle = len(content) // 2
    content[middle : middle + 200] = b"\xff" * 200
    (tmp_path / "odd.tif").write_bytes(content)
    command = [sys.executable, "-c", CODE, str(tmp_path / "odd.tif")]
    process = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "truncated or corrupt" in process.stdout
    assert process.stderr == ""
