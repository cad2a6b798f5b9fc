// The site of the tests on Node's http server, with a WebSocket echo on /ws: site.cjs tcp|unix|tls DIR.
'use strict';
const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const querystring = require('node:querystring');
const zlib = require('node:zlib');
const { pipeline } = require('node:stream');
const { setTimeout: pause } = require('node:timers/promises');
const busboy = require('busboy');
const { serve } = require('./serve.cjs');
const { echoWebSockets } = require('./ws_echo.cjs');

const PIECE = 65536;
const PAGE = fs.readFileSync(path.join(__dirname, '..', 'page.html'));

function send(res, status, type, body) {
  res.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body) });
  res.end(body);
}

const sendJson = (res, value) => send(res, 200, 'application/json', JSON.stringify(value));

function block(seed) {
  const sums = Array.from({ length: PIECE / 32 }, (_, i) => crypto.createHash('sha256').update(`${seed}:${i}`).digest());
  return Buffer.concat(sums);
}

// The bytes of a download, piece by piece.
function* pieces(query) {
  const whole = block(query.get('seed') ?? '0');
  for (let left = Number(query.get('bytes') ?? 0); left > 0; left -= PIECE) {
    yield left < PIECE ? whole.subarray(0, left) : whole;
  }
}

async function digest(stream) {
  const hash = crypto.createHash('sha256');
  let bytes = 0;
  for await (const piece of stream) {
    hash.update(piece);
    bytes += piece.length;
  }
  return { bytes, sha256: hash.digest('hex') };
}

// The first file of a multipart body.
function firstFile(req) {
  return new Promise((resolve, reject) => {
    const parser = busboy({ headers: req.headers, defParamCharset: 'utf8' });
    parser.once('file', (_, stream, info) => digest(stream).then((sum) => resolve({ ...sum, filename: info.filename })));
    parser.once('error', reject);
    req.pipe(parser);
  });
}

async function upload(req, res) {
  const type = req.headers['content-type'] ?? '';
  const { bytes, sha256, ...more } = await (type.startsWith('multipart/form-data') ? firstFile(req) : digest(req));
  sendJson(res, { bytes, sha256, content_type: type, ...more });
}

async function form(req, res) {
  const body = Buffer.concat(await req.toArray()).toString();
  sendJson(res, querystring.parse(body));
}

async function download(req, res, query) {
  res.writeHead(200, { 'Content-Type': 'application/octet-stream', 'Content-Length': query.get('bytes') ?? 0 });
  if (req.method !== 'HEAD') {
    for (const piece of pieces(query)) {
      if (!res.write(piece)) await Promise.race(['drain', 'close'].map((event) => new Promise((go) => res.once(event, go))));
      if (res.destroyed) return;
    }
  }
  res.end();
}

// Sends pieces one by one, each as soon as it is there.
async function sendSlowly(res, type, piece, milliseconds) {
  res.writeHead(200, { 'Content-Type': type });
  for (let i = 1; i <= 5; i++) {
    res.write(piece(i));
    await pause(milliseconds);
  }
  res.end();
}

function gzip(res) {
  res.setHeader('Content-Encoding', 'gzip');
  send(res, 200, 'text/html; charset=utf-8', zlib.gzipSync(PAGE, { level: 9 }));
}

function redirect(req, res) {
  const first = (list) => list.split(',')[0].trim();
  const scheme = first(req.headers['x-forwarded-proto'] ?? 'http');
  const host = first(req.headers['x-forwarded-host'] ?? req.headers.host);
  res.setHeader('Location', `${scheme}://${host}/page`);
  send(res, 302, 'text/plain', 'moved\n');
}

function notModified(req, res) {
  res.setHeader('ETag', '"v1"');
  if (req.headers['if-none-match'] === '"v1"') res.writeHead(304).end();
  else send(res, 200, 'text/plain', 'version 1\n');
}

function range(req, res) {
  const whole = block('range');
  res.setHeader('Accept-Ranges', 'bytes');
  const match = /^bytes=(\d*)-(\d*)$/.exec(req.headers.range ?? '');
  if (!match) return send(res, 200, 'application/octet-stream', whole);
  const [, from, to] = match;
  const first = from === '' ? Math.max(0, PIECE - Number(to)) : Number(from);
  const last = from === '' || to === '' ? PIECE - 1 : Math.min(Number(to), PIECE - 1);
  if (first > last) {
    res.setHeader('Content-Range', `bytes */${PIECE}`);
    return send(res, 416, 'text/plain', 'no such range\n');
  }
  res.setHeader('Content-Range', `bytes ${first}-${last}/${PIECE}`);
  send(res, 206, 'application/octet-stream', whole.subarray(first, last + 1));
}

function headers(req, res) {
  const { rawHeaders: raw, method, url: target, socket } = req;
  // What HTTP/2 calls the authority is the host.
  const name = (i) => raw[2 * i].replace(/^:authority$/, 'host');
  const list = Array.from({ length: raw.length / 2 }, (_, i) => [name(i), raw[2 * i + 1]]);
  sendJson(res, { headers: list, method, target, remote: socket.remoteAddress ?? '', scheme: socket.encrypted ? 'https' : 'http' });
}

function status(res, query) {
  const code = Number(query.get('code') ?? 200);
  if (code === 204 || code === 304) res.writeHead(code).end();
  else send(res, code, 'text/plain', `status ${code}\n`);
}

function page(res) {
  res.setHeader('Set-Cookie', ['a=1; Path=/', 'b=2; Path=/']);
  send(res, 200, 'text/html; charset=utf-8', PAGE);
}

async function slow(res, query) {
  await pause(Number(query.get('ms') ?? 0));
  send(res, 200, 'text/plain', 'slow\n');
}

function echo(req, res) {
  res.writeHead(200, { 'Content-Type': req.headers['content-type'] ?? 'application/octet-stream' });
  pipeline(req, res, () => {});
}

async function answer(req, res) {
  const { pathname, searchParams: query } = new URL(req.url, 'http://site');
  switch (pathname) {
    case '/page': return page(res);
    case '/cookies': return send(res, 200, 'text/plain; charset=utf-8', req.headers.cookie ?? '');
    case '/form': return form(req, res);
    case '/upload': return upload(req, res);
    case '/download': return download(req, res, query);
    case '/download-sha': return send(res, 200, 'text/plain', (await digest(pieces(query))).sha256);
    case '/chunked': return sendSlowly(res, 'text/plain', (i) => `part ${i}\n`, 20);
    case '/gzip': return gzip(res);
    case '/redirect': return redirect(req, res);
    case '/not-modified': return notModified(req, res);
    case '/range': return range(req, res);
    case '/events': return sendSlowly(res, 'text/event-stream', (i) => `id: ${i}\ndata: event ${i}\n\n`, 300);
    case '/headers': return headers(req, res);
    case '/slow': return slow(res, query);
    case '/status': return status(res, query);
    case '/echo': return echo(req, res);
    default: return send(res, 404, 'text/plain', 'no such page\n');
  }
}

function handle(req, res) {
  answer(req, res).catch((error) => {
    console.error(error);
    res.destroy();
  });
}

echoWebSockets(serve(handle, ...process.argv.slice(2)));
