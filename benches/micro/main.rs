//! Single steps of a request, each by itself: what one costs, and whether a change made it dearer.
//!
//! ```sh
//! cargo bench --bench micro                  # all
//! cargo bench --bench micro -- envelope      # those with this in their name
//! ```
//!
//! Each asserts once, before it is measured, that it does what its name says.

#![allow(
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    reason = "a bench that cannot be prepared has to end"
)]

mod envelope;
mod head;
mod headers;
mod hygiene;
mod query;
mod verification;

fn main() {
    divan::main();
}
