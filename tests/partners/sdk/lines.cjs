// The line protocol of the SDK drivers: one JSON request a line on stdin, one JSON answer a line on stdout.
'use strict';

// Serves until stdin ends.  A fault of the SDK becomes {"error": ...}.
async function drive(operations) {
  let rest = '';
  for await (const text of process.stdin.setEncoding('utf8')) {
    const lines = (rest + text).split('\n');
    rest = lines.pop();
    for (const line of lines) process.stdout.write(`${JSON.stringify(answer(operations, line))}\n`);
  }
}

function answer(operations, line) {
  try {
    const request = JSON.parse(line);
    return operations[request.op](request);
  } catch (error) {
    return { error: String(error) };
  }
}

// The message, if the envelope ends with the receive id that was asked for.
function checked({ message, id }, receiveId) {
  if (id !== receiveId) throw new Error('receive id differs');
  return { message };
}

// A sealed reply as a platform reads it: XML, or JSON with names in any case.
function sealed(body) {
  const fields = body.startsWith('{') ? Object.entries(JSON.parse(body)) : elements(body);
  const lower = Object.fromEntries(fields.map(([name, value]) => [name.toLowerCase(), String(value)]));
  return { envelope: lower.encrypt, signature: lower.msgsignature, timestamp: lower.timestamp, nonce: lower.nonce };
}

function elements(xml) {
  const inside = /^<xml>(.*)<\/xml>$/s.exec(xml)[1];
  return [...inside.matchAll(/<(\w+)>(?:<!\[CDATA\[(.*?)\]\]>|([^<]*))<\/\1>/gs)].map(([, name, cdata, text]) => [name, cdata ?? text]);
}

// The reply, if it is signed by `signature`.
function signed(reply, signature) {
  if (reply.signature !== signature) throw new Error('signature differs');
  return reply;
}

module.exports = { checked, drive, sealed, signed };
