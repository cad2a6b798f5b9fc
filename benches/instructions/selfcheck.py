"""Holds the guard against made-up counts, and takes away what it needs. benches/instructions/selfcheck calls this."""

import contextlib
import io
import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from guard import compare  # noqa: E402

MADE = {"machine": "x86_64", "rustc": "1.0.0"}
BASELINE = {"counts": {"http1": 1000}, "made_with": MADE}

# What was counted, made with what; whether it may pass, and what has to be said.
CASES = [
    ({"http1": 1000}, MADE, True, ": ok\n"),
    ({"http1": 1050}, MADE, True, ": ok\n"),
    ({"http1": 1051}, MADE, False, "FAILED: more than +5%"),
    ({"http1": 950}, MADE, True, ": ok\n"),
    ({"http1": 949}, MADE, True, "hint: write a new baseline"),
    ({"http1": 1000, "http3": 1}, MADE, False, "http3: 1 per request, FAILED: not in the baseline"),
    ({"http1": 1060}, {**MADE, "rustc": "1.1.0"}, False, "something else: rustc: 1.0.0 then, 1.1.0 now"),
]


def counts() -> None:
    for found, made, may_pass, part in CASES:
        said = io.StringIO()
        with contextlib.redirect_stdout(said):
            passed = compare(found, BASELINE, made)
        assert passed == may_pass and part in said.getvalue(), f"{found}: {passed}, {said.getvalue()}"


def missing(what: str, path: str, wxgate: str, part: str) -> None:
    """The guard without `what` must fail and say so."""
    command = ["/usr/bin/python3", "-B", str(HERE / "guard.py"), "--wxgate", wxgate]
    environment = {**os.environ, "PATH": path}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
    said = done.stdout + done.stderr
    assert done.returncode != 0 and part in said, f"without {what}: {done.returncode}, {said[-1000:]}"


def components() -> None:
    """In the place of the system's programs a folder of links to them, from which one is left out."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for program in Path("/usr/bin").iterdir():
            (folder / program.name).symlink_to(program)
        rest = [entry for entry in os.environ["PATH"].split(":") if not (Path(entry) / "valgrind").exists()]
        path = ":".join([name, *rest])
        for program in ("valgrind", "h2load", "openssl"):
            (folder / program).unlink()
            missing(program, path, "/bin/true", f"No such file or directory: '{program}'")
            (folder / program).symlink_to(Path("/usr/bin") / program)
        missing("wxgate", path, "/nowhere/wxgate", "wxgate did not start")
        missing("a server", path, "/bin/true", "wxgate did not start")


def main() -> int:
    counts()
    components()
    print("instructions: the guard fails where it has to")
    return 0


if __name__ == "__main__":
    sys.exit(main())
