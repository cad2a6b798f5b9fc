"""A program that listens: configured from a template, started on one processor, and ended with its folder."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType

HERE = Path(__file__).resolve().parent
START = 60.0  # under valgrind a start takes seconds
STOP = 20.0


def free_port() -> int:
    """A port that the kernel chose; given up for the program to take."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server:
    """A running program. `template` may be empty; `@name@` in it and in `command` is replaced by `values`; `core` may be
    several, separated by commas."""

    def __init__(
        self,
        name: str,
        template: Path | None,
        command: Sequence[str],
        values: Mapping[str, str],
        core: int | str,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.port = free_port()
        self.folder = Path(tempfile.mkdtemp(prefix=f"compare-{name}-"))
        self.folder.chmod(0o755)  # nginx, started by root, works as somebody else
        self._values = {
            **values,
            "port": str(self.port),
            "admin": str(free_port()),
            "dir": str(self.folder),
            "here": str(HERE / "peers"),
        }
        if template is not None:
            config = self.folder / template.name
            config.write_text(self._fill(template.read_text()))
            self._values["config"] = str(config)
        self.log = self.folder / "output"
        with self.log.open("wb") as output:
            self.process = subprocess.Popen(
                ["taskset", "-c", str(core), *map(self._fill, command)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {}), "HOME": str(self.folder)},
            )
        self._wait()

    def _fill(self, text: str) -> str:
        for name, value in self._values.items():
            text = text.replace(f"@{name}@", value)
        return text

    def _wait(self) -> None:
        end = time.monotonic() + START
        while time.monotonic() < end and self.process.poll() is None:
            with socket.socket() as client:
                if client.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.02)
        said = self.log.read_text(errors="replace")[-2000:]
        self.stop()
        raise SystemExit(f"compare: {self.name} did not start:\n{said}")

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def end(self) -> str:
        """Ends the program, and returns what it has said."""
        self.process.terminate()
        try:
            self.process.wait(STOP)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        return self.log.read_text(errors="replace")

    def stop(self) -> None:
        if self.process.poll() is None:
            self.end()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> "Server":
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.stop()
