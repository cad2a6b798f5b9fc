//! A connection of HTTP/2: no more requests reach the service than a client opened streams, with the bytes that it sent
//! on them, and whatever the client does, what comes back is a sequence of frames that a server may send.

mod answers;

use std::collections::{BTreeMap, BTreeSet};

use http::Version;

use super::connection::{self, Seen, Served};
use super::naive::frames::{self, DATA, Frame, HEADERS, SETTINGS};

const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// `data` is what a client sends behind the preface.
pub fn run(data: &[u8]) {
    let (sent, _) = frames::read(data);
    let bytes = [PREFACE, data].concat();
    for (size, room) in [(bytes.len(), 64 * 1024), (1 + data.len() % 29, 512)] {
        let (seen, answers) = connection::serve_h2(&bytes, size, room);
        // What finds room at once is never cut in the middle of a frame.
        let is_short = answers.len() < room;
        let (answers, rest) = frames::read(&answers);
        assert!(!is_short || rest.is_empty(), "a frame has no end: {rest:?}");
        reached_as_sent(&seen, &sent);
        answers::are_well_formed(&answers, &sent);
        answers::own_up_to(seen.len(), &answers, &opened(&sent));
    }
}

/// The streams that a client may have opened.
fn opened(sent: &[Frame]) -> BTreeSet<u32> {
    let heads = sent.iter().filter(|frame| frame.kind == HEADERS);
    heads.map(|frame| frame.stream).collect()
}

fn reached_as_sent(seen: &[Seen], sent: &[Frame]) {
    let odd = opened(sent).into_iter().filter(|stream| stream % 2 == 1);
    assert!(seen.len() <= odd.count(), "more requests than streams");
    let begins_well = sent
        .first()
        .is_some_and(|first| first.kind == SETTINGS && first.flags & 1 == 0 && first.stream == 0);
    assert!(begins_well || seen.is_empty(), "served before SETTINGS");
    let bodies = bodies(sent);
    for seen in seen {
        let Seen::Served(served) = seen else {
            panic!("refused by HTTP/1's rules");
        };
        assert_eq!(served.version, Version::HTTP_2);
        has_a_body_of(served, &bodies);
    }
}

/// Which stream it came on is not known to the service.
fn has_a_body_of(served: &Served, bodies: &BTreeMap<u32, (Vec<u8>, bool)>) {
    // What follows a CONNECT is no body.
    let is_whole = served.trailers.is_some() && served.method != "CONNECT";
    let is_its = |(data, has_ended): &(Vec<u8>, bool)| {
        data.starts_with(&served.data) && (!is_whole || *has_ended && *data == served.data)
    };
    assert!(bodies.values().any(is_its), "nobody sent {served:?}");
}

/// What was sent on each stream up to its end, and whether that came.
fn bodies(sent: &[Frame]) -> BTreeMap<u32, (Vec<u8>, bool)> {
    let mut bodies: BTreeMap<u32, (Vec<u8>, bool)> = BTreeMap::new();
    for frame in sent {
        if ![DATA, HEADERS].contains(&frame.kind) {
            continue;
        }
        let (data, has_ended) = bodies.entry(frame.stream).or_default();
        if !*has_ended && frame.kind == DATA {
            data.extend_from_slice(frame.data().unwrap_or_default());
        }
        *has_ended |= frame.ends_stream();
    }
    bodies
}
