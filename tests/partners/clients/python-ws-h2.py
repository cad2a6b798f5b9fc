"""WebSocket conversations over one HTTP/2 connection (RFC 8441) by h2 and wsproto; arguments as in the README."""

import argparse
import json
import signal
import socket
import ssl
import sys
from collections import defaultdict
from urllib.parse import urlsplit

import h2.config
import h2.connection
import h2.events
from wsproto.connection import Connection, ConnectionType
from wsproto.events import BytesMessage, CloseConnection, Ping, Pong, TextMessage
from wsproto.extensions import PerMessageDeflate

from shared import add_messages, resolve_to

LONGEST_WAIT = 60
LONGEST_RUN = 120
PIECE = 65536


class Http2:
    """The connection: what comes in is sorted by stream."""

    def __init__(self, url, ca):
        context = ssl.create_default_context(cafile=ca)
        context.set_alpn_protocols(["h2"])
        plain = socket.create_connection((url.hostname, url.port), LONGEST_WAIT)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(plain, server_hostname=url.hostname)
        self.authority, self.path = url.netloc, url.path + (f"?{url.query}" if url.query else "")
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))
        self.heads, self.data, self.ended, self.reset = {}, defaultdict(bytearray), set(), {}
        self.has_settings = False
        self.h2.initiate_connection()
        self.flush()
        self.wait(lambda: self.has_settings)
        if not self.h2.remote_settings.enable_connect_protocol:
            raise OSError("the server does not offer extended CONNECT")

    def flush(self):
        self.socket.sendall(self.h2.data_to_send())

    def wait(self, is_enough):
        while not is_enough():
            received = self.socket.recv(PIECE)
            if not received:
                raise EOFError("the connection is closed")
            for event in self.h2.receive_data(received):
                self.see(event)
            self.flush()

    def see(self, event):
        if isinstance(event, h2.events.RemoteSettingsChanged):
            self.has_settings = True
        elif isinstance(event, h2.events.ResponseReceived):
            self.heads[event.stream_id] = dict(event.headers)
        elif isinstance(event, h2.events.DataReceived):
            self.data[event.stream_id] += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.ended.add(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.reset[event.stream_id] = event.error_code

    def request(self, method, path, more=(), end_stream=False):
        stream = self.h2.get_next_available_stream_id()
        pseudo = [(":method", method), (":scheme", "https"), (":path", path), (":authority", self.authority)]
        self.h2.send_headers(stream, [*pseudo, *more], end_stream=end_stream)
        self.flush()
        return stream

    def send(self, stream, data):
        data = memoryview(data)
        while data:
            self.wait(lambda: stream in self.reset or self.h2.local_flow_control_window(stream) > 0)
            size = min(len(data), self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
            self.h2.send_data(stream, data[:size])
            self.flush()
            data = data[size:]

    def end(self, stream):
        if stream not in self.reset:
            self.h2.end_stream(stream)
            self.flush()

    def is_over(self, stream):
        return stream in self.ended or stream in self.reset

    def get(self, path):
        """An ordinary request beside the sockets; its status."""
        stream = self.request("GET", path, end_stream=True)
        self.wait(lambda: self.is_over(stream))
        return int(self.heads[stream][":status"])


class Socket:
    """One WebSocket on a stream of its own."""

    def __init__(self, http2, options):
        self.http2 = http2
        deflate = PerMessageDeflate() if options.deflate else None
        more = [(":protocol", options.protocol), ("sec-websocket-version", "13")]
        if options.subprotocol:
            more.append(("sec-websocket-protocol", ", ".join(options.subprotocol)))
        if deflate:
            more.append(("sec-websocket-extensions", f"permessage-deflate; {deflate.offer()}"))
        self.stream = http2.request("CONNECT", http2.path, more)
        http2.wait(lambda: self.stream in http2.heads)
        self.head = http2.heads[self.stream]
        self.status = int(self.head[":status"])
        accepted = self.head.get("sec-websocket-extensions", "")
        self.has_deflate = accepted.startswith("permessage-deflate")
        if self.has_deflate:
            deflate.finalize(accepted)
        self.protocol = Connection(ConnectionType.CLIENT, [deflate] if self.has_deflate else [])
        self.pending = []

    def send(self, event):
        self.http2.send(self.stream, self.protocol.send(event))

    def event(self):
        """The next event; none when the stream has ended without one."""
        while not self.pending:
            received = self.http2.data[self.stream]
            self.http2.wait(lambda: received or self.http2.is_over(self.stream))
            if not received:
                return None
            self.protocol.receive_data(bytes(received))
            received.clear()
            self.pending.extend(self.protocol.events())
        return self.pending.pop(0)

    def say(self, kind, message):
        if kind != "fragmented":
            return self.send((BytesMessage if isinstance(message, bytes) else TextMessage)(data=message))
        for place, character in enumerate(message):
            self.send(TextMessage(data=character, message_finished=place == len(message) - 1))
            if place == 0:
                self.send(Ping(b"there?"))
                pong = self.event()
                if not isinstance(pong, Pong) or pong.payload != b"there?":
                    raise OSError(f"no pong but {pong}")

    def hear(self, message):
        """Waits for the echo; none if the server closes instead."""
        parts = []
        while isinstance(event := self.event(), (TextMessage, BytesMessage)):
            parts.append(event.data)
            if event.message_finished:
                echo = type(event.data)().join(parts)
                size = len(echo.encode()) if isinstance(echo, str) else len(echo)
                return {"type": "text" if isinstance(echo, str) else "binary", "bytes": size, "equal": echo == message}
        self.closed_by(event)
        return None

    def closed_by(self, event):
        self.code, self.reason = (event.code, event.reason) if isinstance(event, CloseConnection) else (1006, "")
        if isinstance(event, CloseConnection):
            self.send(event.response())

    def close(self, code):
        self.send(CloseConnection(code, "done"))
        event = self.event()
        self.code, self.reason = (event.code, event.reason) if isinstance(event, CloseConnection) else (1006, "")


def converse(http2, sockets, options):
    echoes, statuses, open_ones = [], [], list(sockets)
    for kind, message in options.messages:
        for one in open_ones:
            one.say(kind, message)
        if options.get:
            statuses.append(http2.get(options.get))
        heard = [(one, one.hear(message)) for one in open_ones]
        echoes.extend(echo for _, echo in heard if echo)
        open_ones = [one for one, echo in heard if echo]
    for one in open_ones:
        one.close(options.close)
    for one in sockets:
        http2.end(one.stream)
    http2.wait(lambda: all(http2.is_over(one.stream) for one in sockets))
    return echoes, statuses


def main():
    parser = argparse.ArgumentParser()
    add_messages(parser)
    parser.add_argument("--sockets", type=int, default=1)
    parser.add_argument("--get")
    parser.add_argument("--protocol", default="websocket")
    options = parser.parse_args()
    resolve_to(options.address)
    signal.alarm(LONGEST_RUN)
    http2 = Http2(urlsplit(options.url), options.ca)
    sockets = [Socket(http2, options) for _ in range(options.sockets)]
    first = sockets[0]
    answer = {"status": first.status, "subprotocol": first.head.get("sec-websocket-protocol"), "deflate": first.has_deflate}
    if first.status == 200:
        echoes, statuses = converse(http2, sockets, options)
        ends = {(one.code, one.reason) for one in sockets}
        (code, reason), = ends
        answer |= {"echoes": echoes, "gets": statuses, "close_code": code, "close_reason": reason}
        answer |= {"resets": len(http2.reset), "head": first.head}
    else:
        http2.wait(lambda: http2.is_over(first.stream))
        answer |= {"echoes": [], "body": http2.data[first.stream].decode()}
    print(json.dumps(answer, ensure_ascii=False))
    sys.exit(not all(echo["equal"] for echo in answer["echoes"]))


main()
