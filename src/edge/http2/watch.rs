//! What is allowed on one connection, judged by its frames: floods, stalled responses, idleness.

use std::time::{Duration, Instant};

use super::budget::Budget;
use super::code;
use super::frames::{
    CONTINUATION, DATA, END_STREAM, Frames, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS, Seen,
    WINDOW_UPDATE,
};
use super::options::Http2Options;
use super::rules::{self, INITIAL_WINDOW_SIZE};
use super::streams::Streams;
use super::verdict::Cut;
use crate::observe::labels::{CutLabel, ResetLabel};
use crate::observe::metrics::Metrics;

/// What a client may send for each request of its own: priorities, and room for the answer.
const PER_REQUEST: u32 = 4;
/// What it may send for each DATA frame that it gets: room on stream and connection, and a PING that measures the way,
/// as gRPC does; and more for every so many bytes, since some clients give room back in small pieces.
const PER_DATA: (u32, u32) = (3, 2048);
/// Most that a client can have earned: a window of 128 MiB, given back in such pieces.
const MOST_EARNED: u32 = 65_536;

/// How long a connection that has been asked to end may take to it without a stream.
const LINGER: Duration = Duration::from_secs(1);

/// What the clock asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Due {
    /// There has been no stream for too long: ask the connection to end.
    Finish,
    /// It was asked, and has not: end it.
    End,
    /// A stalled stream is to be reset.
    Reset,
    /// See [`Watch::cut`].
    Cut,
}

/// One connection's account.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) inbound: Frames,
    pub(super) outbound: Frames,
    pub(super) streams: Streams,
    options: Http2Options,
    resets: Budget,
    control: Budget,
    /// Control frames that traffic has justified.
    earned: u32,
    began: Instant,
    /// Since when a header block has been open.
    block_since: Option<Instant>,
    /// The last stream of a GOAWAY of ours: what was open when the first one went out.
    last_stream: Option<u32>,
    /// Requests have come that h2 has not given out yet: it reads on as long as there is something to read, and would
    /// hold whatever a client asks for and takes back in one go.
    is_turn_over: bool,
    /// No frame has come yet.
    is_first: bool,
    /// Why it must end at once.
    cut: Option<Cut>,
    /// Why h2 ends it by itself.
    given_up: Option<CutLabel>,
    /// Stalled streams that h2 has not heard of yet, and since when it should have.
    stalled: Vec<u32>,
    stalled_since: Option<Instant>,
}

impl Watch {
    pub(super) fn new(options: Http2Options, now: Instant) -> Self {
        Self {
            inbound: Frames::after(PREFACE),
            outbound: Frames::after(0),
            streams: Streams::new(now),
            options,
            resets: Budget::of(options.resets, now),
            control: Budget::of(options.control_frames, now),
            earned: 0,
            began: now,
            block_since: None,
            last_stream: None,
            is_turn_over: false,
            is_first: true,
            cut: None,
            given_up: None,
            stalled: Vec::new(),
            stalled_since: None,
        }
    }

    /// Why the connection must end at once, if it must.
    pub(super) fn cut(&self) -> Option<Cut> {
        self.cut
    }

    /// Ends the connection at once.
    pub(super) fn cut_for(&mut self, reason: CutLabel, code: u32) {
        self.cut.get_or_insert(Cut { reason, code });
    }

    /// Why h2 gave the connection up, once it has said so to the client.
    pub(super) fn given_up(&self) -> Option<CutLabel> {
        self.given_up
    }

    /// The last stream for a GOAWAY of ours; `None` where no frame may be put in.
    pub(super) fn last_stream(&self) -> Option<u32> {
        let may_speak = self.outbound.is_at_boundary() && self.outbound.has_begun();
        may_speak.then(|| self.last_stream.unwrap_or(self.streams.highest()))
    }

    /// True if nothing more is to be read before the requests that came have been given out.
    pub(super) fn is_turn_over(&self) -> bool {
        self.is_turn_over
    }

    /// h2 has given out what came.
    pub(super) fn begin_turn(&mut self) {
        self.is_turn_over = false;
    }

    /// True once the client's first frame has come.
    pub(super) fn has_begun(&self) -> bool {
        self.inbound.has_begun()
    }

    /// Bytes came from the client. False if it must not be heard any further.
    pub(super) fn received(&mut self, mut bytes: &[u8], now: Instant) -> bool {
        while let Some(seen) = self.inbound.next(&mut bytes) {
            let checked = rules::check(seen, self.is_first);
            if let Err(cut) = checked.and_then(|()| self.receive(seen, now)) {
                self.cut.get_or_insert(cut);
                return false;
            }
            self.is_first = false;
        }
        if !self.inbound.is_in_head() {
            self.block_since = None;
        } else if self.block_since.is_none() {
            self.block_since = Some(now);
        }
        true
    }

