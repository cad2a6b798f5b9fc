//! One order, from its beginning or from wherever an earlier attempt left it, to a certificate in the storage.
//!
//! The order's URL and the key that it is for are stored as soon as the server has the order, so that a process that
//! dies anywhere between loses neither: the next one goes on with them.

use std::time::Duration;

use instant_acme::{
    Account, AuthorizationStatus, CertificateIdentifier, ChallengeStatus, Error, Identifier,
    NewOrder, Order, OrderStatus, RetryPolicy,
};
use rcgen::{CertificateParams, DistinguishedName, KeyPair};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::answers;
use super::failure::{Failure, Step};
use super::storage::{CERTIFICATE, ORDER, Storage};
use super::{LABEL, SETTING};
use crate::config::{Acme, Certificate, ChallengeType};
use crate::lifecycle::obtained::Answers;

/// How long the server is waited for, at its validation and at its signature, if it does not say how long it takes.
const PATIENCE: RetryPolicy = RetryPolicy::new()
    .initial_delay(Duration::from_millis(500))
    .backoff(1.5)
    .timeout(Duration::from_mins(2));

/// What an order needs.
pub(super) struct Ordering<'a> {
    pub(super) acme: &'a Acme,
    pub(super) storage: &'a Storage,
    pub(super) account: &'a Account,
    /// Puts answers in force, or none.
    pub(super) answer: &'a dyn Fn(Answers) -> Result<(), rustls::Error>,
}

/// An order that is under way.
#[derive(Deserialize, Serialize)]
struct Pending {
    url: String,
    hosts: Vec<String>,
    /// PEM.
    key: Zeroizing<String>,
}

