// One WebSocket conversation by npm ws, told as one line of JSON; arguments as in the README.
'use strict';
const fs = require('node:fs');
const { once } = require('node:events');
const WebSocket = require('ws');
const { decode, lookupOf } = require('./shared.cjs');
const { converse, parse, tell } = require('./ws_conversation.cjs');

const { options, url, messages } = parse();

async function main() {
  const ca = options.ca && fs.readFileSync(options.ca);
  const settings = { ca, lookup: lookupOf(options.address), maxPayload: 0, perMessageDeflate: options.deflate };
  const socket = new WebSocket(url, options.subprotocol, settings);
  const [event, , response] = await Promise.race([
    once(socket, 'open').then(() => ['open']),
    once(socket, 'unexpected-response').then((got) => ['refused', ...got]),
  ]);
  if (event === 'refused') return { status: response.statusCode, body: (await decode(response)).body, echoes: [] };
  const head = { status: 101, subprotocol: socket.protocol || null, deflate: socket.extensions === 'permessage-deflate' };
  return { ...head, ...(await converse(socket, messages, options.close)) };
}

tell(main());
