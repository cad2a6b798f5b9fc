// Serves a request handler on TCP (HTTP/1.1, or h2c: HTTP/2), on a unix socket, or on TLS with HTTP/1.1 and HTTP/2, and
// says where it listens.
'use strict';
const fs = require('node:fs');
const http = require('node:http');
const http2 = require('node:http2');
const path = require('node:path');

function createServer(handle, listen, folder) {
  if (listen === 'h2c') return http2.createServer(handle);
  if (listen !== 'tls') return http.createServer(handle);
  const read = (name) => fs.readFileSync(path.join(folder, name));
  return http2.createSecureServer({ key: read('key.pem'), cert: read('ca.pem'), allowHTTP1: true }, handle);
}

function serve(handle, listen, folder) {
  const server = createServer(handle, listen, folder);
  if (listen === 'unix') {
    const socket = path.join(folder, 'node.sock');
    fs.rmSync(socket, { force: true });
    server.listen(socket, () => console.log(`listening unix ${socket}`));
  } else {
    server.listen(0, '127.0.0.1', () => console.log(`listening tcp 127.0.0.1:${server.address().port}`));
  }
  return server;
}

module.exports = { serve };