impl Ordering<'_> {
    /// Obtains a certificate. `replaces` names the one before, to a server that wants to know.
    pub(super) async fn certificate(
        &self,
        replaces: Option<CertificateIdentifier<'_>>,
    ) -> Result<Certificate, Failure> {
        let (mut order, key) = match self.resumed().await? {
            Some(resumed) => resumed,
            None => self.begun(replaces).await?,
        };
        if order.state().status == OrderStatus::Pending {
            self.prove(&mut order).await?;
        }
        if order.state().status == OrderStatus::Ready {
            let request = self
                .request(&key)
                .map_err(|error| Step::Finalization.broken(error))?;
            let finalized = order.finalize_csr(&request).await;
            finalized.map_err(|error| Step::Finalization.failed(error))?;
        }
        let chain = order.poll_certificate(&PATIENCE).await;
        self.keep(&key, &chain.map_err(|error| Step::Download.failed(error))?)
    }

    /// The order of an earlier attempt, unless it has come to nothing.
    async fn resumed(&self) -> Result<Option<(Order, KeyPair)>, Failure> {
        let Some(stored) = self.storage.read(ORDER)? else {
            return Ok(None);
        };
        let pending = serde_json::from_slice::<Pending>(&stored).ok();
        let pending = pending.filter(|pending| pending.hosts == self.acme.hosts);
        if let Some(pending) = pending
            && let Ok(key) = KeyPair::from_pem(&pending.key)
        {
            match self.account.order(pending.url).await {
                Ok(mut order) => {
                    if order.state().status != OrderStatus::Invalid {
                        tracing::info!(order = order.url(), "ACME: going on with an order");
                        return Ok(Some((order, key)));
                    }
                }
                Err(error) => self.is_forgotten(error)?,
            }
        }
        self.storage.remove(ORDER)?;
        Ok(None)
    }

    /// Whether the server knows the order no more; anything else is the failure of this attempt.
    fn is_forgotten(&self, error: Error) -> Result<(), Failure> {
        let failure = Step::Order.failed(error);
        let is_about_it = ["malformed", "unauthorized", "none"];
        if is_about_it.iter().any(|kind| failure.is(kind)) {
            Ok(())
        } else {
            Err(failure)
        }
    }

    async fn begun(
        &self,
        replaces: Option<CertificateIdentifier<'_>>,
    ) -> Result<(Order, KeyPair), Failure> {
        let hosts = self.acme.hosts.iter().cloned().map(Identifier::Dns);
        let hosts: Vec<_> = hosts.collect();
        let wanted = || NewOrder::new(&hosts);
        let replacing = replaces.is_some();
        let first = match replaces {
            Some(old) => self.account.new_order(&wanted().replaces(old)).await,
            None => self.account.new_order(&wanted()).await,
        };
        let order = match first.map_err(|error| Step::Order.failed(error)) {
            // Replaced already by an order that was lost (RFC 9773 section 5), or by a server that keeps no such record.
            Err(failure) if replacing && !failure.is("rateLimited") => {
                let second = self.account.new_order(&wanted()).await;
                second.map_err(|error| Step::Order.failed(error))?
            }
            first => first?,
        };
        let key = KeyPair::generate().map_err(|error| Step::Order.broken(error))?;
        let pending = Pending {
            url: order.url().to_owned(),
            hosts: self.acme.hosts.clone(),
            key: Zeroizing::new(key.serialize_pem()),
        };
        let stored = serde_json::to_vec(&pending).map_err(|error| Step::Storage.broken(error))?;
        self.storage.write(ORDER, &Zeroizing::new(stored))?;
        tracing::info!(
            order = pending.url,
            hosts = self.acme.hosts.join(", "),
            "ACME: new order"
        );
        Ok((order, key))
    }

    /// Shows the server that all names are ours. The answers are there for no longer than it looks for them.
    async fn prove(&self, order: &mut Order) -> Result<(), Failure> {
        let answers = self.answers(order).await?;
        let put = |answers| (self.answer)(answers).map_err(|error| Step::Challenge.broken(error));
        put(answers)?;
        let proven = self.validated(order).await;
        put(Answers::default())?;
        proven
    }

    async fn answers(&self, order: &mut Order) -> Result<Answers, Failure> {
        let mut answers = Answers::default();
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|error| Step::Challenge.failed(error))?;
            if authorization.status != AuthorizationStatus::Pending {
                continue;
            }
            let host = authorization.identifier().to_string();
            let Some(challenge) = authorization.challenge(kind(self.acme.challenge)) else {
                let name = self.acme.challenge.name();
                let cause = format!("the server does not offer {name} for this name");
                return Err(Step::Challenge.broken(cause).of(host));
            };
            let answer = (challenge.token.as_str(), &challenge.key_authorization());
            answers::add(&mut answers, self.acme.challenge, &host, answer)
                .map_err(|error| Step::Challenge.broken(error).of(host))?;
        }
        Ok(answers)
    }

    /// Asks the server to look, and waits for what it finds.
    async fn validated(&self, order: &mut Order) -> Result<(), Failure> {
        let mut authorizations = order.authorizations();
        while let Some(authorization) = authorizations.next().await {
            let mut authorization = authorization.map_err(|error| Step::Challenge.failed(error))?;
            let host = authorization.identifier().to_string();
            let is_pending = authorization.status == AuthorizationStatus::Pending;
            let challenge = authorization.challenge(kind(self.acme.challenge));
            if let Some(mut challenge) = challenge.filter(|_| is_pending)
                && challenge.status == ChallengeStatus::Pending
            {
                let ready = challenge.set_ready().await;
                ready.map_err(|error| Step::Challenge.failed(error).of(host))?;
            }
        }
        match order.poll_ready(&PATIENCE).await {
            Ok(OrderStatus::Invalid) => Err(self.refusal(order, None).await),
            Err(Error::Api(problem)) => Err(self.refusal(order, Some(Error::Api(problem))).await),
            Err(error) => Err(Step::Validation.failed(error)),
            Ok(_) => Ok(()),
        }
    }

    /// What the server found at the first host that it refuses; the order itself says less.
    async fn refusal(&self, order: &mut Order, general: Option<Error>) -> Failure {
        let mut authorizations = order.authorizations();
        while let Some(Ok(mut authorization)) = authorizations.next().await {
            let host = authorization.identifier().to_string();
            let Ok(state) = authorization.refresh().await else {
                break;
            };
            let mut problems = state.challenges.iter().filter_map(|c| c.error.clone());
            if let Some(problem) = problems.next() {
                return Step::Validation.failed(problem.into()).of(host);
            }
        }
        Step::Validation.failed(general.unwrap_or(Error::Str("a reason for its refusal")))
    }

    fn request(&self, key: &KeyPair) -> Result<Vec<u8>, rcgen::Error> {
        let mut params = CertificateParams::new(self.acme.hosts.clone())?;
        params.distinguished_name = DistinguishedName::new();
        Ok(params.serialize_request(key)?.der().to_vec())
    }

    /// Stores what came, if it can be served: then the order is over.
    fn keep(&self, key: &KeyPair, chain: &str) -> Result<Certificate, Failure> {
        let pem = Zeroizing::new(key.serialize_pem() + chain);
        let path = self.storage.path(CERTIFICATE);
        let certificate = Certificate::of_pem(LABEL, pem.as_bytes(), SETTING, &path);
        let certificate = certificate.map_err(|fault| Step::Download.broken(fault))?;
        let lacks = |host: &&String| !certificate.names.contains(host);
        if let Some(host) = self.acme.hosts.iter().find(lacks) {
            let cause = "the server's certificate is not for this name";
            return Err(Step::Download.broken(cause).of(host.clone()));
        }
        self.storage.write(CERTIFICATE, pem.as_bytes())?;
        self.storage.remove(ORDER)?;
        Ok(certificate)
    }
}

fn kind(challenge: ChallengeType) -> instant_acme::ChallengeType {
    match challenge {
        ChallengeType::TlsAlpn01 => instant_acme::ChallengeType::TlsAlpn01,
        ChallengeType::Http01 => instant_acme::ChallengeType::Http01,
    }
}
