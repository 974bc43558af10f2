"""Runs a program and lists what it asks of the network, without letting it out."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

# Python runs a module of this name first. The hook sees and forbids what Python code asks for; it
# stays in forked processes, and the variable PYTHONPATH brings it to others.
_HOOK = """
import os, socket, sys

LOG = os.open(os.environ["WATCHED_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
HERE = ("", "localhost", "127.0.0.1", "::1", "0.0.0.0", None)

def watch(event, arguments):
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        address = arguments[1]
        if not isinstance(address, tuple) or address[0] in HERE:
            return
    elif event in ("socket.getaddrinfo", "socket.gethostbyname"):
        address = arguments[0]
        if isinstance(address, bytes):
            address = address.decode()
        if address in HERE:
            return
    else:
        return
    os.write(LOG, f"{event} {address!r} of {sys.argv}\\n".encode())
    raise OSError(101, "forbidden by the test")

sys.addaudithook(watch)
"""
OF_TORCH = "torchinductor_"
"""The name of an empty folder that importing torch makes; SECURITY.md says so."""
_LOOPBACK = ("127.", "::1", "0.0.0.0", "::")
_ADDRESS = re.compile(r'inet_addr\("([^"]+)"\)|inet_pton\(AF_INET6, "([^"]+)"')


@dataclass(frozen=True)
class Watched:
    """A running program, and where its requests are written down."""

    process: subprocess.Popen[str]
    folder: Path

    def finish(self) -> tuple[int, str]:
        """Wait for its end: exit code and output."""
        output, _ = self.process.communicate()
        return self.process.returncode, output

    def requests(self) -> list[str]:
        """Connections, datagrams and name look-ups beyond this machine, of it and its children."""
        hook = self.folder / "hook"
        found = hook.read_text("utf-8").splitlines() if hook.exists() else []
        for trace in self.folder.glob("calls*"):
            for line in trace.read_text("utf-8", "replace").splitlines():
                addresses = [one or other for one, other in _ADDRESS.findall(line)]
                found += [line for to in addresses if not to.startswith(_LOOPBACK)]
        return found

    def left(self) -> list[str]:
        """Files in its home directory and in that for temporary files, which were empty."""
        found = [path for name in ("home", "tmp") for path in (self.folder / name).rglob("*")]
        return [str(path) for path in found if not path.name.startswith(OF_TORCH)]


def start(
    folder: Path, command: Sequence[str], environment: Mapping[str, str] | None = None
) -> Watched:
    """Start a program with empty folders in `folder` for it to use, without the variables of CI.

    Calls of native code are seen where strace can run.
    """
    (folder / "site").mkdir(parents=True)
    (folder / "home").mkdir()
    (folder / "tmp").mkdir()
    (folder / "site" / "sitecustomize.py").write_text(_HOOK, "utf-8")
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    watched = {
        **kept,
        "HOME": str(folder / "home"),
        "TMPDIR": str(folder / "tmp"),
        "PYTHONPATH": str(folder / "site"),
        "WATCHED_LOG": str(folder / "hook"),
        **(environment or {}),
    }
    tracer = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=connect,sendto,sendmsg,sendmmsg"]
    tracer += ["-e", "signal=none", "-o", str(folder / "calls")]
    process = subprocess.Popen(
        [*(tracer if _traces() else []), *command],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=folder,
        env=watched,
    )
    return Watched(process, folder)


@cache
def _traces() -> bool:
    """Whether strace is here and may trace."""
    if shutil.which("strace") is None:
        return False
    done = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-o", os.devnull, "true"],
        capture_output=True,
        check=False,
    )
    return done.returncode == 0
