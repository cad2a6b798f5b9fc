//! HAProxy in front of gates, passing TCP through. It listens on a socket that it was given as its standard input.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

/// A running HAProxy.
pub struct Haproxy {
    child: Child,
    pub address: SocketAddr,
    _dir: TempDir,
}

impl Haproxy {
    /// `backend` is what its configuration says of the servers.
    pub fn start(backend: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let dir = TempDir::new().unwrap();
        let config = dir.path().join("haproxy.cfg");
        let text = format!(
            "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 20s\n  timeout server 20s\n\
             frontend f\n  bind fd@0\n  default_backend b\nbackend b\n{backend}\n"
        );
        std::fs::write(&config, text).unwrap();
        let path = format!("{}:/usr/sbin", std::env::var("PATH").unwrap_or_default());
        let child = Command::new("haproxy")
            // Not quiet: it would close its standard input.
            .args(["-db", "-f"])
            .arg(&config)
            .env("PATH", path)
            .stdin(Stdio::from(std::os::fd::OwnedFd::from(listener)))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("haproxy is installed: tests/partners/install");
        Self {
            child,
            address,
            _dir: dir,
        }
    }
}

impl Drop for Haproxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
