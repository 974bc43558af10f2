"""The folder of videos' frames: `INDEX-frames`, beside the index."""

from contextlib import suppress
from pathlib import Path

from place_search.core.files import PART
from place_search.indexer.storage.kept_photos import beside

MARK = ".frames.json"
"""The hidden file that names the video and the frames of a folder; no listing has it."""
FRAME = "frame_"


def frames_folder(index: Path) -> Path:
    """The folder that holds the frames of an index, with a folder for each video."""
    return beside(index, "-frames")


def frame_name(number: int) -> str:
    """The file name of a frame."""
    return f"{FRAME}{number:06d}.jpg"


def drop_frames(index: Path, video: str) -> None:
    """Delete the frames in the folder of a video; other files stay."""
    folder = frames_folder(index) / video
    (folder / f"{MARK}{PART}").unlink(missing_ok=True)
    if (folder / MARK).is_file():
        for frame in (*folder.glob(f"{FRAME}*"), folder / MARK):
            frame.unlink(missing_ok=True)
    with suppress(OSError):  # the folder holds other files, or does not exist
        folder.rmdir()
