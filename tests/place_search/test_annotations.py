"""Programs that wrap the functions can name the types of all arguments and results."""

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any
from zipfile import ZipFile

import numpy as np
import pytest

import place_search
import place_search_client
from place_search import annotations
from place_search.arguments import source_of
from place_search_client.photos import content_of

OF_PYTHON = {"Any", "Iterable", "Iterator", "AsyncIterator", "Literal", "NDArray", "Sequence"}
OF_PYTHON |= {"SupportsIndex", "Unpack"}
FUNCTIONS = [
    function
    for name in place_search.__all__
    if inspect.isfunction(function := getattr(place_search, name))
]
METHODS = [
    method
    for kind in (place_search_client.Client, place_search_client.AsyncClient)
    for name, method in inspect.getmembers(kind, inspect.isfunction)
    if not name.startswith("_")
]


@pytest.mark.parametrize(
    ("function", "module"),
    [
        *((function, annotations) for function in FUNCTIONS),
        *((method, place_search_client) for method in METHODS),
    ],
    ids=lambda value: getattr(value, "__qualname__", value.__name__),
)
def test_the_types_of_a_signature_can_be_imported(
    function: Callable[..., object], module: ModuleType
) -> None:
    (definition,) = ast.parse(textwrap.dedent(inspect.getsource(function))).body
    assert isinstance(definition, ast.FunctionDef | ast.AsyncFunctionDef)
    taken = definition.args
    parts = [part.annotation for part in (*taken.args, *taken.kwonlyargs, taken.kwarg) if part]
    named = {name for part in (*parts, definition.returns) if part for name in types_in(part)}
    assert named - OF_PYTHON <= set(module.__all__)


def types_in(annotation: ast.AST) -> Iterator[str]:
    """The names of types in an annotation, and in the texts in it."""
    for node in ast.walk(annotation):
        if isinstance(node, ast.Name) and node.id[0].isupper():
            yield node.id
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from types_in(ast.parse(node.value))


def test_all_that_is_named_is_there() -> None:
    names: dict[str, Any] = vars(annotations)
    assert annotations.__all__ == sorted(annotations.__all__)
    assert set(annotations.__all__) <= names.keys()


def test_a_file_of_an_archive_is_a_photo(tmp_path: Path) -> None:
    """mypy checks this too: such files are typed IO[bytes], not BinaryIO."""
    with ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.jpg", b"photo")
        with archive.open("a.jpg") as member:
            photo: annotations.Photo = member
            assert source_of(photo) == b"photo"
        with archive.open("a.jpg") as member:
            sent: place_search_client.Photo = member
            assert content_of(sent) == b"photo"


# mypy checks these: the ids of `Index.place_ids` are no `int`.
_CLIENT = place_search_client.Client
_TAKE_IDS_OF_NUMPY: list[Callable[[Any, np.int64], object]] = [
    _CLIENT.place,
    _CLIENT.similar,
    _CLIENT.remove,
    annotations.Index.place,
    annotations.Index.thumbnail,
    annotations.Index.codes,
]
