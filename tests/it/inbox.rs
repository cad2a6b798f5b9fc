//! A backend that keeps whole messages and answers them by a function, and the messages that a platform would send it,
//! written once more from the specification.

use std::io::Read;
use std::sync::{Arc, Condvar, Mutex};
use std::time::Instant;

use crate::client::{Answer, exchange, tcp};
use crate::console::{Random, encode, seal, sign};
use crate::gate::{Gate, SOON};
use crate::recorder::{Connection, Recorder};

/// A message as the backend got it.
#[derive(Clone, Debug)]
pub struct Received {
    pub head: String,
    pub body: Vec<u8>,
}

impl Received {
    /// Every value of a field.
    pub fn fields(&self, name: &str) -> Vec<&str> {
        let lines = self.head.split("\r\n").skip(1);
        let fields = lines.filter_map(|line| line.split_once(": "));
        fields
            .filter(|(field, _)| field.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
            .collect()
    }

    /// The only value of a field.
    pub fn field(&self, name: &str) -> &str {
        let values = self.fields(name);
        assert_eq!(values.len(), 1, "{name} in {}", self.head);
        values[0]
    }

    pub fn target(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// The backend.
pub struct Inbox {
    recorder: Recorder,
    letters: Arc<Letters>,
}

#[derive(Default)]
struct Letters {
    received: Mutex<Vec<Received>>,
    changed: Condvar,
}

impl Inbox {
    /// `answer` is given each message and sends what it likes.
    pub fn start(answer: impl Fn(&Received, &mut Connection) + Send + Sync + 'static) -> Self {
        let letters = Arc::<Letters>::default();
        let kept = Arc::clone(&letters);
        let recorder = Recorder::start(move |mut connection| {
            while let Some(head) = connection.read_head() {
                let mut received = Received {
                    head,
                    body: Vec::new(),
                };
                let length = received.fields("content-length").first().map(|n| n.parse());
                received.body = vec![0; length.map_or(0, Result::unwrap)];
                if connection.stream.read_exact(&mut received.body).is_err() {
                    return;
                }
                kept.received.lock().unwrap().push(received.clone());
                kept.changed.notify_all();
                answer(&received, &mut connection);
            }
        });
        Self { recorder, letters }
    }

    /// Answers everything with 200 and this content.
    pub fn replying(content: &'static str) -> Self {
        Self::start(move |_, connection| connection.send(&ok("text/xml", content)))
    }

    pub fn yaml(&self) -> String {
        self.recorder.yaml()
    }

    /// All messages so far, heads of those included that are not whole.
    pub fn received(&self) -> Vec<Received> {
        let received = self.letters.received.lock().unwrap().clone();
        assert_eq!(self.recorder.requests().len(), received.len());
        received
    }

    /// The last of `count` messages, once there are that many, and no more.
    pub fn last_of(&self, count: usize) -> Received {
        let deadline = Instant::now() + SOON;
        let mut received = self.letters.received.lock().unwrap();
        while received.len() < count {
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(!left.is_zero(), "only {} messages", received.len());
            received = self.letters.changed.wait_timeout(received, left).unwrap().0;
        }
        assert_eq!(received.len(), count);
        received[count - 1].clone()
    }
}

/// A response of a backend.
pub fn ok(kind: &str, content: &str) -> Vec<u8> {
    respond("200 OK", kind, content)
}

pub fn respond(status: &str, kind: &str, content: &str) -> Vec<u8> {
    let length = content.len();
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nX-Backend: yes\r\n\r\n{content}"
    )
    .into_bytes()
}

/// An account or application, as both sides know it.
#[derive(Clone, Copy, Debug)]
pub struct Account {
    pub platform: &'static str,
    pub path: &'static str,
    pub token: &'static str,
    pub key: &'static str,
    pub receive_id: &'static str,
}

pub const SHOP: Account = Account {
    platform: "official_account",
    path: "/shop",
    token: "shopTOKEN1",
    key: "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG",
    receive_id: "wx1234567890abcdef",
};

pub const STAFF: Account = Account {
    platform: "wecom",
    path: "/staff",
    token: "staffTOKEN2",
    key: "jWmYm7qr5nMoAUwZRjGtBxmz3KA1tkAj3ykkR6q2B2C",
    receive_id: "ww5823bf96d3bd56c7",
};

/// One POST of a platform.
#[derive(Clone, Debug)]
pub struct Posted {
    pub target: String,
    pub body: Vec<u8>,
}

impl Account {
    /// Its endpoint, called as its path is, with more keys.
    pub fn yaml(&self, more: &str) -> String {
        format!(
            "- {{name: {}, path: {}, platform: {}, tokens: ['{}'], encoding_aes_keys: ['{}'], receive_ids: ['{}'], {more}}}\n",
            &self.path[1..],
            self.path,
            self.platform,
            self.token,
            self.key,
            self.receive_id
        )
    }

    /// In plain mode, now.
    pub fn plain(&self, message: &str) -> Posted {
        let (timestamp, nonce) = (now(), Random::new().digits(10));
        let signature = sign(&[self.token, &timestamp, &nonce]);
        Posted {
            target: format!(
                "{}?signature={signature}&timestamp={timestamp}&nonce={nonce}&openid=o1",
                self.path
            ),
            body: message.into(),
        }
    }

    /// In an envelope, in XML.
    pub fn sealed(&self, message: &str) -> Posted {
        self.sealed_in(message, |encrypt| {
            format!("<xml><ToUserName><![CDATA[gh_1]]></ToUserName><Encrypt><![CDATA[{encrypt}]]></Encrypt></xml>")
        })
    }

    /// In an envelope, in what `frame` makes around it.
    pub fn sealed_in(&self, message: &str, frame: impl Fn(&str) -> String) -> Posted {
        let encrypt = seal(self.key, &Random::new().bytes(), message, self.receive_id);
        self.signed(&encrypt, &frame(&encrypt))
    }

    /// `body` with a query that signs `encrypt`.
    pub fn signed(&self, encrypt: &str, body: &str) -> Posted {
        let (timestamp, nonce) = (now(), Random::new().digits(10));
        let by_message = sign(&[self.token, &timestamp, &nonce, encrypt]);
        let common = format!("timestamp={timestamp}&nonce={}", encode(&nonce));
        let query = if self.platform == "wecom" {
            format!("msg_signature={by_message}&{common}")
        } else {
            let signature = sign(&[self.token, &timestamp, &nonce]);
            format!(
                "signature={signature}&{common}&openid=o1&encrypt_type=aes&msg_signature={by_message}"
            )
        };
        Posted {
            target: format!("{}?{query}", self.path),
            body: body.into(),
        }
    }
}

impl Posted {
    /// The same with another query or body.
    pub fn to(&self, path: &str) -> Self {
        let (_, query) = self.target.split_once('?').unwrap();
        Self {
            target: format!("{path}?{query}"),
            body: self.body.clone(),
        }
    }

    /// Sends it to the http listener, as platforms do, over a connection of its own.
    pub fn send(&self, gate: &Gate) -> Answer {
        self.send_with(gate, "Content-Type: text/xml\r\n")
    }

    pub fn send_with(&self, gate: &Gate, fields: &str) -> Answer {
        Answer::parse(&exchange(&mut tcp(gate.http), &self.bytes(fields)))
    }

    /// As it goes over the wire.
    pub fn bytes(&self, fields: &str) -> Vec<u8> {
        let head = format!(
            "POST {} HTTP/1.1\r\nHost: wx.test\r\nConnection: close\r\n{fields}Content-Length: {}\r\n\r\n",
            self.target,
            self.body.len()
        );
        [head.as_bytes(), &self.body].concat()
    }
}

/// Unix seconds.
pub fn now() -> String {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs().to_string()
}

/// `wxgate_messages_total` of an endpoint.
pub fn counted(gate: &Gate, endpoint: &str, result: &str, reason: &str) -> f64 {
    gate.metric(&format!(
        "wxgate_messages_total{{endpoint=\"{endpoint}\",reason=\"{reason}\",result=\"{result}\"}}"
    ))
}

/// `wxgate_message_replies_total` of an endpoint.
pub fn replies(endpoint: &str, result: &str) -> String {
    format!("wxgate_message_replies_total{{endpoint=\"{endpoint}\",result=\"{result}\"}}")
}
