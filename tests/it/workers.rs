//! Workers: as many as there are processors to use, connections spread over all of them, and none that holds up another.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::client::{read_answer, tcp, tls};
use crate::gate::{Gate, SOON, certificate};
use crate::recorder::{Connection, Recorder};

const OK: &str = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
/// A download that has moved less has not been at full speed.
const MOVED: u64 = 64 << 20;
const ASK: &[u8] = b"GET / HTTP/1.1\r\nHost: wx.test\r\n\r\n";

/// How many threads of the program are workers.
fn workers(gate: &Gate) -> usize {
    fs::read_dir(format!("/proc/{}/task", gate.pid()))
        .unwrap()
        // One may have ended by now.
        .filter_map(|thread| fs::read_to_string(thread.unwrap().path().join("comm")).ok())
        .filter(|name| name.starts_with("worker-"))
        .count()
}

/// Starts with `workers: auto` in a shell that runs `script` first.
fn behind(script: &str) -> Gate {
    let dir = TempDir::new().unwrap();
    certificate(dir.path(), &["wx.test"]);
    let yaml = "upstream: {url: 'http://127.0.0.1:1'}\nhttp: {other: forward}\n\
        listen: {https: ['127.0.0.1:0'], http: ['127.0.0.1:0'], admin: '127.0.0.1:0'}\n\
        tls: {certificates: [{cert: tls.crt, key: tls.key}]}\n";
    fs::write(dir.path().join("config.yaml"), yaml).unwrap();
    let mut shell = Command::new("sh");
    shell
        .args(["-euc", &format!("{script}\nexec \"$0\" \"$@\"")])
        .arg(env!("CARGO_BIN_EXE_wxgate"))
        .args(["serve", "--config", "config.yaml", "--log-format", "json"])
        .current_dir(dir.path());
    Gate::spawn(dir, shell)
}

/// A control group below the test's own, with the time of one processor. It goes when its processes have gone.
struct Group(PathBuf);

