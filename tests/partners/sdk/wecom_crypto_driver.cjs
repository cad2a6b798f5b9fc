// Drives npm @wecom/crypto.
'use strict';
const { decrypt, encrypt, getSignature } = require('@wecom/crypto');
const { checked, drive, sealed, signed } = require('./lines.cjs');

drive({
  encrypted: ({ token, key, receive_id: id, message, timestamp, nonce }) => {
    const echostr = encrypt(key, message, id);
    return { echostr, msg_signature: getSignature(token, timestamp, nonce, echostr) };
  },
  // The package knows only signatures of four parts; an empty fourth one changes nothing.
  plain: ({ token, timestamp, nonce }) => ({ signature: getSignature(token, timestamp, nonce, '') }),
  open: ({ key, receive_id: id, echostr }) => checked(decrypt(key, echostr), id),
  reply: ({ token, key, receive_id: id, body }) => {
    const reply = sealed(body);
    const { envelope } = signed(reply, getSignature(token, reply.timestamp, reply.nonce, reply.envelope));
    return checked(decrypt(key, envelope), id);
  },
});
