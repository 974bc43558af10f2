"""The web application: routes, limits, problems and the page, around one engine."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import BaseRoute, Route

from place_search.core.memory import CEILING
from place_search.core.version import program_version
from place_search.photos import Decoder
from place_search.search.errors import ServerOptionError
from place_search.search.server.content.samples import Samples
from place_search.search.server.keys import ApiKey, KeyRing
from place_search.search.server.middleware.access import ApiKeyMiddleware
from place_search.search.server.middleware.body_limit import BodyLimit
from place_search.search.server.middleware.disconnects import Disconnects
from place_search.search.server.middleware.head import Head
from place_search.search.server.middleware.headers import SecurityHeaders
from place_search.search.server.middleware.hosts import Hosts
from place_search.search.server.middleware.indexes import Indexes
from place_search.search.server.middleware.origins import ANY, Origins
from place_search.search.server.middleware.proxies import Proxies
from place_search.search.server.middleware.request_log import RequestLog
from place_search.search.server.middleware.telemetry import Traces
from place_search.search.server.middleware.unchanged import Unchanged
from place_search.search.server.problems import add_problem_handlers
from place_search.search.server.reload import POLL_SECONDS, Reloader
from place_search.search.server.routes import compare as routes_compare
from place_search.search.server.routes import explain as routes_explain
from place_search.search.server.routes import groups as routes_groups
from place_search.search.server.routes import health as routes_health
from place_search.search.server.routes import indexes as routes_indexes
from place_search.search.server.routes import map as routes_map
from place_search.search.server.routes import places as routes_places
from place_search.search.server.routes import reports as routes_reports
from place_search.search.server.routes import search as routes_search
from place_search.search.server.routes import tracks as routes_tracks
from place_search.search.server.routes import writing as routes_writing
from place_search.search.server.routes.openapi import openapi_of
from place_search.search.server.routes.page import (
    add_docs,
    add_page,
    tiles_elsewhere,
    tiles_origin,
)
from place_search.search.server.served import ServedIndex, SharedModelLoader
from place_search.search.server.settings import ServerSettings
from place_search.search.server.state import EngineLoader, ServerState, Shared
from place_search.search.server.state_metrics import StateCollector
from place_search.search.server.writer import Writer

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

    from place_search.search.engine import Engine

TITLE = "place-search"
DESCRIPTION = (
    "Every path of `/v1` is below `/v1/indexes/{name}` too, for each index that "
    "`GET /v1/indexes` lists; without a name it leads to the first one."
)
MEMORY_SECONDS = 1.0
LARGEST_BODIES = 4
"""The number of bodies of the largest size that all requests together may hold in memory."""

# FastAPI's own spans have the query, and with it positions; those of `Traces` do not.
_NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "auto_configure": False,
}

ROUTERS = (
    routes_writing.named_router,
    routes_search.router,
    routes_compare.router,
    routes_explain.router,
    routes_groups.router,
    routes_indexes.router,
    routes_map.router,
    routes_places.router,
    routes_tracks.router,
    routes_writing.router,
    routes_reports.router,
    routes_health.router,
)


def routes_of(app: FastAPI) -> list[BaseRoute]:
    """All routes of an application, including those of its routers."""
    own = [route for route in app.routes if isinstance(route, Route)]
    return [*(route for router in ROUTERS for route in router.routes), *own]


def methods_of(app: FastAPI) -> list[str]:
    """The methods of all routes."""
    return sorted(
        {name for route in routes_of(app) for name in getattr(route, "methods", None) or ()}
    )


def create_app(
    engine: "Engine | EngineLoader",
    options: ServerSettings | None = None,
    *,
    decoder: Decoder | None = None,
    keys: KeyRing | Sequence[ApiKey] = (),
    index_folder: Path | None = None,
    poll_seconds: float = POLL_SECONDS,
    name: str = "index",
    others: Mapping[str, tuple[Path, EngineLoader]] = MappingProxyType({}),
    on_loaded: Callable[[ServerState], None] | None = None,
    traces: "TracerProvider | None" = None,
    samples: Samples | None = None,
) -> FastAPI:
    """The application around an engine, or around the loader of an engine.

    A loader runs in a thread once the server is up: until it ends, `/readyz` and all routes that
    need the index answer 503. `decoder` decodes the places' photos and is closed with the
    application; without it they are decoded in this process. With an `index_folder` the loader is
    called again, with the engine to replace, for each new version in the folder, and for those that
    a writable server makes. `others` are further indexes by name, folder and loader; the first is
    called `name`. `on_loaded` is called once all engines are loaded, or one has failed; `traces`
    takes the spans of requests; the pages offer `samples` to try.

    Raises:
        ServerError: the options name two sources of map tiles, or one that cannot be read, or a
            missing folder of reports.
    """
    options = options or ServerSettings()
    app = FastAPI(
        title=TITLE,
        summary="Find the place of a photo.",
        description=DESCRIPTION,
        version=program_version(),
        docs_url=None,
        openapi_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        lifespan=_lifespan,
        telemetry=_NO_TELEMETRY,
    )
    shared = Shared(options)
    # Reports are about the first index; a key for another index may not see them.
    service = ServerState(engine, options, shared, decoder=decoder, reports=options.reports)
    indexes = dict[str, ServedIndex]()
    shared.metrics.register(StateCollector(shared, indexes, decoder))

    def serve(
        name: str, folder: Path | None, load: "Engine | EngineLoader", state: ServerState
    ) -> None:
        reloader = writer = None
        if folder is not None and callable(load):
            reloader = Reloader(state, folder, load, poll_seconds=poll_seconds)
            if options.writable and decoder is not None:
                writer = Writer(state, folder, decoder, load)
        indexes[name] = ServedIndex(name, folder, state, reloader, writer)

    serve(name, index_folder, engine, service)
    for other, (folder, load) in others.items():
        loader = SharedModelLoader(folder, load, indexes)
        serve(other, folder, loader, ServerState(loader, options, shared, decoder=decoder))
    state = app.state
    state.indexes, state.on_loaded = indexes, on_loaded
    for router in ROUTERS:
        app.include_router(router)
    add_docs(app)
    ground = _add_ground(app, options)
    add_page(app, tiles=ground, reports=service.reports.served, samples=samples)
    state.routes = routes_of(app)
    add_problem_handlers(app)
    # The middleware that is added last handles a request first.
    app.add_middleware(Disconnects)
    app.add_middleware(Unchanged)
    app.add_middleware(
        ApiKeyMiddleware,
        routes=state.routes,
        keys=keys,
        public=options.public,
        rate=options.rate,
    )
    app.add_middleware(Origins, routes=state.routes, allowed=options.cors)
    app.add_middleware(Indexes, indexes=indexes)
    if options.allowed_hosts:
        app.add_middleware(Hosts, names=options.allowed_hosts)
    app.add_middleware(
        BodyLimit,
        max_bytes=options.max_body_bytes,
        max_held_bytes=LARGEST_BODIES * options.max_body_bytes,
        seconds=options.read_seconds,
    )
    if options.cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(options.cors),
            allow_methods=methods_of(app),
            allow_headers=[
                *("Authorization", "Content-Type", "Idempotency-Key", "If-Match"),
                *("If-None-Match", "X-API-Key", "X-Request-ID"),
            ],
            expose_headers=["ETag", "Location", "Retry-After", "X-Request-ID"],
        )
    tiles = None if options.tiles_url is None else tiles_origin(options.tiles_url)
    app.add_middleware(SecurityHeaders, images_from=tiles, shared=ANY in options.cors)
    if traces is not None:
        app.add_middleware(Traces, provider=traces)
    app.add_middleware(
        RequestLog,
        metrics=shared.metrics,
        write=options.log,
        addresses=options.log_addresses,
    )
    app.add_middleware(
        Proxies,
        routes=state.routes,
        root_path=options.root_path,
        proxies=options.trusted_proxies,
    )
    # All other middleware sees a GET, so that HEAD is allowed, counted and limited like GET.
    app.add_middleware(Head)
    app.openapi = lambda: openapi_of(app, state.routes)  # type: ignore[method-assign]
    return app


def _add_ground(app: FastAPI, options: ServerSettings) -> dict[str, Any] | None:
    """Serve the map's tiles from a file, if any; returns the facts of the tiles for the pages."""
    if options.tiles_file is None:
        return None if options.tiles_url is None else tiles_elsewhere(options.tiles_url)
    if options.tiles_url is not None:
        raise ServerOptionError(
            "A map has one ground: give --tiles-url or --tiles-file, not both.", "tiles_url"
        )
    from place_search.search.server.routes.tiles import ADDRESS, TileFile, add_tiles

    file = TileFile(options.tiles_file)
    add_tiles(app, file)
    first, last = file.zooms
    about = {"url": ADDRESS, "attribution": file.attribution, "bounds": file.bounds}
    return {**about, "min_zoom": first, "max_zoom": last}


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    indexes: Mapping[str, ServedIndex] = app.state.indexes
    loading = asyncio.create_task(_load(app, list(indexes.values())))
    watching = [
        asyncio.create_task(served.reloader.run()) for served in indexes.values() if served.reloader
    ]
    freeing = asyncio.create_task(_free_memory([served.service for served in indexes.values()]))
    yield
    for task in (freeing, *watching, loading):
        task.cancel()
    for served in indexes.values():
        served.service.close()


async def _load(app: FastAPI, indexes: Sequence[ServedIndex]) -> None:
    """Load one index after the other, so that indexes of one model share it."""
    reported = indexes[0].service
    for served in indexes:
        await served.service.load()
        if served.service.failure is not None:
            reported = served.service
            break
    if app.state.on_loaded is not None:
        app.state.on_loaded(reported)


async def _free_memory(services: Sequence[ServerState]) -> None:
    """Enforce the limit on memory until cancelled: answers take memory too, not only graphs."""
    while True:
        await asyncio.sleep(MEMORY_SECONDS)
        for service in services:
            service.tracks.tidy(service.loaded)
        await asyncio.to_thread(CEILING.enforce)
