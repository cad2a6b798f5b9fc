// Drives npm node-easywechat.
'use strict';
const path = require('node:path');
// The package exports its whole SDK only; the class that its servers encrypt with lies here.
const Encryptor = require(path.join(path.dirname(require.resolve('node-easywechat/package.json')), 'dist/Core/Encryptor'));
const { drive, sealed } = require('./lines.cjs');

const element = (xml, name) => new RegExp(`<${name}>(?:<!\\[CDATA\\[)?(.*?)(?:\\]\\]>)?</${name}>`).exec(xml)[1];

drive({
  encrypted: ({ token, key, receive_id: id, message, timestamp, nonce }) => {
    const xml = new Encryptor(id, token, key).encrypt(message, nonce, timestamp);
    return { echostr: element(xml, 'Encrypt'), msg_signature: element(xml, 'MsgSignature') };
  },
  plain: ({ token, timestamp, nonce }) => ({ signature: new Encryptor('', token, '').createSignature(token, timestamp, nonce) }),
  // It opens nothing without a signature, so it gets the one that it computes itself.
  open: ({ key, receive_id: id, echostr }) => {
    const crypto = new Encryptor(id, 'token', key, id);
    return { message: crypto.decrypt(echostr, crypto.createSignature('token', '1', '1', echostr), '1', '1') };
  },
  reply: ({ token, key, receive_id: id, body }) => {
    const { envelope, signature, timestamp, nonce } = sealed(body);
    return { message: new Encryptor(id, token, key, id).decrypt(envelope, signature, nonce, timestamp) };
  },
});
