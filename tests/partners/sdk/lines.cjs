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

module.exports = { checked, drive };
