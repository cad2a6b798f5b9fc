"""What stands behind the proxies: nginx for answers and uploads, small servers in Python for drips and WebSockets."""

from pathlib import Path

from server import HERE, Server

SMALL = 1024
LARGE = 100 * 1000 * 1000
CHUNKED = 1024 * 1024


def contents(path: str) -> bytes:
    """What the origin answers to a GET."""
    length = {"/1k": SMALL, "/100m": LARGE, "/chunked": CHUNKED}[path]
    return (b"0123456789abcdef" * (length // 16 + 1))[:length]


def files(folder: Path) -> None:
    """Writes what nginx serves from files, and what is sent up."""
    www = folder / "www"
    www.mkdir()
    for path in ("/1k", "/100m"):
        (www / path[1:]).write_bytes(contents(path))


def start(kind: str, folder: Path, python: Path, core: int) -> Server:
    """Starts the origin of `kind`: nginx, drip or echo."""
    if kind == "nginx":
        command = ["/usr/sbin/nginx", "-e", "stderr", "-c", "@config@"]
        return Server("origin", HERE / "origin.conf", command, {"www": str(folder / "www")}, core)
    return Server(kind, None, [str(python), str(HERE / "origins" / f"{kind}.py"), "@port@"], {}, core)
