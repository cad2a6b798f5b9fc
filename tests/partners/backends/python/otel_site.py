"""Answers every GET with what OpenTelemetry's SDK makes of its trace context, by its default sampler."""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

tracer = TracerProvider().get_tracer("site")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        fields = {}
        for name, value in self.headers.items():
            fields.setdefault(name.lower(), []).append(value)
        context = TraceContextTextMapPropagator().extract(fields)
        came = trace.get_current_span(context).get_span_context()
        with tracer.start_as_current_span("site", context=context) as span:
            body = json.dumps({
                "is_remote": came.is_remote,
                "trace_id": f"{came.trace_id:032x}",
                "parent_id": f"{came.span_id:016x}",
                "state": came.trace_state.to_header(),
                "is_recording": span.is_recording(),
                "own_trace_id": f"{span.get_span_context().trace_id:032x}",
            }).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"listening tcp 127.0.0.1:{server.server_port}", flush=True)
server.serve_forever()
