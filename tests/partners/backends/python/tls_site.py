"""Says what a TLS handshake brought, by Python's ssl: tls_site.py CERT KEY [--client-ca FILE] [--alpn NAME] [--tls 1.2]."""

import argparse
import json
import ssl
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Site(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        subject = (self.connection.getpeercert() or {}).get("subject", ())
        facts = {
            "sni": getattr(self.connection, "asked_for", None),
            "alpn": self.connection.selected_alpn_protocol(),
            "version": self.connection.version(),
            "resumed": self.connection.session_reused,
            "client": [value for part in subject for _, value in part],
        }
        body = json.dumps(facts).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.do_GET()

    def log_message(self, *_):
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, context):
        super().__init__(("127.0.0.1", 0), Site)
        self.context = context

    def finish_request(self, request, address):
        """On the connection's own thread, so that a handshake that hangs holds nobody up."""
        with self.context.wrap_socket(request, server_side=True) as encrypted:
            self.RequestHandlerClass(encrypted, address, self)

    def handle_error(self, *_):
        pass


def note_name(connection, name, _context):
    connection.asked_for = name


parser = argparse.ArgumentParser()
parser.add_argument("cert")
parser.add_argument("key")
parser.add_argument("--client-ca")
parser.add_argument("--alpn")
parser.add_argument("--tls")
options = parser.parse_args()
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(options.cert, options.key)
context.sni_callback = note_name
if options.client_ca:
    context.load_verify_locations(options.client_ca)
    context.verify_mode = ssl.CERT_REQUIRED
if options.alpn:
    context.set_alpn_protocols([options.alpn])
if options.tls == "1.2":
    context.maximum_version = ssl.TLSVersion.TLSv1_2
server = Server(context)
print(f"listening tcp 127.0.0.1:{server.server_address[1]}", flush=True)
server.serve_forever()
