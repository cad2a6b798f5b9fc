"""Verifications over TLS by four clients at once: load.py PORT CA COUNT PATH TOKEN [PER_CONNECTION].

Without the last argument every request has a connection of its own. Prints `half` when half of COUNT have been served, at
the end how many went wrong and how long the slowest took; exits with 1 if one went wrong. Nothing is tried twice.
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
per_connection = int(sys.argv[6]) if len(sys.argv) > 6 else 1
signature = hashlib.sha1("".join(sorted([token, "1714112445", "415670741"])).encode()).hexdigest()
target = f"{path}?signature={signature}&timestamp=1714112445&nonce=415670741&echostr=5837"

lock = threading.Lock()
outcomes = collections.Counter()
begun = 0
slowest = 0.0


class Connection:
    """Made for the first request, and again when either side wanted the last one closed."""

    def __init__(self):
        self.stream, self.asked = None, 0

    def ask(self):
        if self.stream is None:
            plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
            self.stream, self.asked = context.wrap_socket(plain, server_hostname="wx.test"), 0
        self.asked += 1
        last = "Connection: close\r\n" if self.asked == per_connection else ""
        self.stream.sendall(f"GET {target} HTTP/1.1\r\nHost: wx.test\r\n{last}\r\n".encode())
        answer = b""
        while not answer.endswith(b"\r\n\r\n5837"):
            part = self.stream.recv(65536)
            if not part:
                self.close()
                return f"request {self.asked} of a connection: ended after {answer[:60]!r}"
            answer += part
        if b"connection: close" in answer.lower():
            self.close()
        return "ok" if answer.startswith(b"HTTP/1.1 200 ") else repr(answer[:60])

    def close(self):
        if self.stream is not None:
            self.stream.close()
        self.stream = None


def client():
    global begun, slowest
    connection = Connection()
    while True:
        with lock:
            if begun == count:
                return connection.close()
            begun += 1
        at = time.monotonic()
        try:
            outcome = connection.ask()
        except OSError as error:
            connection.close()
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
