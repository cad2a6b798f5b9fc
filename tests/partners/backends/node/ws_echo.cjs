// A WebSocket echo on /ws of a server: messages come back with their type; the text "close CODE REASON" closes so. It
// takes the first subprotocol that it is offered, and packs messages if it may; with the query "refuse" it answers 403.
'use strict';
const { WebSocketServer } = require('ws');

function echoWebSockets(server) {
  const verifyClient = ({ req }, decide) => decide(!req.url.endsWith('?refuse'), 403, 'not here');
  const sockets = new WebSocketServer({ server, path: '/ws', maxPayload: 0, perMessageDeflate: { threshold: 0 }, verifyClient });
  sockets.on('connection', (socket) => {
    socket.on('error', (error) => console.error(error));
    socket.on('message', (data, binary) => {
      const close = binary ? null : /^close (\d{4}) (.*)$/.exec(data.toString());
      if (close) socket.close(Number(close[1]), close[2]);
      else socket.send(data, { binary });
    });
  });
}

module.exports = { echoWebSockets };
