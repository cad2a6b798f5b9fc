"""An upstream that speaks slowly: 50 chunks, 20 ms apart, each with the time at which it was sent."""

import asyncio
import sys
import time

CHUNKS = 50
PAUSE = 0.02
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while True:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(HEAD)
            for _ in range(CHUNKS):
                await asyncio.sleep(PAUSE)
                # The monotonic clock is one for all processes.
                piece = b"data: %019d\n\n" % time.monotonic_ns()
                writer.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            writer.write(b"0\r\n\r\n")
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        writer.close()


async def main() -> None:
    server = await asyncio.start_server(answer, "127.0.0.1", int(sys.argv[1]))
    await server.serve_forever()


asyncio.run(main())
