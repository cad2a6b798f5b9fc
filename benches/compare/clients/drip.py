"""How late each piece of a slow answer comes: `drip.py PORT SCHEME STREAMS`; SCHEME is https, or http for the origin.

Pieces carry the time at which they were sent. Latencies are from there to here.
"""

import re
import socket
import ssl
import sys
import threading
import time

import tls

REQUEST = b"GET /drip HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
PIECE = re.compile(rb"data: (\d{19})\n\n")
PIECES = 50


def listen(port: int, settings: ssl.SSLContext | None, late_ms: list[float]) -> None:
    if settings:
        connection: socket.socket = tls.connect(port, settings)
    else:
        connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    with connection:
        connection.sendall(REQUEST)
        rest, seen = b"", 0
        while seen < PIECES:
            got = connection.recv(65536)
            now = time.monotonic_ns()
            if not got:
                return
            rest += got
            for piece in PIECE.finditer(rest):
                late_ms.append((now - int(piece[1])) / 1e6)
                seen += 1
            rest = rest[rest.rfind(b"\n\n") + 1 :]


def main() -> None:
    port, scheme, streams = int(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    settings = tls.context() if scheme == "https" else None
    late_ms: list[float] = []
    start = time.monotonic()
    threads = [threading.Thread(target=listen, args=(port, settings, late_ms)) for _ in range(streams)]
    for thread in threads:
        thread.start()
        # Spread, so that the streams' pieces do not come all at once.
        time.sleep(0.02 / streams)
    for thread in threads:
        thread.join()
    tls.say(len(late_ms), time.monotonic() - start, PIECES * streams - len(late_ms), late_ms)


main()
