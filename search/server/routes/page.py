"""The web pages' files, the map library's, and the API's documentation page."""

import gzip
import hashlib
import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from place_search.search.errors import ServerOptionError
from place_search.search.server.content.samples import Samples
from place_search.search.server.roles import Access, allows

# Python's own table follows that of the machine, which may lack these types.
MEDIA_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".jpg": "image/jpeg",
    ".webmanifest": "application/manifest+json",
}

# Swagger UI starts from an inline script and styles itself inline.
DOCS_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors 'none'"
)
DOCS_FILES = ("swagger-ui-bundle.js", "swagger-ui.css", "favicon.png")

OPENAPI = "/openapi.json"
LEAFLET = "/vendor/leaflet"
LEAFLET_FILES = (
    "leaflet.js",
    "leaflet.css",
    "images/layers.png",
    "images/layers-2x.png",
    "images/marker-icon.png",
    "images/marker-icon-2x.png",
    "images/marker-shadow.png",
)
OPENSTREETMAP = "openstreetmap.org"
ATTRIBUTION = "© OpenStreetMap contributors"


def add_page(
    app: FastAPI, *, tiles: Mapping[str, Any] | None, reports: bool, samples: Samples | None
) -> None:
    """Serve the files of the package `web`: index.html at /, other.html at /other.

    /page.json gives the pages the facts of the server: the map's `tiles`, if there are any, whether
    it shows `reports`, and its `samples`, if any.
    """
    for file in sorted(_package_folder("place_search.web").iterdir()):
        if file.suffix in MEDIA_TYPES:
            _add_file(app, _address(file), file)
    leaflet = _package_folder("xstatic.pkg.leaflet") / "data"
    for name in LEAFLET_FILES:
        _add_file(app, f"{LEAFLET}/{name}", leaflet / name)

    for address, photo in samples.files.items() if samples else ():
        _add_file(app, f"/{address}", photo, access="read")
    offered = {"samples": samples.addresses()} if samples else {}

    @allows("open")
    async def about_page(request: Request) -> Response:
        about = {"tiles": tiles, "reports": reports, **offered}
        return JSONResponse(about, headers={"Cache-Control": "no-cache"})

    app.add_route("/page.json", about_page, include_in_schema=False)


def tiles_elsewhere(tiles_url: str) -> dict[str, Any]:
    """The facts that pages need of tiles from another host."""
    host = urlsplit(tiles_url).hostname or ""
    is_openstreetmap = host == OPENSTREETMAP or host.endswith(f".{OPENSTREETMAP}")
    return {"url": tiles_url, "attribution": ATTRIBUTION if is_openstreetmap else host}


def tiles_origin(tiles_url: str) -> str:
    """The origin that browsers must be allowed to fetch map tiles from.

    Raises:
        ServerOptionError: not an http or https address with {x}, {y} and {z} in its path.
    """
    parts = urlsplit(tiles_url)
    in_place = all(name in parts.path for name in ("{x}", "{y}", "{z}"))
    plain = not any(sign in parts.netloc for sign in " ;,'\"{}@")
    if parts.scheme not in ("http", "https") or not parts.hostname or not (in_place and plain):
        raise ServerOptionError(
            f"'{tiles_url}' is no address of map tiles; give --tiles-url one such as "
            "https://tiles.example.org/{z}/{x}/{y}.png.",
            "tiles_url",
        )
    return f"{parts.scheme}://{parts.netloc}"


def add_docs(app: FastAPI) -> None:
    """Serve /docs with the files of the package `fastapi-offline`: no network is needed."""
    folder = _package_folder("fastapi_offline") / "static"
    for name in DOCS_FILES:
        _add_file(app, f"/docs/{name}", folder / name)
    app.add_route("/docs", _docs, include_in_schema=False)
    app.add_route(OPENAPI, _openapi, include_in_schema=False)


@allows("open")
def _openapi(request: Request) -> JSONResponse:
    # In a thread: the first schema takes half a second to make.
    root_path = request.scope["root_path"]
    servers = {"servers": [{"url": root_path}]} if root_path else {}
    return JSONResponse({**request.app.openapi(), **servers})


@allows("open")
async def _docs(request: Request) -> HTMLResponse:
    root_path = request.scope["root_path"]
    page = get_swagger_ui_html(
        openapi_url=f"{root_path}{OPENAPI}",
        title=f"{request.app.title} API",
        swagger_js_url=f"{root_path}/docs/swagger-ui-bundle.js",
        swagger_css_url=f"{root_path}/docs/swagger-ui.css",
        swagger_favicon_url=f"{root_path}/docs/favicon.png",
    )
    page.headers["Content-Security-Policy"] = DOCS_POLICY
    return page


def _package_folder(package: str) -> Path:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise ModuleNotFoundError(f"The package {package} is not installed.", name=package)
    return Path(spec.submodule_search_locations[0])


def _address(file: Path) -> str:
    if file.name == "index.html":
        return "/"
    return f"/{file.stem if file.suffix == '.html' else file.name}"


class _File:
    """A file for clients with this `access`, as an ASGI application; text is compressed."""

    def __init__(self, file: Path, access: Access) -> None:
        self.access = access
        self._file = file
        self._packed: tuple[int, bytes, str] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if not self._file.is_file():
            raise HTTPException(404)
        media_type = MEDIA_TYPES[self._file.suffix]
        headers = {"Cache-Control": "no-cache", "Vary": "Accept-Encoding"}
        response: Response
        if self._file.suffix in (".png", ".jpg") or not _takes_gzip(scope):
            response = FileResponse(self._file, media_type=media_type, headers=headers)
        else:
            packed, tag = self._gzipped()
            headers |= {"Content-Encoding": "gzip", "ETag": tag}
            response = Response(packed, media_type=media_type, headers=headers)
        await response(scope, receive, send)

    def _gzipped(self) -> tuple[bytes, str]:
        """The file packed, and its ETag."""
        changed = self._file.stat().st_mtime_ns
        if self._packed is None or self._packed[0] != changed:
            packed = gzip.compress(self._file.read_bytes(), mtime=0)
            # Of the content: another version of the program may have files of the same time.
            self._packed = changed, packed, f'"{hashlib.sha256(packed).hexdigest()[:24]}"'
        return self._packed[1:]


def _takes_gzip(scope: Scope) -> bool:
    codings = Headers(scope=scope).get("Accept-Encoding", "").lower().split(",")
    weights = {name.strip(): weight for name, _, weight in (c.partition(";") for c in codings)}
    weight = weights.get("gzip", "q=0").partition("=")[2].strip()
    return not weight or weight.strip("0.") != ""


def _add_file(app: FastAPI, address: str, file: Path, access: Access = "open") -> None:
    app.router.routes.append(Route(address, _File(file, access), methods=["GET"]))
