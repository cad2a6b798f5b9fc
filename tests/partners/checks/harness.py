"""What all checks share: counting, running partner programs, starting and ending backends, and curl."""

import json
import os
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent.parent
RUN = str(HERE / "run")

results = []


def check(name, good, detail=""):
    results.append(bool(good))
    print(f"ok   {name}" if good else f"FAIL {name}: {detail}", flush=True)


def report():
    failed = results.count(False)
    print(f"{len(results) - failed} passed, {failed} failed")
    return 1 if failed else 0


def run(*command):
    """Runs a partner program that answers with one line of JSON."""
    done = subprocess.run([RUN, *command], capture_output=True, text=True, timeout=120)
    try:
        return done.returncode, json.loads(done.stdout)
    except ValueError:
        return done.returncode, {"error": done.stderr[-300:]}


class Backend:
    """A running backend: its folder, where it listens, and curl towards it."""

    def __init__(self, process, line, folder):
        self.process, self.folder = process, folder
        _, self.kind, self.address = line.split(" ", 2)
        self.to = ["--unix-socket", self.address] if self.kind == "unix" else []
        self.origin = "http://localhost" if self.kind == "unix" else f"http://{self.address}"

    def connect(self):
        """A socket to it, for what curl cannot do."""
        if self.kind == "unix":
            sock = socket.socket(socket.AF_UNIX)
            sock.connect(self.address)
            return sock
        host, port = self.address.split(":")
        return socket.create_connection((host, int(port)))

    def curl_command(self, path, *options):
        return ["curl", "--silent", "--show-error", "--http1.1", "--max-time", "120", *self.to, *options, self.origin + path]

    def curl(self, path, *options):
        """Returns the status, the headers as pairs, and the body as bytes."""
        with tempfile.NamedTemporaryFile() as head:
            done = subprocess.run(self.curl_command(path, "--dump-header", head.name, *options), capture_output=True)
            heads = head.read().decode().replace("\r\n", "\n").strip().split("\n\n")
        first, *lines = heads[-1].splitlines() or ["none 0"]
        return int(first.split()[1]), [tuple(map(str.strip, line.split(":", 1))) for line in lines], done.stdout


def header(headers, name):
    return [value for key, value in headers if key.lower() == name.lower()]


def tree(pid):
    """The process and all below it, with their start times (so that a reused pid is not taken for them)."""
    stats = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        stats[int(entry.parent.name)] = (int(fields[1]), fields[19], fields[0])
    found, look = {}, [pid]
    while look:
        one = look.pop()
        if one in stats:
            found[one] = stats[one][1]
        look += [child for child, (parent, _, _) in stats.items() if parent == one]
    return found


def alive(processes):
    left = []
    for pid, started in processes.items():
        try:
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if fields[19] == started and fields[0] != "Z":
            left.append(pid)
    return left


def by_sigterm(process):
    process.terminate()


def by_sigkill(process):
    process.kill()


def by_stdin(process):
    process.stdin.close()


@contextmanager
def backend(name, *arguments, end=by_sigterm):
    """Starts a backend in a folder of its own; ends it afterwards and checks that nothing of it is left."""
    with tempfile.TemporaryDirectory(prefix="wxp") as folder:
        command = [str(HERE / "backends" / f"start-{name}"), folder, *arguments]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        line = process.stdout.readline().strip()
        if not line:
            check(f"{name}: starts", False, "no line on stdout")
            process.wait(10)
            return
        try:
            yield Backend(process, line, Path(folder))
        finally:
            processes = tree(process.pid)
            began = time.monotonic()
            end(process)
            code = process.wait(20)
            while alive(processes) and time.monotonic() < began + 5:
                time.sleep(0.02)
            took = time.monotonic() - began
            left = alive(processes)
            for pid in left:
                os.kill(pid, signal.SIGKILL)
            clean = not left and (code == 0 or end is by_sigkill)
            label = " ".join([name, *(argument for argument in arguments[:1] if not argument.startswith("--"))])
            check(f"{label}: all {len(processes)} processes end {end.__name__.replace('_', ' ')}", clean, f"{left} {code}")
            if took > 3:
                check(f"{label}: ends soon", False, f"{took:.1f} s")
