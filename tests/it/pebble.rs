//! Pebble, the ACME server that Let's Encrypt's own people test with, in front of a gate.
//!
//! Its addresses are there before it and after it: everything goes through relays, so that it can be down, and a gate
//! can be started again, while nobody has to change a configuration.

use std::fs::File;
use std::io::Read as _;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::client::curl_url;
use crate::gate::{Gate, SOON, certificate};

/// Between two looks at something that is on its way.
const LOOK: Duration = Duration::from_millis(20);

/// A loopback address that leads to another one, or nowhere.
pub struct Relay {
    pub address: SocketAddr,
    target: Arc<Mutex<Option<SocketAddr>>>,
    taken: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Relay {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Self {
            address: listener.local_addr().unwrap(),
            target: Arc::default(),
            taken: Arc::default(),
            most: Arc::new(AtomicUsize::new(usize::MAX)),
        };
        let (target, taken) = (Arc::clone(&relay.target), Arc::clone(&relay.taken));
        let most = Arc::clone(&relay.most);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                if taken.fetch_add(1, Ordering::SeqCst) >= most.load(Ordering::SeqCst) {
                    continue;
                }
                let to = *target.lock().unwrap();
                if let Some(other) = to.and_then(|to| TcpStream::connect(to).ok()) {
                    pump(&stream, &other);
                    pump(&other, &stream);
                }
            }
        });
        relay
    }

    pub fn lead_to(&self, target: Option<SocketAddr>) {
        *self.target.lock().unwrap() = target;
    }

    /// Lets so many connections through, all told, and closes those that come then.
    pub fn let_through(&self, most: usize) {
        self.most.store(most, Ordering::SeqCst);
    }

    /// How many connections have come.
    pub fn taken(&self) -> usize {
        self.taken.load(Ordering::SeqCst)
    }
}

fn pump(from: &TcpStream, to: &TcpStream) {
    let (mut from, mut to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
    thread::spawn(move || {
        let _ = std::io::copy(&mut from, &mut to);
        let _ = to.shutdown(Shutdown::Write);
    });
}

/// Says of every name that it is 127.0.0.1, but of those that begin with `nowhere` that there are none.
fn name_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, peer)) = socket.recv_from(&mut query) {
            let _ = socket.send_to(&answer(&query[..length]), peer);
        }
    });
    address
}

/// RFC 1035 section 4: one question, at most one answer.
fn answer(query: &[u8]) -> Vec<u8> {
    let end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap();
    let (question, kind) = (&query[12..end + 5], query[end + 2]);
    let exists = !question[1..].starts_with(b"nowhere");
    let is_address = exists && kind == 1;
    let mut answer = query[..2].to_vec();
    answer.extend([0x81, if exists { 0x80 } else { 0x83 }]);
    answer.extend([0, 1, 0, u8::from(is_address), 0, 0, 0, 0]);
    answer.extend(question);
    if is_address {
        answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1]);
    }
    answer
}

/// An ACME server, running or not.
pub struct Pebble {
    dir: TempDir,
    names: SocketAddr,
    /// Where its clients find it.
    pub front: Relay,
    https: Relay,
    http: Relay,
    running: Option<Running>,
}

