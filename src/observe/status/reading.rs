//! What the metrics have counted at one moment, as far as the status page shows how it changes; and quantiles of it.

use crate::observe::metrics::Metrics;
use crate::observe::metrics::request::SECONDS;

/// Totals since the start; between two of them, what came in the meantime.
#[derive(Clone, Debug, Default)]
pub(super) struct Reading {
    /// Verifications that were answered.
    pub(super) verified: u64,
    /// Verifications that were refused.
    pub(super) refused: u64,
    /// Requests, in the order of `StatusLabel::ALL`.
    pub(super) statuses: Vec<u64>,
    /// How many requests took at most each of [`SECONDS`], and all.
    pub(super) durations: Vec<u64>,
    /// The same up to the head of the upstream's response.
    pub(super) first_bytes: Vec<u64>,
    /// In the order of `HandshakeLabel::ALL`.
    pub(super) failed_handshakes: Vec<u64>,
    /// In the order of `UpstreamErrorLabel::ALL`.
    pub(super) upstream_errors: Vec<u64>,
}

impl Reading {
    /// As it is now.
    pub(super) fn take(metrics: &Metrics) -> Self {
        let counts = metrics.verification.counts();
        Self {
            verified: counts.values().map(|endpoint| endpoint.verified).sum(),
            refused: counts.values().map(|endpoint| endpoint.refused).sum(),
            statuses: metrics.request.by_status(),
            durations: metrics.request.durations(),
            first_bytes: metrics.upstream.first_bytes(),
            failed_handshakes: metrics.connection.failed_handshakes(),
            upstream_errors: metrics.upstream.errors(),
        }
    }

    /// What came since `earlier`. What an endpoint that is gone had counted counts as nothing.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        Self {
            verified: self.verified.saturating_sub(earlier.verified),
            refused: self.refused.saturating_sub(earlier.refused),
            statuses: differences(&self.statuses, &earlier.statuses),
            durations: differences(&self.durations, &earlier.durations),
            first_bytes: differences(&self.first_bytes, &earlier.first_bytes),
            failed_handshakes: differences(&self.failed_handshakes, &earlier.failed_handshakes),
            upstream_errors: differences(&self.upstream_errors, &earlier.upstream_errors),
        }
    }

    /// Both together.
    pub(super) fn and(&self, other: &Self) -> Self {
        let sums = |a: &[u64], b: &[u64]| paired(a, b, u64::saturating_add);
        Self {
            verified: self.verified + other.verified,
            refused: self.refused + other.refused,
            statuses: sums(&self.statuses, &other.statuses),
            durations: sums(&self.durations, &other.durations),
            first_bytes: sums(&self.first_bytes, &other.first_bytes),
            failed_handshakes: sums(&self.failed_handshakes, &other.failed_handshakes),
            upstream_errors: sums(&self.upstream_errors, &other.upstream_errors),
        }
    }
}

fn differences(later: &[u64], earlier: &[u64]) -> Vec<u64> {
    paired(later, earlier, u64::saturating_sub)
}

/// Nothing was counted where one of the two ends.
fn paired(a: &[u64], b: &[u64], both: impl Fn(u64, u64) -> u64) -> Vec<u64> {
    let length = a.len().max(b.len());
    let of = |counts: &[u64], at: usize| counts.get(at).copied().unwrap_or_default();
    (0..length).map(|at| both(of(a, at), of(b, at))).collect()
}

/// The time in seconds that this share of the requests took at most, as Prometheus estimates it: evenly spread between
/// two edges, and the highest edge for what is beyond. `None` without requests.
pub(super) fn quantile(share: f64, cumulative: &[u64]) -> Option<f64> {
    let all = cumulative.last().copied().filter(|all| *all > 0)?;
    let rank = share * all as f64;
    let (mut lower_edge, mut lower_count) = (0.0, 0);
    for (edge, count) in SECONDS.iter().zip(cumulative) {
        if *count as f64 >= rank && *count > lower_count {
            let part = (rank - lower_count as f64) / (count - lower_count) as f64;
            return Some(lower_edge + (edge - lower_edge) * part.max(0.0));
        }
        (lower_edge, lower_count) = (*edge, *count);
    }
    Some(lower_edge)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cumulative(counts: [u64; 14]) -> Vec<u64> {
        counts
            .iter()
            .scan(0, |sum, count| {
                *sum += count;
                Some(*sum)
            })
            .collect()
    }

    #[test]
    fn quantiles_are_spread_evenly_between_edges() {
        assert_eq!(quantile(0.5, &[]), None);
        assert_eq!(quantile(0.5, &cumulative([0; 14])), None);
        // All between 0.05 and 0.1.
        let mut counts = [0; 14];
        counts[4] = 100;
        let half = quantile(0.5, &cumulative(counts)).unwrap();
        assert!((half - 0.075).abs() < 1e-9, "{half}");
        // The slow twentieth is between 5 and 15.
        counts[11] = 10;
        let slow = quantile(0.95, &cumulative(counts)).unwrap();
        assert!((5.0..=15.0).contains(&slow), "{slow}");
        // Beyond the highest edge.
        let mut beyond = [0; 14];
        beyond[13] = 3;
        assert_eq!(quantile(0.5, &cumulative(beyond)), Some(60.0));
    }
}
