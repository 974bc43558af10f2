"""docs/openapi.json, from the application.

`python -m docs.generators.openapi` writes it.
"""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from place_search.search.server.app import create_app

if TYPE_CHECKING:
    from place_search.search.engine import Engine

DOCUMENT = "docs/openapi.json"


def render_openapi() -> str:
    """The text of docs/openapi.json, without the program's version, which changes at releases."""
    schema = create_app(_no_engine).openapi()
    return json.dumps(schema | {"info": schema["info"] | {"version": "1"}}, indent=1) + "\n"


def _no_engine() -> "Engine":
    raise NotImplementedError


if __name__ == "__main__":
    Path(sys.argv[1] if len(sys.argv) > 1 else DOCUMENT).write_text(render_openapi(), "utf-8")
