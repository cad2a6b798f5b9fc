//! What is left of an upload that has been answered: read for a while and thrown away.
//!
//! Clients stop at an answer, but closing with bytes unread would reset the connection and take the answer with it.

use std::rc::Rc;
use std::time::Duration;

use super::upload::Upload;

/// How long an upload that nobody wants is read after its answer.
const LONGEST: Duration = Duration::from_secs(2);
/// How long a client is waited for that need not send anything: one that does has begun already.
const QUIET: Duration = Duration::from_millis(200);

/// How long to wait for the next piece.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Manner {
    /// The client is in the middle of its upload.
    Patient,
    /// The client was not asked for its body and may never send it.
    WhileItMoves,
}

/// Reads until the end, an error, or for long enough. Whoever still sends after that gets a closed connection.
pub async fn discard(upload: Rc<Upload>, manner: Manner) {
    let pause = match manner {
        Manner::Patient => LONGEST,
        Manner::WhileItMoves => QUIET,
    };
    let rest = async {
        let next = || tokio::time::timeout(pause, std::future::poll_fn(|c| upload.poll_rest(c)));
        while let Ok(Some(Ok(_))) = next().await {}
    };
    let _ = tokio::time::timeout(LONGEST, rest).await;
}
