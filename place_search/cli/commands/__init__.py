"""The commands, one module a family; each adds its own to the program."""

from collections.abc import Callable

import typer

from place_search.cli.commands import (
    change,
    cluster,
    compare,
    demo,
    describe,
    doctor,
    evaluate,
    index,
    quantize,
    search,
    serve,
    train,
    verify,
    weights,
    whiten,
)

FAMILIES: tuple[Callable[[typer.Typer], None], ...] = (
    index.register,
    change.register,
    verify.register,
    search.register,
    compare.register,
    serve.register,
    evaluate.register,
    doctor.register,
    describe.register,
    weights.register,
    cluster.register,
    train.register,
    whiten.register,
    quantize.register,
    demo.register,
)
