"""Evaluation reports, where the server was given a folder of them."""

from urllib.parse import quote

from fastapi import APIRouter
from starlette.responses import FileResponse, Response

from place_search.search.server.content.fields import CHECKED_FIELDS
from place_search.search.server.content.reports import FILES, PAGE
from place_search.search.server.content.schemas import ReportReply
from place_search.search.server.problems import BAD_PARAMETER, documented
from place_search.search.server.roles import allows
from place_search.search.server.served import CurrentState

router = APIRouter(tags=["reports"])

# A report needs no other file. The policy protects from reports that `eval` has not made.
POLICY = (
    "default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "sandbox allow-scripts allow-downloads"
)


@router.get(
    "/v1/reports",
    summary="Evaluation reports",
    responses=documented(BAD_PARAMETER),
    dependencies=[CHECKED_FIELDS],
)
@allows("read")
def reports(service: CurrentState) -> list[ReportReply]:
    """The figures of evaluations, the newest first; none where the server has no folder of reports.

    The page of each is at `/reports/NAME/`.
    """
    return service.reports.all()


@router.get("/reports/{name}/", include_in_schema=False)
@allows("read")
def report_page(service: CurrentState, name: str) -> Response:
    """A report's page."""
    return _send(service, name, PAGE)


@router.get("/reports/{name}/{file}", include_in_schema=False)
@allows("read")
def report_file(service: CurrentState, name: str, file: str) -> Response:
    """Another file of a report."""
    return _send(service, name, file)


def _send(service: CurrentState, name: str, file: str) -> Response:
    headers = {"Content-Security-Policy": POLICY, "Cache-Control": "private, no-cache"}
    path = service.reports.file(name, file)
    if file != PAGE:
        headers["Content-Disposition"] = f"inline; filename*=UTF-8''{quote(f'{name}-{file}')}"
    return FileResponse(path, media_type=FILES[file], headers=headers)
