// A WeChat server on express: npm wechat (official account) on /wx, @wecom/crypto (WeCom) on /wecom; replies "echo: ...".
// With h2c npm wechat alone, on every path: express knows no HTTP/2.
'use strict';
const { parseArgs } = require('node:util');
const express = require('express');
const wechat = require('wechat');
const wecom = require('@wecom/crypto');
const { serve } = require('./serve.cjs');

const options = { token: { type: 'string' }, key: { type: 'string' }, 'receive-id': { type: 'string' } };
const { values, positionals } = parseArgs({ options, allowPositionals: true });
const { token, key, 'receive-id': receiveId } = values;

const element = (xml, name) => new RegExp(`<${name}>(?:<!\\[CDATA\\[)?(.*?)(?:\\]\\]>)?</${name}>`, 's').exec(xml)?.[1] ?? '';

function officialAccount() {
  return wechat({ token, appid: receiveId, encodingAESKey: key }, (req, res) => res.reply(`echo: ${req.weixin.Content}`));
}

function signed({ msg_signature: signature, timestamp, nonce }, text) {
  return signature === wecom.getSignature(token, timestamp, nonce, text);
}

function opened(text) {
  const { message, id } = wecom.decrypt(key, text);
  if (id !== receiveId) throw new Error('receive id');
  return message;
}

function verifyWecom(req, res) {
  if (!signed(req.query, req.query.echostr)) return res.status(403).send('bad signature');
  res.type('text/plain').send(opened(req.query.echostr));
}

function answerWecom(req, res) {
  const envelope = element(req.body, 'Encrypt');
  if (!signed(req.query, envelope)) return res.status(403).send('bad signature');
  const reply = wecom.encrypt(key, replyTo(opened(envelope)), receiveId);
  const { timestamp, nonce } = req.query;
  const signature = wecom.getSignature(token, timestamp, nonce, reply);
  res.type('text/xml').send(
    `<xml><Encrypt><![CDATA[${reply}]]></Encrypt><MsgSignature><![CDATA[${signature}]]></MsgSignature>` +
      `<TimeStamp>${timestamp}</TimeStamp><Nonce><![CDATA[${nonce}]]></Nonce></xml>`,
  );
}

function replyTo(message) {
  const cdata = (name, value) => `<${name}><![CDATA[${value}]]></${name}>`;
  const people = cdata('ToUserName', element(message, 'FromUserName')) + cdata('FromUserName', element(message, 'ToUserName'));
  const content = cdata('Content', `echo: ${element(message, 'Content')}`);
  return `<xml>${people}<CreateTime>1</CreateTime>${cdata('MsgType', 'text')}${content}</xml>`;
}

function overHttp1() {
  const app = express();
  app.set('query parser', 'simple');
  app.use('/wx', officialAccount());
  app.get('/wecom', verifyWecom);
  app.post('/wecom', express.text({ type: () => true }), answerWecom);
  return app;
}

function overHttp2() {
  const answer = officialAccount();
  return (req, res) => {
    req.query = Object.fromEntries(new URL(req.url, 'http://localhost').searchParams);
    answer(req, res);
  };
}

const [listen] = positionals;
serve(listen === 'h2c' ? overHttp2() : overHttp1(), listen);
