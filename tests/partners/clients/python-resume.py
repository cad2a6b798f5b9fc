"""Connects to each ADDRESS in turn, each time with the session of the time before, and says which were resumed.

python-resume.py --ca FILE --name NAME --tls 1.2|1.3 ADDRESS...
One GET is sent on each connection.  Prints a JSON list of {"status", "resumed", "version"}.
"""

import argparse
import json
import socket
import ssl

VERSIONS = {"1.2": ssl.TLSVersion.TLSv1_2, "1.3": ssl.TLSVersion.TLSv1_3}


def visit(context, session, address, name):
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=60) as tcp:
        with context.wrap_socket(tcp, server_hostname=name, session=session) as stream:
            stream.sendall(f"GET / HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n".encode())
            answer = b""
            while piece := stream.recv(65536):
                answer += piece
            told = {
                "status": int(answer.split(b" ", 2)[1]),
                "resumed": stream.session_reused,
                "version": stream.version(),
            }
            # With TLS 1.3 a session comes after the handshake.
            return told, stream.session


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--ca", required=True)
    parser.add_argument("--name", required=True)
    parser.add_argument("--tls", required=True, choices=VERSIONS)
    parser.add_argument("addresses", nargs="+")
    options = parser.parse_args()
    context = ssl.create_default_context(cafile=options.ca)
    context.minimum_version = context.maximum_version = VERSIONS[options.tls]
    session, visits = None, []
    for address in options.addresses:
        told, session = visit(context, session, address, options.name)
        visits.append(told)
    print(json.dumps(visits))


main()
