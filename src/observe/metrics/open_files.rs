//! The library's `process_*`, and the open files also when there are none left to count them with.
//!
//! It counts by opening two files. Where one of them fails, it says what it counted last, or nothing at all: just when
//! the number matters.

use std::fs::File;

use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;
use prometheus::{Error, IntGauge};
use rlimit::Resource;

/// What the library opens at the same time.
const TO_COUNT: u64 = 2;
/// This process may open no more, EMFILE.
const EMFILE: i32 = 24;

/// The process itself.
#[derive(Debug)]
pub(super) struct Process {
    library: ProcessCollector,
    open: IntGauge,
    most: IntGauge,
}

impl Process {
    pub(super) fn new() -> Result<Self, Error> {
        Ok(Self {
            library: ProcessCollector::for_self(),
            open: IntGauge::new("process_open_fds", "Number of open file descriptors.")?,
            most: IntGauge::new(
                "process_max_fds",
                "Maximum number of open file descriptors.",
            )?,
        })
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.library.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.library.collect();
        if let Some((open, most)) = nearly_all() {
            self.open.set(open);
            self.most.set(most);
            let own = [self.open.collect(), self.most.collect()].concat();
            families.retain(|family| own.iter().all(|own| own.name() != family.name()));
            families.extend(own);
        }
        families
    }
}

/// How many are open and may be, if too few are left to be counted.
fn nearly_all() -> Option<(i64, i64)> {
    let mut taken = Vec::new();
    for left in 0..TO_COUNT {
        match File::open("/dev/null") {
            Ok(file) => taken.push(file),
            Err(error) if error.raw_os_error() == Some(EMFILE) => {
                let (most, _) = Resource::NOFILE.get().ok()?;
                let open = most.saturating_sub(left);
                return i64::try_from(open).ok().zip(i64::try_from(most).ok());
            }
            Err(_) => return None,
        }
    }
    None
}
