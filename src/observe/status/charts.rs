//! Charts as SVG, made here, so that they are there without a script and without anything from elsewhere.
//!
//! A chart has a minute for each of sixty places. It stretches to the width that there is; numbers stand beside it as
//! text, because text in it would stretch too.

use std::fmt::Write;

use maud::{Markup, html};

use super::history::MINUTES;
use super::parts::seconds;
use super::texts::Texts;

/// Units of a minute.
const WIDTH: usize = 10;
/// Units of the highest bar.
const HEIGHT: f64 = 100.0;

/// One colour of a chart.
pub(super) struct Series<'a> {
    /// What the style sheet knows it by.
    pub(super) class: &'static str,
    /// What it is called beside the chart.
    pub(super) name: &'a str,
    /// For each minute; `None` where there is nothing to show.
    pub(super) values: Vec<Option<f64>>,
}

/// Counts on top of each other.
pub(super) fn bars(title: &str, all: &[Series<'_>], texts: &Texts) -> Markup {
    let sum = |minute: usize| all.iter().map(|series| at(series, minute)).sum::<f64>();
    let most = (0..MINUTES).map(sum).fold(0.0, f64::max);
    let mut floors = [0.0; MINUTES];
    let mut paths = Vec::new();
    for series in all {
        let mut path = String::new();
        for (minute, floor) in floors.iter_mut().enumerate() {
            let height = share(at(series, minute), most);
            if height > 0.0 {
                let (x, y) = (minute * WIDTH, HEIGHT - *floor);
                // Writing to a string cannot fail.
                let _ = write!(path, "M{x} {y:.1}h{}v-{height:.1}h-{0}z", WIDTH - 1);
                *floor += height;
            }
        }
        paths.push((series.class, path));
    }
    let legend = all.iter().map(|series| {
        let total: f64 = series.values.iter().flatten().sum();
        (series.class, format!("{} {total:.0}", series.name))
    });
    let peak = format!("{} {most:.0}", texts.per_minute);
    let legend: Vec<_> = legend.collect();
    figure(title, &peak, &legend, ("bar", &paths), texts)
}

/// Times in seconds, a step for each minute.
pub(super) fn lines(title: &str, all: &[Series<'_>], texts: &Texts) -> Markup {
    let values = all.iter().flat_map(|series| series.values.iter().flatten());
    let most = values.copied().fold(0.0, f64::max);
    let path = |series: &Series<'_>| {
        let mut path = String::new();
        for (minute, value) in series.values.iter().enumerate() {
            if let Some(value) = value {
                let (x, y) = (minute * WIDTH, HEIGHT - share(*value, most));
                let _ = write!(path, "M{x} {y:.1}h{WIDTH}");
            }
        }
        (series.class, path)
    };
    let legend = |series: &Series<'_>| {
        let last = series.values.iter().rev().flatten().next();
        let last = last.map_or("–".to_owned(), |value| seconds(*value));
        (series.class, format!("{} {last}", series.name))
    };
    let peak = format!("{} {}", texts.slowest, seconds(most));
    let paths: Vec<_> = all.iter().map(path).collect();
    let legend: Vec<_> = all.iter().map(legend).collect();
    figure(title, &peak, &legend, ("line", &paths), texts)
}

fn at(series: &Series<'_>, minute: usize) -> f64 {
    series
        .values
        .get(minute)
        .copied()
        .flatten()
        .unwrap_or_default()
}

fn share(value: f64, most: f64) -> f64 {
    if most > 0.0 {
        value / most * HEIGHT
    } else {
        0.0
    }
}

fn figure(
    title: &str,
    peak: &str,
    legend: &[(&str, String)],
    (shape, paths): (&str, &[(&str, String)]),
    texts: &Texts,
) -> Markup {
    let is_empty = paths.iter().all(|(_, path)| path.is_empty());
    html! {
        figure {
            figcaption {
                strong { (title) }
                span.peak { @if is_empty { (texts.no_data) } @else { (peak) } }
            }
            svg viewBox={ "0 0 " (MINUTES * WIDTH) " 102" } preserveAspectRatio="none" role="img" aria-label=(title) {
                path.grid d={ "M0 51h" (MINUTES * WIDTH) "M0 1h" (MINUTES * WIDTH) } {}
                path.base d={ "M0 101h" (MINUTES * WIDTH) } {}
                @for (class, path) in paths {
                    @if !path.is_empty() { path class={ (shape) " " (class) } transform="translate(0 1)" d=(path) {} }
                }
            }
            div.axis { span { (texts.hour_ago) } span { (texts.now) } }
            ul.legend {
                @for (class, text) in legend { li { span.key.(*class) {} (text) } }
            }
        }
    }
}
