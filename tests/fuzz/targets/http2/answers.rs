//! What a server may send, by RFC 9113 sections 4 to 6. Frames of wxgate's own among h2's are where this would break.

use std::collections::BTreeSet;

use super::super::naive::frames::{
    CONTINUATION, DATA, Frame, GOAWAY, HEADERS, PING, PUSH_PROMISE, RST_STREAM, SETTINGS,
    WINDOW_UPDATE,
};

/// The largest payload unless the client allowed more, and the setting by which it does.
const FRAME_SIZE: (u16, u32) = (5, 16_384);

/// Checks each frame by itself and in its place.
pub fn are_well_formed(answers: &[Frame], sent: &[Frame]) {
    if let Some(first) = answers.first() {
        assert!(first.kind == SETTINGS && first.flags & 1 == 0, "{first:?}");
    }
    let longest = longest(sent);
    for frame in answers {
        is_well_formed(frame);
        assert!(
            frame.payload.len() <= longest,
            "{} bytes",
            frame.payload.len()
        );
    }
    blocks_are_whole(answers);
    streams_end_once(answers);
}

fn longest(sent: &[Frame]) -> usize {
    let settings = sent.iter().filter(|frame| frame.kind == SETTINGS);
    let values = settings.flat_map(|frame| frame.payload.chunks_exact(6));
    let sizes = values
        .filter(|setting| setting[..2] == FRAME_SIZE.0.to_be_bytes())
        .map(|setting| u32::from_be_bytes([setting[2], setting[3], setting[4], setting[5]]));
    sizes.fold(FRAME_SIZE.1, u32::max) as usize
}

fn is_well_formed(frame: &Frame) {
    let length = frame.payload.len();
    let is_ours = frame.stream == 0;
    // A client's streams are odd, and nothing is pushed.
    let is_a_streams = frame.stream % 2 == 1;
    let is_good = match frame.kind {
        DATA | HEADERS | CONTINUATION => is_a_streams,
        // h2 resets a stream that a client may not open, too.
        RST_STREAM => !is_ours && length == 4,
        SETTINGS => is_ours && length.is_multiple_of(6),
        PING => is_ours && length == 8,
        GOAWAY => is_ours && length >= 8,
        WINDOW_UPDATE => (is_ours || is_a_streams) && length == 4,
        PUSH_PROMISE => false,
        // Nothing else is known to this server.
        _ => false,
    };
    assert!(is_good, "{frame:?}");
}

/// Nothing comes between HEADERS and its CONTINUATIONs.
fn blocks_are_whole(answers: &[Frame]) {
    let mut block = None;
    for frame in answers {
        let continued = (frame.kind == CONTINUATION).then_some(frame.stream);
        assert_eq!(block, continued, "{frame:?}");
        block = match frame.kind {
            HEADERS | CONTINUATION if !frame.ends_block() => Some(frame.stream),
            _ => None,
        };
    }
}

fn streams_end_once(answers: &[Frame]) {
    let (mut begun, mut ended) = (BTreeSet::new(), BTreeSet::new());
    for frame in answers {
        match frame.kind {
            HEADERS => {
                begun.insert(frame.stream);
            }
            DATA => assert!(begun.contains(&frame.stream), "{frame:?} without HEADERS"),
            RST_STREAM => {
                ended.insert(frame.stream);
                continue;
            }
            _ => continue,
        }
        assert!(!ended.contains(&frame.stream), "{frame:?} behind the end");
        if frame.ends_stream() {
            ended.insert(frame.stream);
        }
    }
}

/// A client sends again what a GOAWAY says was not looked at.
pub fn own_up_to(served: usize, answers: &[Frame], opened: &BTreeSet<u32>) {
    let goaways = answers.iter().filter(|frame| frame.kind == GOAWAY);
    let lasts: Vec<_> = goaways.filter_map(|frame| frame.number(0)).collect();
    assert!(lasts.is_sorted_by(|one, next| one >= next), "{lasts:?}");
    if let Some(last) = lasts.last() {
        let owned = opened.iter().filter(|stream| *stream <= last).count();
        assert!(
            served <= owned,
            "{served} were served, {owned} are owned up to"
        );
    }
}
