//! Why the button does nothing: a closed list, told to the reader of the page.

use http::StatusCode;

use super::texts::Texts;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Refusal {
    /// Another run goes on.
    Busy,
    /// There is no endpoint of this name.
    UnknownEndpoint,
    /// What was entered is no URL.
    NoUrl,
    /// The path is not the endpoint's.
    OtherPath,
    /// The host is not known to lead here.
    OtherHost,
    /// The port is not known to lead here.
    OtherPort,
    /// This process has no listener for it that it could ask.
    NoListener,
}

impl Refusal {
    pub(super) fn status(self) -> StatusCode {
        match self {
            Self::Busy => StatusCode::CONFLICT,
            Self::UnknownEndpoint => StatusCode::NOT_FOUND,
            _ => StatusCode::UNPROCESSABLE_ENTITY,
        }
    }

    pub(super) fn text(self, texts: &Texts) -> &'static str {
        match self {
            Self::Busy => texts.simulate_busy,
            Self::UnknownEndpoint => texts.simulate_unknown,
            Self::NoUrl => texts.simulate_no_url,
            Self::OtherPath => texts.simulate_other_path,
            Self::OtherHost => texts.simulate_other_host,
            Self::OtherPort => texts.simulate_other_port,
            Self::NoListener => texts.simulate_no_listener,
        }
    }
}
