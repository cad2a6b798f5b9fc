"""What the Python clients share: resolving every host to one address."""

import socket


def resolve_to(address):
    """From now on every name of this process resolves to this address, if there is one."""
    if address:
        usual = socket.getaddrinfo
        socket.getaddrinfo = lambda host, *rest, **more: usual(address, *rest, **more)
