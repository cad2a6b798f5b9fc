//! Certificates by ACME (RFC 8555): obtained, stored, renewed, on a thread of their own. Workers see of it what they see
//! of a reload: other pointers.
//!
//! ```text
//! stored, or a placeholder ─▶ served ─▶ due? ─▶ attempt ─▶ stored ─▶ served
//!                                        ▲         └─ failed: the old one stays, a longer pause
//! ```

mod account;
mod advice;
mod answers;
mod client;
mod failure;
mod order;
mod placeholder;
mod schedule;
mod storage;

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use instant_acme::Account;

use super::drain::Drain;
use super::obtained::{Answers, Obtained};
use crate::config::{Acme, Certificate};
use crate::observe::exchange::Observer;
use crate::observe::labels::AcmeLabel;
use advice::Advice;
use client::Client;
use failure::{Failure, Step};
use order::Ordering;
use schedule::{Retry, Validity};
use storage::{ACCOUNT, CERTIFICATE, ORDER, RETRY, Storage};

/// The certificate's name in metrics and logs.
const LABEL: &str = "acme";
/// Where faults of what is stored are said to be.
const SETTING: &str = "tls.acme.storage";
/// How often a process looks for what another one, which has the lock, has stored; and for the lock.
const FOLLOW: Duration = Duration::from_secs(5);
/// The longest sleep: the clock may be set, and a machine may be suspended.
const LONGEST_SLEEP: Duration = Duration::from_hours(1);

/// Puts what was obtained in force.
pub type Deliver = Box<dyn Fn(Obtained) -> Result<(), rustls::Error> + Send>;

/// Keeps one certificate.
#[derive(Debug)]
pub struct Keeper {
    acme: Acme,
    storage: Storage,
    observer: Arc<Observer>,
    /// What is served, a placeholder included.
    served: Option<Certificate>,
    stored: Option<Stored>,
    retry: Retry,
    advice: Option<Advice>,
    /// Held by the process that writes.
    lock: Option<File>,
    /// Where in a window to renew; another one for each certificate.
    luck: f64,
}

/// What the storage has.
#[derive(Clone, Copy, Debug)]
struct Stored {
    validity: Validity,
    written: SystemTime,
    /// Whether it is for all hosts that are configured now.
    is_for_all: bool,
}

impl Keeper {
    /// Serves what is stored, or a placeholder for the same hosts, so that TLS is spoken from the start on.
    #[must_use]
    pub fn open(acme: Acme, observer: Arc<Observer>) -> (Self, Obtained) {
        let storage = Storage::new(&acme.storage, &acme.directory);
        let mut keeper = Self {
            acme,
            storage,
            observer,
            served: None,
            stored: None,
            retry: Retry::default(),
            advice: None,
            lock: None,
            luck: schedule::luck(),
        };
        if keeper.load().is_none() {
            keeper.served = placeholder::make(&keeper.acme.hosts);
            keeper.observer.metrics.acme.is_missing();
        }
        let obtained = keeper.obtained(Answers::default());
        (keeper, obtained)
    }

