"""What is written about the server is true of it."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from docs.generators.errors import DOCUMENT as ERRORS
from docs.generators.errors import REMEDIES, render_errors
from docs.generators.openapi import DOCUMENT as OPENAPI
from docs.generators.openapi import render_openapi
from docs.generators.types import (
    CLIENT,
    PAGES,
    render_client,
    render_pages,
)
from place_search.indexer import build_index, open_source
from place_search.models import open_model
from place_search.photos import Decoder
from place_search.search.engine import Engine
from place_search.search.server.app import create_app
from place_search.search.server.content.schemas import Reply, SizeReply
from place_search.search.server.problems import PROBLEMS
from place_search.search.server.served import ServedIndex
from place_search.search.server.server import open_engine
from place_search.search.server.settings import ServerSettings
from place_search.search.server.state import ServerState
from place_search.search.server.writer import Writer

ROOT = Path(__file__).parents[2]
RENDERED = render_openapi()
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


def test_the_errors_are_documented() -> None:
    assert set(REMEDIES) == set(PROBLEMS)
    assert (ROOT / ERRORS).read_text("utf-8") == render_errors(), (
        "the table has changed; run: python -m docs.generators.errors"
    )


def test_the_api_is_documented() -> None:
    assert (ROOT / OPENAPI).read_text("utf-8") == RENDERED, (
        "the API has changed; run: python -m docs.generators.openapi"
    )


def test_every_reply_has_an_example_that_is_one() -> None:
    """As a server of the demo gave it, with no field too many or too few."""
    document = json.loads(RENDERED)
    seen = set()
    for operations in document["paths"].values():
        for operation in operations.values():
            for status, response in operation["responses"].items():
                for content in response.get("content", {}).values():
                    schema = content["schema"]
                    if status[0] == "2" and schema.get("format") != "binary":
                        example = content["example"]
                        if "items" in schema:
                            schema, (example,) = schema["items"], example
                        name = schema["$ref"].rpartition("/")[2]
                        reply = _subclasses(Reply)[name]
                        given = reply.model_validate(example, extra="ignore")
                        assert given.model_dump(mode="json", exclude_unset=True) == example
                        seen.add(name)
    kept = files("place_search.search.server.content").joinpath("examples.json")
    assert set(json.loads(kept.read_text("utf-8"))) == seen


def _subclasses(of: type[BaseModel]) -> dict[str, type[BaseModel]]:
    found: dict[str, type[BaseModel]] = {}
    for model in of.__subclasses__():
        found |= {model.__name__: model} | _subclasses(model)
    return found


def test_the_types_of_pages_and_client_are_those_of_the_api() -> None:
    for file, text in ((PAGES, render_pages()), (CLIENT, render_client())):
        assert (ROOT / file).read_text("utf-8") == text, (
            "the API has changed; run: python -m docs.generators.types"
        )


OPERATIONS = [
    f"{method.upper()} {path}"
    for path, operations in json.loads(RENDERED)["paths"].items()
    for method in operations
]
CHANGES = [
    label for label in OPERATIONS if label.startswith(("POST /v1/places", "PATCH", "DELETE"))
]
WITH_PHOTOS = [
    label for label in OPERATIONS if label.startswith("POST") and not label.endswith("/restore")
]


def ask_as_documented(app: FastAPI, label: str, photos: Sequence[bytes], examples: int) -> set[int]:
    """Ask an operation what its description allows; returns the statuses of the answers.

    Where there are `photos`, the files that are sent are some of them.
    """
    schema = schemathesis.openapi.from_dict(json.loads(RENDERED))
    schema.app = app
    method, path = label.split(" ", 1)
    operation = schema[path][method]
    statuses = set()
    service: ServerState = app.state.indexes["index"].service
    track = service.tracks.open(service.engine)

    # Whether a photo is among what is sent must not be left to chance.
    @settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=bool(photos),
    )
    @given(case=operation.as_strategy(), data=st.data())
    def ask(case: schemathesis.Case[Any], data: st.DataObject) -> None:
        if photos and "track_id" in (case.path_parameters or {}):
            case.path_parameters["track_id"] = track.track_id
        if photos and isinstance(case.body, dict):
            for field in {"photo", "image1", "image2"} & set(case.body):
                photo: Any = data.draw(st.sampled_from(photos), field)
                many = isinstance(case.body[field], list)
                case.body[field] = [photo] if many else photo
        statuses.add(case.call_and_validate(checks=CHECKS).status_code)

    ask()
    return statuses


@pytest.mark.slow
@pytest.mark.parametrize("label", OPERATIONS)
def test_the_api_does_as_documented(engine: Engine, label: str) -> None:
    ask_as_documented(create_app(engine), label, [], 20)


@pytest.fixture(scope="module")
def few(street: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an index of four places."""
    base = tmp_path_factory.mktemp("few")
    (base / "photos").mkdir()
    for place in range(4):
        (base / "photos" / f"{place}.jpg").write_bytes(street.query(place))
    build_index(open_source(base / "photos"), base / "index", open_model())
    return base


