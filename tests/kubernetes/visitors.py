"""Clients of a Service, from outside of the pods; all by TLS with the name wx.test, checked against CA.

visitors.py load ADDRESS CA [TOKEN]   until SIGTERM: some connect anew for each request, some keep their connections. They ask for the
                                      page, and with a TOKEN for a verification of /wechat every other time
visitors.py socket ADDRESS CA         a WebSocket at /socket, used twice a second until it ends

Each prints `begun` once everything has been answered once, and at its end one line of what it saw; exits with 1 on any failure.
"""

import collections
import hashlib
import json
import signal
import socket
import ssl
import sys
import threading
import time

NEW, KEPT = 3, 3
PAUSE = 0.02
PATIENCE = 30

address, context = sys.argv[2], ssl.create_default_context(cafile=sys.argv[3])
lock = threading.Lock()
counts = collections.Counter()
failures = []
slowest = 0.0
over = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: over.set())


def connect():
    plain = socket.create_connection((address, 443), timeout=PATIENCE)
    try:
        return context.wrap_socket(plain, server_hostname="wx.test", suppress_ragged_eofs=False)
    except BaseException:
        plain.close()
        raise


def read_response(stream):
    """The status, the body, and whether the connection goes on; None if it ended before the first byte."""
    data = b""
    while b"\r\n\r\n" not in data:
        part = stream.recv(65536)
        if not part:
            if data:
                raise OSError("cut in the head")
            return None
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.lower().split(b"\r\n")
    fields = dict(line.split(b": ", 1) for line in lines[1:])
    if b"content-length" in fields:
        while len(body) < int(fields[b"content-length"]):
            part = stream.recv(65536)
            if not part:
                raise OSError("cut in the body")
            body += part
    else:
        while not body.endswith(b"0\r\n\r\n"):
            part = stream.recv(65536)
            if not part:
                raise OSError("cut in the body")
            body += part
    return lines[0].split(b" ")[1], body, fields.get(b"connection") != b"close"


def request(path, last):
    return f"GET {path} HTTP/1.1\r\nHost: wx.test\r\nConnection: {'close' if last else 'keep-alive'}\r\n\r\n".encode()


def visit(kind, paths, started):
    global slowest
    stream = None
    number = 0
    while not over.is_set():
        path, wanted = paths[number % len(paths)]
        number += 1
        began = time.monotonic()
        try:
            # A kept connection may end between two requests, as RFC 9112 section 9.6 has it; then the next one is new.
            for attempt in range(2):
                reused = stream is not None
                if not reused:
                    stream = connect()
                    counts[f"{kind} connections"] += 1
                try:
                    stream.sendall(request(path, kind == "new"))
                    response = read_response(stream)
                except (ConnectionError, ssl.SSLError):
                    if not reused or attempt:
                        raise
                    response = None
                if response is None and reused:
                    stream.close()
                    stream = None
                    counts["ended between requests"] += 1
                    continue
                break
            if response is None:
                raise OSError("no response")
            status, body, goes_on = response
            if status != b"200" or wanted not in body:
                raise OSError(f"{path}: {status} {body[:80]}")
            counts[kind] += 1
            if kind == "new" or not goes_on:
                counts["told to close"] += kind != "new"
                stream.close()
                stream = None
        except OSError as error:
            failures.append(f"{time.strftime('%H:%M:%S')} {kind}: {error!r}")
            if stream is not None:
                stream.close()
            stream = None
        with lock:
            slowest = max(slowest, time.monotonic() - began)
        started.set()
        time.sleep(PAUSE)


def load():
    paths = [("/", b"\n")]
    for token in sys.argv[4:]:
        values = [token, "1714112445", "415670741"]
        signature = hashlib.sha1("".join(sorted(values)).encode()).hexdigest()
        paths.append((f"/wechat?signature={signature}&timestamp={values[1]}&nonce={values[2]}&echostr=5837", b"5837"))
    begun = []
    for kind in ["new"] * NEW + ["kept"] * KEPT:
        begun.append(threading.Event())
        threading.Thread(target=visit, args=(kind, paths, begun[-1]), daemon=True).start()
    for each in begun:
        each.wait(PATIENCE)
    print("begun", flush=True)
    over.wait()
    time.sleep(1)
    print(json.dumps({**counts, "slowest": round(slowest, 2), "failed": len(failures), "failures": failures[:5]}), flush=True)
    return 1 if failures else 0


def use_socket():
    stream = connect()
    stream.sendall(b"GET /socket HTTP/1.1\r\nHost: wx.test\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                   b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
    head = stream.recv(65536)
    if not (head.startswith(b"HTTP/1.1 101 ") and b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in head):
        print(head)
        return 1
    print("begun", flush=True)
    echoes, began = 0, time.monotonic()
    while True:
        frame = b"\x81\x85\x01\x02\x03\x04" + bytes(one ^ mask for one, mask in zip(b"hello", b"\1\2\3\4\1"))
        try:
            stream.sendall(frame)
            got = stream.recv(len(frame))
            while got and len(got) < len(frame):
                got += stream.recv(len(frame) - len(got)) or b" cut"
        except OSError as error:
            print(f"broken after {echoes} messages: {error!r}")
            return 1
        if not got:
            print(f"ended by a proper close of TLS after {echoes} messages, {time.monotonic() - began:.1f} s")
            return 0
        if got != frame:
            print(f"got {got!r}")
            return 1
        echoes += 1
        time.sleep(0.5)


sys.exit({"load": load, "socket": use_socket}[sys.argv[1]]())
