//! A WebSocket that has begun: bytes both ways until both sides have ended, nothing moves any more, or the drain closes.
//!
//! Not a byte passes before the upstream itself has answered 101 to the protocol that the client asked for. An end passes
//! as an end (END_STREAM over HTTP/2), a break as a break, so that nobody takes a part for the whole.
//!
//! A tunnel that is ended here, by the drain or for its silence, ends both sides as if the other had: cleanly, without
//! WebSocket's Close frame. To put one in, every frame that passes would have to be read, for the place where one ends,
//! and clients come back after a mere end as well.

use std::pin::pin;
use std::time::Duration;

use hyper::upgrade::{OnUpgrade, Upgraded};
use tokio::io::{AsyncWriteExt, copy_bidirectional_with_sizes, sink};
use tokio_util::task::TaskTracker;

use super::lease::Lease;
use super::side::{Progress, Side};
use super::websocket::Wish;
use crate::lifecycle::aside::aside;
use crate::lifecycle::cut::Cut;
use crate::lifecycle::drain::Drain;
use crate::observe::labels::{AbortLabel, TunnelEndLabel};
use crate::observe::tunnel::Tunnel;

/// Bytes held in each direction.
const BUFFER: usize = 16 * 1024;
/// Longest time in which both sides hand over their connections after a 101.
const HANDOVER: Duration = Duration::from_secs(10);
/// Longest silence once one side has ended. The other may still have something to say, but nobody asks it any more.
const HALF_CLOSED: Duration = Duration::from_secs(10);
/// Longest time for the goodbye to both sides.
const GOODBYE: Duration = Duration::from_secs(1);

/// A worker's tunnels.
#[derive(Debug)]
pub struct Tunnels {
    /// Held by each open tunnel; the drain waits for it.
    pub tracker: TaskTracker,
    /// When tunnels end.
    pub drain: Drain,
}

/// How the copying came to its end.
enum Stopped {
    /// Both sides have ended and know it of each other.
    Finished,
    Broken,
    Silent,
    Draining,
}

impl Tunnels {
    /// Runs a tunnel between both sides once they have handed over their connections. `silence` is the longest time
    /// without a byte in either direction.
    pub fn open(
        &self,
        wish: Wish,
        upstream: OnUpgrade,
        lease: Lease,
        silence: Duration,
        mut tunnel: Tunnel,
    ) {
        let drain = self.drain.clone();
        let token = self.tracker.token();
        tokio::task::spawn_local(async move {
            let both = async { tokio::try_join!(wish.client, upstream) };
            let handed_over = tokio::time::timeout(HANDOVER, both).await;
            if let Ok(Ok((client, upstream))) = handed_over {
                tunnel.opened();
                let (ended, broken) =
                    relay((client, wish.cut), upstream, silence, &drain, &tunnel).await;
                tunnel.ended(ended, broken);
            }
            // Until here it counts as a connection to the upstream.
            drop(lease);
            drop(tunnel);
            drop(token);
        });
    }
}

async fn relay(
    (client, cut): (Upgraded, Option<Cut>),
    upstream: Upgraded,
    silence: Duration,
    drain: &Drain,
    tunnel: &Tunnel,
) -> (TunnelEndLabel, Option<AbortLabel>) {
    let progress = Progress::new(tunnel);
    let mut client = Side::new(client, AbortLabel::Client, &progress, cut);
    let mut upstream = Side::new(upstream, AbortLabel::Upstream, &progress, None);
    let stopped = tokio::select! {
        biased;
        stopped = aside(end_here(&progress, silence, drain)) => stopped,
        copied = copy_bidirectional_with_sizes(&mut client, &mut upstream, BUFFER, BUFFER) => {
            if copied.is_ok() { Stopped::Finished } else { Stopped::Broken }
        }
    };
    let ended = match (&stopped, progress.first_end()) {
        (Stopped::Draining, _) => TunnelEndLabel::Drain,
        (_, Some(AbortLabel::Client)) => TunnelEndLabel::Client,
        (_, Some(AbortLabel::Upstream)) => TunnelEndLabel::Upstream,
        (Stopped::Silent, None) => TunnelEndLabel::Idle,
        (_, None | Some(AbortLabel::Drain)) => TunnelEndLabel::Error,
    };
    match stopped {
        Stopped::Finished => {}
        Stopped::Broken => pass_on_break(client, upstream, &progress).await,
        Stopped::Silent | Stopped::Draining => say_goodbye(&mut client, &mut upstream).await,
    }
    (ended, progress.broken())
}

/// Resolves when there is a reason here for an end.
async fn end_here(progress: &Progress<'_>, silence: Duration, drain: &Drain) -> Stopped {
    tokio::select! {
        () = fall_silent(progress, silence) => Stopped::Silent,
        () = drain.closing() => Stopped::Draining,
    }
}

/// Resolves when nothing has moved for `silence`, or for a shorter time once one side has ended.
async fn fall_silent(progress: &Progress<'_>, silence: Duration) {
    loop {
        let limit = match progress.first_end() {
            Some(_) => silence.min(HALF_CLOSED),
            None => silence,
        };
        let deadline = progress.moved_at() + limit;
        let mut due = pin!(tokio::time::sleep_until(deadline.into()));
        tokio::select! {
            () = &mut due => {
                if progress.moved_at() + limit <= deadline {
                    return;
                }
            }
            () = progress.half_closed() => {}
        }
    }
}

/// What is not reset here ends by being dropped. What came before the break goes out before it.
async fn pass_on_break(mut client: Side<'_>, upstream: Side<'_>, progress: &Progress<'_>) {
    match progress.broken() {
        Some(AbortLabel::Upstream) => {
            let _ = tokio::time::timeout(GOODBYE, client.io().flush()).await;
            // A stream is sent from a task of its own, by that of its connection: they have their turns before the reset.
            tokio::task::yield_now().await;
            client.reset();
        }
        Some(AbortLabel::Client) => upstream.reset(),
        // No side is called so.
        Some(AbortLabel::Drain) | None => {}
    }
}

/// Ends both sides, and reads what they still send: closing with bytes unread resets a connection, and what was sent
/// before is lost with it.
async fn say_goodbye(client: &mut Side<'_>, upstream: &mut Side<'_>) {
    let leave = async |side: &mut Side<'_>| {
        let _ = side.io().shutdown().await;
        let _ = tokio::io::copy(side.io(), &mut sink()).await;
    };
    let goodbye = async { tokio::join!(leave(client), leave(upstream)) };
    let _ = tokio::time::timeout(GOODBYE, goodbye).await;
}
