//! The page's button: a console is played against an endpoint of this very process, on a thread of its own, one at a time.
//!
//! The last run is remembered. What it says is bounded by how much is read of each answer, and has no secret in it.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use serde_json::Value;

use crate::config::Live;

/// Longest time for a run. A server that is there takes less than a second.
const LIMIT: Duration = Duration::from_secs(60);

/// What is asked, all of it checked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Play {
    /// The endpoint's name.
    pub endpoint: String,
    /// As it is entered in the console. A query in it may be secret.
    pub url: String,
    /// The listener to connect to; `None`: wherever the name leads.
    pub connect: Option<SocketAddr>,
}

/// Plays it, by these settings, until then. Gives the report that `docs/simulate.md` describes as JSON, or says why there
/// is none, in English.
pub type Simulate = fn(&Live, &Play, Instant) -> Result<String, String>;

/// The settings that a run goes by to its end.
type Settings = Arc<dyn AsRef<Live> + Send + Sync>;

/// A run.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) play: Play,
    pub(super) at: SystemTime,
    pub(super) came: Came,
}

/// What came of a run.
#[derive(Clone, Debug)]
pub(super) enum Came {
    /// It goes on.
    Nothing,
    /// The report.
    Report(Value),
    /// It took longer than it may.
    TooLong,
    /// There is no report, because of this.
    Failure(String),
}

/// Another run goes on.
#[derive(Debug)]
pub(super) struct Busy;

pub(super) struct Simulation {
    simulate: Simulate,
    last: Arc<Mutex<Option<Run>>>,
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").finish_non_exhaustive()
    }
}

impl Simulation {
    pub(super) fn new(simulate: Simulate) -> Self {
        Self {
            simulate,
            last: Arc::default(),
        }
    }

    /// The one that goes on, or the one that went on last.
    pub(super) fn last(&self) -> Option<Run> {
        held(&self.last).clone()
    }

    /// Begins a run.
    ///
    /// # Errors
    /// There is one.
    pub(super) fn begin(&self, play: Play, settings: Settings) -> Result<(), Busy> {
        let mut last = held(&self.last);
        if last.as_ref().is_some_and(Run::goes_on) {
            return Err(Busy);
        }
        *last = Some(Run {
            play: play.clone(),
            at: SystemTime::now(),
            came: Came::Nothing,
        });
        drop(last);
        tracing::info!(endpoint = play.endpoint, connect = ?play.connect, "simulation asked for on the status page");
        let (simulate, end) = (self.simulate, End(Arc::clone(&self.last)));
        let run = move || end.with(came(simulate, (*settings).as_ref(), &play));
        // Where there is no thread, the end is dropped with what it was to run.
        let begun: io::Result<_> = std::thread::Builder::new()
            .name("simulate".into())
            .spawn(run);
        if let Err(error) = begun {
            tracing::warn!(%error, "no thread for a simulation");
        }
        Ok(())
    }
}

impl Run {
    pub(super) fn goes_on(&self) -> bool {
        matches!(self.came, Came::Nothing)
    }
}

fn came(simulate: Simulate, live: &Live, play: &Play) -> Came {
    let until = Instant::now() + LIMIT;
    let report = simulate(live, play, until);
    if Instant::now() >= until {
        return Came::TooLong;
    }
    let report = report.map(|text| serde_json::from_str(&text));
    match report {
        Ok(Ok(report)) => Came::Report(report),
        Ok(Err(error)) => Came::Failure(error.to_string()),
        Err(error) => Came::Failure(error),
    }
}

/// Says that a run has ended, however it does.
struct End(Arc<Mutex<Option<Run>>>);

impl End {
    fn with(self, came: Came) {
        if let Some(run) = held(&self.0).as_mut() {
            run.came = came;
        }
    }
}

impl Drop for End {
    fn drop(&mut self) {
        if let Some(run) = held(&self.0).as_mut().filter(|run| run.goes_on()) {
            run.came = Came::Failure("it broke off: see the log".to_owned());
        }
    }
}

/// A panic of another holder has left nothing half done.
fn held(last: &Mutex<Option<Run>>) -> MutexGuard<'_, Option<Run>> {
    last.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::trial::settings;

    struct InForce(Live);

    impl AsRef<Live> for InForce {
        fn as_ref(&self) -> &Live {
            &self.0
        }
    }

    /// What comes of a run of `simulate`, and whether another can begin then.
    fn ended(simulate: Simulate) -> (Came, bool) {
        let live: Settings = Arc::new(InForce(settings("").live));
        let play = Play {
            endpoint: "shop".to_owned(),
            url: "http://wx.test/".to_owned(),
            connect: None,
        };
        let simulation = Simulation::new(simulate);
        simulation.begin(play.clone(), Arc::clone(&live)).unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            assert!(Instant::now() < deadline, "it does not end");
            match simulation.last().unwrap().came {
                Came::Nothing => std::thread::park_timeout(Duration::from_millis(1)),
                came => return (came, simulation.begin(play, live).is_ok()),
            }
        }
    }

    #[test]
    fn a_run_ends_however_it_does() {
        assert!(matches!(
            ended(|_, _, _| Ok("{}".to_owned())),
            (Came::Report(_), true)
        ));
        assert!(
            matches!(ended(|_, _, _| Err("why".to_owned())), (Came::Failure(why), true) if why == "why")
        );
        assert!(matches!(
            ended(|_, _, _| Ok("no JSON".to_owned())),
            (Came::Failure(_), true)
        ));
        assert!(matches!(
            ended(|_, _, _| panic!("a bug")),
            (Came::Failure(_), true)
        ));
    }
}
