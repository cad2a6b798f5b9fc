"""What the Python clients share: resolving every host to one address, and the messages of a WebSocket conversation."""

import argparse
import os
import socket


def resolve_to(address):
    """From now on every name of this process resolves to this address, if there is one."""
    if address:
        usual = socket.getaddrinfo
        socket.getaddrinfo = lambda host, *rest, **more: usual(address, *rest, **more)


def random_bytes(size):
    return os.urandom(int(size))


def chinese(size):
    return ("字a" * (int(size) // 4 + 1))[: int(size) // 2]


KINDS = {"text": str, "text-size": chinese, "binary-size": random_bytes, "fragmented": str}


class Message(argparse.Action):
    """Appends the kind and the content, in the order of the command line."""

    def __call__(self, parser, options, value, option=None):
        kind = option.removeprefix("--")
        options.messages = [*(options.messages or []), (kind, KINDS[kind](value))]


def add_messages(parser):
    """The arguments of every WebSocket client."""
    parser.add_argument("url")
    parser.add_argument("--ca")
    parser.add_argument("--address")
    parser.add_argument("--subprotocol", action="append")
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--close", type=int, default=1000)
    for kind in KINDS:
        parser.add_argument(f"--{kind}", dest="messages", action=Message, default=[])
