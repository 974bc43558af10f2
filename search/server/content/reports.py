"""Evaluation reports, as `place-search eval --report` writes them, for the pages to show."""

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from place_search.core.files import read_regular
from place_search.core.text import encodable, parse_json
from place_search.search.errors import ServerError, UnknownReportError
from place_search.search.server.content.schemas import ReportReply

PAGE = "index.html"
ABOUT = "report.json"
FILES: Mapping[str, str] = {
    PAGE: "text/html",
    ABOUT: "application/json",
    "queries.csv": "text/csv",
    "recall.csv": "text/csv",
    "recall.md": "text/plain",
    "recall.svg": "image/svg+xml",
}
"""The files of a report's folder that are served, with their media types."""


class Reports:
    """A folder of reports, or one report."""

    def __init__(self, folder: Path | None) -> None:
        """Raises `ServerError` where there is no such folder."""
        self._folder = folder and folder.resolve()
        if self._folder is not None and not self._folder.is_dir():
            raise ServerError(f"{folder} is no folder of reports; check --reports.")

    @property
    def served(self) -> bool:
        """Whether the server has a folder of reports."""
        return self._folder is not None

    def all(self) -> list[ReportReply]:
        """The figures of all reports, the newest first; folders without a report are left out."""
        reports = [_read(name, folder) for name, folder in self._folders().items()]
        return sorted(filter(None, reports), key=lambda report: report.created, reverse=True)

    def file(self, report: str, name: str) -> Path:
        """The path of a report's file.

        Raises:
            UnknownReportError: there is no such report, or it has no such file.
        """
        folder = self._folders().get(report)
        path = Path() if folder is None else folder / name
        if folder is None or name not in FILES or not self._holds(path):
            raise UnknownReportError("There is no such report; /v1/reports lists them.")
        return path

    def _folders(self) -> dict[str, Path]:
        """The folders of reports by name; a request's name is only looked up here."""
        if self._folder is None:
            return {}
        if self._holds(self._folder / ABOUT):
            return {self._folder.name: self._folder}
        try:
            children = sorted(self._folder.iterdir())
        except OSError:
            return {}
        # No address can have a name that is not UTF-8.
        named = [child for child in children if encodable(child.name) == child.name]
        return {child.name: child for child in named if self._holds(child / ABOUT)}

    def _holds(self, path: Path) -> bool:
        """Whether a file exists, and is no link that leads out of the folder."""
        assert self._folder is not None  # noqa: S101 - it has files
        return path.is_file() and path.resolve().is_relative_to(self._folder)


def _read(name: str, folder: Path) -> ReportReply | None:
    try:
        created = (folder / ABOUT).stat().st_mtime
        about: dict[str, Any] = parse_json(read_regular(folder / ABOUT))
        fields = {field: about[field] for field in _COPIED_FIELDS}
        shown: dict[str, Any] = {
            field: encodable(value) if isinstance(value, str) else value
            for field, value in fields.items()
        }
        reply = ReportReply(
            name=name,
            created=datetime.fromtimestamp(created, UTC).isoformat(timespec="seconds"),
            **shown,
        )
        reply.model_dump_json()  # raises ValueError where one would end the whole list
        return reply
    except (OSError, ValueError, KeyError, TypeError):
        return None  # no report, or an unfinished one


_COPIED_FIELDS = ("truth", "protocol", "model", "queries", "database", "recall", "chance")