struct Running {
    child: Child,
    management: u16,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Pebble {
    /// Not running yet.
    pub fn new() -> Self {
        let dir = TempDir::new().unwrap();
        certificate(dir.path(), &["localhost", "wx.test"]);
        Self {
            dir,
            names: name_server(),
            front: Relay::start(),
            https: Relay::start(),
            http: Relay::start(),
            running: None,
        }
    }

    /// Running, without pauses or bad nonces.
    pub fn started() -> Self {
        let mut pebble = Self::new();
        pebble.start(&json!({}), &[]);
        pebble
    }

    /// Starts it with more settings and variables. It has forgotten everything that it knew in an earlier life.
    pub fn start(&mut self, settings: &serde_json::Value, environment: &[(&str, &str)]) {
        self.stop();
        for _ in 0..5 {
            self.running = self.try_start(settings, environment);
            if self.running.is_some() {
                return;
            }
        }
        panic!("Pebble did not start:\n{}", self.log());
    }

    /// Somebody may take a port in between: then there is none.
    fn try_start(
        &self,
        settings: &serde_json::Value,
        environment: &[(&str, &str)],
    ) -> Option<Running> {
        let free = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
        let [acme, management] = free.map(|free| free.local_addr().unwrap());
        let path = |name: &str| self.dir.path().join(name);
        let mut config = json!({
            "listenAddress": acme,
            "managementListenAddress": management,
            "certificate": path("tls.crt"),
            "privateKey": path("tls.key"),
            "httpPort": self.http.address.port(),
            "tlsPort": self.https.address.port(),
            "ocspResponderURL": "",
            "externalAccountBindingRequired": false,
        });
        for (key, value) in settings.as_object().unwrap() {
            config[key] = value.clone();
        }
        std::fs::write(path("pebble.json"), json!({ "pebble": config }).to_string()).unwrap();
        let log = File::options()
            .create(true)
            .append(true)
            .open(path("log"))
            .unwrap();
        let child = Command::new("pebble")
            .arg("-config")
            .arg(path("pebble.json"))
            .args(["-dnsserver", &self.names.to_string()])
            .env("PEBBLE_VA_NOSLEEP", "1")
            .env("PEBBLE_WFE_NONCEREJECT", "0")
            .env("PEBBLE_AUTHZREUSE", "0")
            .envs(environment.iter().copied())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .stdin(Stdio::null())
            .spawn()
            .expect("pebble is not installed: run tests/partners/install");
        let mut running = Running {
            child,
            management: management.port(),
        };
        let deadline = Instant::now() + SOON;
        while Instant::now() < deadline {
            if running.child.try_wait().unwrap().is_some() {
                return None;
            }
            if [acme, management]
                .iter()
                .all(|port| TcpStream::connect(port).is_ok())
            {
                self.front.lead_to(Some(acme));
                return Some(running);
            }
            thread::park_timeout(LOOK);
        }
        panic!("Pebble is not ready:\n{}", self.log());
    }

    /// Ends it: its address leads nowhere.
    pub fn stop(&mut self) {
        self.front.lead_to(None);
        self.running = None;
    }

    /// From now on it finds this gate at every name.
    pub fn finds(&self, gate: &Gate) {
        self.https.lead_to(Some(gate.https));
        self.http.lead_to(Some(gate.http));
    }

    /// From now on it finds nobody at any name.
    pub fn finds_nobody(&self) {
        self.https.lead_to(None);
        self.http.lead_to(None);
    }

    /// How often it has looked at names, over https and http.
    pub fn looks(&self) -> [usize; 2] {
        [self.https.taken(), self.http.taken()]
    }

    /// The authority of its own certificate.
    pub fn ca(&self) -> PathBuf {
        self.dir.path().join("ca.crt")
    }

    /// What `tls.acme` must have for it, with the storage in `folder`; `more` begins with a comma.
    pub fn yaml(&self, folder: &Path, hosts: &str, more: &str) -> String {
        let pause = if more.contains("retry_pause") {
            ""
        } else {
            ", retry_pause: 1s"
        };
        format!(
            "acme: {{directory: 'https://{}/dir', ca: {}, accept_terms: true, hosts: [{hosts}], \
             storage: {}{pause}{more}}}",
            self.front.address,
            self.ca().display(),
            folder.join("acme").display(),
        )
    }

    /// The root of what it issues in this life.
    pub fn root(&self) -> PathBuf {
        let management = self.running.as_ref().unwrap().management;
        let ca = self.ca();
        let url = format!("https://127.0.0.1:{management}/roots/0");
        let root = curl_url(&url, &["--cacert", ca.to_str().unwrap()]);
        assert_eq!(root.status, 200);
        let path = self.dir.path().join("root.pem");
        std::fs::write(&path, root.body).unwrap();
        path
    }

    /// Everything that it has said.
    pub fn log(&self) -> String {
        let mut text = Vec::new();
        if let Ok(mut log) = File::open(self.dir.path().join("log")) {
            log.read_to_end(&mut text).unwrap();
        }
        String::from_utf8_lossy(&text).into_owned()
    }

    /// How often something stands in its log.
    pub fn said(&self, text: &str) -> usize {
        self.log().matches(text).count()
    }
}
