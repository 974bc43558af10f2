"""The class of settings, and the settings that the command line and the server share."""

import os
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

PREFIX = "PLACE_SEARCH_"


@dataclass(frozen=True, slots=True)
class Setting:
    """A setting, read from its flag, else its environment variable, else its default.

    `min` and `max` are the least and the greatest value allowed. Pydantic and Typer are imported
    only by the methods that use them, because most commands need one of the two.
    """

    name: str
    type: Any
    default: Any
    help: str
    on_command_line: bool = True
    min: float | None = None
    max: float | None = None
    metavar: str | None = None

    @property
    def flag(self) -> str:
        """The option on the command line, "" for settings without one."""
        return "--" + self.name.replace("_", "-") if self.on_command_line else ""

    @property
    def env(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()

    @property
    def in_environment(self) -> str | None:
        """The value of the environment variable, None if it is not set.

        For options that must distinguish a typed value from the variable.
        """
        return os.environ.get(self.env) or None

    def option(self, *, help: str | None = None, **overrides: Any) -> Any:  # noqa: A002 - Typer's word
        """A Typer option for use in `Annotated`; the parameter has the default."""
        import typer

        arguments: dict[str, Any] = {
            "min": self.min,
            "max": self.max,
            "metavar": self.metavar,
            **overrides,
        }
        return typer.Option(
            self.flag, envvar=self.env, show_envvar=False, help=help or self.help, **arguments
        )

    def field(self, **overrides: Any) -> Any:
        """A Pydantic field with this setting's default, bounds and description."""
        from pydantic import Field

        arguments: dict[str, Any] = {
            "default": self.default,
            "description": self.help,
            "ge": self.min,
            "le": self.max,
            **overrides,
        }
        return Field(**arguments)


MODEL = Setting("model", str, "lite0-netvlad-1024", "Model: an id under weights/, or a folder.")
VERIFY_WITH = Setting(
    "verify_with",
    str,
    None,
    "Model whose local features verify the results of another: an id or a folder (default: of a "
    "model that has none, the one that its card names, else the included one).",
    metavar="MODEL",
)
THREADS = Setting("threads", int, None, "CPU threads for the model (default: all).", min=1)
AskedPrecision: TypeAlias = Literal["auto", "f32", "int8"]
PRECISION = Setting(
    "precision",
    str,
    "auto",
    "f32, int8, or auto: that of the index, or for a new one int8 where the model's card has "
    "measured a mean loss of at most 1 point and the processor has instructions for it.",
)
CANDIDATES = Setting(
    "candidates",
    int,
    100,
    "How many places a verified search compares, the most similar ones; k at least.",
    min=1,
    max=1000,
)
