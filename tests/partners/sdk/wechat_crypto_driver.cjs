// Drives npm wechat-crypto.
'use strict';
const WXBizMsgCrypt = require('wechat-crypto');
const { checked, drive, sealed, signed } = require('./lines.cjs');

// The constructor insists on all three, also where one is not used.
const ANY = { token: 'unused', key: 'A'.repeat(43), id: 'unused' };

drive({
  encrypted: ({ token, key, receive_id: id, message, timestamp, nonce }) => {
    const crypto = new WXBizMsgCrypt(token, key, id);
    const echostr = crypto.encrypt(message);
    return { echostr, msg_signature: crypto.getSignature(timestamp, nonce, echostr) };
  },
  // The package knows only signatures of four parts; an empty fourth one changes nothing.
  plain: ({ token, timestamp, nonce }) => ({
    signature: new WXBizMsgCrypt(token, ANY.key, ANY.id).getSignature(timestamp, nonce, ''),
  }),
  open: ({ key, receive_id: id, echostr }) => checked(new WXBizMsgCrypt(ANY.token, key, ANY.id).decrypt(echostr), id),
  reply: ({ token, key, receive_id: id, body }) => {
    const crypto = new WXBizMsgCrypt(token, key, id);
    const reply = sealed(body);
    const { envelope } = signed(reply, crypto.getSignature(reply.timestamp, reply.nonce, reply.envelope));
    return checked(crypto.decrypt(envelope), id);
  },
});
