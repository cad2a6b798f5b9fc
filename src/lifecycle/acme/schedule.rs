//! When the next attempt is due: renewals with jitter, failures with growing pauses. Times of the wall clock, as the
//! certificate's are.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use aws_lc_rs::rand;
use rustls::pki_types::CertificateDer;
use serde::{Deserialize, Serialize};
use x509_cert::Certificate as X509;
use x509_cert::der::Decode;

use crate::config::RenewBefore;

/// However long a pause has grown.
const LONGEST_PAUSE: Duration = Duration::from_hours(12);
/// Whatever the server asks for.
const LONGEST_WAIT: Duration = Duration::from_hours(7 * 24);
/// No certificate is renewed sooner after it was obtained, or than a tenth of its life: a server whose clock or advice
/// is wrong is not asked again and again.
const SHORTEST_USE: Duration = Duration::from_hours(1);

/// From when until when a certificate is good.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Validity {
    pub(super) begin: SystemTime,
    pub(super) end: SystemTime,
}

impl Validity {
    /// `None`: it cannot be read.
    pub(super) fn of(certificate: &CertificateDer<'_>) -> Option<Self> {
        let x509 = X509::from_der(certificate).ok()?;
        let validity = x509.tbs_certificate.validity;
        Some(Self {
            begin: UNIX_EPOCH + validity.not_before.to_unix_duration(),
            end: UNIX_EPOCH + validity.not_after.to_unix_duration(),
        })
    }

    fn life(self) -> Duration {
        self.end.duration_since(self.begin).unwrap_or_default()
    }
}

/// When to renew: at a point that `luck` (0 to 1) chooses, in the server's window if it has named one, else in the first
/// tenth of `before`. Not at once after it was obtained, and with or without a window before the last half of `before`.
pub(super) fn renewal(
    validity: Validity,
    obtained: SystemTime,
    before: RenewBefore,
    window: Option<Validity>,
    luck: f64,
) -> SystemTime {
    let life = validity.life();
    let before = match before {
        RenewBefore::Percent(percent) => life * u32::from(percent) / 100,
        RenewBefore::Time(time) => time.min(life * 9 / 10),
    };
    let of_its_own = validity.end - before + (before / 10).mul_f64(luck);
    let latest = validity.end - before / 2;
    let due = match window {
        Some(window) => (window.begin + window.life().mul_f64(luck)).min(latest),
        None => of_its_own,
    };
    due.max(obtained + SHORTEST_USE.min(life / 10))
}

/// Failures since the last success; kept in the storage, so that a program that is started again and again asks no more
/// often than one that runs.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(super) struct Retry {
    pub(super) failures: u32,
    /// Seconds since 1970.
    not_before: u64,
}

impl Retry {
    /// After one more failure: the pause has doubled, a quarter more or less as `luck` (0 to 1) will have it. It is at
    /// least what the server has asked for.
    pub(super) fn next(self, now: SystemTime, first: Duration, asked: Duration, luck: f64) -> Self {
        let doublings = self.failures.min(16);
        let pause = (first * 2_u32.pow(doublings)).min(LONGEST_PAUSE);
        let pause = pause
            .mul_f64(0.75 + luck / 2.0)
            .max(asked.min(LONGEST_WAIT));
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default();
        Self {
            failures: self.failures.saturating_add(1),
            not_before: (now + pause).as_secs_f64().ceil() as u64,
        }
    }

    /// The end of the pause. One that is further away than any pause is from before the clock was set.
    pub(super) fn end(self, now: SystemTime) -> SystemTime {
        let end = UNIX_EPOCH + Duration::from_secs(self.not_before.min(1 << 40));
        if end > now + LONGEST_WAIT { now } else { end }
    }
}

/// Evenly from 0 to 1.
pub(super) fn luck() -> f64 {
    let mut bytes = [0; 4];
    // Without random numbers everybody is as lucky as everybody else.
    let _ = rand::fill(&mut bytes);
    f64::from(u32::from_le_bytes(bytes)) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use super::{LONGEST_PAUSE, Retry, Validity, renewal};
    use crate::config::RenewBefore;

    const DAY: Duration = Duration::from_hours(24);

    fn day(number: u32) -> SystemTime {
        UNIX_EPOCH + DAY * number
    }

    fn validity(begin: u32, end: u32) -> Validity {
        Validity {
            begin: day(begin),
            end: day(end),
        }
    }

    #[test]
    fn a_certificate_is_renewed_in_its_last_third_or_when_the_server_says() {
        let whole = validity(100, 190);
        let percent = |percent| RenewBefore::Percent(percent);
        let days = |days| RenewBefore::Time(DAY * days);
        for (before, window, luck, expected) in [
            (percent(50), None, 0.0, day(145)),
            (percent(50), None, 1.0, day(145) + DAY * 9 / 2),
            (days(30), None, 0.0, day(160)),
            (days(30), None, 1.0, day(163)),
            (days(365), None, 0.0, day(109)),
            (days(30), Some(validity(120, 122)), 0.5, day(121)),
            (days(30), Some(validity(170, 171)), 0.0, day(170)),
            // A window that comes too late, or that is long over, or for ever.
            (days(30), Some(validity(400, 401)), 0.0, day(175)),
            (days(30), Some(validity(1, 2)), 0.0, day(100) + DAY / 24),
            (days(30), Some(validity(120, 110)), 0.5, day(120)),
        ] {
            let due = renewal(whole, day(100), before, window, luck);
            assert_eq!(due, expected, "{before:?} {window:?} {luck}");
        }
    }

    #[test]
    fn pauses_double_up_to_half_a_day_and_are_no_shorter_than_the_server_asks() {
        let (now, first) = (day(1), Duration::from_mins(5));
        let mut retry = Retry::default();
        let mut pauses = Vec::new();
        for _ in 0..40 {
            retry = retry.next(now, first, Duration::ZERO, 0.5);
            pauses.push(retry.end(now).duration_since(now).unwrap());
        }
        assert_eq!(pauses[..3], [first, first * 2, first * 4]);
        assert_eq!(pauses[39], LONGEST_PAUSE);
        assert_eq!(retry.failures, 40);
        let asked = Retry::default().next(now, first, DAY, 0.0);
        assert_eq!(asked.end(now), day(2));
        let luckier = Retry::default().next(now, first, Duration::ZERO, 1.0);
        assert_eq!(luckier.end(now), now + first * 5 / 4);
        // The clock was years ahead when it was written.
        let future = Retry::default().next(day(4000), first, Duration::ZERO, 0.5);
        assert_eq!(future.end(now), now);
    }
}
