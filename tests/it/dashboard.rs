//! The Grafana dashboard: its panels fit, and each of their expressions has something to show.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::alert_rules::{repository, scrape};
use crate::gate::Gate;
use crate::prometheus_server::Prometheus;
use crate::promql::template_labels;

/// What Grafana itself puts in.
const BUILT_IN: [(&str, &str); 2] = [("$__rate_interval", "5m"), ("$__range", "1h")];
const ROWS: [&str; 8] = [
    "Verification",
    "Messages",
    "Traffic",
    "Latency",
    "Upstream",
    "TLS and certificates",
    "Limits and refusals",
    "Process",
];
/// What has the label `endpoint`.
const OF_ENDPOINTS: [&str; 4] = [
    "wxgate_verifications_total",
    "wxgate_credential_used_total",
    "wxgate_messages_total",
    "wxgate_message_replies_total",
];

fn dashboard() -> Value {
    serde_json::from_str(&repository("deploy/grafana/wxgate.json")).unwrap()
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key]
        .as_str()
        .unwrap_or_else(|| panic!("no {key} in {value}"))
}

/// The title, expression and legend of every query.
pub fn every_query() -> Vec<(String, String, String)> {
    queries(&dashboard())
}

/// Each query: the panel's title, the expression with all variables put in, and its legend.
fn queries(dashboard: &Value) -> Vec<(String, String, String)> {
    let mut queries = Vec::new();
    for panel in list(dashboard, "panels") {
        for target in list(panel, "targets") {
            let mut expression = text(target, "expr").to_owned();
            for (variable, value) in BUILT_IN {
                expression = expression.replace(variable, value);
            }
            for variable in ["$instance", "$endpoint"] {
                expression = expression.replace(variable, ".*");
            }
            assert!(!expression.contains('$'), "{expression}");
            let legend = text(target, "legendFormat").to_owned();
            queries.push((text(panel, "title").to_owned(), expression, legend));
        }
    }
    assert!(queries.len() > 50);
    queries
}

#[test]
fn panels_have_ids_of_their_own_and_do_not_overlap() {
    let dashboard = dashboard();
    assert_eq!(dashboard["uid"], "wxgate");
    assert!(dashboard["schemaVersion"].as_u64().unwrap() >= 39);
    let (mut ids, mut cells, mut rows) = (BTreeSet::new(), BTreeSet::new(), Vec::new());
    for panel in list(&dashboard, "panels") {
        let title = text(panel, "title");
        assert!(ids.insert(panel["id"].as_u64().unwrap()), "{title}");
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|key| panel["gridPos"][key].as_u64().unwrap());
        assert!(x + w <= 24, "{title}");
        for cell in (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y))) {
            assert!(cells.insert(cell), "{title} overlaps another panel");
        }
        match text(panel, "type") {
            "row" => rows.push(title.split(" · ").next().unwrap()),
            kind => {
                assert!(["timeseries", "stat", "table", "heatmap"].contains(&kind));
                assert!(!list(panel, "targets").is_empty(), "{title}");
            }
        }
    }
    assert_eq!(rows, ROWS);
}

#[test]
fn everything_asks_the_data_source_that_was_chosen_for_the_instances_that_were_chosen() {
    let dashboard = dashboard();
    let variables = list(&dashboard["templating"], "list").iter();
    let names: Vec<_> = variables.map(|variable| text(variable, "name")).collect();
    assert_eq!(names, ["datasource", "instance", "endpoint"]);
    for panel in list(&dashboard, "panels") {
        for target in list(panel, "targets") {
            assert_eq!(panel["datasource"]["uid"], "${datasource}");
            assert_eq!(target["datasource"]["uid"], "${datasource}");
            let expression = text(target, "expr");
            assert!(
                expression.contains("instance=~\"$instance\""),
                "{expression}"
            );
            let is_of_endpoints = OF_ENDPOINTS.iter().any(|name| expression.contains(name));
            assert_eq!(
                is_of_endpoints,
                expression.contains("endpoint=~\"$endpoint\""),
                "{expression}"
            );
        }
    }
}

#[test]
fn every_query_reads_series_and_labels_that_exist() {
    let (scrape, dashboard) = (scrape(), dashboard());
    for (title, expression, legend) in queries(&dashboard) {
        let labels = template_labels(&legend, "{{");
        let missing = scrape.missing(&expression, &labels, &BTreeMap::new());
        assert!(missing.is_empty(), "{title}: {expression}: {missing:?}");
    }
    for variable in &list(&dashboard["templating"], "list")[1..] {
        let query = text(&variable["query"], "query").replace("$instance", ".*");
        let inside = query.strip_prefix("label_values(").unwrap();
        let (series, label) = inside.strip_suffix(')').unwrap().rsplit_once(", ").unwrap();
        let missing = scrape.missing(series, &[label.to_owned()], &BTreeMap::new());
        assert!(missing.is_empty(), "{query}: {missing:?}");
    }
}

#[test]
fn a_real_prometheus_evaluates_every_query() {
    let gate = Gate::start("upstream: {url: 'http://127.0.0.1:1'}\n");
    let prometheus = Prometheus::watching(gate.admin);
    // A rate needs two scrapes.
    prometheus.wait_for("clamp_max(count_over_time(up[1m]), 2)", 2.0);
    let mut shown = 0;
    for (title, expression, _) in queries(&dashboard()) {
        let series = prometheus.evaluate(&expression);
        let series = series.unwrap_or_else(|error| panic!("{title}: {expression}: {error}"));
        // What ends with `> 0` shows nothing where nothing has happened; endpoints there are none.
        shown += usize::from(!series.is_empty());
    }
    assert!(shown > 40, "only {shown} queries show something");
}
