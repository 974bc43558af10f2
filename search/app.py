"""The web application: routes, limits, problems and the page, around one engine."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from search import routes_compare, routes_health, routes_places, routes_search
from search.body_limit import BodyLimit
from search.headers import SecurityHeaders
from search.options import ServerOptions
from search.page import add_docs, add_page
from search.problems import add_problem_handlers
from search.schemas import ProblemReply
from search.service import EngineLoader, Service

if TYPE_CHECKING:
    from search.engine import Engine

TITLE = "place-search"


def create_app(engine: "Engine | EngineLoader", options: ServerOptions | None = None) -> FastAPI:
    """The application around an engine, or around what loads one.

    A loader runs in a thread once the server is up: until it is done `/readyz` and everything that
    needs the index answer 503.
    """
    options = options or ServerOptions()
    app = FastAPI(
        title=TITLE,
        summary="Find the place of a photo.",
        version=_version(),
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
        lifespan=_lifespan,
    )
    app.state.service = Service(engine, options)
    for routes in (routes_search, routes_compare, routes_places, routes_health):
        app.include_router(routes.router)
    add_docs(app)
    add_page(app)
    add_problem_handlers(app)
    app.add_middleware(BodyLimit, max_bytes=options.max_body_bytes)
    app.add_middleware(SecurityHeaders)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]
    return app


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    service: Service = app.state.service
    loading = asyncio.create_task(service.load())
    yield
    loading.cancel()
    service.close()


def _version() -> str:
    try:
        return version("place-search")
    except PackageNotFoundError:
        return "0"


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's schema with our problems in place of its own validation errors."""
    if app.openapi_schema is None:
        schema = get_openapi(
            title=app.title, version=app.version, summary=app.summary, routes=app.routes
        )
        schemas = schema["components"]["schemas"]
        schemas.pop("HTTPValidationError", None)
        schemas.pop("ValidationError", None)
        problem = ProblemReply.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas.update(problem.pop("$defs"))
        schemas["ProblemReply"] = problem
        for operations in schema["paths"].values():
            for operation in operations.values():
                if "HTTPValidationError" in str(operation["responses"].get("422")):
                    del operation["responses"]["422"]
        app.openapi_schema = schema
    return app.openapi_schema
