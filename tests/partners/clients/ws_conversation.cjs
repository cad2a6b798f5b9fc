// What the Node clients of WebSockets share: their arguments, and a conversation over a socket of npm ws.
'use strict';
const crypto = require('node:crypto');
const { once } = require('node:events');
const { parseArgs } = require('node:util');

const MESSAGE = {
  text: (text) => text,
  'text-size': (size) => '字a'.repeat(Math.ceil(size / 4)).slice(0, Math.floor(size / 2)),
  'binary-size': (size) => crypto.randomBytes(Number(size)),
  fragmented: (text) => text,
};

function parse(more = {}) {
  const kinds = Object.fromEntries(Object.keys(MESSAGE).map((kind) => [kind, { type: 'string', multiple: true }]));
  const { values: options, positionals: [url], tokens } = parseArgs({
    allowPositionals: true,
    tokens: true,
    options: {
      ca: { type: 'string' },
      address: { type: 'string' },
      subprotocol: { type: 'string', multiple: true, default: [] },
      deflate: { type: 'boolean', default: false },
      close: { type: 'string', default: '1000' },
      ...kinds,
      ...more,
    },
  });
  const messages = tokens.filter(({ name }) => name in MESSAGE).map(({ name, value }) => ({ kind: name, message: MESSAGE[name](value) }));
  return { options, url, messages };
}

// One character a frame, and behind the first a ping, whose pong is waited for.
async function sendFragmented(socket, text) {
  const [first, ...rest] = text;
  socket.send(first, { fin: false });
  socket.ping('there?');
  const [pong] = await once(socket, 'pong');
  if (pong.toString() !== 'there?') throw new Error(`not our pong: ${pong}`);
  rest.forEach((character, place) => socket.send(character, { fin: place === rest.length - 1 }));
}

// Sends one message and waits for its echo; null if the server closes instead.
async function exchange(socket, { kind, message }) {
  const echoed = Promise.race([
    once(socket, 'message').then((got) => ['message', ...got]),
    once(socket, 'close').then(() => ['close']),
  ]);
  if (kind === 'fragmented') await sendFragmented(socket, message);
  else socket.send(message);
  const [event, data, binary] = await echoed;
  if (event === 'close') return null;
  const equal = data.equals(Buffer.from(message)) && binary === (typeof message !== 'string');
  return { type: binary ? 'binary' : 'text', bytes: data.length, equal };
}

// All messages one after the other, then the close.
async function converse(socket, messages, close) {
  const closed = once(socket, 'close');
  const echoes = [];
  for (const message of messages) {
    const echo = await exchange(socket, message);
    if (echo === null) break;
    echoes.push(echo);
  }
  socket.close(Number(close), 'done');
  const [code, reason] = await closed;
  return { echoes, close_code: code, close_reason: reason.toString() };
}

const LONGEST_RUN = 120_000;

function tell(answer) {
  setTimeout(() => {
    console.error('not done in time');
    process.exit(1);
  }, LONGEST_RUN);
  answer.then(
    (told) => {
      console.log(JSON.stringify(told));
      process.exit(told.echoes.every((echo) => echo.equal) ? 0 : 1);
    },
    (error) => {
      console.error(error);
      process.exit(1);
    },
  );
}

module.exports = { parse, converse, tell };
