"""Connections that are held after one request each: `idle.py PORT`, told what to do by lines on standard input.

`open N` opens N more and says `opened`; `ask` sends one more request on each and says how many were answered; the end of
the input ends it.
"""

import resource
import ssl
import sys

import tls

REQUEST = b"GET /1k HTTP/1.1\r\nHost: localhost\r\n\r\n"
LENGTH = 1024


def is_answered(connection: ssl.SSLSocket) -> bool:
    try:
        connection.sendall(REQUEST)
        tls.read_answer(connection, LENGTH)
    except (OSError, ValueError):
        return False
    return True


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    port = int(sys.argv[1])
    settings = tls.context()
    held: list[ssl.SSLSocket] = []
    for line in sys.stdin:
        if line.startswith("open "):
            for _ in range(int(line.split()[1])):
                connection = tls.connect(port, settings)
                if not is_answered(connection):
                    raise SystemExit(f"connection {len(held) + 1} was not answered")
                held.append(connection)
            print("opened", flush=True)
        else:
            print(sum(map(is_answered, held)), flush=True)


main()