impl Group {
    fn of_one_processor() -> Self {
        let own = fs::read_to_string("/proc/self/cgroup").unwrap();
        let limit = |parent: PathBuf, file: &str, text: &str| {
            let path = parent.join(format!("wxgate-test-{}", std::process::id()));
            let needs = "this test needs root, and control groups that root may write to";
            fs::create_dir(&path)
                .unwrap_or_else(|error| panic!("{}: {error}: {needs}", path.display()));
            let group = Self(path);
            let limit = group.0.join(file);
            fs::write(&limit, text)
                .unwrap_or_else(|error| panic!("{}: {error}: {needs}", limit.display()));
            group
        };
        // Lines such as `1:cpu,cpuacct:/a` of version 1, and `0::/a` of version 2.
        let mut lines = own.lines().map(|line| line.splitn(3, ':'));
        let version_1 = lines.find_map(|mut parts| {
            let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
            let has_cpu = controllers.split(',').any(|name| name == "cpu");
            has_cpu.then(|| Path::new("/sys/fs/cgroup/cpu").join(path.trim_start_matches('/')))
        });
        if let Some(parent) = version_1 {
            return limit(parent, "cpu.cfs_quota_us", "100000");
        }
        let path = own.trim().trim_start_matches("0::/");
        let parent = Path::new("/sys/fs/cgroup").join(path);
        // Already so where a service manager delegates.
        let _ = fs::write(parent.join("cgroup.subtree_control"), "+cpu");
        limit(parent, "cpu.max", "100000 100000")
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn there_is_one_for_each_processor_unless_the_control_group_gives_less() {
    let processors = std::thread::available_parallelism().unwrap().get();
    assert_eq!(workers(&behind("")), processors);
    let group = Group::of_one_processor();
    let gate = behind(&format!("echo $$ >'{}/cgroup.procs'", group.0.display()));
    assert_eq!(workers(&gate), 1);
    assert_eq!(gate.stop().code, Some(0));
    drop(group);
}

/// What the kernel shows to a process in a group of version 2 is put in the place of what it shows on this machine.
#[test]
fn a_quota_of_the_second_version_counts_as_well() {
    let dir = TempDir::new().unwrap();
    let view = |quota: &str| {
        let tree = dir.path().display();
        let script = format!(
            "mount --make-rprivate /
             mount -t tmpfs tmpfs /sys/fs/cgroup
             mkdir -p /sys/fs/cgroup/pod/app
             echo cpu >/sys/fs/cgroup/pod/app/cgroup.controllers
             echo '{quota}' >/sys/fs/cgroup/pod/cpu.max
             echo 'max 100000' >/sys/fs/cgroup/pod/app/cpu.max
             echo 0::/pod/app >{tree}/cgroup
             mount --bind {tree}/cgroup /proc/$$/cgroup"
        );
        let inner = format!("{script}\nexec \"$0\" \"$@\"");
        behind(&format!(
            "exec unshare --mount sh -euc '{}' \"$0\" \"$@\"",
            inner.replace('\'', "'\\''")
        ))
    };
    let processors = std::thread::available_parallelism().unwrap().get();
    assert_eq!(workers(&view("max 100000")), processors);
    assert_eq!(workers(&view("50000 50000")), 1);
}

/// What each instance of epoll looks at: one of each worker, and those of other threads.
fn watched(gate: &Gate) -> BTreeSet<BTreeSet<u32>> {
    let folder = format!("/proc/{}/fdinfo", gate.pid());
    fs::read_dir(folder)
        .unwrap()
        // One may be closed by now.
        .filter_map(|entry| fs::read_to_string(entry.unwrap().path()).ok())
        .filter(|text| text.contains("tfd:"))
        // An instance may have several descriptors: they watch the same.
        .map(|text| {
            text.lines()
                .filter_map(|line| {
                    line.strip_prefix("tfd:")?
                        .split_whitespace()
                        .next()?
                        .parse()
                        .ok()
                })
                .collect()
        })
        .collect()
}

#[test]
fn a_thousand_connections_are_spread_evenly() {
    let upstream = Recorder::answering(OK);
    let gate = Gate::start(&format!(
        "{}http: {{other: forward}}\nworkers: 2\n",
        upstream.yaml()
    ));
    let connections: Vec<TcpStream> = (0..1000).map(|_| tcp(gate.http)).collect();
    gate.wait_for_metric("wxgate_connections_open{listener=\"http\"}", 1000.0);
    let mut counts: Vec<usize> = watched(&gate).iter().map(BTreeSet::len).collect();
    counts.sort_unstable_by(|one, other| other.cmp(one));
    // Beside its connections a worker watches its listeners and what wakes it.
    for count in counts.iter().take(2) {
        assert!((400..=600 + 10).contains(count), "{counts:?}");
    }
    drop(connections);
}

/// Ended with the test.
struct Download(Child);

impl Download {
    /// Fetches as fast as it can, without end.
    fn start(gate: &Gate) -> Self {
        let url = format!("https://wx.test:{}/endless", gate.https.port());
        let resolve = format!("wx.test:{}:127.0.0.1", gate.https.port());
        let mut curl = Command::new("curl");
        curl.args([
            "--silent",
            "--http1.1",
            "--max-time",
            "1200",
            "--output",
            "/dev/null",
        ])
        .args(["--resolve", &resolve, "--cacert"])
        .arg(gate.ca())
        .arg(url)
        .stdin(Stdio::null());
        Self(curl.spawn().expect("curl is installed"))
    }
}

impl Drop for Download {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Answers `/endless` for as long as it is read, counting its bytes, and everything else at once.
fn serve(mut connection: Connection, sent: &AtomicU64) {
    while let Some(head) = connection.read_head() {
        if !head.starts_with("GET /endless ") {
            connection.send(OK.as_bytes());
            continue;
        }
        let length = 1_u64 << 40;
        connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n").as_bytes());
        let block = vec![b'a'; 256 * 1024];
        while connection.stream.write_all(&block).is_ok() {
            sent.fetch_add(block.len() as u64, Ordering::Relaxed);
        }
        return;
    }
}

/// Half of the connections are the busy worker's own.
#[test]
fn a_download_at_full_speed_holds_up_nobody() {
    let counter = Arc::new(AtomicU64::new(0));
    let sent = || counter.load(Ordering::Relaxed);
    let counting = Arc::clone(&counter);
    let upstream = Recorder::start(move |connection| serve(connection, &counting));
    let gate = Gate::start(&format!("{}workers: 2\n", upstream.yaml()));
    let download = Download::start(&gate);
    let deadline = Instant::now() + SOON;
    while sent() < MOVED {
        assert!(Instant::now() < deadline, "the download does not begin");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    let before = sent();
    let mut times: Vec<Duration> = (0..200).map(|_| small(&gate)).collect();
    times.sort_unstable();
    let moved = sent() - before;
    assert!(moved > MOVED, "the download moved {moved} bytes meanwhile");
    let (median, late) = (times[times.len() / 2], times[times.len() * 95 / 100]);
    assert!(median < Duration::from_millis(250), "median {median:?}");
    assert!(late < Duration::from_secs(2), "95 of 100 within {late:?}");
    drop(download);
}

/// How long a request on a connection of its own takes, its handshake included.
fn small(gate: &Gate) -> Duration {
    let began = Instant::now();
    let mut stream = tls(gate, &["http/1.1"]);
    stream.write_all(ASK).unwrap();
    assert_eq!(read_answer(&mut stream).status(), 200);
    began.elapsed()
}
