"""One HTTPS request by Python's http.client or by httpx (HTTP/2), answered as one line of JSON; arguments as in the README."""

import argparse
import hashlib
import http.client
import json
import os
import ssl
from contextlib import nullcontext
from urllib.parse import urlsplit

import httpx

from shared import resolve_to

SHOWN = 65536
PIECE = 65536


def body_facts(pieces):
    """The sum, the size and, if it is short, the text of a body."""
    digest, shown, size = hashlib.sha256(), [], 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
        if size < SHOWN:
            shown.append(piece)
    return {"body_sha256": digest.hexdigest(), "bytes": size, "body": text(b"".join(shown)) if size < SHOWN else None}


def text(content):
    """The bytes as text, or nothing if they are none."""
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def over_http1(options, context, headers, body):
    url = urlsplit(options.url)
    connection = http.client.HTTPSConnection(url.hostname, url.port, context=context)
    target = (url.path or "/") + (f"?{url.query}" if url.query else "")
    connection.request(options.method, target, body=body, headers=headers)
    response = connection.getresponse()
    facts = body_facts(iter(lambda: response.read(PIECE), b""))
    return {"status": response.status, "version": "1.1", "headers": response.getheaders(), **facts}


def over_http2(options, context, headers, body):
    with httpx.Client(http1=False, http2=True, verify=context, timeout=60, trust_env=False) as client:
        with client.stream(options.method, options.url, content=body, headers=headers) as response:
            facts = body_facts(response.iter_raw())
            pairs = [(name.decode(), value.decode("latin-1")) for name, value in response.headers.raw]
            version = response.http_version.removeprefix("HTTP/")
            return {"status": response.status_code, "version": version, "headers": pairs, **facts}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--ca", required=True)
    parser.add_argument("--http1", action="store_true")
    parser.add_argument("--http2", action="store_true")
    parser.add_argument("--method", default="GET")
    parser.add_argument("--body-file")
    parser.add_argument("--header", action="append", default=[])
    parser.add_argument("--address")
    options = parser.parse_args()
    resolve_to(options.address)

    context = ssl.create_default_context(cafile=options.ca)
    headers = dict(map(str.strip, line.split(":", 1)) for line in options.header)
    if options.body_file:
        headers["Content-Length"] = str(os.stat(options.body_file).st_size)
    with open(options.body_file, "rb") if options.body_file else nullcontext() as body:
        answer = (over_http2 if options.http2 else over_http1)(options, context, headers, body)
    print(json.dumps(answer, ensure_ascii=False))


main()
