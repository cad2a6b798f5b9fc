"""Messages of 32 bytes to a WebSocket server and back: `echo.py PORT CONNECTIONS SECONDS`.

Each connection has one message on the way. Frames are bytes made once, so that the load costs little.
"""

import base64
import selectors
import ssl
import sys
import time

import tls

TEXT = b"0123456789abcdef0123456789abcdef"
KEY = base64.b64encode(b"0123456789abcdef")
ACCEPT = b"BACScCJPNqyz+UBoqMH89VmURoA="
ASK = (
    b"GET /echo HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + KEY + b"\r\n\r\n"
)
# A text frame with a mask (RFC 6455 section 5.2), and the one without that comes back.
MASK = b"\x01\x02\x03\x04"
SENT = b"\x81" + bytes([0x80 | len(TEXT)]) + MASK + bytes(byte ^ MASK[at % 4] for at, byte in enumerate(TEXT))
BACK = b"\x81" + bytes([len(TEXT)]) + TEXT


def open_one(port: int, settings: ssl.SSLContext) -> ssl.SSLSocket:
    connection = tls.connect(port, settings)
    connection.sendall(ASK)
    head = b""
    while b"\r\n\r\n" not in head:
        got = connection.recv(4096)
        if not got:
            raise ConnectionError("closed within the handshake")
        head += got
    if not head.startswith(b"HTTP/1.1 101 ") or ACCEPT.lower() not in head.lower():
        raise ValueError(f"answered {head!r}")
    connection.setblocking(False)
    return connection


class Echo:
    """One connection, and the part of an answer that has come."""

    def __init__(self, connection: ssl.SSLSocket) -> None:
        self.connection = connection
        self.got = b""
        self.since = 0.0

    def send(self) -> None:
        self.since = time.monotonic()
        self.connection.send(SENT)

    def receive(self) -> float | None:
        """Milliseconds, once the whole answer has come."""
        try:
            got = self.connection.recv(4096)
        except ssl.SSLWantReadError:
            return None
        if not got:
            raise ConnectionError("closed")
        self.got += got
        if len(self.got) < len(BACK):
            return None
        if self.got != BACK:
            raise ValueError(f"got {self.got!r}")
        self.got = b""
        return (time.monotonic() - self.since) * 1000


def main() -> None:
    port, connections, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    settings = tls.context()
    ready = selectors.DefaultSelector()
    for _ in range(connections):
        echo = Echo(open_one(port, settings))
        ready.register(echo.connection, selectors.EVENT_READ, echo)
        echo.send()
    latencies: list[float] = []
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        events = ready.select(5)
        if not events:
            raise TimeoutError("no echo within five seconds")
        for key, _ in events:
            took = key.data.receive()
            if took is not None:
                latencies.append(took)
                key.data.send()
    tls.say(len(latencies), time.monotonic() - start, 0, latencies)


main()
