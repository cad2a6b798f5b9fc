//! Alerts in a real Prometheus: each fires when its fault is provoked, and resolves when that is mended. Where all of
//! this has happened, every panel of the dashboard has something to show.
//!
//! The rules are those of `deploy/prometheus`, in which a day is twelve minutes.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::thread;
use std::time::{Duration, Instant};

use crate::alert_faults::FAULTS;
use crate::alert_rules::{alerts, rules};
use crate::dashboard;
use crate::gate::Gate;
use crate::prometheus_server::{Prometheus, SCRAPED};
use crate::recorder::Recorder;
use serde_json::json;

/// How much faster time passes in the rules.
const HASTE: u32 = 120;
/// What is looked back over still has to have a few scrapes in it.
const SHORTEST_RANGE: Duration = Duration::from_secs(2);
/// The longest `for` and the longest range are half a minute each; the machine may be busy.
const CEILING: Duration = Duration::from_secs(150);
/// Between two provocations, and two looks at what came of them.
const LOOK: Duration = Duration::from_millis(200);

/// What a fault needs: a Prometheus that watches.
pub struct Scene<'a> {
    prometheus: &'a Prometheus,
}

impl<'a> Scene<'a> {
    pub fn of(prometheus: &'a Prometheus) -> Self {
        Self { prometheus }
    }

    /// Has the program watched, until it has been seen with nothing wrong.
    pub fn watch(&self, gate: &Gate) -> String {
        let scraped: SocketAddr = SCRAPED.parse().unwrap();
        assert_eq!(gate.admin.ip(), scraped.ip());
        self.watch_at(gate.admin)
    }

    /// The same by the address of its metrics. Gives the matcher of its alerts.
    pub fn watch_at(&self, admin: SocketAddr) -> String {
        let instance = format!("instance='{admin}'");
        self.prometheus.watch(admin);
        self.wait(&format!("up{{{instance}}} == 1"), true, || {});
        instance
    }

    /// Has Prometheus look at the value of a series.
    pub fn value(&self, series: &str) -> Option<f64> {
        self.prometheus.query(series)
    }

    /// Provokes again and again until an alert with these labels fires, which it must not have done before.
    pub fn fires(&self, alert: &str, labels: &str, mut provoke: impl FnMut()) {
        let known = format!("ALERTS{{alertname='{alert}',alertstate='firing',{labels}}}");
        self.wait(&known, true, &mut provoke);
    }

    /// Does again and again what should end an alert, until it has.
    pub fn resolves(&self, alert: &str, labels: &str, mut mend: impl FnMut()) {
        self.wait(
            &format!("ALERTS{{alertname='{alert}',{labels}}}"),
            false,
            &mut mend,
        );
    }

    fn wait(&self, expression: &str, is_there: bool, mut meanwhile: impl FnMut()) {
        let deadline = Instant::now() + CEILING;
        loop {
            meanwhile();
            let found = self.prometheus.evaluate(expression).unwrap();
            if found.is_empty() != is_there {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "{expression}: not {is_there} in time; {:?}",
                self.prometheus.evaluate("ALERTS")
            );
            thread::park_timeout(LOOK);
        }
    }
}

/// `5m` as `2500ms`.
fn hasty(duration: &str, shortest: Duration) -> String {
    let (number, unit) = duration.split_at(duration.len() - 1);
    let unit = match unit {
        "d" => 86_400,
        "h" => 3_600,
        "m" => 60,
        _ => panic!("{duration}"),
    };
    let time = Duration::from_secs(unit * number.parse::<u64>().unwrap()) / HASTE;
    format!("{}ms", time.max(shortest).as_millis())
}

/// An expression whose every `[5m]` and `offset 5m` is hasty.
fn hasty_expression(expression: &str) -> String {
    let mut hurried = String::new();
    let mut left = expression;
    while let Some(at) = left.find(['[', 'o']) {
        let (before, from) = left.split_at(at);
        hurried += before;
        let (mark, shortest) = match from.strip_prefix("offset ") {
            Some(_) => ("offset ", Duration::ZERO),
            None => (&from[..1], SHORTEST_RANGE),
        };
        hurried += mark;
        left = &from[mark.len()..];
        if mark != "o" {
            let end = left.find(|c: char| !c.is_ascii_alphanumeric()).unwrap();
            hurried += &hasty(&left[..end], shortest);
            left = &left[end..];
        }
    }
    hurried + left
}

/// A Prometheus with all rules, in haste.
pub fn prometheus() -> Prometheus {
    let mut rules = rules();
    for group in rules["groups"].as_array_mut().unwrap() {
        for rule in group["rules"].as_array_mut().unwrap() {
            rule["expr"] = json!(hasty_expression(rule["expr"].as_str().unwrap()));
            if let Some(time) = rule.get("for").and_then(|time| time.as_str()) {
                rule["for"] = json!(hasty(time, Duration::ZERO));
            }
        }
    }
    Prometheus::with_rules(&rules.to_string())
}

#[test]
fn durations_of_rules_pass_faster_and_nothing_else_changes() {
    for (expression, hurried) in [
        ("rate(to[5m]) > 5", "rate(to[2500ms]) > 5"),
        ("a[2m] or on (o) b[1d]", "a[2000ms] or on (o) b[720000ms]"),
        ("a[1h] offset 15m) * o", "a[30000ms] offset 7500ms) * o"),
    ] {
        assert_eq!(hasty_expression(expression), hurried);
    }
}

#[test]
fn every_alert_has_a_fault_that_provokes_it() {
    let provoked = FAULTS.iter().flat_map(|(alerts, _)| *alerts);
    let provoked: BTreeSet<_> = provoked.map(|alert| (*alert).to_owned()).collect();
    assert_eq!(provoked, alerts().into_iter().collect());
}

#[test]
fn every_alert_fires_when_its_fault_is_provoked_and_resolves_when_that_is_mended() {
    let prometheus = prometheus();
    let scene = &Scene::of(&prometheus);
    let upstream = Recorder::answering("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    let sound = Gate::start_with(&upstream.yaml(), &[], &[("WXGATE_LISTEN__ADMIN", SCRAPED)]);
    let of_sound = scene.watch(&sound);
    thread::scope(|scope| {
        for (alerts, provoke_and_mend) in FAULTS {
            let name = alerts[0].to_owned();
            let thread = thread::Builder::new().name(name);
            thread
                .spawn_scoped(scope, move || provoke_and_mend(scene))
                .unwrap();
        }
    });
    let wrong = format!("count_over_time(ALERTS{{{of_sound},alertname!='WxgateDown'}}[1h])");
    assert_eq!(
        prometheus.evaluate(&wrong).unwrap(),
        Vec::<serde_json::Value>::new()
    );
    for (title, expression, _) in dashboard::every_query() {
        let shown = prometheus.evaluate(&expression).unwrap();
        let is_number = |series: &serde_json::Value| {
            let value = series["value"][1].as_str().unwrap();
            value.parse::<f64>().unwrap().is_finite()
        };
        assert!(shown.iter().any(is_number), "{title}: {expression}");
    }
}
