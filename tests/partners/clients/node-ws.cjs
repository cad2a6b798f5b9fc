// One WebSocket conversation by npm ws, told as one line of JSON; arguments as in the README.
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const { once } = require('node:events');
const { parseArgs } = require('node:util');
const WebSocket = require('ws');
const { lookupOf } = require('./shared.cjs');

const { values: options, positionals: [url], tokens } = parseArgs({
  allowPositionals: true,
  tokens: true,
  options: {
    ca: { type: 'string' },
    address: { type: 'string' },
    close: { type: 'string', default: '1000' },
    text: { type: 'string', multiple: true },
    'text-size': { type: 'string', multiple: true },
    'binary-size': { type: 'string', multiple: true },
  },
});

const MESSAGE = {
  text: (text) => text,
  'text-size': (size) => '字a'.repeat(Math.ceil(size / 4)).slice(0, Math.floor(size / 2)),
  'binary-size': (size) => crypto.randomBytes(Number(size)),
};

// Sends one message and waits for its echo, or for the end.
async function exchange(socket, message) {
  const bytes = Buffer.from(message);
  socket.send(message);
  const [kind, data, binary] = await Promise.race([
    once(socket, 'message').then((got) => ['message', ...got]),
    once(socket, 'close').then(() => ['close']),
  ]);
  if (kind === 'close') return null;
  return { type: binary ? 'binary' : 'text', bytes: data.length, equal: data.equals(bytes) && binary === (typeof message !== 'string') };
}

async function converse() {
  const ca = options.ca && fs.readFileSync(options.ca);
  const socket = new WebSocket(url, { ca, lookup: lookupOf(options.address), maxPayload: 0 });
  const closed = once(socket, 'close');
  await once(socket, 'open');
  const echoes = [];
  for (const { name, value } of tokens) {
    const echo = name in MESSAGE ? await exchange(socket, MESSAGE[name](value)) : undefined;
    if (echo === null) break;
    if (echo) echoes.push(echo);
  }
  socket.close(Number(options.close), 'done');
  const [code, reason] = await closed;
  return { echoes, close_code: code, close_reason: reason.toString() };
}

converse().then(
  (answer) => {
    console.log(JSON.stringify(answer));
    process.exit(answer.echoes.every((echo) => echo.equal) ? 0 : 1);
  },
  (error) => {
    console.error(String(error));
    process.exit(1);
  },
);
