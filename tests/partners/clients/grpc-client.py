"""One scenario of calls by grpcio, told as one line of JSON: grpc-client.py [--ca FILE --name NAME] ADDRESS SCENARIO."""

import argparse
import asyncio
import hashlib
import json
import time
from pathlib import Path

import grpc

SERVICE = "wxgate.test.Site"
MEBI = 1 << 20


class Site:
    """The service's methods, messages being plain bytes."""

    def __init__(self, channel):
        kinds = {
            channel.unary_unary: ("State", "Echo", "Told", "Fails", "Hangs"),
            channel.unary_stream: ("Counts", "CountsThenFails"),
            channel.stream_unary: ("Sums",),
            channel.stream_stream: ("Converses", "NeverReads"),
        }
        for kind, names in kinds.items():
            for name in names:
                setattr(self, name, kind(f"/{SERVICE}/{name}"))

    async def state(self):
        return json.loads(await self.State(b""))

    async def until(self, key, value):
        """Waits until the service has counted so many calls."""
        deadline = time.monotonic() + 60
        while (now := (await self.state())[key]) < value:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{key} is {now}, not {value}")
            await asyncio.sleep(0.02)
        return now


def plain(metadata):
    return [[name, value if isinstance(value, str) else value.hex()] for name, value in metadata or ()]


async def failure(call):
    """The status of a call that must fail, and how long that took."""
    began = time.monotonic()
    try:
        await call
    except grpc.aio.AioRpcError as error:
        return {
            "code": error.code().name,
            "details": error.details(),
            "trailing": plain(error.trailing_metadata()),
            "seconds": time.monotonic() - began,
        }
    raise AssertionError("it did not fail")


async def unary(site):
    call = site.Told(b"", metadata=(("x-sent", "1"), ("x-sent-bin", b"\0\1")), timeout=30)
    answer = json.loads(await call)
    return {
        "answer": answer,
        "initial": plain(await call.initial_metadata()),
        "trailing": plain(await call.trailing_metadata()),
        "code": (await call.code()).name,
        "echo": (await site.Echo("你好".encode())).decode(),
        "empty": len(await site.Echo(b"")),
    }


async def streams(site):
    received = [message async for message in site.Counts(json.dumps({"count": 50, "size": 1000, "pause": 0}).encode())]
    digest = hashlib.sha256()
    messages = [bytes([number]) * 4096 for number in range(100)]
    for message in messages:
        digest.update(message)

    async def each():
        for message in messages:
            yield message

    return {
        "received": len(received),
        "in_order": all(message == bytes([number]) * 1000 for number, message in enumerate(received)),
        "sums": json.loads(await site.Sums(each())),
        "sha256": digest.hexdigest(),
        "conversation": await conversation(site),
    }


async def conversation(site):
    """Each message is sent after the answer to the one before: nothing between may hold one back."""
    call = site.Converses()
    echoes = 0
    for number in range(50):
        message = f"message {number}".encode()
        await call.write(message)
        echoes += await call.read() == message
    await call.done_writing()
    end = await call.read()
    return {"echoes": echoes, "ended": end is grpc.aio.EOF, "code": (await call.code()).name}


async def fails(site):
    only_trailers = await failure(site.Fails(b"FAILED_PRECONDITION not today"))
    call = site.CountsThenFails(b"")
    count = 0
    try:
        async for _ in call:
            count += 1
    except grpc.aio.AioRpcError:
        pass
    after = {"count": count, "code": (await call.code()).name, "details": await call.details()}
    after["trailing"] = plain(await call.trailing_metadata())
    return {"only_trailers": only_trailers, "after_three": after, "unknown": await failure_of_unknown(site)}


async def failure_of_unknown(site):
    return await failure(site.unknown(b""))


async def deadline(site):
    failed = await failure(site.Hangs(b"", timeout=1))
    return {"failed": failed, "cancelled": await site.until("cancelled", 1)}


async def cancel(site):
    """Calls of each kind that the client takes back; the service must hear of each."""
    calls = [site.Hangs(b""), site.Counts(json.dumps({"count": 10**9, "size": 100, "pause": 0.01}).encode()), site.Converses()]
    await calls[1].read()
    await calls[2].write(b"a")
    await calls[2].read()
    await site.until("begun", 3)
    began = time.monotonic()
    for call in calls:
        call.cancel()
    heard = await site.until("cancelled", 3)
    return {"heard": heard, "seconds": time.monotonic() - began}


async def stuck(site):
    """An upload that the service does not read, taken back while it waits for room."""
    call = site.NeverReads()
    first = await call.read()

    async def upload():
        while True:
            await call.write(bytes(MEBI))

    writing = asyncio.create_task(upload())
    await asyncio.sleep(1)
    call.cancel()
    writing.cancel()
    return {"first": first.decode(), "heard": await site.until("cancelled", 1)}


async def many(site):
    """A thousand calls at once, each with a message of its own."""
    messages = [f"call {number} ".encode() * 50 for number in range(1000)]
    began = time.monotonic()
    answers = await asyncio.gather(*(site.Echo(message, timeout=60) for message in messages))
    return {"right": sum(a == b for a, b in zip(answers, messages)), "seconds": time.monotonic() - began}


async def large(site):
    message = bytes(range(256)) * (10 * MEBI // 256)
    began = time.monotonic()
    right = [await site.Echo(message) == message for _ in range(3)]
    answers = await asyncio.gather(*(site.Echo(message) for _ in range(4)))
    return {"right": sum(right) + sum(a == message for a in answers), "seconds": time.monotonic() - began}


async def silent(site):
    """A stream on which nothing happens for six seconds."""
    call = site.Counts(json.dumps({"count": 1, "size": 1, "pause": 6}).encode())
    return {"received": [message.hex() async for message in call]}


SCENARIOS = {f.__name__: f for f in (unary, streams, fails, deadline, cancel, stuck, many, large, silent)}


async def main(options):
    settings = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1), ("grpc.enable_http_proxy", 0)]
    if options.ca:
        settings.append(("grpc.ssl_target_name_override", options.name))
        credentials = grpc.ssl_channel_credentials(Path(options.ca).read_bytes())
        channel = grpc.aio.secure_channel(options.address, credentials, settings)
    else:
        channel = grpc.aio.insecure_channel(options.address, settings)
    async with channel:
        site = Site(channel)
        site.unknown = channel.unary_unary(f"/{SERVICE}/NoSuchMethod")
        print(json.dumps(await asyncio.wait_for(SCENARIOS[options.scenario](site), 100)))


parser = argparse.ArgumentParser()
parser.add_argument("--ca")
parser.add_argument("--name", default="wx.test")
parser.add_argument("address")
parser.add_argument("scenario", choices=SCENARIOS)
asyncio.run(main(parser.parse_args()))
