"""The server's settings as options of a command."""

import inspect
from collections.abc import Callable, Collection, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Annotated, Any

from place_search.search.errors import ServerError
from place_search.search.server.settings import ServerSettings, server_settings
from place_search.settings import unknown_variables


def takes_settings(
    command: Callable[..., None],
    *,
    only: Collection[str] | None = None,
    defaults: Mapping[str, Any] = MappingProxyType({}),
) -> Callable[..., None]:
    """Give a command an option for each setting instead of its last parameter, `settings`.

    `only` names the settings that get an option; the others come from their variables. `defaults`
    replace the server's. Typer reads the variables of options and checks their bounds, so that an
    error names the option.
    """
    settings = [
        setting
        for setting in server_settings()
        if setting.on_command_line and (only is None or setting.name in only)
    ]

    @wraps(command)
    def run(**values: Any) -> None:
        # One of them may be a misspelt setting of access.
        if unknown := unknown_variables(serving=True):
            raise ServerError(" ".join(unknown))
        options = {setting.name: values.pop(setting.name) for setting in settings}
        set_options = {name: value for name, value in options.items() if value is not None}
        command(**values, settings=ServerSettings.from_environment(**set_options))

    own = inspect.signature(command, eval_str=True).parameters
    parameters = [parameter for name, parameter in own.items() if name != "settings"]
    parameters += [
        inspect.Parameter(
            setting.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=defaults.get(setting.name, setting.default),
            annotation=Annotated[setting.type, setting.option()],
        )
        for setting in settings
    ]
    run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return run
