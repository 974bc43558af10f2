"""The settings of the commands; `place_search.search.server.settings` has those of the server.

`python -m place_search.settings` rewrites docs/settings.md.
"""

import os
import sys
from difflib import get_close_matches
from pathlib import Path

from place_search.core.settings import (
    CANDIDATES,
    MODEL,
    PRECISION,
    PREFIX,
    THREADS,
    VERIFY_WITH,
    Setting,
)

DOCUMENT = "docs/settings.md"

WEIGHTS = Setting(
    "weights",
    Path,
    None,
    "Folder that holds the model folders (default: the one that is installed).",
    on_command_line=False,
)
DIMS = Setting(
    "dims", int, None, "Keep only the first dimensions of a whitened model (default: all).", min=1
)
STORE = Setting(
    "store",
    str,
    "auto",
    "Vector store: auto (chosen by size), exact, rabitq, ivf-rabitq, hnsw-sq8 or milvus.",
    metavar="KIND",
)
URI = Setting(
    "uri", str, "", "Where the store milvus is: http://HOST:19530, or a file NAME.db of its own."
)
MILVUS_TOKEN = Setting(
    "milvus_token",
    str,
    None,
    "Token or user:password of the Milvus at --uri or PLACE_SEARCH_URI; no other gets it.",
    on_command_line=False,
)
ENGINE = Setting(
    "engine", str, "local", "What describes photos: local, or ray for the cluster of RAY_ADDRESS."
)
EXCHANGE = Setting(
    "exchange",
    str,
    "",
    "URL by which a Ray cluster without a shared disk gets photos, as s3://BUCKET/FOLDER.",
    metavar="URL",
)
K = Setting("k", int, 10, "How many places to return, 1 to 100.", min=1, max=100)
SERVER = Setting(
    "server",
    str,
    "http://127.0.0.1:8000",
    "Address of the server that the clients in examples/ ask.",
    on_command_line=False,
)
KEY = Setting(
    "key", str, None, "API key that the clients in examples/ send.", on_command_line=False
)


def all_settings() -> list[Setting]:
    """Every setting once, in the order of docs/settings.md."""
    from place_search.search.server.settings import server_settings

    own = [MODEL, WEIGHTS, THREADS, PRECISION, DIMS, VERIFY_WITH, STORE, URI, MILVUS_TOKEN]
    own += [ENGINE, EXCHANGE, K, CANDIDATES, SERVER, KEY]
    names = {setting.name for setting in own}
    return [*own, *(setting for setting in server_settings() if setting.name not in names)]


def unknown_variables(*, serving: bool = False) -> list[str]:
    """A sentence for each environment variable with the prefix of settings that names none."""
    variables = sorted(
        name for name, value in os.environ.items() if name.startswith(PREFIX) and value
    )
    if not variables:  # importing the server's settings takes time
        return []
    setting_names = {setting.env.removeprefix(PREFIX) for setting in all_settings()}
    if serving:  # KEY is probably a slip for KEYS, which keep strangers out
        setting_names.remove(KEY.name.upper())
    names = (name.removeprefix(PREFIX) for name in variables)
    return [_unknown_sentence(name, setting_names) for name in names if name not in setting_names]


def _unknown_sentence(name: str, setting_names: set[str]) -> str:
    matches = get_close_matches(name, setting_names, n=1)
    suggestion = f"if you mean {PREFIX}{matches[0]}, correct it, else" if matches else "correct or"
    return f"The variable {PREFIX}{name} is no setting; {suggestion} unset it."


def render_settings() -> str:
    """The text of docs/settings.md, from the declarations."""
    rows = "\n".join(
        f"| {_code(row.flag)} | `{row.env}` | {_code(row.default)} | {row.help} |"
        for row in all_settings()
    )
    return (
        "# Settings\n\n"
        "A flag wins over its environment variable, which wins over the default.\n"
        "`place-search COMMAND --help` says which flags a command takes.\n\n"
        "| Flag | Variable | Default | Meaning |\n"
        "| --- | --- | --- | --- |\n"
        f"{rows}\n\n"
        "This page is written by `python -m place_search.settings`.\n"
    )


def _code(value: object) -> str:
    return "" if value in (None, "") else f"`{value}`"


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else DOCUMENT).write_text(render_settings(), "utf-8")
