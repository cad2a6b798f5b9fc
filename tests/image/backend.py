"""A backend for `run`: backend.py PORT. /slow answers a letter a second, five of them; anything else, what it was asked."""

import http.server
import sys
import time


class Answer(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        slow = self.path == "/slow"
        body = b"....." if slow else self.path.encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        for position in range(len(body)) if slow else ():
            self.wfile.write(body[position : position + 1])
            time.sleep(1)
        if not slow:
            self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Answer).serve_forever()
