"""A WebSocket echo by websockets: messages come back with their type; the text "close CODE REASON" closes so. It takes the
first subprotocol that it is offered, and packs messages if it may; with the query "refuse" it answers 403."""

import asyncio
import re

from websockets.asyncio.server import serve


async def echo(socket):
    async for message in socket:
        close = re.fullmatch(r"close (\d{4}) (.*)", message) if isinstance(message, str) else None
        if close:
            await socket.close(int(close[1]), close[2])
        else:
            await socket.send(message)


def refuse(socket, request):
    return socket.respond(403, "not here") if request.path.endswith("?refuse") else None


def first(socket, offered):
    return offered[0] if offered else None


async def main():
    async with serve(echo, "127.0.0.1", 0, max_size=None, process_request=refuse, select_subprotocol=first) as server:
        host, port = server.sockets[0].getsockname()
        print(f"listening tcp {host}:{port}", flush=True)
        await server.serve_forever()


asyncio.run(main())
