"""A backend on 127.0.0.1:8080 whose every answer takes six seconds, a byte each: slow.py."""

import http.server
import time


class Slow(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.send_response(200)
        self.send_header("Content-Length", "6")
        self.end_headers()
        for _ in range(6):
            self.wfile.write(b".")
            self.wfile.flush()
            time.sleep(1)


http.server.ThreadingHTTPServer(("127.0.0.1", 8080), Slow).serve_forever()
