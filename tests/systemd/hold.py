"""Many connections over TLS at once, each asked a verification; then every second one of them ends: hold.py PORT CA COUNT PATH TOKEN.

Prints `open` when all are there and `half` when half of them have ended and some of the rest were asked for three seconds more. Holds them
until standard input closes.
"""

import hashlib
import socket
import ssl
import sys
import time

port, ca, count, path, token = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4], sys.argv[5]
context = ssl.create_default_context(cafile=ca)
signature = hashlib.sha1("".join(sorted([token, "1714112445", "415670741"])).encode()).hexdigest()
target = f"{path}?signature={signature}&timestamp=1714112445&nonce=415670741&echostr=5837"


def connect():
    return context.wrap_socket(socket.create_connection(("127.0.0.1", port), timeout=30), server_hostname="wx.test")


def ask(stream):
    stream.sendall(f"GET {target} HTTP/1.1\r\nHost: wx.test\r\n\r\n".encode())
    answer = b""
    while not answer.endswith(b"\r\n\r\n5837"):
        part = stream.recv(65536)
        if not part:
            sys.exit(f"ended after {answer[:60]!r}")
        answer += part


streams = [connect() for _ in range(count)]
# The second request, too, leaves something behind.
for stream in streams * 2:
    ask(stream)
print("open", flush=True)
kept = streams[::2]
for stream in streams[1::2]:
    stream.close()
# Few enough that journald takes the lines of all of them.
for stream in kept[:150]:
    ask(stream)
    time.sleep(0.02)
print("half", flush=True)
sys.stdin.read()
