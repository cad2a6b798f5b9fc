"""Asks through OpenTelemetry's SDK: each request has a span, whose context goes out as traceparent and tracestate.

otel-client.py [--unsampled] [--state KEY=VALUE] URL...
Prints a JSON list of {"trace_id", "span_id", "status", "answer"}, the answer being JSON.
"""

import argparse
import json
import urllib.request

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--unsampled", action="store_true")
    parser.add_argument("--state", default="")
    parser.add_argument("urls", nargs="+")
    options = parser.parse_args()
    tracer = TracerProvider(sampler=ALWAYS_OFF if options.unsampled else ALWAYS_ON).get_tracer("client")
    told = []
    for url in options.urls:
        with tracer.start_as_current_span("client", kind=trace.SpanKind.CLIENT) as span:
            headers = {}
            TraceContextTextMapPropagator().inject(headers)
            if options.state:
                headers["tracestate"] = options.state
            with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=60) as answer:
                context = span.get_span_context()
                told.append({
                    "trace_id": f"{context.trace_id:032x}",
                    "span_id": f"{context.span_id:016x}",
                    "status": answer.status,
                    "answer": json.load(answer),
                })
    print(json.dumps(told))


main()
