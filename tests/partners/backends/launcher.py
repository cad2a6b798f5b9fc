"""Keeps one backend in the foreground: says where it listens, and takes its whole process tree down with it.

Two processes do this.  The guard, whose pid the caller knows, only waits.  The keeper, its child, starts the backend and
ends everything when the guard dies (even by SIGKILL), on SIGTERM, when a pipe on stdin closes, or when the backend ends.
"""

import ctypes
import http.client
import os
import select
import signal
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
RUN = str(HERE.parent / "run")
START_SECONDS = 150
STOP_SECONDS = 2

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SIGNALS = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP}


class Stopped(BaseException):
    """Someone asked for the end."""


class Failed(Exception):
    """The backend did not start, or ended by itself."""


class Keeper:
    """What a start script works with: a scratch folder, arguments, and processes that end with this one."""

    def __init__(self, scratch, listen, options):
        self.scratch, self.listen, self.options = scratch, listen, options
        self.processes = []

    def spawn(self, name, command, env=None, pass_fds=(), announces=False):
        """Starts a process whose output goes to NAME.log in the scratch folder (stdout comes to us if it announces)."""
        with open(self.scratch / f"{name}.log", "wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE if announces else log,
                stderr=log,
                env={**os.environ, **(env or {})},
                pass_fds=pass_fds,
                start_new_session=True,
            )
        process.name = name
        self.processes.append(process)
        return process

    def announced(self, name, command):
        """Starts a program that says by itself where it listens; returns its line."""
        process = self.spawn(name, command, announces=True)
        ready, _, _ = select.select([process.stdout], [], [], START_SECONDS)
        line = process.stdout.readline().decode().strip() if ready else ""
        if not line.startswith("listening "):
            raise Failed(f"{name} did not say where it listens{self.last_words(process)}")
        return line

    def serves_http(self, address):
        """Waits until GET /page is answered there; returns the line to print."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            self.check_alive()
            if page_answers(address):
                where = f"tcp {address[0]}:{address[1]}" if isinstance(address, tuple) else f"unix {address}"
                return f"listening {where}"
            time.sleep(0.03)
        raise Failed(f"nothing answers at {address}{''.join(map(self.last_words, self.processes))}")

    def check_alive(self):
        for process in self.processes:
            if process.poll() is not None:
                raise Failed(f"{process.name} ended with {process.returncode}{self.last_words(process)}")

    def last_words(self, process):
        log = self.scratch / f"{process.name}.log"
        return "".join(f"\n  {process.name}: {line}" for line in log.read_text(errors="replace").splitlines()[-15:])

    def watch(self):
        """Returns when a process of ours ends or the pipe on stdin closes."""
        poller = select.poll()
        if stat.S_ISFIFO(os.fstat(0).st_mode) or stat.S_ISSOCK(os.fstat(0).st_mode):
            poller.register(0, select.POLLIN)
        for process in self.processes:
            poller.register(os.pidfd_open(process.pid), select.POLLIN)
        while True:
            for fd, _ in poller.poll():
                if fd != 0:
                    self.check_alive()
                elif not os.read(0, 4096):
                    return


def page_answers(address):
    class Connection(http.client.HTTPConnection):
        def connect(self):
            family = socket.AF_INET if isinstance(address, tuple) else socket.AF_UNIX
            self.sock = socket.socket(family)
            self.sock.settimeout(5)
            self.sock.connect(address)

    connection = Connection("localhost")
    try:
        connection.request("GET", "/page")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def listener():
    """A listening socket on a port that the kernel chose, to be inherited by a server."""
    sock = socket.socket()
    sock.bind(("127.0.0.1", 0))
    sock.listen(512)
    return sock


def prctl(option, value):
    if ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl")


def guard():
    """Forks: the guard stays here until the keeper has ended; only the keeper returns."""
    pid = os.getpid()
    keeper = os.fork()
    if keeper == 0:
        os.setsid()
        prctl(PR_SET_CHILD_SUBREAPER, 1)
        prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        if os.getppid() != pid:
            os._exit(1)
        return
    on_signals(lambda *_: os.kill(keeper, signal.SIGTERM))
    _, status = os.waitpid(keeper, 0)
    os._exit(os.waitstatus_to_exitcode(status))


def end_all(processes):
    """Asks our processes to end, then insists.  Orphans come to us, so when we have no child left nothing is left."""
    for process in processes:
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + STOP_SECONDS
    while True:
        try:
            pid, _ = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            if time.monotonic() > deadline:
                kill_children()
            time.sleep(0.01)


def kill_children():
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except OSError:
                continue
            if parent == os.getpid():
                os.kill(int(entry.name), signal.SIGKILL)


def on_signals(handler):
    for number in SIGNALS:
        signal.signal(number, handler)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)


def stop(*_):
    on_signals(signal.SIG_IGN)
    raise Stopped


def launch(start, listens=("tcp",)):
    """Runs START(keeper), which returns the line to print.  Arguments: DIR [one of LISTENS] [--option value]..."""
    arguments = sys.argv[1:]
    scratch = arguments.pop(0) if arguments else None
    listen = arguments.pop(0) if arguments and arguments[0] in listens else listens[0]
    if scratch is None or len(arguments) % 2 or not all(option.startswith("--") for option in arguments[::2]):
        sys.exit(f"usage: {Path(sys.argv[0]).name} DIR [{'|'.join(listens)}] [--option value]...")
    os.makedirs(scratch, exist_ok=True)

    signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)
    guard()
    keeper = Keeper(Path(scratch).resolve(), listen, arguments)
    code = 1
    try:
        on_signals(stop)
        print(start(keeper), flush=True)
        keeper.watch()
        code = 0
    except Stopped:
        code = 0
    except Failed as reason:
        print(f"{Path(sys.argv[0]).name}: {reason}", file=sys.stderr, flush=True)
    finally:
        on_signals(signal.SIG_IGN)
        end_all(keeper.processes)
    sys.exit(code)