    fn receive(&mut self, seen: Seen, now: Instant) -> Result<(), Cut> {
        match (seen.kind, seen.setting) {
            (SETTINGS, Some((INITIAL_WINDOW_SIZE, value))) => {
                self.streams.first_window(value, now);
            }
            (SETTINGS, Some(_)) => {}
            (DATA, _) => {
                self.in_order(seen)?;
                if seen.length == 0 && seen.flags & END_STREAM == 0 {
                    return self.spend(now);
                }
            }
            (CONTINUATION, _) => {}
            (HEADERS, _) => {
                // Another block has ended before.
                self.block_since = None;
                if self.streams.requested(seen.stream, now) {
                    self.earn(PER_REQUEST);
                    self.is_turn_over = true;
                }
                return self.in_order(seen);
            }
            (RST_STREAM, _) => {
                self.streams.ended(seen.stream);
                if !self.resets.spend(now) {
                    return Err(Cut::flood(CutLabel::Resets));
                }
            }
            (WINDOW_UPDATE, _) => {
                self.streams.widened(seen.stream, seen.value, now);
                return self.spend(now);
            }
            _ => return self.spend(now),
        }
        Ok(())
    }

    /// RFC 9113 section 5.1, half-closed (remote): h2 gives such a connection up with another code.
    fn in_order(&mut self, seen: Seen) -> Result<(), Cut> {
        let is_last = seen.flags & END_STREAM != 0;
        if self.streams.came(seen.stream, is_last) {
            return Ok(());
        }
        Err(Cut {
            reason: CutLabel::Protocol,
            code: code::STREAM_CLOSED,
        })
    }

    /// A frame that carries nothing.
    fn spend(&mut self, now: Instant) -> Result<(), Cut> {
        if self.earned > 0 {
            self.earned -= 1;
            return Ok(());
        }
        if self.control.spend(now) {
            Ok(())
        } else {
            Err(Cut::flood(CutLabel::ControlFrames))
        }
    }

    fn earn(&mut self, count: u32) {
        self.earned = self.earned.saturating_add(count).min(MOST_EARNED);
    }

    /// Bytes went to the client.
    pub(super) fn sent(&mut self, mut bytes: &[u8], now: Instant, metrics: &Metrics) {
        while let Some(seen) = self.outbound.next(&mut bytes) {
            self.send(seen, now, metrics);
        }
    }

    fn send(&mut self, seen: Seen, now: Instant, metrics: &Metrics) {
        match seen.kind {
            DATA => {
                self.streams.sent(seen.stream, seen.length, now);
                self.earn(PER_DATA.0 + seen.length / PER_DATA.1);
                self.end_of_response(seen);
            }
            HEADERS => {
                self.streams.answered(seen.stream, now);
                self.end_of_response(seen);
            }
            RST_STREAM => {
                self.streams.ended(seen.stream);
                let Some(reason) = blame(seen.value) else {
                    return;
                };
                metrics.connection.stream_reset(reason);
                // To make us reset is as good as resetting.
                if !self.resets.spend(now) {
                    self.cut.get_or_insert(Cut::flood(CutLabel::Resets));
                }
            }
            GOAWAY => {
                self.last_stream.get_or_insert(self.streams.highest());
                self.given_up = match seen.value {
                    code::NO_ERROR => self.given_up,
                    code::ENHANCE_YOUR_CALM => Some(CutLabel::Excess),
                    _ => Some(CutLabel::Protocol),
                };
            }
            _ => {}
        }
    }

    fn end_of_response(&mut self, seen: Seen) {
        if seen.flags & END_STREAM != 0 {
            self.streams.ended(seen.stream);
        }
    }

    /// When something is due next, if nothing passes until then.
    pub(super) fn deadline(&self, is_finishing: bool) -> Option<Instant> {
        let options = &self.options;
        let idle = if is_finishing { LINGER } else { options.idle };
        let idle = match self.idle_since() {
            Some(_) if self.streams.highest() == 0 => Some(self.began + options.request_head),
            since => since.map(|since| since + idle),
        };
        let block = self.block_since.map(|since| since + options.request_head);
        let stall = self.streams.first_stall(options.response);
        let stuck = self.stalled_since.map(|since| since + options.response);
        [idle, block, stall, stuck].into_iter().flatten().min()
    }

    /// Does what is due.
    pub(super) fn expire(&mut self, is_finishing: bool, now: Instant) -> Option<Due> {
        let options = self.options;
        let is_over = |since: Option<Instant>, limit| since.is_some_and(|at| at + limit <= now);
        let has_begun = self.streams.highest() > 0;
        if is_over(self.block_since, options.request_head)
            || !has_begun && is_over(Some(self.began), options.request_head)
        {
            self.cut_for(CutLabel::RequestHead, code::NO_ERROR);
        }
        // h2 cannot be told in the middle of a frame, which a client may leave unfinished for ever.
        if is_over(self.stalled_since, options.response) {
            self.cut_for(CutLabel::Stalled, code::NO_ERROR);
        }
        if self.cut.is_some() {
            return Some(Due::Cut);
        }
        let mut is_new = false;
        while let Some(id) = self.streams.stalled(options.response, now) {
            self.streams.ended(id);
            self.stalled.push(id);
            self.stalled_since.get_or_insert(now);
            is_new = true;
        }
        if is_new {
            return Some(Due::Reset);
        }
        let idle = self.idle_since();
        match is_finishing {
            true => is_over(idle, LINGER).then_some(Due::End),
            false => is_over(idle, options.idle).then_some(Due::Finish),
        }
    }

