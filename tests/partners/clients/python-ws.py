"""One WebSocket conversation by Python's websockets, told as one line of JSON; arguments as in the README."""

import argparse
import json
import os
import ssl
import sys

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from shared import resolve_to


def random_bytes(size):
    return os.urandom(int(size))


def chinese(size):
    return ("字a" * (int(size) // 4 + 1))[: int(size) // 2]


def exchange(socket, message):
    """Sends one message and waits for its echo."""
    socket.send(message)
    echo = socket.recv()
    size = len(echo.encode()) if isinstance(echo, str) else len(echo)
    return {"type": "text" if isinstance(echo, str) else "binary", "bytes": size, "equal": echo == message}


def converse(options):
    context = ssl.create_default_context(cafile=options.ca) if options.ca else None
    echoes = []
    with connect(options.url, ssl=context, max_size=None, proxy=None) as socket:
        try:
            for message in options.messages:
                echoes.append(exchange(socket, message))
            socket.close(options.close, "done")
        except ConnectionClosed:
            pass
        protocol = socket.protocol
    return {"echoes": echoes, "close_code": protocol.close_code, "close_reason": protocol.close_reason}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--ca")
    parser.add_argument("--address")
    parser.add_argument("--close", type=int, default=1000)
    for name, make in {"--text": str, "--text-size": chinese, "--binary-size": random_bytes}.items():
        parser.add_argument(name, dest="messages", action="append", type=make, default=[])
    options = parser.parse_args()
    resolve_to(options.address)
    answer = converse(options)
    print(json.dumps(answer, ensure_ascii=False))
    sys.exit(not all(echo["equal"] for echo in answer["echoes"]))


main()
