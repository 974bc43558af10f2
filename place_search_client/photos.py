"""The photos that the client takes: a path, the content of a file, or an open file."""

from collections.abc import Iterable
from os import PathLike
from pathlib import Path
from typing import IO, Any

Content = bytes | bytearray | memoryview
Photo = str | PathLike[str] | Content | IO[bytes]
"""A photo's path, the content of its file, or the file, opened to read bytes."""


def content_of(photo: Photo) -> bytes:
    """The bytes of a photo; an open file is read from its present position.

    Raises:
        TypeError: the photo is not a path, bytes or a file opened to read bytes.
        OSError: the file cannot be read, is closed, or was read to its end before.
    """
    if isinstance(photo, Content):
        return bytes(photo)
    if isinstance(photo, str | PathLike):
        return Path(photo).read_bytes()
    if not hasattr(photo, "read"):
        raise TypeError(
            "A photo is the path of a file or the content of one as bytes, not of the type "
            f"{type(photo).__name__}; save a picture into an io.BytesIO, and give its getvalue()."
        )
    try:
        content: object = photo.read()
    except ValueError as error:  # closed
        raise OSError(f"The file of a photo cannot be read: {error}.") from None
    if content == b"":
        raise OSError("The file of a photo is empty, or was read to its end before; open it again.")
    if isinstance(content, bytes):
        return content
    raise TypeError("The file of a photo gives no bytes; open it with mode 'rb'.")


def files_of(
    photos: Photo | Iterable[Photo], *, named: bool = False
) -> list[tuple[str, tuple[str, bytes]]]:
    """One photo or several as fields of a form, `named` by their files, else by their numbers.

    Raises: as `content_of`.
    """
    several: Any = photos
    is_single = isinstance(photos, str | PathLike | Content) or hasattr(photos, "read")
    if is_single or not isinstance(photos, Iterable):
        several = (photos,)
    return [
        ("photo", (_name(photo, at) if named else f"{at}", content_of(photo)))
        for at, photo in enumerate(several)
    ]


def _name(photo: Photo, number: int) -> str:
    """The name of a photo's file; its number where the photo has no name."""
    path = photo if isinstance(photo, str | PathLike) else getattr(photo, "name", None)
    return Path(path).name if isinstance(path, str | PathLike) else f"{number}"
