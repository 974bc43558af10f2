"""The settings of place-search: one table for the command line, its documentation and tests.

`python -m place_search.settings` rewrites docs/settings.md.
"""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import typer

PREFIX = "PLACE_SEARCH_"
DOCUMENT = "docs/settings.md"


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: its flag, else its environment variable, else its default."""

    name: str
    type: type[Any]
    default: Any
    help: str
    on_command_line: bool = True

    @property
    def flag(self) -> str:
        """The option on the command line, or "" where there is none."""
        return "--" + self.name.replace("_", "-") if self.on_command_line else ""

    @property
    def env(self) -> str:
        """The environment variable."""
        return PREFIX + self.name.upper()

    def option(self, *, help: str | None = None, **more: Any) -> Any:  # noqa: A002 - Typer's word
        """A Typer option for use in `Annotated`; the default stays with the parameter."""
        return typer.Option(
            self.flag, envvar=self.env, show_envvar=False, help=help or self.help, **more
        )


MODEL = Setting("model", str, "lite0-netvlad", "Model: an id under weights/, or a folder.")
WEIGHTS = Setting(
    "weights",
    Path,
    None,
    "Folder that holds the model folders (default: the one that is installed).",
    on_command_line=False,
)
THREADS = Setting("threads", int, None, "CPU threads for the model (default: all).")
PRECISION = Setting(
    "precision",
    str,
    "auto",
    "f32, int8, or auto: that of the index, or for a new one int8 where the model's card has "
    "measured a loss of at most 0.5 points and the processor has instructions for it.",
)
DIMS = Setting(
    "dims", int, None, "Keep only the first dimensions of a whitened model (default: all)."
)
STORE = Setting(
    "store",
    str,
    "auto",
    "Vector store: auto (chosen by size), exact, rabitq, ivf-rabitq, hnsw-sq8 or milvus.",
)
URI = Setting(
    "uri", str, "", "Where the store milvus is: http://HOST:19530, or a file NAME.db of its own."
)
MILVUS_TOKEN = Setting(
    "milvus_token", str, None, "Token or user:password of that Milvus.", on_command_line=False
)
ENGINE = Setting(
    "engine", str, "local", "What describes photos: local, or ray for the cluster of RAY_ADDRESS."
)
EXCHANGE = Setting(
    "exchange",
    str,
    "",
    "URL by which a Ray cluster without a shared disk gets photos, as s3://BUCKET/FOLDER.",
)
K = Setting("k", int, 10, "How many places to return, 1 to 100.")
CANDIDATES = Setting(
    "candidates", int, 100, "How many places a verified search compares, the most similar ones."
)
HOST = Setting("host", str, "127.0.0.1", "Address to listen on; 0.0.0.0 opens it to the network.")
PORT = Setting("port", int, 8000, "Port to listen on; 0 picks a free one.")
WORKERS = Setting(
    "workers",
    int,
    None,
    "Searches that run at the same time (default: two more than cores, 10 at most).",
)
QUEUE = Setting("queue", int, 16, "Searches that may wait; more are refused with 429.")
MAX_BODY_MB = Setting("max_body_mb", int, 32, "Largest request, in MiB; larger ones get 413.")
MAX_MEGAPIXELS = Setting(
    "max_megapixels", int, 50, "Largest photo to decode, in million pixels; larger ones get 413."
)
DECODE_SECONDS = Setting(
    "decode_seconds", float, 4.0, "CPU time that one photo may take to decode, in seconds."
)
DECODE_MB = Setting("decode_mb", int, 512, "Memory that one photo may take to decode, in MiB.")
READ_SECONDS = Setting(
    "read_seconds", float, 30.0, "A request that takes longer to arrive gets 408, in seconds."
)
SEARCH_SECONDS = Setting(
    "search_seconds", float, 30.0, "A search that takes longer gets 429 or 503, in seconds."
)
CONNECTIONS = Setting(
    "connections", int, 1000, "Connections that may be open; more are refused with 429."
)
KEYS = Setting("keys", Path, None, "File of the API keys that may ask, made by `place-search key`.")
API_KEYS = Setting(
    "api_keys", str, None, "API keys as in that file, with ; between them.", on_command_line=False
)
PUBLIC = Setting("public", bool, False, "Let everybody search; keys are for changes only.")
WRITABLE = Setting("writable", bool, False, "Let keys with the role write add and remove places.")
RATE = Setting(
    "rate", int, 0, "Searches a minute for one key or address; 0 for no limit, more get 429."
)
CORS = Setting(
    "cors", str, "", "Sites whose pages may ask, such as https://a.example, with commas between."
)
ALLOWED_HOSTS = Setting(
    "allowed_hosts",
    str,
    "",
    "Names that the server goes by, with commas between; * for any, as without it, but on "
    "127.0.0.1 only localhost.",
)
LOG = Setting("log", bool, False, "Write one line of JSON a request to standard error.")
LOG_ADDRESSES = Setting(
    "log_addresses", bool, False, "Write the whole address of clients, not their network only."
)
TRACE = Setting(
    "trace",
    bool,
    False,
    "Send OpenTelemetry traces to OTEL_EXPORTER_OTLP_ENDPOINT; needs the extra `trace`.",
)

TILES_URL = Setting(
    "tiles_url",
    str,
    None,
    "Map tiles, as https://HOST/{z}/{x}/{y}.png; browsers fetch them there (default: none).",
)
REPORTS = Setting(
    "reports", Path, None, "Folder of evaluation reports (`eval --report`) to show at /reports."
)
TILES_FILE = Setting("tiles_file", Path, None, "Map tiles as pictures, in a PMTiles file.")

SETTINGS = (
    *(MODEL, WEIGHTS, THREADS, PRECISION, DIMS, STORE, URI, MILVUS_TOKEN, ENGINE, EXCHANGE),
    *(K, CANDIDATES, HOST, PORT, WORKERS, QUEUE, CONNECTIONS),
    *(MAX_BODY_MB, MAX_MEGAPIXELS, DECODE_SECONDS, DECODE_MB, READ_SECONDS, SEARCH_SECONDS),
    *(KEYS, API_KEYS, PUBLIC, WRITABLE, RATE, CORS, ALLOWED_HOSTS),
    *(LOG, LOG_ADDRESSES, TRACE, TILES_URL, TILES_FILE, REPORTS),
)


def render_settings() -> str:
    """docs/settings.md, from the table."""
    rows = "\n".join(
        f"| {_code(row.flag)} | `{row.env}` | {_code(row.default)} | {row.help} |"
        for row in SETTINGS
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
