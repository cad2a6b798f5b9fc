//! The status page of the admin listener, and the same as JSON: what is configured, what has happened, and why.
//!
//! It only reads, but for one button (`post`), which has a console played against an own endpoint. Nothing in it is
//! secret, everything that came from a client is text, and it needs nothing from elsewhere. It costs the way of a request
//! nothing: it looks at what is counted and remembered anyway.

mod cards;
mod charts;
mod configuration;
mod console;
mod endpoint_settings;
mod gather;
mod guard;
mod history;
mod own_url;
mod page;
mod parts;
mod played;
mod post;
mod reading;
mod refusal;
mod setting;
mod simulation;
mod tables;
mod texts;
mod view;
mod wish;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::Full;
use hyper::body::Incoming;

use self::gather::gather;
use self::history::{History, Hour, STEP};
use self::reading::Reading;
use self::simulation::Simulation;
pub use self::simulation::{Play, Simulate};
use self::texts::Language;
use self::view::View;
use super::exchange::Observer;
use crate::config::{Boot, Live};

const STYLE: &str = include_str!("status.css");
const SCRIPT: &str = include_str!("status.js");
const UNWELCOME: &str = "ask for the status page by an IP address or by localhost: names could lead anybody's page here\n";

/// Where the page's button sends its form.
pub const SIMULATE: &str = "/simulate";

/// The live settings that are in force at the moment of the call.
pub type CurrentLive = Box<dyn Fn() -> Arc<dyn AsRef<Live> + Send + Sync> + Send + Sync>;

/// What only the app knows.
pub struct Facts {
    /// Never changes.
    pub boot: Boot,
    /// Where each listener is bound, by its name.
    pub listeners: Vec<(&'static str, SocketAddr)>,
    /// Changes with each reload.
    pub live: CurrentLive,
    /// What the page's button does.
    pub simulate: Simulate,
    /// True once the stop signal has come.
    pub is_draining: Box<dyn Fn() -> bool + Send + Sync>,
}

impl fmt::Debug for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Facts")
            .field("listeners", &self.listeners)
            .finish_non_exhaustive()
    }
}

/// The page.
#[derive(Debug)]
pub struct Status {
    observer: Arc<Observer>,
    facts: Facts,
    history: History,
    simulation: Simulation,
    started: SystemTime,
}

impl Status {
    /// Begins now.
    #[must_use]
    pub fn new(observer: Arc<Observer>, facts: Facts) -> Self {
        let history = History::default();
        history.add(Reading::take(&observer.metrics));
        Self {
            observer,
            simulation: Simulation::new(facts.simulate),
            facts,
            history,
            started: SystemTime::now(),
        }
    }

    /// Reads the metrics every ten seconds until dropped.
    pub async fn keep_history(&self) {
        let mut steps = tokio::time::interval(STEP);
        // The first one comes at once.
        steps.tick().await;
        loop {
            steps.tick().await;
            self.history.add(Reading::take(&self.observer.metrics));
        }
    }

    /// The answer to a GET; `None` if the path is not the page's.
    #[must_use]
    pub fn answer(&self, uri: &Uri, headers: &HeaderMap) -> Option<Response<Full<Bytes>>> {
        let show: fn(&Self, &Uri, &HeaderMap) -> (&'static str, Bytes) = match uri.path() {
            "/" => |status, uri, headers| {
                let page = status.html(post::language(uri, headers), None);
                ("text/html; charset=utf-8", page)
            },
            "/status.json" => |status, _, _| ("application/json", status.json()),
            "/status.css" => |_, _, _| ("text/css; charset=utf-8", STYLE.into()),
            "/status.js" => |_, _, _| ("text/javascript; charset=utf-8", SCRIPT.into()),
            // What is shown where the form was refused, loaded again.
            SIMULATE => return Some(post::to_page(post::language(uri, headers))),
            _ => return None,
        };
        Some(if guard::is_welcome(headers) {
            let (content_type, body) = show(self, uri, headers);
            answer(StatusCode::OK, content_type, body)
        } else {
            answer(
                StatusCode::MISDIRECTED_REQUEST,
                "text/plain; charset=utf-8",
                UNWELCOME.into(),
            )
        })
    }

    /// The answer to a POST of the page's form to [`SIMULATE`].
    pub async fn simulate(&self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        post::taken(self, request).await
    }

    fn view(&self) -> (View, Hour) {
        let hour = self.history.hour(&Reading::take(&self.observer.metrics));
        let live = (self.facts.live)();
        (gather(self, (*live).as_ref(), &hour), hour)
    }

    fn html(&self, language: Language, notice: Option<&str>) -> Bytes {
        let (view, hour) = self.view();
        page::page(&view, &hour, language, notice)
            .into_string()
            .into()
    }

    fn json(&self) -> Bytes {
        let (view, _) = self.view();
        // Keys are texts and nothing in it fails.
        serde_json::to_vec(&view).unwrap_or_default().into()
    }
}

fn answer(status: StatusCode, content_type: &'static str, body: Bytes) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    guard::protect(headers);
    response
}
