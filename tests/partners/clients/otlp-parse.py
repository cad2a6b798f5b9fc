"""Reads bodies of OTLP/HTTP in JSON with OpenTelemetry's own messages, and prints their spans.

otlp-parse.py FILE...
Unknown fields and wrong types are errors.  OTLP writes ids in hex where protobuf's JSON has base64: that alone is converted.
"""

import base64
import json
import sys

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

LENGTHS = {"traceId": 16, "spanId": 8, "parentSpanId": 8}


def converted(value):
    if isinstance(value, list):
        return [converted(each) for each in value]
    if not isinstance(value, dict):
        return value
    return {name: to_base64(name, each) if name in LENGTHS else converted(each) for name, each in value.items()}


def to_base64(name, value):
    if name == "parentSpanId" and value == "":
        return ""
    if value != value.lower() or len(value) != 2 * LENGTHS[name]:
        raise ValueError(f"{name}: {value!r}")
    return base64.b64encode(bytes.fromhex(value)).decode()


def plain(attributes):
    found = {}
    for each in attributes:
        if each.key in found:
            raise ValueError(f"{each.key} stands twice")
        found[each.key] = getattr(each.value, each.value.WhichOneof("value"))
    return found


def spans(request):
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield {
                    "trace_id": span.trace_id.hex(),
                    "span_id": span.span_id.hex(),
                    "parent_id": span.parent_span_id.hex(),
                    "flags": span.flags,
                    "name": span.name,
                    "kind": Span.SpanKind.Name(span.kind),
                    "start": span.start_time_unix_nano,
                    "end": span.end_time_unix_nano,
                    "status": Status.StatusCode.Name(span.status.code),
                    "attributes": plain(span.attributes),
                    "resource": plain(resource.resource.attributes),
                    "scope": scope.scope.name,
                }


def main():
    all_spans = []
    for name in sys.argv[1:]:
        with open(name, encoding="utf-8") as file:
            request = json_format.ParseDict(converted(json.load(file)), ExportTraceServiceRequest())
        all_spans.extend(spans(request))
    print(json.dumps(all_spans))


main()
