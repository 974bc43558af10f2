"""The photos of an upload: photos as they are, and those of zip and tar archives, one by one."""

import io
import stat
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import suppress
from email.errors import HeaderParseError
from email.header import decode_header, make_header
from pathlib import PurePosixPath
from typing import NamedTuple

from place_search.indexer.sources.walk import is_system_folder
from place_search.search.errors import ParameterError

MAX_PHOTOS = 500
"""The largest number of photos in a request."""
LONGEST_FILE = 1000
"""The number of letters of a file's name that the answer repeats."""
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ\0", b"\x28\xb5\x2f\xfd", b"7z\xbc\xaf")
"""The first bytes of gzip, bzip2, xz, Zstandard and 7-Zip files, which no photo has."""
_LINK = "It is a link or a device in its archive; pack the photo itself."


class SentPhoto(NamedTuple):
    """A photo with its file's name; where it cannot be read, no `content`, but a `problem`."""

    file: str
    content: bytes
    problem: str = ""


def photos_of(uploads: Sequence[tuple[str, bytes]], max_bytes: int) -> list[SentPhoto]:
    """The photos of uploaded files, names and contents.

    A photo may have `max_bytes`, all together twice as many: photos are compressed already, so an
    archive that unpacks to far more is made to fill the memory.

    Raises:
        ParameterError: an archive that is damaged, no photo, too many, or too much in all.
    """
    sent: list[SentPhoto] = []
    total = 0
    for file, content in uploads:
        for photo in _photos_in(file, content, max_bytes):
            named = photo.file.removeprefix("./")[:LONGEST_FILE]  # as `tar cf x.tar .` writes it
            sent.append(photo._replace(file=named))
            total += len(photo.content)
            if len(sent) > MAX_PHOTOS or total > 2 * max_bytes:
                raise ParameterError(
                    f"The request brings more than {MAX_PHOTOS} photos, or more than "
                    f"{2 * max_bytes // 2**20} MiB unpacked; send the others in further requests.",
                    "photo",
                )
    if not sent:
        raise ParameterError(f"The request brings no photo; send from 1 to {MAX_PHOTOS}.", "photo")
    return sent


def _photos_in(file: str, content: bytes, max_bytes: int) -> Iterator[SentPhoto]:
    """The photos of one uploaded file, each with at most `max_bytes`.

    Archives are not unpacked to disk. Folders, hidden files, bins and thumbnails are left out, as
    of a folder; links, and files with paths outside of the archive, become photos with a problem.

    Raises:
        ParameterError: an archive that is damaged.
    """
    try:
        if content[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            yield from _zipped(content, max_bytes)
        elif content[257:262] == b"ustar":
            yield from _tarred(content, max_bytes)
        elif content.startswith(_COMPRESSED):
            raise ValueError
        else:
            yield SentPhoto(_plain(file), content)
    except Exception:  # of many kinds, as the archive comes from a stranger
        raise ParameterError(
            f"The archive {file[:80]} is damaged or packed in an unusual way; send a zip or an "
            "uncompressed tar.",
            "photo",
        ) from None


def _zipped(content: bytes, max_bytes: int) -> Iterator[SentPhoto]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        for info in archive.infolist():
            if info.is_dir() or _is_hidden(info.filename):
                continue
            if problem := _outside(info.filename):
                yield SentPhoto(info.filename, b"", problem)
            elif stat.S_ISLNK(info.external_attr >> 16):
                yield SentPhoto(info.filename, b"", _LINK)
            elif info.flag_bits & 1:
                yield SentPhoto(info.filename, b"", "It is encrypted; send it without a password.")
            elif info.file_size > max_bytes:
                yield SentPhoto(info.filename, b"", _too_large(max_bytes))
            else:
                with archive.open(info) as member:
                    # The header may give less than the member's size.
                    unpacked = member.read(max_bytes + 1)
                large = len(unpacked) > max_bytes
                yield SentPhoto(
                    info.filename, b"" if large else unpacked, _too_large(max_bytes) * large
                )


def _tarred(content: bytes, max_bytes: int) -> Iterator[SentPhoto]:
    with tarfile.open(fileobj=io.BytesIO(content), mode="r:") as archive:
        for info in archive:
            if info.isdir() or _is_hidden(info.name):
                continue
            name = info.name.encode("utf-8", "replace").decode()
            if problem := _outside(name):
                yield SentPhoto(name, b"", problem)
            elif info.issym() or info.islnk() or info.isdev():
                yield SentPhoto(name, b"", _LINK)
            # The holes of a sparse file would take memory beyond the sent bytes.
            elif info.size > max_bytes or info.issparse():
                yield SentPhoto(name, b"", _too_large(max_bytes))
            elif (member := archive.extractfile(info)) is not None:
                yield SentPhoto(name, member.read())
        # At a damaged header tarfile ends without an error.
        if content[archive.offset : archive.offset + tarfile.BLOCKSIZE] != bytes(tarfile.BLOCKSIZE):
            raise ValueError


def _plain(file: str) -> str:
    """A file's name, which .NET sends as mail does where it is not ASCII (RFC 2047)."""
    if not file.startswith("=?"):
        return file
    with suppress(ValueError, LookupError, HeaderParseError):
        return str(make_header(decode_header(file)))
    return file


def _path(name: str) -> PurePosixPath:
    return PurePosixPath(name.replace("\\", "/"))  # as some programs for Windows write it


def _is_hidden(name: str) -> bool:
    parts = [part for part in _path(name).parts if part != ".."]
    in_system = any(map(is_system_folder, parts[:-1]))
    return in_system or any(part.startswith(".") for part in parts)


def _outside(name: str) -> str:
    """The problem of a path that leads out of the packed folder; "" for a path inside."""
    path = _path(name)
    if not path.is_absolute() and ".." not in path.parts:
        return ""
    return "Its path leads out of the archive; pack it by a path without '..' and a leading '/'."


def _too_large(max_bytes: int) -> str:
    return f"It has more than {max_bytes // 2**20} MiB; send a smaller photo."
