//! The page around its sections. Markup is made by `maud`, which escapes whatever is put into it: there is no way past it here.

use maud::{DOCTYPE, Markup, html};

use super::charts::{self, Series};
use super::history::Hour;
use super::parts::{Clock, section};
use super::reading::{Reading, quantile};
use super::texts::{Language, Texts};
use super::view::View;
use super::{cards, played, tables};
use crate::observe::labels::{Label, StatusLabel};

/// All of it. `notice` is why what was asked for was not done.
pub(super) fn page(view: &View, hour: &Hour, language: Language, notice: Option<&str>) -> Markup {
    let texts = language.texts();
    let is_busy = view.simulation.as_ref().is_some_and(|run| run.is_running);
    let period = if is_busy { 2 } else { 30 };
    let clock = Clock {
        now: view.now.0,
        texts,
    };
    html! {
        (DOCTYPE)
        html lang=(texts.code) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { (texts.title) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/status.css";
                // With a URL of its own: that of the window may end in a fragment, or be the form's.
                noscript { meta http-equiv="refresh" content={ (period) "; url=/?lang=" (texts.code) }; }
                script src="/status.js" defer {}
            }
            body {
                p #stale hidden role="status" { (texts.stale) }
                @if let Some(notice) = notice { p #notice .bad role="alert" { (notice) } }
                main {
                    (header(view, &clock))
                    (cards::endpoints(&view.endpoints, is_busy, texts))
                    (played::simulation(view.simulation.as_ref(), &clock, language))
                    (tables::verifications(&view.verifications, &clock, language))
                    (tables::strays(&view.strays, &clock))
                    (charts(hour, texts))
                    (tables::certificates(&view.certificates, view.acme.as_ref(), &clock))
                    div.pair {
                        (cards::upstream(&view.upstream, &clock))
                        (cards::traffic(&view.traffic, view.reload.as_ref(), &clock))
                    }
                    (tables::handshakes(&view.handshakes, &clock))
                    (tables::configuration(&view.configuration, texts))
                }
            }
        }
    }
}

fn header(view: &View, clock: &Clock) -> Markup {
    let texts = clock.texts;
    let (class, state) = match view.is_draining {
        true => ("warn", texts.draining),
        false => ("good", texts.serving),
    };
    html! {
        header {
            h1 { "wxgate " small { (view.version) } }
            span.pill.(class) { (state) }
            p { (texts.since) " " (clock.shown(view.started_at)) }
            p { (texts.as_of) " " (clock.moment(view.now)) }
            nav {
                a href="/status.json" { (texts.json) }
                " "
                a href={ "/?lang=" (texts.other_code) } lang=(texts.other_code) { (texts.other_language) }
            }
        }
    }
}

fn charts(hour: &Hour, texts: &Texts) -> Markup {
    let count = |count: &dyn Fn(&Reading) -> u64| -> Vec<Option<f64>> {
        let minutes = hour.minutes.iter();
        minutes
            .map(|minute| Some(count(minute.as_ref()?) as f64))
            .collect()
    };
    let series = |class, name, values| Series {
        class,
        name,
        values,
    };
    let verifications = [
        series("good", texts.verified, count(&|minute| minute.verified)),
        series("bad", texts.refused, count(&|minute| minute.refused)),
    ];
    let of = |status: StatusLabel| {
        count(&|minute| {
            minute
                .statuses
                .get(status.index())
                .copied()
                .unwrap_or_default()
        })
    };
    let requests = [
        series("good", "2xx", of(StatusLabel::Success)),
        series("calm", "3xx", of(StatusLabel::Redirection)),
        series("warn", "4xx", of(StatusLabel::ClientError)),
        series("bad", "5xx", of(StatusLabel::ServerError)),
    ];
    let times = |share: f64| {
        let minutes = hour.minutes.iter();
        minutes
            .map(|minute| quantile(share, &minute.as_ref()?.durations))
            .collect()
    };
    let latency = [
        series("calm", texts.p50, times(0.5)),
        series("warn", texts.p95, times(0.95)),
    ];
    section(
        "charts",
        texts.charts,
        &html! {
            div.charts {
                (charts::bars(texts.chart_verifications, &verifications, texts))
                (charts::bars(texts.chart_requests, &requests, texts))
                (charts::lines(texts.chart_latency, &latency, texts))
            }
        },
    )
}
