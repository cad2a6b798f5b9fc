//! A message's body: held whole where something is decided by it, or where the upstream is to have it even if the client
//! leaves; streamed otherwise.

use std::time::Duration;

use super::verdict::reject;
use super::{Done, Message, Messages};
use crate::config::Handling;
use crate::gateway::answer;
use crate::gateway::pending::Pending;
use crate::observe::labels::RefusalLabel;
use crate::upstream::error::ForwardError;
use crate::upstream::held::{self, Held, Unheld};
use crate::upstream::request_body::RequestBody;
use crate::upstream::upload::Breach;
use crate::wechat::Rejection;

/// For a whole body. The platforms themselves give up after 5 s.
const LONGEST: Duration = Duration::from_secs(10);

/// As much of a body as is needed here.
pub(super) enum Intake {
    /// Not looked at.
    Streamed,
    /// All of it.
    Whole(Held),
    /// Its beginning; observed messages pass also if they are too large.
    Begun(Held),
}

impl Intake {
    /// Whether all of it is known that is needed.
    pub(super) fn is_enough(&self) -> bool {
        !matches!(self, Self::Begun(_))
    }

    /// What is known of it.
    pub(super) fn bytes(&self) -> &[u8] {
        match self {
            Self::Streamed => &[],
            Self::Whole(held) | Self::Begun(held) => &held.bytes,
        }
    }

    /// The same body for the upstream.
    pub(super) fn into_body(self, pending: &Pending) -> RequestBody {
        match self {
            Self::Streamed => RequestBody::streaming(pending.upload.clone()),
            Self::Whole(held) => RequestBody::resumed(held, None),
            Self::Begun(held) => RequestBody::resumed(held, pending.upload.clone()),
        }
    }
}

impl Messages {
    /// Reads the body if it is needed. `is_checked` is whether its head has passed.
    pub(super) async fn body(
        &self,
        message: &Message<'_>,
        is_checked: bool,
        pending: &mut Pending,
    ) -> Result<Intake, Done> {
        let settings = &message.endpoint.messages;
        let is_needed =
            settings.reply_within.is_some() || (is_checked && settings.mode.is_encrypted());
        let Some(upload) = pending.upload.clone().filter(|_| is_needed) else {
            return Ok(Intake::Streamed);
        };
        if upload.is_too_large() {
            return Err(Done::Failed(ForwardError::Upload(Breach::TooLarge)));
        }
        // Nobody else will, before it is here.
        upload.ask();
        let mut body = RequestBody::streaming(Some(upload));
        match held::hold(&mut body, &self.room, message.limits(LONGEST)).await {
            Ok(held) => Ok(Intake::Whole(held)),
            Err((held, why)) => self.partial(message, is_checked, (held, why), pending),
        }
    }

    fn partial(
        &self,
        message: &Message<'_>,
        is_checked: bool,
        (held, why): (Held, Unheld<Breach>),
        pending: &mut Pending,
    ) -> Result<Intake, Done> {
        let handling = message.endpoint.messages.handling;
        let refusal = match why {
            Unheld::Broken(breach) => return Err(Done::Failed(ForwardError::Upload(breach))),
            Unheld::TooLarge if is_checked => {
                reject(message, Rejection::BodyTooLarge, pending)?;
                return Ok(Intake::Begun(held));
            }
            // Nobody is to be kept from the upstream who only is to be counted.
            Unheld::TooLarge | Unheld::NoRoom | Unheld::Slow if handling == Handling::Observe => {
                return Ok(Intake::Begun(held));
            }
            Unheld::TooLarge => RefusalLabel::BodyTooLarge,
            Unheld::NoRoom => RefusalLabel::Overloaded,
            Unheld::Slow => RefusalLabel::Stalled,
        };
        let refused = answer::refuse(refusal, &self.observer.metrics, &mut pending.exchange);
        Err(Done::Answered(Box::new(refused)))
    }
}
