"""The commands, one module a family; each adds its own to the program."""

from collections.abc import Callable

import typer

from place_search.commands import (
    change,
    cluster,
    demo,
    describe,
    evaluate,
    index,
    search,
    serve,
    verify,
    weights,
)

FAMILIES: tuple[Callable[[typer.Typer], None], ...] = (
    index.register,
    change.register,
    verify.register,
    search.register,
    serve.register,
    evaluate.register,
    describe.register,
    weights.register,
    cluster.register,
    demo.register,
)
