//! What the alerts about messages are about, provoked and mended.

use std::io::Write as _;
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::alerts::Scene;
use crate::client::{get, tcp};
use crate::console::verification;
use crate::gate::Gate;
use crate::inbox::{Account, Inbox, Posted, SHOP, ok, respond};
use crate::prometheus_server::SCRAPED;

/// Longer than the shortest `reply_within`, which is a second.
const TOO_LONG: Duration = Duration::from_millis(1300);

/// What a backend does with a message as long as it is not mended.
#[derive(Clone, Copy)]
enum Failing {
    /// Answers late.
    Late,
    /// Ends the connection late, without an answer.
    Lost,
    /// Answers 500.
    Error,
}

fn backend(failing: Failing) -> (Inbox, Arc<AtomicBool>) {
    let fails = Arc::new(AtomicBool::new(true));
    let still = Arc::clone(&fails);
    let inbox = Inbox::start(move |_, connection| {
        if !still.load(Ordering::SeqCst) {
            return connection.send(&ok("text/plain", "success"));
        }
        match failing {
            Failing::Error => {
                connection.send(&respond("500 Internal Server Error", "text/plain", "no"));
            }
            Failing::Late => {
                thread::sleep(TOO_LONG);
                connection.send(&ok("text/plain", "success"));
            }
            Failing::Lost => {
                thread::sleep(TOO_LONG);
                // It may be gone by itself.
                let _ = connection.stream.shutdown(Shutdown::Both);
            }
        }
    });
    (inbox, fails)
}

/// A gate with one endpoint, which is called `name`.
fn gate(scene: &Scene<'_>, backend: &Inbox, name: &'static str, more: &str) -> (Gate, Account) {
    let account = Account { path: name, ..SHOP };
    let endpoint = account.yaml(more);
    let yaml = format!("{}endpoints:\n{endpoint}", backend.yaml());
    let gate = Gate::start_with(&yaml, &[], &[("WXGATE_LISTEN__ADMIN", SCRAPED)]);
    scene.watch(&gate);
    (gate, account)
}

/// Sends a message whose answer nobody waits for.
fn send(gate: &Gate, posted: &Posted, streams: &mut Vec<TcpStream>) {
    let mut stream = tcp(gate.http);
    stream.write_all(&posted.bytes("")).unwrap();
    streams.push(stream);
}

pub fn a_path_that_no_endpoint_has(scene: &Scene<'_>) {
    // Not before the verifications of other faults are over: one that passes would end it.
    let inbox = Inbox::replying("");
    let (gate, account) = gate(scene, &inbox, "/right", "messages: forward");
    let stray = verification("/wrong", account.token);
    scene.fires("WxgateStrayVerifications", "severity='warning'", || {
        assert_eq!(get(gate.http, &stray).status(), 308);
    });
    let right = verification("/right", account.token);
    scene.resolves("WxgateStrayVerifications", "severity='warning'", || {
        assert_eq!(get(gate.http, &right).status(), 200);
    });
}

pub fn messages_with_another_token(scene: &Scene<'_>) {
    let inbox = Inbox::replying("");
    let (gate, account) = gate(scene, &inbox, "/forged", "messages: verify");
    let forger = Account {
        token: "anotherTOKEN",
        ..account
    };
    let labels = "endpoint='forged',reason='signature_mismatch',severity='warning'";
    scene.fires("WxgateMessagesRefused", labels, || {
        assert_eq!(forger.sealed("a").send(&gate).status(), 403);
    });
    scene.resolves("WxgateMessagesRefused", "endpoint='forged'", || {
        assert_eq!(account.sealed("a").send(&gate).status(), 200);
    });
}

pub fn a_backend_that_is_late(scene: &Scene<'_>) {
    is_answered_for(scene, "/late", Failing::Late, "WxgateRepliesGuarded");
}

pub fn a_backend_that_loses_messages(scene: &Scene<'_>) {
    is_answered_for(scene, "/lost", Failing::Lost, "WxgateMessagesLost");
}

fn is_answered_for(scene: &Scene<'_>, name: &'static str, failing: Failing, alert: &str) {
    let (inbox, fails) = backend(failing);
    let (gate, account) = gate(scene, &inbox, name, "reply_within: 1s");
    let labels = format!("endpoint='{}'", &name[1..]);
    let mut streams = Vec::new();
    let fired = format!("{labels},severity='warning'");
    scene.fires(alert, &fired, || {
        send(&gate, &account.plain("a"), &mut streams);
    });
    fails.store(false, Ordering::SeqCst);
    scene.resolves(alert, &labels, || {
        assert_eq!(account.plain("a").send(&gate).body_text(), "success");
    });
}

pub fn a_backend_that_cannot_reply(scene: &Scene<'_>) {
    let (inbox, fails) = backend(Failing::Error);
    let (gate, account) = gate(scene, &inbox, "/broken", "messages: open");
    let labels = "endpoint='broken',result='status',severity='warning'";
    scene.fires("WxgateRepliesFailing", labels, || {
        assert_eq!(account.sealed("a").send(&gate).status(), 500);
    });
    fails.store(false, Ordering::SeqCst);
    scene.resolves("WxgateRepliesFailing", "endpoint='broken'", || {
        assert_eq!(account.sealed("a").send(&gate).status(), 200);
    });
}
