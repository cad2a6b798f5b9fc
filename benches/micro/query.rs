//! A raw query becomes the parameters of a verification, or is found to be none.

use divan::{Bencher, black_box};
use wxgate::wechat::Verification;

use super::verification::{plain, sealed};

fn measure(bencher: Bencher<'_, '_>, query: &str, is_verification: bool) {
    let found = Verification::parse(query).unwrap();
    assert_eq!(found.is_some(), is_verification, "{query}");
    bencher.bench(|| Verification::parse(black_box(query)));
}

#[divan::bench]
fn of_plain(bencher: Bencher<'_, '_>) {
    measure(bencher, &plain(true), true);
}

/// Values that have to be decoded.
#[divan::bench]
fn of_encrypted(bencher: Bencher<'_, '_>) {
    measure(bencher, &sealed(true), true);
}

/// What any request to an endpoint may carry.
#[divan::bench]
fn of_a_page(bencher: Bencher<'_, '_>) {
    measure(
        bencher,
        "page=2&sort=price&category=%E9%9E%8B&utm_source=menu",
        false,
    );
}
