//! The report for people.

use std::fmt::Write;

use super::cause::{Finding, Severity, Text};
use super::plan::Role;
use super::run::Report;
use crate::tools::language::Language;
use crate::wechat::Platform;

/// Findings by cause, the worst first, each with the names of the requests that showed it.
pub(super) fn grouped(report: &Report) -> Vec<(&Finding, Vec<&'static str>)> {
    let before = report.before.iter().map(|finding| (finding, None));
    let requests = report.outcomes.iter().flat_map(|outcome| {
        let name = outcome.role.name();
        outcome
            .findings
            .iter()
            .map(move |finding| (finding, Some(name)))
    });
    let mut groups: Vec<(&Finding, Vec<&'static str>)> = Vec::new();
    for (finding, role) in before.chain(requests) {
        let known = groups
            .iter_mut()
            .find(|(known, _)| known.cause.label == finding.cause.label);
        match known {
            Some((_, roles)) => roles.extend(role),
            None => groups.push((finding, role.into_iter().collect())),
        }
    }
    groups.sort_by_key(|(finding, _)| finding.cause.severity);
    groups
}

/// The whole report.
#[must_use]
pub fn of(report: &Report, language: Language) -> String {
    let say = |zh, en| Text { zh, en }.of(language);
    let mut text = String::new();
    let console = match report.console.platform {
        Platform::OfficialAccount => say("公众号", "official account"),
        Platform::Wecom | Platform::OpenPlatform => say("企业微信", "WeCom"),
    };
    line(
        &mut text,
        format_args!("{} · {console}", report.target.shown()),
    );
    if let Some((facts, version)) = &report.tls {
        let days = facts.days_left;
        line(
            &mut text,
            format_args!(
                "{version} · {} · {} {days} {}",
                facts.names.join(", "),
                say("证书剩余", "certificate:"),
                say("天", "days left"),
            ),
        );
    }
    for outcome in &report.outcomes {
        let mark = match (outcome.is_moot, outcome.passed()) {
            (true, _) => "–",
            (false, true) => "✓",
            (false, false) => "✗",
        };
        let took = outcome.reply.as_ref().map_or_else(
            |_| say("没有回答", "no answer").to_owned(),
            |answer| format!("HTTP {} · {} ms", answer.status, answer.took.as_millis()),
        );
        let title = outcome.role.title().of(language);
        line(&mut text, format_args!("  {mark} {title} · {took}"));
    }
    for (finding, roles) in grouped(report) {
        text.push('\n');
        describe(
            &mut text,
            finding,
            &roles,
            report.console.platform,
            language,
        );
    }
    text.push('\n');
    text.push_str(if report.passed() {
        say("通过", "passed")
    } else {
        say("不通过", "failed")
    });
    text
}

fn describe(
    text: &mut String,
    finding: &Finding,
    roles: &[&str],
    platform: Platform,
    language: Language,
) {
    let say = |zh, en| Text { zh, en }.of(language);
    let cause = finding.cause;
    let severity = match cause.severity {
        Severity::Error => say("错误", "ERROR"),
        Severity::Warning => say("警告", "WARNING"),
        Severity::Note => say("提示", "note"),
    };
    line(
        text,
        format_args!("{severity} {}: {}", cause.label, cause.cause.of(language)),
    );
    if !finding.evidence.is_empty() {
        line(
            text,
            format_args!("  {}: {}", say("看到", "seen"), finding.evidence),
        );
    }
    // What fails as a console asks fails however it is asked.
    if roles.len() > 1 && !roles.contains(&Role::Usual.name()) {
        line(
            text,
            format_args!("  {}: {}", say("涉及", "in"), roles.join(", ")),
        );
    }
    line(
        text,
        format_args!("  {}: {}", say("办法", "mend"), cause.mend.of(language)),
    );
    let console = cause.console.text(platform);
    if !console.is_empty() {
        line(
            text,
            format_args!("  {}: {console}", say("后台会显示", "the console says")),
        );
    }
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "{content}");
}
