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
        /// The client has no certificate, and `tls.client_auth` is `required`.
        NoClientCertificate = "no_client_certificate",
        /// The client's certificate is expired, not yet valid, from nobody in `tls.client_ca`, or not its own.
        BadClientCertificate = "bad_client_certificate",
        /// TLS messages that break the protocol.
        Protocol = "protocol",
    }
}

label! {
    /// Why a connection was cut: ended for what the client does, or does not do.
    CutLabel {
        /// Too many frames that carry nothing: `limits.http2_control_frames`.
        ControlFrames = "control_frames",
        /// Too many requests taken back, or made to fail: `limits.http2_resets`.
        Resets = "resets",
        /// Anything else of which HTTP/2 allows only so much, such as CONTINUATION frames.
        Excess = "excess",
        /// It breaks HTTP/2.
        Protocol = "protocol",
        /// No whole request head in `timeouts.request_head`.
        RequestHead = "request_head",
        /// Nothing of what was sent was taken in `timeouts.response`.
        Stalled = "stalled",
    }
}

label! {
    /// Why one stream of an HTTP/2 connection was reset here, the client being the cause.
    ResetLabel {
        /// The request is malformed, or its stream was used against the rules.
        Protocol = "protocol",
        /// More was sent, or allowed, than flow control has room for.
        FlowControl = "flow_control",
        /// Something came on a stream that was over.
        Closed = "closed",
        /// More than `limits.http2_streams` at once.
        Refused = "refused",
        /// Anything else of which there was too much.
        Excess = "excess",
        /// Nothing of the response was taken in `timeouts.response`.
        Stalled = "stalled",
    }
}

label! {
    /// Why a request was refused, or ended for what the client did.
    RefusalLabel {
        /// CONNECT, or a target in authority form.
        Connect = "connect",
        /// No `Host`, several, or one that is no host.
        Host = "host",
        /// A request line that is not exactly one, or whose target no request has.
        RequestLine = "request_line",
        /// HTTP/1 of a version that is not 1.0 or 1.1.
        Version = "version",
        /// A line that does not end with CRLF, or has CR within.
        LineEnd = "line_end",
        /// A header field that is not exactly one.
        Field = "header_field",
        /// Several `Content-Length`, or one that is no plain number.
        ContentLength = "content_length",
        /// A transfer coding other than `chunked`.
        TransferEncoding = "transfer_encoding",
        /// `Content-Length` beside `Transfer-Encoding`.
        TwoLengths = "two_lengths",
        /// Chunked framing that is not exactly as it should be.
        Chunk = "chunk",
        /// A trailer that is no field, or must not come after the body.
        Trailer = "trailer",
        /// `Upgrade` that `Connection` does not name, or to h2c, or with a body.
        Upgrade = "upgrade",
        /// An extended CONNECT to something else than a WebSocket.
        Protocol = "protocol",
        /// `Expect` with anything but `100-continue`.
        Expect = "expect",
        /// Not a whole head in `timeouts.request_head`.
        HeadTimeout = "head_timeout",
        /// More than `limits.request_target`.
        TargetTooLong = "target_too_long",
        /// More than `limits.request_head`.
        HeadTooLarge = "head_too_large",
        /// More than `limits.request_fields`.
        TooManyFields = "too_many_fields",
        /// Something that is not HTTP came in.
        Malformed = "malformed",
        /// A verification or message from an address that the endpoint's `allow` does not have.
        Address = "address",
        /// Meant for the upstream, on a connection beyond `limits.connections` or `limits.connections_per_address`.
        Overloaded = "overloaded",
        /// A body beyond `limits.request_body`.
        BodyTooLarge = "body_too_large",
        /// Nothing of a body in `timeouts.request_body`.
        Stalled = "stalled",
    }
}

label! {
    /// Why a connection was closed before anything was said on it.
    RejectionLabel {
        /// Beyond `limits.connections` and its reserve.
        Connections = "connections",
        /// Beyond `limits.connections_per_address` and its reserve.
        ConnectionsPerAddress = "connections_per_address",
        /// From a peer in `listen.proxy_protocol`, without a header of the PROXY protocol.
        ProxyProtocol = "proxy_protocol",
        /// The same, without a whole header in `timeouts.handshake`.
        ProxyProtocolTimeout = "proxy_protocol_timeout",
        /// The same, hung up before the header's end, as a load balancer's probe does.
        ProxyProtocolEof = "proxy_protocol_eof",
    }
}

label! {
    /// What ended a tunnel.
    TunnelEndLabel {
        /// The client ended first, or its connection broke.
        Client = "client",
        /// The upstream ended first, or its connection broke.
        Upstream = "upstream",
        /// Nobody sent anything for `timeouts.tunnel`.
        Idle = "idle",
        /// The drain closed.
        Drain = "drain",
        /// It never began: one side was gone before it had handed over its connection.
        Error = "error",
    }
}

label! {
    /// Who ended an exchange before its end.
    AbortLabel {
        /// The client hung up.
        Client = "client",
        /// The upstream broke off in the middle of a response.
        Upstream = "upstream",
        /// The stop did, whose time was over.
        Drain = "drain",
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
        /// 101 that nobody asked for or that is no proper answer, or success without one where only a 101 can be passed
        /// on.
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
        /// A message that something is done about here.
        Message = "message",
        /// Answered by the upstream, or instead of it.
        Forward = "forward",
    }
}

label! {
    /// What became of the reply to a message that is opened or has a time limit.
    ReplyLabel {
        /// Nothing or `success`, passed on.
        Neutral = "neutral",
        /// Sealed and sent.
        Sealed = "sealed",
        /// Passed on as it came, where nothing is opened.
        Passed = "passed",
        /// Not sent: the status says that it is none.
        Status = "status",
        /// Not sent: compressed, or not whole within the limits.
        Unreadable = "unreadable",
        /// Not sent: nothing that the platform could read.
        Malformed = "malformed",
        /// There was no response in time to answer with.
        Failed = "failed",
        /// None in time: the platform got its neutral answer.
        Guarded = "guarded",
        /// Came after that.
        Late = "late",
        /// Did not come after that either.
        LateFailed = "late_failed",
    }
}

label! {
    /// How an attempt to reload the configuration ended.
    ReloadLabel {
        /// Another one is in force.
        Success = "success",
        /// What was read is what is in force.
        Unchanged = "unchanged",
        /// What was read has faults; the old one stays.
        Failure = "failure",
        /// What was read is good and needs a restart; the old one stays.
        RestartNeeded = "restart_needed",
    }
}

label! {
    /// How an attempt to obtain a certificate ended.
    AcmeLabel {
        /// There is a new one.
        Success = "success",
        /// There is none; the old one stays.
        Failure = "failure",
    }
}

label! {
    /// What became of a span.
    SpanLabel {
        /// The collector has it.
        Exported = "exported",
        /// There was no room for it in the queue.
        Dropped = "dropped",
        /// The collector does not want it, or it could not be reached for too long.
        Failed = "failed",
    }
}
