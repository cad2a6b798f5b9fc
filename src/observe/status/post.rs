//! The one thing that the page does: the form of its button, taken only from the page itself.
//!
//! In this order, so that who is not the page learns nothing: host, origin, kind and size of the body, form.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_LANGUAGE, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::{Body, Incoming};

use super::refusal::Refusal;
use super::texts::Language;
use super::wish::Wish;
use super::{Status, UNWELCOME, answer, guard, own_url};

/// Largest form in bytes: a URL and a name.
const LARGEST: usize = 4096;
/// Longest wait for it.
const PATIENCE: Duration = Duration::from_secs(10);
const FORM: &str = "application/x-www-form-urlencoded";

/// Begins a run, or says why not.
pub(super) async fn taken(status: &Status, request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let form = match read(&head.headers, body).await {
        Ok(form) => form,
        Err((status, text)) => return plain(status, text),
    };
    let Some(wish) = Wish::read(&form) else {
        return plain(StatusCode::BAD_REQUEST, "not the form of the page\n");
    };
    let language = language(&head.uri, &head.headers);
    match begin(status, &wish) {
        Ok(()) => to_page(language),
        Err(refusal) => {
            let notice = refusal.text(language.texts());
            let page = status.html(language, Some(notice));
            answer(refusal.status(), "text/html; charset=utf-8", page)
        }
    }
}

/// Back to the page, where the last run is shown.
pub(super) fn to_page(language: Language) -> Response<Full<Bytes>> {
    let location = format!("/?lang={}#simulation", language.texts().code);
    let mut response = plain(StatusCode::SEE_OTHER, "see the page\n");
    if let Ok(location) = HeaderValue::try_from(location) {
        response.headers_mut().insert(LOCATION, location);
    }
    response
}

/// By the query, else by what the browser asks for.
pub(super) fn language(uri: &Uri, headers: &HeaderMap) -> Language {
    let accepted = headers.get(ACCEPT_LANGUAGE);
    let accepted = accepted.and_then(|value| value.to_str().ok());
    Language::asked(uri.query(), accepted)
}

fn begin(status: &Status, wish: &Wish) -> Result<(), Refusal> {
    let live = (status.facts.live)();
    let play = own_url::check(wish, (*live).as_ref(), &status.facts)?;
    let begun = status.simulation.begin(play, live);
    begun.map_err(|_| Refusal::Busy)
}

async fn read(
    headers: &HeaderMap,
    body: impl Body<Data = Bytes, Error = hyper::Error>,
) -> Result<Bytes, (StatusCode, &'static str)> {
    if !guard::is_welcome(headers) {
        return Err((StatusCode::MISDIRECTED_REQUEST, UNWELCOME));
    }
    if !guard::is_from_here(headers) {
        let text =
            "only the status page itself may ask for this: its Origin must be the host asked for\n";
        return Err((StatusCode::FORBIDDEN, text));
    }
    if !is_form(headers) {
        return Err((
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "not the form of the page\n",
        ));
    }
    let too_large = (StatusCode::PAYLOAD_TOO_LARGE, "too large\n");
    if body.size_hint().lower() > LARGEST as u64 {
        return Err(too_large);
    }
    let body = std::pin::pin!(body);
    let whole = Limited::new(body, LARGEST).collect();
    match tokio::time::timeout(PATIENCE, whole).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(_)) => Err(too_large),
        Err(_) => Err((StatusCode::REQUEST_TIMEOUT, "too slow\n")),
    }
}

fn is_form(headers: &HeaderMap) -> bool {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next());
    kind.is_some_and(|kind| kind.trim().eq_ignore_ascii_case(FORM))
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    answer(status, "text/plain; charset=utf-8", text.into())
}
