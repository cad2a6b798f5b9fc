//! The chunked coding: what is accepted ends where a strict decoder says, however it is cut, and httparse reads the same
//! sizes.

use wxgate::edge::http1::chunks::Chunks;
use wxgate::observe::labels::RefusalLabel;

use super::naive;

/// More would find nothing that they do not, and take the time of other inputs.
const CUTS: usize = 64;

/// How much was taken, and whether the body has ended.
type Verdict = Result<(usize, bool), RefusalLabel>;

/// `data` is what follows a head on the wire.
pub fn run(data: &[u8]) {
    let whole = follow([data]);
    let expected = naive::chunks::read(data);
    match (&whole, &expected) {
        (Ok((taken, true)), Some(body)) => assert_eq!(*taken, body.end, "another end"),
        (Ok((_, true)), None) => panic!("a body was taken that is none"),
        (Ok((taken, false)), None) => assert_eq!(*taken, data.len(), "bytes were left over"),
        (_, Some(body)) => assert!(
            !body.trailers.is_empty(),
            "a good body was not taken: {whole:?}"
        ),
        (Err(_), None) => {}
    }
    if let (Ok((_, true)), Some(body)) = (&whole, &expected) {
        agrees_with_httparse(data, &body.sizes);
        no_beginning_is_whole(&data[..body.end]);
    }
    cuts_do_not_matter(data, whole);
}

fn follow<'d>(pieces: impl IntoIterator<Item = &'d [u8]>) -> Verdict {
    let mut chunks = Chunks::new();
    let mut taken = 0;
    for piece in pieces {
        taken += chunks.follow(piece)?;
    }
    Ok((taken, chunks.have_ended()))
}

fn cuts_do_not_matter(data: &[u8], whole: Verdict) {
    for cut in (0..data.len()).step_by(1 + data.len() / CUTS) {
        let (before, behind) = data.split_at(cut);
        assert_eq!(follow([before, behind]), whole, "cut at {cut}");
    }
    for size in 1..4 {
        assert_eq!(follow(data.chunks(size)), whole, "in pieces of {size}");
    }
}

fn no_beginning_is_whole(body: &[u8]) {
    for length in (0..body.len()).step_by(1 + body.len() / CUTS) {
        assert_eq!(follow([&body[..length]]), Ok((length, false)), "{length}");
    }
}

fn agrees_with_httparse(data: &[u8], sizes: &[(usize, u64)]) {
    for (at, size) in sizes {
        match httparse::parse_chunk_size(&data[*at..]) {
            Ok(httparse::Status::Complete((_, found))) => assert_eq!(found, *size, "at {at}"),
            other => panic!("httparse takes no size at {at}: {other:?}"),
        }
    }
}