@pytest.fixture
def writable(few: Path, engine: Engine) -> Iterator[FastAPI]:
    """An application that may change its index."""
    decoder = Decoder(workers=1)

    def load(served: Engine) -> Engine:
        return open_engine(few / "index", ServerSettings(), decoder=decoder, served=served)

    app = create_app(load(engine), decoder=decoder)
    index: ServedIndex = app.state.indexes["index"]
    writer = Writer(index.service, few / "index", decoder, load)
    app.state.indexes["index"] = replace(index, writer=writer)
    yield app
    decoder.close()


@pytest.mark.slow
@pytest.mark.parametrize("label", WITH_PHOTOS)
def test_photos_are_taken_as_documented(writable: FastAPI, street: Any, label: str) -> None:
    photos = [street.query(place) for place in (5, 6)]
    taken = ask_as_documented(writable, label, [*photos, photos[0][:3000], b"no photo"], 15)
    assert taken & {200, 201}, "no photo was taken"


@pytest.mark.slow
@pytest.mark.parametrize("label", CHANGES)
def test_the_index_is_changed_as_documented(writable: FastAPI, label: str) -> None:
    assert 405 not in ask_as_documented(writable, label, [], 15)


def test_the_openapi_file_names_every_problem_status() -> None:
    described = json.loads((ROOT / OPENAPI).read_text("utf-8"))
    statuses = set(described["paths"]["/v1/search"]["post"]["responses"])
    assert {"400", "401", "408", "413", "415", "422", "429", "503"} <= statuses


def test_what_may_befall_any_request_is_documented_of_each() -> None:
    for path, operations in json.loads(RENDERED)["paths"].items():
        for method, operation in operations.items():
            wanted = {"421", "429"} | ({"408", "413"} if method != "get" else set())
            assert wanted <= set(operation["responses"]), (method, path)


def test_replies_may_gain_fields_and_what_is_sent_has_those_that_there_are() -> None:
    schemas = json.loads(RENDERED)["components"]["schemas"]
    closed = {name for name, schema in schemas.items() if "additionalProperties" in schema}
    sent = {name for name in schemas if name.startswith("Body_") or name.endswith("Patch")}
    assert closed == sent
    assert not any(schemas[name]["additionalProperties"] for name in closed)
    with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
        SizeReply.model_validate({"width": 1, "height": 1, "depth": 1})


def test_files_are_described_as_makers_of_clients_know_them() -> None:
    """Without the format `binary` they make clients that send a photo as text."""
    document = json.loads(RENDERED)
    schemas = document["components"]["schemas"]
    forms = {name: form for name, form in schemas.items() if name.startswith("Body_")}
    assert len(forms) >= 6
    for name, form in forms.items():
        assert form["additionalProperties"] is False, name
        files = [
            field.get("items", field)
            for key, field in form["properties"].items()
            if key in ("photo", "image1", "image2")
        ]
        assert files, name
        assert {file["format"] for file in files} == {"binary"}, name
    pictures = document["paths"]["/v1/places/{place_id}/image"]["get"]["responses"]["200"]
    assert pictures["content"]["image/jpeg"]["schema"]["format"] == "binary"
