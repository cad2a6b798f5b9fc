// Verifies as an official account on express, on each path with one mistake.
'use strict';
const path = require('node:path');
const crypto = require('node:crypto');
const express = require('express');
const { parseArgs } = require('node:util');
const { serve } = require(path.join(__dirname, '../node/serve.cjs'));

const { token } = parseArgs({ options: { token: { type: 'string' }, key: { type: 'string' } } }).values;

const messages = {
  '/oa/message-silent': () => {},
  '/oa/message-endless': (res) => res.write('success'),
  '/oa/message-dropped': (res) => res.socket.destroy(),
};

function checked(compare, handle) {
  return (req, res) => {
    const parts = [token, req.query.timestamp, req.query.nonce].sort(compare).join('');
    if (crypto.createHash('sha1').update(parts).digest('hex') !== req.query.signature) return res.status(403).send('no');
    if (req.method === 'POST') return (messages[req.path] ?? ((res) => res.send('success')))(res);
    return handle(req.query.echostr, res);
  };
}

const app = express();
app.set('query parser', 'simple');
const both = (route, ...rest) => app.all(route, checked(...rest));
both('/oa/good', undefined, (echostr, res) => res.type('text/plain').send(echostr));
for (const route of Object.keys(messages)) both(route, undefined, (echostr, res) => res.type('text/plain').send(echostr));
both('/oa/endless', undefined, (echostr, res) => res.write(echostr));
both('/oa/number', undefined, (echostr, res) => res.send(String(Number(echostr))));
both('/oa/json', undefined, (echostr, res) => res.json(echostr));
both('/oa/numeric', (a, b) => a - b, (echostr, res) => res.send(echostr));
app.all('/oa/silent', () => {});
app.use((req, res) => res.send('<!doctype html><html><head><script type="module" src="/app.js"></script></head><body><div id="app"></div></body></html>'));
serve(app, 'tcp');