    /// To h2 a stream is open until it has been told otherwise.
    fn idle_since(&self) -> Option<Instant> {
        self.streams
            .idle_since()
            .filter(|_| self.stalled.is_empty())
    }

    /// A stalled stream that h2 can be told of now.
    pub(super) fn next_stalled(&mut self) -> Option<u32> {
        if !self.inbound.is_at_boundary() {
            return None;
        }
        let id = self.stalled.pop();
        if self.stalled.is_empty() {
            self.stalled_since = None;
        }
        id
    }
}

/// Why a stream was reset by us, if that is the client's doing.
fn blame(code: u32) -> Option<ResetLabel> {
    match code {
        code::PROTOCOL_ERROR | code::FRAME_SIZE_ERROR => Some(ResetLabel::Protocol),
        code::FLOW_CONTROL_ERROR => Some(ResetLabel::FlowControl),
        code::STREAM_CLOSED => Some(ResetLabel::Closed),
        code::REFUSED_STREAM => Some(ResetLabel::Refused),
        code::ENHANCE_YOUR_CALM => Some(ResetLabel::Excess),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::http2::frames::PING;

    fn options(idle: u64, response: u64) -> Http2Options {
        Http2Options {
            streams: 8,
            header_list: 4096,
            resets: 4,
            control_frames: 4,
            request_head: Duration::from_secs(10),
            idle: Duration::from_secs(idle),
            response: Duration::from_secs(response),
        }
    }

    fn frame(kind: u8, flags: u8, stream: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        [&[0, 0, length, kind, flags, 0, 0, 0, stream][..], payload].concat()
    }

    /// After the preface, SETTINGS and one request.
    fn begun(options: Http2Options, first_window: u8) -> Watch {
        let now = Instant::now();
        let mut watch = Watch::new(options, now);
        watch.received(&[b' '; PREFACE], now);
        watch.received(&frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, first_window]), now);
        assert!(watch.received(&frame(HEADERS, 5, 1, b""), now));
        watch
    }

    /// Whatever is due is done once: the clock must never find something that is due and stays so.
    #[test]
    fn what_is_due_does_not_stay_due() {
        for (idle, response) in [(5, 60), (60, 5), (5, 5)] {
            let metrics = Metrics::new().unwrap();
            let mut watch = begun(options(idle, response), 0);
            let now = Instant::now();
            watch.sent(&frame(HEADERS, 4, 1, b""), now, &metrics);
            // In the middle of a frame h2 cannot be told.
            watch.received(&frame(PING, 0, 0, &[0; 8])[..4], now);
            let mut dues = Vec::new();
            while watch.cut().is_none() {
                let deadline = watch.deadline(false).unwrap();
                dues.extend(watch.expire(false, deadline));
                let is_later = watch.deadline(false).is_some_and(|next| next > deadline);
                assert!(is_later || watch.cut().is_some(), "{dues:?}");
            }
            assert_eq!(dues, [Due::Reset, Due::Cut]);
        }
    }

    #[test]
    fn requests_are_given_out_before_more_is_read() {
        let now = Instant::now();
        let mut watch = begun(options(60, 60), 0);
        assert!(watch.is_turn_over());
        watch.begin_turn();
        // Its trailers, or an answer to a PING, are no requests.
        watch.received(&frame(PING, 1, 0, &[0; 8]), now);
        assert!(!watch.is_turn_over());
        watch.received(&frame(HEADERS, 5, 3, b""), now);
        assert!(watch.is_turn_over());
    }

    #[test]
    fn traffic_allows_what_would_be_a_flood_without_it() {
        let metrics = Metrics::new().unwrap();
        let now = Instant::now();
        let update = frame(WINDOW_UPDATE, 0, 0, &[0, 0, 0, 1]);
        let mut watch = begun(options(60, 60), 255);
        for _ in 0..1000 {
            watch.sent(&frame(DATA, 0, 1, b"x"), now, &metrics);
            assert!(watch.received(&update.repeat(2), now));
        }
        // What a thousand frames left over, what the request allows, and what everybody may beside the first SETTINGS.
        assert!(watch.received(&update.repeat(1000 + 4 + 3), now));
        assert!(!watch.received(&update, now));
        assert_eq!(watch.cut().unwrap().reason, CutLabel::ControlFrames);
    }
}
