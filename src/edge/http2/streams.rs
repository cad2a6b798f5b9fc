//! The open streams of a connection, and how much the client lets us send on each.
//!
//! h2 keeps the same account, but shows it to nobody: from outside, a response that waits for the upstream and one that
//! waits for the client look the same.

use std::time::{Duration, Instant};

/// RFC 9113 section 6.9.2.
const FIRST_WINDOW: i64 = 65_535;

/// Streams whose response has not ended.
#[derive(Debug)]
pub(super) struct Streams {
    open: Vec<Open>,
    highest: u32,
    first_window: i64,
    /// Of the connection.
    window: Window,
    /// When the last stream had ended and all of it had gone out; `None` until then.
    idle_since: Option<Instant>,
}

#[derive(Debug)]
struct Open {
    id: u32,
    /// The client has said that nothing more comes.
    is_asked: bool,
    window: Window,
    /// When the response began, and with it the client's turn to take it.
    answered: Option<Instant>,
}

/// What may be sent until the client allows more.
#[derive(Clone, Copy, Debug)]
struct Window {
    left: i64,
    shut_since: Option<Instant>,
}

impl Window {
    fn of(left: i64, now: Instant) -> Self {
        let mut window = Self {
            left: 0,
            shut_since: None,
        };
        window.change(left, now);
        window
    }

    fn change(&mut self, by: i64, now: Instant) {
        self.left = self.left.saturating_add(by);
        if self.left > 0 {
            self.shut_since = None;
        } else if self.shut_since.is_none() {
            self.shut_since = Some(now);
        }
    }
}

impl Streams {
    /// Nothing is open yet.
    pub(super) fn new(now: Instant) -> Self {
        Self {
            open: Vec::new(),
            highest: 0,
            first_window: FIRST_WINDOW,
            window: Window::of(FIRST_WINDOW, now),
            idle_since: Some(now),
        }
    }

    /// The highest stream that the client has opened; 0 if none.
    pub(super) fn highest(&self) -> u32 {
        self.highest
    }

    /// Since when no stream has been open; `None` while one is, or the end of one waits for the client to take it.
    pub(super) fn idle_since(&self) -> Option<Instant> {
        self.idle_since
    }

    /// All that was sent has gone out.
    pub(super) fn gone_out(&mut self) {
        if self.idle_since.is_none() && self.open.is_empty() {
            self.idle_since = Some(Instant::now());
        }
    }

    /// HEADERS came; false if they are trailers.
    pub(super) fn requested(&mut self, id: u32, now: Instant) -> bool {
        if id <= self.highest {
            return false;
        }
        self.highest = id;
        self.idle_since = None;
        self.open.push(Open {
            id,
            is_asked: false,
            window: Window::of(self.first_window, now),
            answered: None,
        });
        true
    }

    /// DATA or HEADERS came; false if the client had said that nothing more comes.
    pub(super) fn came(&mut self, id: u32, is_last: bool) -> bool {
        let Some(open) = self.find(id) else {
            return true;
        };
        let is_allowed = !open.is_asked;
        open.is_asked |= is_last;
        is_allowed
    }

    /// HEADERS went out.
    pub(super) fn answered(&mut self, id: u32, now: Instant) {
        if let Some(open) = self.find(id) {
            open.answered.get_or_insert(now);
        }
    }

    /// DATA went out.
    pub(super) fn sent(&mut self, id: u32, length: u32, now: Instant) {
        let by = -i64::from(length);
        self.window.change(by, now);
        if let Some(open) = self.find(id) {
            open.window.change(by, now);
        }
    }

    /// The client lets more be sent, on one stream or, for 0, on the connection.
    pub(super) fn widened(&mut self, id: u32, by: u32, now: Instant) {
        if id == 0 {
            self.window.change(i64::from(by), now);
        } else if let Some(open) = self.find(id) {
            open.window.change(i64::from(by), now);
        }
    }

