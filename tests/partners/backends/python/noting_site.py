"""Notes each request, `METHOD target`, in FILE when its body has come, and answers it: noting_site.py PORT FILE."""

import os
import socket
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def answer(self):
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        # In one piece, and there even if this process is killed now.
        os.write(notes, f"{self.command} {self.path}\n".encode())
        if self.path == "/endless":
            self.send_response(200)
            self.send_header("Content-Length", str(1 << 40))
            self.end_headers()
            while True:
                self.wfile.write(bytes(65536))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 512

    def server_bind(self):
        # Beside the test's own socket, which keeps the port.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        self.socket.bind(self.server_address)

    def handle_error(self, *_):
        pass


notes = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
server = Server(("127.0.0.1", int(sys.argv[1])), Site)
print("listening", flush=True)
server.serve_forever()
