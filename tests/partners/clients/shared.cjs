// What the Node clients share: a body's facts, and resolving every host to one address.
'use strict';
const crypto = require('node:crypto');

const SHOWN = 65536;

// The sum, the size and, if it is short, the text of a body.
async function decode(stream) {
  const hash = crypto.createHash('sha256');
  const shown = [];
  let bytes = 0;
  for await (const piece of stream) {
    hash.update(piece);
    bytes += piece.length;
    if (bytes < SHOWN) shown.push(piece);
  }
  return { body_sha256: hash.digest('hex'), bytes, body: bytes < SHOWN ? textOf(Buffer.concat(shown)) : null };
}

// The bytes as text, or nothing if they are none.
function textOf(bytes) {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

// A lookup for net.connect that always finds this address; without one, the usual lookup.
function lookupOf(address) {
  if (!address) return undefined;
  const family = address.includes(':') ? 6 : 4;
  return (_, { all }, found) => (all ? found(null, [{ address, family }]) : found(null, address, family));
}

module.exports = { decode, lookupOf };
