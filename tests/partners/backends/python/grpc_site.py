"""A gRPC service by grpcio whose messages are plain bytes; grpc_site.py [CERT KEY]."""

import asyncio
import hashlib
import inspect
import json
import sys
from pathlib import Path

import grpc

SERVICE = "wxgate.test.Site"
calls = {"begun": 0, "finished": 0, "cancelled": 0}


def counted(method):
    """Counts how calls end.  One that the client takes back is cancelled here."""

    async def stream(request, context):
        calls["begun"] += 1
        try:
            async for message in method(request, context):
                yield message
            calls["finished"] += 1
        except (asyncio.CancelledError, GeneratorExit):
            calls["cancelled"] += 1
            raise

    async def single(request, context):
        calls["begun"] += 1
        try:
            answer = await method(request, context)
            calls["finished"] += 1
            return answer
        except asyncio.CancelledError:
            calls["cancelled"] += 1
            raise

    return stream if inspect.isasyncgenfunction(method) else single


async def state(_request, _context):
    """How calls have ended so far, this one not counted."""
    return json.dumps(calls).encode()


@counted
async def echo(request, context):
    return request


@counted
async def told(_request, context):
    """What came with the call, and metadata both before and after the answer."""
    await context.send_initial_metadata((("x-initial", "first"), ("x-initial-bin", bytes(range(8)))))
    context.set_trailing_metadata((("x-trailing", "last"), ("x_low", "kept"), ("x-trailing-bin", b"\0\xff")))
    pairs = [[name, value if isinstance(value, str) else value.hex()] for name, value in context.invocation_metadata()]
    return json.dumps({"metadata": pairs, "peer": context.peer(), "left": context.time_remaining()}).encode()


@counted
async def fails(request, context):
    """The request is `CODE text`; nothing but trailers comes back."""
    code, text = request.decode().split(" ", 1)
    await context.abort(grpc.StatusCode[code], text, (("x-why", "because"),))


@counted
async def hangs(_request, _context):
    await asyncio.Event().wait()


@counted
async def counts(request, _context):
    """The request is `{"count","size","pause"}`."""
    wanted = json.loads(request)
    for number in range(wanted["count"]):
        if wanted["pause"]:
            await asyncio.sleep(wanted["pause"])
        yield bytes([number % 256]) * wanted["size"]


@counted
async def counts_then_fails(request, context):
    for number in range(3):
        yield bytes([number])
    await context.abort(grpc.StatusCode.DATA_LOSS, "after three", (("x-why", "because"),))


@counted
async def sums(requests, _context):
    digest, count, size = hashlib.sha256(), 0, 0
    async for message in requests:
        digest.update(message)
        count, size = count + 1, size + len(message)
    return json.dumps({"count": count, "bytes": size, "sha256": digest.hexdigest()}).encode()


@counted
async def converses(requests, _context):
    async for message in requests:
        yield message
    # A call that is taken back shows as the end of the messages first.
    await asyncio.sleep(0.05)


@counted
async def never_reads(_requests, _context):
    """Answers once, then neither reads nor ends."""
    yield b"here"
    await asyncio.Event().wait()


HANDLERS = {
    "State": grpc.unary_unary_rpc_method_handler(state),
    "Echo": grpc.unary_unary_rpc_method_handler(echo),
    "Told": grpc.unary_unary_rpc_method_handler(told),
    "Fails": grpc.unary_unary_rpc_method_handler(fails),
    "Hangs": grpc.unary_unary_rpc_method_handler(hangs),
    "Counts": grpc.unary_stream_rpc_method_handler(counts),
    "CountsThenFails": grpc.unary_stream_rpc_method_handler(counts_then_fails),
    "Sums": grpc.stream_unary_rpc_method_handler(sums),
    "Converses": grpc.stream_stream_rpc_method_handler(converses),
    "NeverReads": grpc.stream_stream_rpc_method_handler(never_reads),
}


async def main(files):
    server = grpc.aio.server(options=(("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)))
    server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, HANDLERS),))
    if files:
        cert, key = (Path(file).read_bytes() for file in files)
        port = server.add_secure_port("127.0.0.1:0", grpc.ssl_server_credentials([(key, cert)]))
    else:
        port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    print(f"listening tcp 127.0.0.1:{port}", flush=True)
    await server.wait_for_termination()


asyncio.run(main(sys.argv[1:]))
