"""What is written about the server is true of it."""

import json
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from search import Engine, create_app
from search.error_page import DOCUMENT as ERRORS
from search.error_page import MENDS, render_errors
from search.openapi_file import DOCUMENT as OPENAPI
from search.openapi_file import render_openapi
from search.problems import PROBLEMS

ROOT = Path(__file__).parents[2]
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def test_the_errors_are_documented() -> None:
    assert set(MENDS) == set(PROBLEMS)
    assert (ROOT / ERRORS).read_text("utf-8") == render_errors(), (
        "the table has changed; run: python -m search.error_page"
    )


def test_the_api_is_documented() -> None:
    assert (ROOT / OPENAPI).read_text("utf-8") == render_openapi(), (
        "the API has changed; run: python -m search.openapi_file"
    )


@pytest.mark.parametrize(
    "label",
    [
        f"{method.upper()} {path}"
        for path, operations in json.loads(render_openapi())["paths"].items()
        for method in operations
    ],
)
def test_the_api_does_as_documented(engine: Engine, label: str) -> None:
    schema = schemathesis.openapi.from_asgi("/openapi.json", create_app(engine))
    found = {operation.ok().label: operation.ok() for operation in schema.get_all_operations()}  # type: ignore[union-attr]
    operation = found[label]

    @settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy())
    def ask(case: schemathesis.Case[Any]) -> None:
        case.call_and_validate(checks=CHECKS)

    ask()


def test_the_openapi_file_names_every_problem_status() -> None:
    described = json.loads((ROOT / OPENAPI).read_text("utf-8"))
    statuses = set(described["paths"]["/v1/search"]["post"]["responses"])
    assert {"400", "401", "408", "413", "415", "422", "429", "503"} <= statuses
