"""A real nginx in front of a server."""

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

KINDS = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


@contextmanager
def running_nginx(folder: Path, http: str) -> Iterator[int]:
    """nginx with what stands in its `http` block; `PORT` there is a free port, which this gives."""
    nginx = shutil.which("nginx")
    if nginx is None:
        pytest.skip("There is no nginx; `make test` installs it where it may.")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        places = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in KINDS)
        http = http.replace("PORT", str(port))
        (folder / "nginx.conf").write_text(
            f"daemon off; pid {folder}/pid; error_log stderr; worker_processes 1;\n"
            f"user root; events {{}} http {{ access_log off; {places} {http} }}"
        )
        # It takes the socket over, which listens already: nobody has to wait for it.
        process = subprocess.Popen(
            [nginx, "-p", str(folder), "-c", str(folder / "nginx.conf")],
            stderr=subprocess.PIPE,
            text=True,
            pass_fds=[listener.fileno()],
            env={**os.environ, "NGINX": f"{listener.fileno()};"},
        )
    try:
        yield port
    finally:
        process.terminate()
        process.communicate(timeout=10)
