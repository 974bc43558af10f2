"""The settings of a server: their types, defaults, bounds and descriptions."""

import ipaddress
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, get_args

from annotated_types import Ge, Le
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic.fields import FieldInfo

from place_search.core.settings import (
    CANDIDATES,
    MODEL,
    PRECISION,
    PREFIX,
    THREADS,
    AskedPrecision,
    Setting,
)
from place_search.core.tables import number_problem
from place_search.photos import DecodeLimits
from place_search.search.errors import ServerOptionError

MAX_DEFAULT_WORKERS = 10

_NAME = re.compile(r"[^\s/@,]+")
INDEX_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ROOT_PATH = re.compile(r"(/[A-Za-z0-9._~-]+)*")
_ORIGIN = re.compile(r"\*|https?://[^\s/?#@]+")


def default_workers() -> int:
    """A search for each core, and two more whose photos are being decoded."""
    return min(len(os.sched_getaffinity(0)) + 2, MAX_DEFAULT_WORKERS)


def split_names(text: Any) -> Any:
    """The names in a text with commas between them; another value is returned unchanged."""
    if not isinstance(text, str):
        return text
    return tuple(name.strip() for name in text.split(",") if name.strip())


def check_root_path(path: str) -> str:
    """The path without a slash at its end. Raises `ServerOptionError` for text that is no path."""
    bare = path.rstrip("/")
    if not ROOT_PATH.fullmatch(bare):
        raise ServerOptionError(
            f"'{path}' is no path; give --root-path the likes of /places.", "root_path"
        )
    return bare


Names = Annotated[Sequence[str], BeforeValidator(split_names)]


WAITING_SECONDS = 0.5
"""The time in seconds that decoding a photo may take beyond its CPU time."""


