// One HTTPS request by Node's https or http2, answered as one line of JSON; arguments as in the README.
'use strict';
const fs = require('node:fs');
const http2 = require('node:http2');
const https = require('node:https');
const { once } = require('node:events');
const { parseArgs } = require('node:util');
const { pipeline } = require('node:stream');
const { decode, lookupOf } = require('./shared.cjs');

const { values: options, positionals: [target] } = parseArgs({
  allowPositionals: true,
  options: {
    ca: { type: 'string' },
    http1: { type: 'boolean' },
    http2: { type: 'boolean' },
    method: { type: 'string', default: 'GET' },
    'body-file': { type: 'string' },
    header: { type: 'string', multiple: true, default: [] },
    address: { type: 'string' },
  },
});

const url = new URL(target);
const trust = { ca: fs.readFileSync(options.ca), lookup: lookupOf(options.address) };
const file = options['body-file'];
const headers = Object.fromEntries(options.header.map((line) => /^([^:]+):\s*(.*)$/.exec(line).slice(1)));
if (file) headers['content-length'] = fs.statSync(file).size;

function sendBody(request) {
  if (!file) return request.end();
  pipeline(fs.createReadStream(file), request, () => {});
}

const pairs = (raw) => Array.from({ length: raw.length / 2 }, (_, i) => [raw[2 * i], raw[2 * i + 1]]);

async function overHttp1() {
  const request = https.request(url, { ...trust, method: options.method, headers, agent: false });
  sendBody(request);
  const [response] = await once(request, 'response');
  return { status: response.statusCode, version: response.httpVersion, headers: pairs(response.rawHeaders), ...(await decode(response)) };
}

async function overHttp2() {
  const session = http2.connect(url.origin, trust);
  const stream = session.request({ ':method': options.method, ':path': url.pathname + url.search, ...headers }, { endStream: !file });
  if (file) sendBody(stream);
  const [head, , raw] = await once(stream, 'response');
  const answer = { status: head[':status'], version: '2', headers: pairs(raw).filter(([name]) => !name.startsWith(':')), ...(await decode(stream)) };
  session.close();
  return answer;
}

(options.http2 ? overHttp2() : overHttp1()).then(
  (answer) => console.log(JSON.stringify(answer)),
  (error) => {
    console.error(String(error));
    process.exit(1);
  },
);
