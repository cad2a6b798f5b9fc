//! wxgate and its rivals, each started in front of one upstream as a plain reverse proxy with its own defaults.
//!
//! The rivals' ports are the kernel's choice: bound, noted and given up for the program to take. Whoever is quicker takes
//! one away, and the program that then does not start is started again.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::exchange::Door;
use crate::expand::HOST;
use crate::gate::{Gate, SOON};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Kind {
    Wxgate,
    Nginx,
    Haproxy,
    Caddy,
}

/// A running proxy. It ends with this.
pub enum Proxy {
    Wxgate(Box<Gate>),
    Rival(Rival),
}

pub struct Rival {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Self::Wxgate => "wxgate",
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Caddy => "Caddy",
        }
    }

    /// What the program says of its version; `None` if it is not in `PATH`.
    pub fn version(self) -> Option<String> {
        let output = match self {
            Self::Wxgate => crate::gate::command(&["--version"]).output(),
            Self::Nginx => command("nginx").arg("-v").output(),
            Self::Haproxy => command("haproxy").arg("-v").output(),
            Self::Caddy => command("caddy").arg("version").output(),
        };
        let output = output.ok()?;
        let text = [output.stdout, output.stderr].concat();
        let text = String::from_utf8_lossy(&text).into_owned();
        let is_number = |word: &&str| word.starts_with(|c: char| c.is_ascii_digit());
        let mut words = text.split([' ', '/', '\n']);
        words.find(is_number).map(str::to_owned)
    }

    pub fn start(self, upstream: SocketAddr) -> Proxy {
        if self == Self::Wxgate {
            return Proxy::Wxgate(Box::new(Gate::start(&wxgate(upstream))));
        }
        let deadline = Instant::now() + SOON;
        loop {
            if let Some(rival) = self.start_once(upstream) {
                return Proxy::Rival(rival);
            }
            assert!(Instant::now() < deadline, "{} does not start", self.name());
        }
    }

    fn start_once(self, upstream: SocketAddr) -> Option<Rival> {
        let dir = TempDir::new().unwrap();
        let (config, log) = (dir.path().join("config"), dir.path().join("log"));
        let address = TcpListener::bind("127.0.0.1:0")
            .and_then(|port| port.local_addr())
            .unwrap();
        let mut command = match self {
            Self::Nginx => {
                std::fs::write(&config, nginx(address, upstream, dir.path())).unwrap();
                let mut nginx = command("nginx");
                nginx
                    .arg("-e")
                    .arg(dir.path().join("errors"))
                    .arg("-c")
                    .arg(&config);
                nginx
            }
            Self::Haproxy => {
                std::fs::write(&config, haproxy(address, upstream)).unwrap();
                let mut haproxy = command("haproxy");
                haproxy.arg("-db").arg("-f").arg(&config);
                haproxy
            }
            Self::Caddy | Self::Wxgate => {
                std::fs::write(&config, caddy(address, upstream)).unwrap();
                let mut caddy = command("caddy");
                caddy
                    .args(["run", "--adapter", "caddyfile", "--config"])
                    .arg(&config);
                for home in ["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"] {
                    caddy.env(home, dir.path());
                }
                caddy
            }
        };
        let log = std::fs::File::create(log).unwrap();
        let command = command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command.spawn().unwrap();
        let mut rival = Rival {
            child,
            address,
            _dir: dir,
        };
        rival.is_listening().then_some(rival)
    }
}

impl Proxy {
    /// The way in that all of them have.
    pub fn clear(&self) -> Door {
        match self {
            Self::Wxgate(gate) => Door::Clear(gate.http),
            Self::Rival(rival) => Door::Clear(rival.address),
        }
    }

    /// The other way in, which only wxgate has.
    pub fn encrypted(&self) -> Option<Door> {
        match self {
            Self::Wxgate(gate) => Some(Door::Tls(gate.https, gate.ca())),
            Self::Rival(_) => None,
        }
    }

    /// Ends it. wxgate must have come through unharmed.
    pub fn stop(self) {
        if let Self::Wxgate(gate) = self {
            let ended = gate.stop();
            let is_unharmed = ended.code == Some(0) && !ended.output.contains("panicked");
            assert!(is_unharmed, "{:?}\n{}", ended.code, ended.output);
        }
    }
}

impl Rival {
    /// Waits until it accepts connections; false if it has ended.
    fn is_listening(&mut self) -> bool {
        let deadline = Instant::now() + SOON;
        while self.child.try_wait().unwrap().is_none() {
            if TcpStream::connect(self.address).is_ok() {
                return true;
            }
            assert!(
                Instant::now() < deadline,
                "{} does not listen",
                self.address
            );
            std::thread::park_timeout(Duration::from_millis(5));
        }
        false
    }
}

impl Drop for Rival {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(program: &str) -> Command {
    let mut command = Command::new(program);
    command.stdin(Stdio::null());
    command
}

/// Each connection to the upstream is used once, so that its end says that the exchange is over.
fn wxgate(upstream: SocketAddr) -> String {
    format!(
        "upstream: {{url: 'http://{upstream}', idle_timeout: 0s}}
http: {{other: forward}}
workers: 1
timeouts: {{handshake: 2s, request_head: 2s}}
log: {{access: off}}
"
    )
}

fn nginx(address: SocketAddr, upstream: SocketAddr, dir: &Path) -> String {
    let dir = dir.display();
    format!(
        "daemon off; master_process off; pid {dir}/pid; error_log {dir}/errors;
events {{}}
http {{
    access_log off;
    client_body_temp_path {dir}/body; proxy_temp_path {dir}/proxy; fastcgi_temp_path {dir}/fastcgi;
    uwsgi_temp_path {dir}/uwsgi; scgi_temp_path {dir}/scgi;
    client_header_timeout 2s; client_body_timeout 2s;
    server {{
        listen {address};
        server_name {HOST};
        location / {{
            proxy_pass http://{upstream};
            proxy_http_version 1.1;
            proxy_set_header Host $host;
        }}
    }}
}}
"
    )
}

fn haproxy(address: SocketAddr, upstream: SocketAddr) -> String {
    format!(
        "defaults
    mode http
    option http-server-close
    timeout connect 2s
    timeout client 2s
    timeout server 5s
frontend front
    bind {address}
    default_backend back
backend back
    server upstream {upstream}
"
    )
}

fn caddy(address: SocketAddr, upstream: SocketAddr) -> String {
    let port = address.port();
    format!(
        "{{
    admin off
    auto_https off
    servers {{
        timeouts {{
            read_header 2s
            read_body 2s
        }}
    }}
}}
http://:{port} {{
    bind 127.0.0.1
    reverse_proxy {upstream} {{
        transport http {{
            keepalive off
        }}
    }}
}}
"
    )
}