class ServerSettings(BaseModel):
    """The settings of a server: its address, limits, keys and pages.

    The constructor reads no environment: `from_environment` does. Each field is an option of
    `place-search serve`, with hyphens, except secrets (`on_command_line` False).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: str = Field(
        default="127.0.0.1",
        description="Address to listen on; 0.0.0.0 opens it to the network.",
    )
    port: int = Field(
        default=8000, ge=0, le=65535, description="Port to listen on; 0 picks a free one."
    )
    model: str | Path | None = MODEL.field(
        default=None, description="Model folder or id (default: the index's own)."
    )
    threads: int | None = THREADS.field()
    precision: AskedPrecision = PRECISION.field()
    candidates: int = CANDIDATES.field()
    workers: int = Field(
        default_factory=default_workers,
        ge=1,
        le=64,
        description="Searches that run at the same time (default: two more than cores, 10 at "
        "most).",
    )
    queue: int = Field(
        default=16, ge=0, description="Searches that may wait; more are refused with 429."
    )
    queue_seconds: float = Field(
        default=3.0,
        ge=0.1,
        description="A search that waits longer before it begins gets 429, in seconds.",
    )
    connections: int = Field(
        default=1000,
        ge=1,
        description="Connections that may be open; more are refused with 429. Fewer where the "
        "process may not open so many files, and 512 more.",
    )
    max_body_mb: int = Field(
        default=32, ge=1, description="Largest request, in MiB; larger ones get 413."
    )
    max_megapixels: int = Field(
        default=50, ge=1, description="Largest photo, in million pixels; larger ones get 413."
    )
    decode_seconds: float = Field(
        default=3.5, ge=0.1, description="CPU time that one photo may take to decode, in seconds."
    )
    decode_mb: int = Field(
        default=512, ge=64, description="Memory that one photo may take to decode, in MiB."
    )
    memory: int | None = Field(
        default=None,
        ge=64,
        description="Memory that the server and its decoders may hold, in MiB, mapped files not "
        "among it (default: 180 more than once it is ready and 100 for each core, at most half of "
        "the machine's).",
    )
    read_seconds: float = Field(
        default=30.0,
        ge=0.1,
        description="Seconds that a request's body may stand still, and that it may take beside "
        "one for each 10 kB, before it gets 408; a head that takes longer gets no answer.",
    )
    search_seconds: float = Field(
        default=30.0,
        ge=0.1,
        description="A search that takes longer gets 429 or 503, in seconds.",
    )
    keys: Path | None = Field(
        default=None,
        description="File of the API keys that may ask, made by `place-search key`.",
        json_schema_extra={"metavar": "FILE"},
    )
    api_keys: str = Field(
        default="",
        repr=False,
        description="API keys as in that file, with ; between them.",
        json_schema_extra={"on_command_line": False},
    )
    public: bool = Field(
        default=False, description="Let everybody search; keys are for changes only."
    )
    writable: bool = Field(
        default=False, description="Let keys with the role write add and remove places."
    )
    rate: int = Field(
        default=0,
        ge=0,
        description="Searches, track frames and changes of places a minute for one key or address; "
        "0 for no limit, more get 429.",
    )
    cors: Names = Field(
        default=(),
        description="Sites whose pages may ask, such as https://a.example, with commas between; * "
        "for any, as the demo has it by default, '' for none.",
        json_schema_extra={"metavar": "ORIGINS"},
    )
    allowed_hosts: Names = Field(
        default=(),
        description="Names that the server goes by, with commas between; * for any, as without "
        "it, but on 127.0.0.1 only localhost.",
        json_schema_extra={"metavar": "NAMES"},
    )
    root_path: Annotated[str, AfterValidator(check_root_path)] = Field(
        default="",
        description="Path below which a proxy shows the server, such as /places.",
        json_schema_extra={"metavar": "PATH"},
    )
    trusted_proxies: Names = Field(
        default=(),
        description="Addresses or networks of proxies whose X-Forwarded-For, -Proto and -Prefix "
        "are believed, with commas between (default: none).",
        json_schema_extra={"metavar": "ADDRESSES"},
    )
    log: bool = Field(
        default=False, description="Write one line of JSON a request to standard error."
    )
    log_addresses: bool = Field(
        default=False, description="Write the whole address of clients, not their network only."
    )
    trace: bool = Field(
        default=False,
        description="Send OpenTelemetry traces to OTEL_EXPORTER_OTLP_ENDPOINT; needs the extra "
        "`trace`.",
    )
    tiles_url: str | None = Field(
        default=None,
        description="Map tiles, as https://HOST/{z}/{x}/{y}.png; browsers fetch them there "
        "(default: none).",
    )
    tiles_file: Path | None = Field(
        default=None,
        description="Map tiles as pictures, in a PMTiles file.",
        json_schema_extra={"metavar": "FILE"},
    )
    reports: Path | None = Field(
        default=None,
        description="Folder of evaluation reports (`eval --report`) to show at /reports.",
        json_schema_extra={"metavar": "DIR"},
    )

    @classmethod
    def from_environment(cls, **overrides: Any) -> "ServerSettings":
        """Settings from the variables `PLACE_SEARCH_…`, replaced by `overrides` where given.

        Raises:
            ServerOptionError: a variable or an override is invalid or out of bounds.
        """
        values: dict[str, Any] = {}
        for setting in server_settings():
            if (text := setting.in_environment) is not None and setting.name not in overrides:
                kinds = get_args(setting.type) or (setting.type,)
                if problem := number_problem(text.strip(), kinds):
                    raise ServerOptionError(
                        f"{setting.env} cannot be {text!r}: {problem}.", setting.name
                    )
                values[setting.name] = text
        try:
            return cls(**{**values, **overrides})
        except ValidationError as error:
            first = error.errors()[0]
            name = f"{PREFIX}{first['loc'][0]}".upper()
            raise ServerOptionError(
                f"{name} cannot be {first['input']!r}: {first['msg']}.", str(first["loc"][0])
            ) from None

    @property
    def max_body_bytes(self) -> int:
        """The largest request, in bytes."""
        return self.max_body_mb * 2**20

    @property
    def decode(self) -> DecodeLimits:
        """The limits for decoding one photo."""
        return DecodeLimits(
            self.decode_seconds,
            self.decode_mb * 2**20,
            self.max_megapixels * 10**6,
            self.decode_seconds + WAITING_SECONDS,
        )

    @property
    def decoders(self) -> int:
        """The number of decoding processes: decoding is at most half of the work on a photo."""
        return max(2, self.workers // 2)

    @model_validator(mode="after")
    def _check_names(self) -> "ServerSettings":
        """Refuse names that no request can have; a `ServerOptionError` passes through Pydantic."""
        for origin in self.cors:
            if not _ORIGIN.fullmatch(origin):
                raise ServerOptionError(
                    f"'{origin}' is no site; give --cors the likes of https://a.example.", "cors"
                )
        for name in self.allowed_hosts:
            if not _NAME.fullmatch(name):
                raise ServerOptionError(
                    f"'{name}' is no server's name; give --allowed-hosts the likes of a.example.",
                    "allowed_hosts",
                )
        for proxy in self.trusted_proxies:
            try:
                ipaddress.ip_network(proxy)
            except ValueError:
                raise ServerOptionError(
                    f"'{proxy}' is no address; give --trusted-proxies the likes of 127.0.0.1 or "
                    "10.0.0.0/8.",
                    "trusted_proxies",
                ) from None
        return self


def server_settings() -> list[Setting]:
    """The fields of `ServerSettings`, for the command line and the documentation."""
    return [_setting(name, field) for name, field in ServerSettings.model_fields.items()]


def _setting(name: str, field: FieldInfo) -> Setting:
    extra: Any = field.json_schema_extra or {}
    low: Any = next((rule.ge for rule in field.metadata if isinstance(rule, Ge)), None)
    high: Any = next((rule.le for rule in field.metadata if isinstance(rule, Le)), None)
    default: Any = field.default
    kind: Any = field.annotation
    if field.default_factory is not None:
        default, kind = None, kind | None
    elif default == ():
        default, kind = "", str
    elif kind == str | Path | None:
        kind = str | None
    return Setting(
        name,
        kind,
        default,
        field.description or "",
        on_command_line=extra.get("on_command_line", True),
        min=low,
        max=high,
        metavar=extra.get("metavar"),
    )
