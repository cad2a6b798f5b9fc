// WebSocket conversations over one HTTP/2 connection (RFC 8441): streams by Node's http2, frames by npm ws.
'use strict';
const fs = require('node:fs');
const http2 = require('node:http2');
const path = require('node:path');
const { once } = require('node:events');
const WebSocket = require('ws');
const { decode, lookupOf } = require('./shared.cjs');
const { converse, parse, tell } = require('./ws_conversation.cjs');

// Not exported: the package has no client that is given a stream.
const PerMessageDeflate = require(path.join(path.dirname(require.resolve('ws/package.json')), 'lib', 'permessage-deflate.js'));

const { options, url: target, messages } = parse({ sockets: { type: 'string', default: '1' }, get: { type: 'string' } });
const url = new URL(target);

// What ws does after a handshake of its own.
function overStream(stream, extensions) {
  const socket = new WebSocket(null, undefined, { autoPong: true, closeTimeout: 30_000 });
  socket._isServer = false;
  if (extensions) {
    const deflate = new PerMessageDeflate({}, false);
    const [, ...parameters] = extensions.split(';').map((part) => part.trim());
    deflate.accept([Object.fromEntries(parameters.map((parameter) => [parameter.split('=')[0], [parameter.split('=')[1] ?? true]]))]);
    socket._extensions = { 'permessage-deflate': deflate };
  }
  socket.setSocket(stream, Buffer.alloc(0), { allowSynchronousEvents: true, maxPayload: 0, skipUTF8Validation: false });
  return socket;
}

async function open(session) {
  const more = {};
  if (options.subprotocol.length) more['sec-websocket-protocol'] = options.subprotocol.join(', ');
  if (options.deflate) more['sec-websocket-extensions'] = 'permessage-deflate; client_max_window_bits';
  const stream = session.request({
    ':method': 'CONNECT',
    ':protocol': 'websocket',
    ':scheme': 'https',
    ':authority': url.host,
    ':path': url.pathname + url.search,
    'sec-websocket-version': '13',
    ...more,
  });
  const [head] = await once(stream, 'response');
  return { stream, head };
}

async function get(session) {
  const stream = session.request({ ':path': options.get });
  const [head] = await once(stream, 'response');
  await decode(stream);
  return head[':status'];
}

async function main() {
  const session = http2.connect(url.origin.replace('wss:', 'https:'), { ca: fs.readFileSync(options.ca), lookup: lookupOf(options.address) });
  await once(session, 'remoteSettings');
  if (!session.remoteSettings.enableConnectProtocol) throw new Error('the server does not offer extended CONNECT');
  const opened = await Promise.all(Array.from({ length: Number(options.sockets) }, () => open(session)));
  const [{ stream, head }] = opened;
  const status = head[':status'];
  if (status !== 200) return { status, body: (await decode(stream)).body, echoes: [] };
  const extensions = head['sec-websocket-extensions'];
  const conversations = opened.map(({ stream }) => converse(overStream(stream, extensions), messages, options.close));
  const gets = options.get ? await Promise.all(messages.map(() => get(session))) : [];
  const told = await Promise.all(conversations);
  const ends = new Set(told.map(({ close_code, close_reason }) => `${close_code} ${close_reason}`));
  if (ends.size !== 1) throw new Error(`different ends: ${[...ends]}`);
  return {
    status,
    subprotocol: head['sec-websocket-protocol'] ?? null,
    deflate: extensions !== undefined,
    ...told[0],
    echoes: told.flatMap(({ echoes }) => echoes),
    gets,
  };
}

tell(main());
