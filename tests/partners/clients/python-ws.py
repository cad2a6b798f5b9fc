"""One WebSocket conversation by Python's websockets, told as one line of JSON; arguments as in the README."""

import argparse
import json
import ssl
import sys

from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from shared import add_messages, resolve_to

PONG_IN = 20


def fragments(socket, text):
    """One character a frame, and behind the first a ping, whose pong is waited for."""
    for character in text:
        yield character
        if character is text[0] and not socket.ping(b"there?").wait(PONG_IN):
            raise TimeoutError("no pong")


def exchange(socket, kind, message):
    """Sends one message and waits for its echo."""
    socket.send(fragments(socket, message) if kind == "fragmented" else message)
    echo = socket.recv()
    size = len(echo.encode()) if isinstance(echo, str) else len(echo)
    return {"type": "text" if isinstance(echo, str) else "binary", "bytes": size, "equal": echo == message}


def converse(options):
    context = ssl.create_default_context(cafile=options.ca) if options.ca else None
    echoes = []
    settings = {"subprotocols": options.subprotocol, "compression": "deflate" if options.deflate else None}
    with connect(options.url, ssl=context, max_size=None, proxy=None, **settings) as socket:
        try:
            for kind, message in options.messages:
                echoes.append(exchange(socket, kind, message))
            socket.close(options.close, "done")
        except ConnectionClosed:
            pass
        protocol = socket.protocol
    return {
        "status": socket.response.status_code,
        "subprotocol": socket.subprotocol,
        "deflate": any(extension.name == "permessage-deflate" for extension in protocol.extensions),
        "echoes": echoes,
        "close_code": protocol.close_code,
        "close_reason": protocol.close_reason,
    }


def main():
    parser = argparse.ArgumentParser()
    add_messages(parser)
    options = parser.parse_args()
    resolve_to(options.address)
    try:
        answer = converse(options)
    except InvalidStatus as refused:
        answer = {"status": refused.response.status_code, "body": refused.response.body.decode(), "echoes": []}
    print(json.dumps(answer, ensure_ascii=False))
    sys.exit(not all(echo["equal"] for echo in answer["echoes"]))


main()
