"""The load: programs on the other processor, and what they say they have measured."""

import json
import os
import re
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from server import HERE


# Seconds in which the connections of a paced load are opened.
OPENING = 2.0
# Seconds of each part of a paced load that has a p99 of its own.
PART = 0.25


@dataclass
class Outcome:
    """What one run of a load program has done; `more` is what only some of them say."""

    requests: int
    seconds: float
    errors: int = 0
    p50_ms: float | None = None
    p99_ms: float | None = None
    more: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Load:
    """Runs load programs on `core`, with the TLS settings in the file `openssl`."""

    core: int | str
    openssl: Path
    python: Path

    def command(self, command: Sequence[str]) -> list[str]:
        return ["taskset", "-c", str(self.core), *command]

    def environment(self) -> dict[str, str]:
        return {**os.environ, "OPENSSL_CONF": str(self.openssl)}

    def run(self, command: Sequence[str], most: float) -> str:
        """Runs `command` and returns what it prints. It fails with the program, and after `most` seconds."""
        done = subprocess.run(
            self.command(command), env=self.environment(), capture_output=True, text=True, timeout=most, check=False
        )
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} failed ({done.returncode}): {(done.stdout + done.stderr)[-1000:]}")
        return done.stdout

    def script(self, name: str) -> list[str]:
        """The command of a client in clients/."""
        return [str(self.python), str(HERE / "clients" / f"{name}.py")]

    def client(self, name: str, *arguments: object, most: float = 120) -> Outcome:
        """Runs a client in clients/."""
        return _outcome(self.run([*self.script(name), *map(str, arguments)], most))

    def wrk(self, port: int, path: str, connections: int, seconds: float) -> Outcome:
        summary = str(HERE / "clients" / "summary.lua")
        arguments = [
            "-t1",
            f"-c{connections}",
            f"-d{max(round(seconds), 1)}",
            "--latency",
            "--timeout",
            "20s",
            "-s",
            summary,
        ]
        return _outcome(self.run(["wrk", *arguments, f"https://localhost:{port}{path}"], seconds + 60))

    def h2load(self, port: int, path: str, connections: int, streams: int, seconds: float) -> Outcome:
        with tempfile.NamedTemporaryFile("r") as log:
            limits = [f"-c{connections}", f"-m{streams}", f"-D{max(round(seconds), 1)}", f"--log-file={log.name}"]
            said = self.run(["h2load", *limits, f"https://localhost:{port}{path}"], seconds + 60)
            # Each line: start, status, microseconds.
            took = sorted(int(line.split("\t")[2]) / 1000 for line in log)
        outcome = _h2load(said)
        if took:
            outcome.p50_ms, outcome.p99_ms = took[len(took) // 2], took[len(took) * 99 // 100]
        return outcome

    def h2load_count(
        self, port: int, path: str, connections: int, streams: int, requests: int, is_http1: bool
    ) -> Outcome:
        limits = [f"-c{connections}", f"-m{streams}", f"-n{requests}", *(["--h1"] if is_http1 else [])]
        return _h2load(self.run(["h2load", *limits, f"https://localhost:{port}{path}"], 600))

    def h2load_paced(self, port: int, path: str, connections: int, rate: float, seconds: float) -> Outcome:
        """So many requests in a second over HTTP/1.1, whether or not others are answered in time.

        Connections begin one after the other, within OPENING seconds, so that they do not all send at once.
        """
        each = round(rate / connections * (seconds + 2 * OPENING))
        with tempfile.NamedTemporaryFile("r") as log:
            limits = [f"-c{connections}", f"-n{each * connections}", "--h1", f"--rps={rate / connections:.3f}"]
            opening = ["-r1", f"--rate-period={round(OPENING * 1000 / connections)}ms", f"--log-file={log.name}"]
            said = self.run(["h2load", *limits, *opening, f"https://localhost:{port}{path}"], seconds + 60)
            rows = [line.split("\t") for line in log]
        # While all of them send.
        begin = min(int(row[0]) for row in rows) + OPENING * 1e6 * 1.5
        sent = [((int(row[0]) - begin) / 1e6, int(row[2]) / 1000) for row in rows]
        parts: dict[int, list[float]] = {}
        for at, ms in sent:
            if 0 <= at < seconds:
                parts.setdefault(int(at / PART), []).append(ms)
        took = sorted(ms for part in parts.values() for ms in part)
        outcome = _h2load(said)
        outcome.errors += sum(row[1] != "200" for row in rows)
        outcome.p50_ms, outcome.p99_ms = took[len(took) // 2], took[len(took) * 99 // 100]
        outcome.more = {
            "p999_ms": took[len(took) * 999 // 1000],
            "part_p99_ms": median(sorted(part)[len(part) * 99 // 100] for part in parts.values()),
            "rate": len(took) / seconds,
        }
        return outcome

    def h2load_each(self, port: int, paths: Sequence[str], connections: int, each: int, is_http1: bool) -> Outcome:
        """New connections, with so many requests on each, to all paths in turn."""
        limits = [f"-c{connections}", f"-n{connections * each}", *(["--h1"] if is_http1 else [])]
        return _h2load(self.run(["h2load", *limits, *(f"https://localhost:{port}{path}" for path in paths)], 120))

    def curl(self, port: int, path: str, length: int, seconds: float, upload: Path | None) -> Outcome:
        """Sends or fetches `length` bytes again and again, one after the other, for at least `seconds`."""
        total, times, errors = 0.0, 0, 0
        while total < seconds:
            code, took, moved = self._curl_once(f"https://localhost:{port}{path}", upload)
            total, times = total + took, times + 1
            errors += code != 200 or moved != length
        return Outcome(times, total, errors, more={"bytes": float(length * times)})

    def _curl_once(self, url: str, upload: Path | None) -> tuple[int, float, int]:
        way = "size_upload" if upload else "size_download"
        what = ["--http1.1", "-sk", "-o", "/dev/null", "-w", f"%{{http_code}} %{{time_total}} %{{{way}}}"]
        more = ["-T", str(upload)] if upload else []
        code, took, moved = self.run(["curl", *what, *more, url], 300).split()
        return int(code), float(took), int(moved)


def _outcome(said: str) -> Outcome:
    """From the last line, which is JSON."""
    told = json.loads(said.strip().splitlines()[-1])
    known = {name: told.pop(name) for name in ("requests", "seconds", "errors", "p50_ms", "p99_ms")}
    return Outcome(**known, more=told)


def _h2load(said: str) -> Outcome:
    took = re.search(r"finished in ([\d.]+)(us|ms|s),", said)
    counts = re.search(r"(\d+) succeeded, (\d+) failed", said)
    # Answers that were on their way at the end have a status already: only those that are wrong count.
    codes = re.search(r"status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx", said)
    if took is None or counts is None or codes is None:
        raise RuntimeError(f"h2load said: {said[-1000:]}")
    scale = {"us": 1e-6, "ms": 1e-3, "s": 1.0}[took[2]]
    wrong = int(counts[2]) + sum(map(int, codes.groups()))
    return Outcome(int(counts[1]), float(took[1]) * scale, wrong)
