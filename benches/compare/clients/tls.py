"""Connections for the clients here: TLS without looking at the certificate, which is the same for all."""

import json
import socket
import ssl
import statistics
from collections.abc import Sequence


def context() -> ssl.SSLContext:
    settings = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    settings.check_hostname = False
    settings.verify_mode = ssl.CERT_NONE
    settings.set_alpn_protocols(["http/1.1"])
    return settings


def connect(port: int, settings: ssl.SSLContext, session: ssl.SSLSession | None = None) -> ssl.SSLSocket:
    raw = socket.create_connection(("127.0.0.1", port), timeout=30)
    raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return settings.wrap_socket(raw, server_hostname="localhost", session=session)


def read_answer(connection: socket.socket, length: int) -> None:
    """Reads one whole answer of 200 whose body has `length` bytes."""
    got = b""
    while b"\r\n\r\n" not in got:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed within a head")
        got += piece
    head, _, body = got.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200 "):
        raise ValueError(f"answered {head[:40]!r}")
    have = len(body)
    while have < length:
        piece = connection.recv(65536)
        if not piece:
            raise ConnectionError("closed within a body")
        have += len(piece)


def percentile(values: Sequence[float], of_hundred: int) -> float:
    if len(values) < 2:
        return values[0] if values else float("nan")
    return statistics.quantiles(values, n=100, method="inclusive")[of_hundred - 1]


def say(requests: int, seconds: float, errors: int, latencies_ms: Sequence[float], **more: float) -> None:
    """The outcome, as one line of JSON."""
    outcome = {
        "requests": requests,
        "seconds": seconds,
        "errors": errors,
        "p50_ms": percentile(latencies_ms, 50),
        "p99_ms": percentile(latencies_ms, 99),
        **more,
    }
    print(json.dumps(outcome))
