"""Clients whose every request is a new TLS connection: load.py PORT CA COUNT PATH TOKEN.

Prints `half` when half of COUNT have been served, at the end how many went wrong and how long the slowest took; exits
with 1 if one went wrong.
"""

import collections
import hashlib
import socket
import ssl
import sys
import threading
import time

CLIENTS = 4
PATIENCE = 60

port, ca, count, path, token = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
context = ssl.create_default_context(cafile=ca)
signature = hashlib.sha1("".join(sorted([token, "1714112445", "415670741"])).encode()).hexdigest()
request = (
    f"GET {path}?signature={signature}&timestamp=1714112445&nonce=415670741&echostr=5837 HTTP/1.1\r\n"
    "Host: wx.test\r\nConnection: close\r\n\r\n"
).encode()

lock = threading.Lock()
outcomes = collections.Counter()
begun = 0
slowest = 0.0


def ask():
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as plain:
        with context.wrap_socket(plain, server_hostname="wx.test") as stream:
            stream.sendall(request)
            answer = b""
            while part := stream.recv(65536):
                answer += part
    ok = answer.startswith(b"HTTP/1.1 200 ") and answer.endswith(b"\r\n\r\n5837")
    return "ok" if ok else repr(answer[:60])


def client():
    global begun, slowest
    while True:
        with lock:
            if begun == count:
                return
            begun += 1
        at = time.monotonic()
        try:
            outcome = ask()
        except OSError as error:
            outcome = repr(error)
        with lock:
            slowest = max(slowest, time.monotonic() - at)
            outcomes[outcome] += 1
            if sum(outcomes.values()) == count // 2:
                print("half", flush=True)


threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(dict(outcomes), f"slowest {slowest:.2f} s", flush=True)
sys.exit(outcomes != {"ok": count})
