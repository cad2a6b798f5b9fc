"""A new connection for every request: `handshakes.py PORT MODE THREADS SECONDS|COUNT`; MODE is full or resumed.

A number with `s` at its end is a time in seconds, one without it a count of requests.
"""

import contextlib
import ssl
import sys
import threading
import time

import tls

REQUEST = b"GET /1k HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
LENGTH = 1024


class Tally:
    """What all threads have done."""

    def __init__(self, limit: str) -> None:
        self.lock = threading.Lock()
        self.until = time.monotonic() + float(limit[:-1]) if limit.endswith("s") else float("inf")
        self.left = float("inf") if limit.endswith("s") else int(limit)
        self.latencies: list[float] = []
        self.errors = 0
        self.resumed = 0

    def next(self) -> bool:
        with self.lock:
            self.left -= 1
            return self.left >= 0 and time.monotonic() < self.until


def work(port: int, settings: ssl.SSLContext, is_resuming: bool, tally: Tally) -> None:
    session = None
    while tally.next():
        start = time.monotonic()
        try:
            with contextlib.closing(tls.connect(port, settings, session)) as connection:
                connection.sendall(REQUEST)
                tls.read_answer(connection, LENGTH)
                took = time.monotonic() - start
                was_resumed = bool(connection.session_reused)
                session = connection.session if is_resuming else None
        except (OSError, ValueError):
            with tally.lock:
                tally.errors += 1
            continue
        with tally.lock:
            tally.latencies.append(took * 1000)
            tally.resumed += was_resumed


def main() -> None:
    port, mode, threads, limit = sys.argv[1:]
    settings = tls.context()
    tally = Tally(limit)
    start = time.monotonic()
    job = (int(port), settings, mode == "resumed", tally)
    workers = [threading.Thread(target=work, args=job) for _ in range(int(threads))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    done = len(tally.latencies)
    # Each thread's first connection has nothing to resume.
    expected = max(done - int(threads), 0) if mode == "resumed" else 0
    wrong = abs(tally.resumed - expected) if abs(tally.resumed - expected) > done / 100 else 0
    seconds = time.monotonic() - start
    tls.say(done, seconds, tally.errors + wrong, tally.latencies, resumed=tally.resumed)


main()