    /// Starts the thread.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(self, drain: Drain, deliver: Deliver) -> io::Result<()> {
        let run = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            match runtime {
                Ok(runtime) => runtime.block_on(async {
                    tokio::select! {
                        () = drain.closing() => {}
                        () = self.run(&deliver) => {}
                    }
                }),
                Err(error) => tracing::error!(%error, "ACME cannot be started"),
            }
        };
        std::thread::Builder::new().name("acme".into()).spawn(run)?;
        Ok(())
    }

    async fn run(mut self, deliver: &Deliver) {
        loop {
            let pause = self.turn(deliver).await;
            tokio::time::sleep(pause).await;
        }
    }

    /// Does what is due; returns how long to wait then.
    async fn turn(&mut self, deliver: &Deliver) -> Duration {
        if self.lock.is_none() {
            self.lock = self.take_lock();
            // The last that another process wrote may have come with the lock.
            self.follow(deliver);
            if self.lock.is_none() {
                return FOLLOW;
            }
            self.recall();
        }
        let client = match Client::new(&self.acme.authorities) {
            Ok(client) => client,
            Err(error) => {
                self.failed(&Step::Account.broken(error), Duration::ZERO);
                return LONGEST_SLEEP;
            }
        };
        self.ask_for_advice(&client).await;
        let now = SystemTime::now();
        let due = self.due(now);
        self.observer.metrics.acme.next(due);
        if let Ok(wait) = due.duration_since(now)
            && !wait.is_zero()
        {
            return wait.min(LONGEST_SLEEP);
        }
        match self.attempt(&client, deliver).await {
            Ok(certificate) => self.succeeded(certificate, deliver),
            Err(failure) => self.failed(&failure, client.take_asked_to_wait()),
        }
        Duration::ZERO
    }

    fn take_lock(&self) -> Option<File> {
        match self.storage.lock() {
            Ok(lock) => lock,
            Err(error) => {
                Failure::from(error).log(&self.acme.hosts, 0, "5s", self.kept());
                None
            }
        }
    }

    /// Takes over what is stored, if it is another certificate than before.
    fn follow(&mut self, deliver: &Deliver) {
        let written = self.storage.written(CERTIFICATE);
        let is_known = self.stored.map(|stored| stored.written) == written;
        if !is_known && self.load().is_some() {
            self.deliver(deliver);
        }
    }

    fn load(&mut self) -> Option<()> {
        let written = self.storage.written(CERTIFICATE)?;
        let pem = self.storage.read(CERTIFICATE);
        let pem =
            pem.inspect_err(|error| tracing::error!(%error, "ACME: what is stored cannot be read"));
        let path = self.storage.path(CERTIFICATE);
        let certificate = Certificate::of_pem(LABEL, &pem.ok()??, SETTING, &path);
        let certificate = certificate
            .inspect_err(|fault| tracing::error!(%fault, "ACME: what is stored cannot be served"));
        self.serve(certificate.ok()?, written)
    }

    fn serve(&mut self, certificate: Certificate, written: SystemTime) -> Option<()> {
        let validity = Validity::of(certificate.key.cert.first()?)?;
        let is_for_all = self
            .acme
            .hosts
            .iter()
            .all(|host| certificate.names.contains(host));
        self.stored = Some(Stored {
            validity,
            written,
            is_for_all,
        });
        self.served = Some(certificate);
        self.advice = None;
        self.luck = schedule::luck();
        self.observer.metrics.acme.obtained(written);
        Some(())
    }

    /// The pause that an earlier process was in.
    fn recall(&mut self) {
        let stored = self.storage.read(RETRY).ok().flatten();
        let retry = stored.and_then(|stored| serde_json::from_slice(&stored).ok());
        self.retry = retry.unwrap_or_default();
    }

    async fn ask_for_advice(&mut self, client: &Client) {
        let now = SystemTime::now();
        let is_fresh = self.advice.is_some_and(|advice| now < advice.until);
        let Some(certificate) = self
            .served
            .as_ref()
            .and_then(|served| served.key.cert.first())
        else {
            return;
        };
        if is_fresh || self.stored.is_none() {
            return;
        }
        // Without an account, or an answer, it is renewed by its own dates.
        if let Ok(Some(account)) = account::open(&self.acme, &self.storage, client).await {
            self.advice = Some(Advice::ask(&account, certificate).await);
        }
    }

    fn due(&self, now: SystemTime) -> SystemTime {
        let renewal = match self.stored.filter(|stored| stored.is_for_all) {
            Some(Stored {
                validity, written, ..
            }) => {
                let window = self.advice.and_then(|advice| advice.window);
                schedule::renewal(validity, written, self.acme.renew_before, window, self.luck)
            }
            None => now,
        };
        renewal.max(self.retry.end(now))
    }

    /// One attempt. An account that the server has forgotten is made anew, once.
    async fn attempt(&self, client: &Client, deliver: &Deliver) -> Result<Certificate, Failure> {
        let opened = account::open(&self.acme, &self.storage, client).await?;
        if let Some(account) = opened {
            match self.order(&account, deliver).await {
                Err(failure) if failure.is("accountDoesNotExist") => {
                    tracing::warn!(
                        account = account.id(),
                        "ACME: the server does not know the account"
                    );
                    self.storage.remove(ORDER)?;
                    self.storage.remove(ACCOUNT)?;
                }
                ended => return ended,
            }
        }
        let account = account::create(&self.acme, &self.storage, client).await?;
        self.order(&account, deliver).await
    }

    async fn order(&self, account: &Account, deliver: &Deliver) -> Result<Certificate, Failure> {
        let ordering = Ordering {
            acme: &self.acme,
            storage: &self.storage,
            account,
            answer: &|answers| deliver(self.obtained(answers)),
        };
        let knows_renewals = self.advice.is_some_and(|advice| advice.is_given);
        let old = self.served.as_ref().filter(|_| knows_renewals);
        let old = old.and_then(|old| advice::identifier(old.key.cert.first()?));
        ordering.certificate(old).await
    }

    fn succeeded(&mut self, certificate: Certificate, deliver: &Deliver) {
        let hosts = self.acme.hosts.join(", ");
        self.retry = Retry::default();
        if let Err(error) = self.storage.remove(RETRY) {
            tracing::warn!(%error, "ACME: {RETRY} stays");
        }
        let written = self.storage.written(CERTIFICATE);
        let _ = self.serve(certificate, written.unwrap_or_else(SystemTime::now));
        self.deliver(deliver);
        self.observer.metrics.acme.ended(AcmeLabel::Success, 0);
        let end = self.stored.map(|stored| stored.validity.end);
        let end = end.map(|end| humantime::format_rfc3339_seconds(end).to_string());
        tracing::info!(hosts, end, "ACME: new certificate");
    }

    fn failed(&mut self, failure: &Failure, asked: Duration) {
        let now = SystemTime::now();
        let asked = asked.max(failure.wait());
        let pause = self.acme.retry_pause;
        self.retry = self.retry.next(now, pause, asked, schedule::luck());
        // Without it a restart would try sooner, which is no harm done.
        let stored = serde_json::to_vec(&self.retry).unwrap_or_default();
        if let Err(error) = self.storage.write(RETRY, &stored) {
            tracing::debug!(%error, "ACME: {RETRY} cannot be written");
        }
        let failures = self.retry.failures;
        let metrics = &self.observer.metrics.acme;
        metrics.ended(AcmeLabel::Failure, failures);
        let next = humantime::format_rfc3339_seconds(self.retry.end(now)).to_string();
        failure.log(&self.acme.hosts, failures, &next, self.kept());
    }

    fn deliver(&self, deliver: &Deliver) {
        if let Err(error) = deliver(self.obtained(Answers::default())) {
            tracing::error!(%error, "ACME: the certificate cannot be put in force");
        }
    }

    fn obtained(&self, answers: Answers) -> Obtained {
        Obtained {
            certificate: self.served.clone(),
            answers,
        }
    }

    fn kept(&self) -> &'static str {
        if self.stored.is_some() {
            "the old certificate"
        } else {
            "a placeholder"
        }
    }
}