    /// The client changed the first window of every stream, the open ones included (section 6.9.2).
    pub(super) fn first_window(&mut self, value: u32, now: Instant) {
        let by = i64::from(value) - self.first_window;
        self.first_window += by;
        for open in &mut self.open {
            open.window.change(by, now);
        }
    }

    /// The response ended, or the stream was reset by either side; false if it was not open.
    pub(super) fn ended(&mut self, id: u32) -> bool {
        let Some(position) = self.open.iter().position(|open| open.id == id) else {
            return false;
        };
        self.open.swap_remove(position);
        true
    }

    /// When the first response will have waited for the client for `limit`.
    pub(super) fn first_stall(&self, limit: Duration) -> Option<Instant> {
        let waits = self.open.iter().filter_map(|open| self.waits_since(open));
        waits.min().map(|since| since + limit)
    }

    /// A response that has waited for the client for `limit`.
    pub(super) fn stalled(&self, limit: Duration, now: Instant) -> Option<u32> {
        let is_stalled = |open: &&Open| {
            self.waits_since(open)
                .is_some_and(|since| since + limit <= now)
        };
        self.open.iter().find(is_stalled).map(|open| open.id)
    }

    fn waits_since(&self, open: &Open) -> Option<Instant> {
        let shut = match (open.window.shut_since, self.window.shut_since) {
            (Some(stream), Some(connection)) => stream.min(connection),
            (one, other) => one.or(other)?,
        };
        Some(shut.max(open.answered?))
    }

    fn find(&mut self, id: u32) -> Option<&mut Open> {
        self.open.iter_mut().find(|open| open.id == id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: Duration = Duration::from_secs(60);

    fn at(start: Instant, seconds: u64) -> Instant {
        start + Duration::from_secs(seconds)
    }

    #[test]
    fn a_response_waits_for_the_client_from_when_its_window_is_shut() {
        let start = Instant::now();
        let mut streams = Streams::new(start);
        assert!(streams.requested(1, start));
        streams.answered(1, at(start, 1));
        assert_eq!(streams.first_stall(LIMIT), None);
        streams.sent(1, 65_535, at(start, 5));
        assert_eq!(streams.first_stall(LIMIT), Some(at(start, 65)));
        // The connection's window is shut as well: one alone helps nobody.
        streams.widened(1, 1, at(start, 7));
        assert_eq!(streams.stalled(LIMIT, at(start, 65)), Some(1));
        streams.widened(0, 1, at(start, 8));
        assert_eq!(streams.first_stall(LIMIT), None);
        streams.sent(1, 1, at(start, 9));
        assert_eq!(streams.stalled(LIMIT, at(start, 68)), None);
        assert_eq!(streams.stalled(LIMIT, at(start, 69)), Some(1));
        assert!(streams.ended(1));
        assert_eq!(streams.first_stall(LIMIT), None);
    }

    #[test]
    fn a_connection_is_idle_when_its_last_response_has_gone_out_and_not_before() {
        let start = Instant::now();
        let mut streams = Streams::new(start);
        assert_eq!(streams.idle_since(), Some(start));
        streams.requested(1, start);
        streams.gone_out();
        assert_eq!(streams.idle_since(), None, "while a stream is open");
        streams.ended(1);
        assert_eq!(streams.idle_since(), None, "while its end waits");
        streams.gone_out();
        let idle = streams.idle_since();
        assert!(idle > Some(start));
        streams.gone_out();
        assert_eq!(streams.idle_since(), idle, "for an answer to a PING");
    }

    #[test]
    fn a_response_that_has_not_begun_waits_for_nobody() {
        let start = Instant::now();
        let mut streams = Streams::new(start);
        streams.first_window(0, start);
        streams.requested(1, start);
        assert_eq!(streams.first_stall(LIMIT), None);
        streams.answered(1, at(start, 100));
        assert_eq!(streams.first_stall(LIMIT), Some(at(start, 160)));
        streams.first_window(10, at(start, 110));
        assert_eq!(streams.first_stall(LIMIT), None);
    }
}
