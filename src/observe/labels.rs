//! The closed lists behind metric labels that come from the wire: whatever a client sends falls into one of them.

use http::{Method, StatusCode, Version};

/// A closed list of label values with a position each, so that counters can sit in an array.
pub trait Label: Copy + 'static {
    /// Every value, in the order of [`Label::index`].
    const ALL: &'static [Self];
    /// The value of the label.
    fn label(self) -> &'static str;
    /// Position in [`Label::ALL`].
    fn index(self) -> usize;
}

/// Declares an enum whose variants are the values of one metric label.
macro_rules! label {
    ($(#[$meta:meta])* $name:ident { $($(#[$variant_meta:meta])* $variant:ident = $label:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, Eq, PartialEq)]
        pub enum $name { $($(#[$variant_meta])* $variant),+ }

        impl Label for $name {
            const ALL: &'static [Self] = &[$(Self::$variant),+];
            fn label(self) -> &'static str {
                match self { $(Self::$variant => $label),+ }
            }
            fn index(self) -> usize {
                self as usize
            }
        }
    };
}

label! {
    /// Request methods that have a series of their own; everything else is `other`.
    MethodLabel {
        /// GET
        Get = "GET",
        /// HEAD
        Head = "HEAD",
        /// POST
        Post = "POST",
        /// PUT
        Put = "PUT",
        /// DELETE
        Delete = "DELETE",
        /// PATCH
        Patch = "PATCH",
        /// OPTIONS
        Options = "OPTIONS",
        /// Any other method.
        Other = "other",
    }
}

impl MethodLabel {
    /// The label of a method from the wire.
    #[must_use]
    pub fn of(method: &Method) -> Self {
        match *method {
            Method::GET => Self::Get,
            Method::HEAD => Self::Head,
            Method::POST => Self::Post,
            Method::PUT => Self::Put,
            Method::DELETE => Self::Delete,
            Method::PATCH => Self::Patch,
            Method::OPTIONS => Self::Options,
            _ => Self::Other,
        }
    }
}

label! {
    /// Classes of status codes.
    StatusLabel {
        /// 100 to 199; only 101 is ever sent.
        Informational = "1xx",
        /// 200 to 299.
        Success = "2xx",
        /// 300 to 399.
        Redirection = "3xx",
        /// 400 to 499.
        ClientError = "4xx",
        /// 500 to 599.
        ServerError = "5xx",
        /// Outside the registered classes.
        Other = "other",
    }
}

impl StatusLabel {
    /// The class of a status code.
    #[must_use]
    pub fn of(status: StatusCode) -> Self {
        match status.as_u16() / 100 {
            1 => Self::Informational,
            2 => Self::Success,
            3 => Self::Redirection,
            4 => Self::ClientError,
            5 => Self::ServerError,
            _ => Self::Other,
        }
    }
}

label! {
    /// Protocol versions that a client may speak.
    ProtocolLabel {
        /// HTTP/1.0
        Http10 = "HTTP/1.0",
        /// HTTP/1.1
        Http11 = "HTTP/1.1",
        /// HTTP/2
        Http2 = "HTTP/2",
    }
}

impl ProtocolLabel {
    /// The label of a version that the server accepted.
    #[must_use]
    pub fn of(version: Version) -> Self {
        match version {
            Version::HTTP_10 => Self::Http10,
            Version::HTTP_2 => Self::Http2,
            _ => Self::Http11,
        }
    }
}

label! {
    /// Kinds of listeners that carry requests.
    ListenerLabel {
        /// TLS.
        Https = "https",
        /// Clear text.
        Http = "http",
    }
}

label! {
    /// How a TLS handshake ended, and what is worth knowing about it. The first three succeeded unless
    /// `tls.strict_sni` is on.
    HandshakeLabel {
        /// The name asked for has a certificate.
        Sni = "sni",
        /// No name was sent.
        NoSni = "no_sni",
        /// No certificate is for the name that was sent.
        UnknownSni = "unknown_sni",
        /// No cipher suite, group or signature scheme in common.
        NoSharedCipher = "no_shared_cipher",
        /// The client offers no protocol version that is allowed here.
        OldVersion = "old_version",
        /// The client refused, such as for an unknown certificate authority.
        ClientAlert = "client_alert",
        /// Not finished in `timeouts.handshake`.
        Timeout = "timeout",
        /// The client hung up.
        Eof = "eof",
        /// Plain HTTP came in.
        PlainHttp = "plain_http",
        /// Neither TLS nor HTTP came in.
        NotTls = "not_tls",
        /// TLS messages that break the protocol.
        Protocol = "protocol",
    }
}

label! {
    /// Why a request was refused before anything else was asked.
    RefusalLabel {
        /// CONNECT, or a target in authority form.
        Connect = "connect",
        /// No `Host`, several, or one that is no host.
        Host = "host",
        /// A transfer coding other than `chunked`.
        TransferEncoding = "transfer_encoding",
        /// Something that is not HTTP came in.
        Malformed = "malformed",
    }
}

label! {
    /// Who ended an exchange before its end.
    AbortLabel {
        /// The client hung up.
        Client = "client",
        /// The upstream broke off in the middle of a response.
        Upstream = "upstream",
    }
}

label! {
    /// Why the upstream gave no response.
    UpstreamErrorLabel {
        /// The name does not resolve.
        Unresolvable = "unresolvable",
        /// Nothing listens there.
        Refused = "refused",
        /// Any other failure to connect.
        Unreachable = "unreachable",
        /// As many requests wait for a connection as may.
        QueueFull = "queue_full",
        /// No connection became free in `upstream.queue_timeout`.
        QueueTimeout = "queue_timeout",
        /// No connection in `upstream.connect_timeout`.
        ConnectTimeout = "connect_timeout",
        /// No TLS, such as for a certificate that cannot be believed.
        Tls = "tls",
        /// The connection broke before a response head.
        Closed = "closed",
        /// The request was given up before a response head.
        Reset = "reset",
        /// No response head in `upstream.response_timeout`.
        ResponseTimeout = "response_timeout",
        /// What came back is not an HTTP response.
        Malformed = "malformed",
        /// 101 that nobody asked for.
        UnexpectedUpgrade = "unexpected_upgrade",
        /// The connection broke in the middle of a response.
        Truncated = "truncated",
        /// Nothing came of a response for `upstream.body_timeout`.
        Stalled = "stalled",
        /// A WebSocket is not possible over the upstream's HTTP/2.
        NoUpgrade = "no_upgrade",
    }
}

label! {
    /// Where a request was answered.
    RouteLabel {
        /// A verification, answered here.
        Verify = "verify",
        /// A domain file, answered here.
        DomainFile = "domain_file",
        /// Redirected to https.
        Redirect = "redirect",
        /// Refused here.
        Refuse = "refuse",
        /// Answered by the upstream, or instead of it.
        Forward = "forward",
    }
}
