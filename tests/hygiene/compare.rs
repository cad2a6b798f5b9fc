//! The same cases through wxgate, nginx, HAProxy and Caddy, and the table of what each did: `docs/hygiene.md`.

use std::fmt::Write;
use std::path::Path;
use std::time::SystemTime;

use crate::case::{self, Case, Want};
use crate::fate::Fate;
use crate::lanes::{Doors, send_all};
use crate::proxy::Kind;

const KINDS: [Kind; 4] = [Kind::Wxgate, Kind::Nginx, Kind::Haproxy, Kind::Caddy];

/// What all of them did with one case, in the order of [`KINDS`].
struct Row<'a> {
    case: &'a Case,
    fates: [Fate; 4],
}

/// Runs the comparison and writes the table. True if wxgate lets nothing through that nginx and HAProxy both refuse.
pub fn run() -> bool {
    let mut versions = Vec::new();
    for kind in KINDS {
        let Some(version) = kind.version() else {
            println!("hygiene: {} is not in PATH", kind.name());
            return false;
        };
        versions.push(format!("{} {version}", kind.name()));
    }
    let cases = case::all();
    let borrowed: Vec<&Case> = cases.iter().collect();
    let columns = KINDS.map(|kind| {
        let outcomes = send_all(&borrowed, kind, Doors::Clear);
        let fates = cases.iter().zip(&outcomes);
        let fates: Vec<Fate> = fates
            .map(|(case, outcome)| Fate::of(case, &outcome.facts))
            .collect();
        println!("hygiene: {} is through", kind.name());
        fates
    });
    let row = |(number, case)| Row {
        case,
        fates: columns.each_ref().map(|column| column[number]),
    };
    let rows: Vec<Row<'_>> = cases.iter().enumerate().map(row).collect();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/hygiene.md");
    std::fs::write(path, page(&rows, &versions)).unwrap();
    println!(
        "hygiene: {}; the table is in docs/hygiene.md",
        versions.join(", ")
    );
    has_no_findings(&rows)
}

/// Prints what gets through here and nowhere else.
fn has_no_findings(rows: &[Row<'_>]) -> bool {
    let is_alone = |row: &&Row<'_>| {
        row.fates[0].is_through() && row.fates[1].is_refusal() && row.fates[2].is_refusal()
    };
    let mut found = 0;
    for Row { case, fates } in rows.iter().filter(is_alone) {
        let is_meant = case.want == Want::Pass;
        found += usize::from(!is_meant);
        let word = if is_meant { "meant  " } else { "FINDING" };
        println!(
            "{word} {}: {}: {}; nginx {}, HAProxy {}",
            case.id, case.title, fates[0], fates[1], fates[2]
        );
    }
    println!("hygiene: {found} cases get through wxgate that nginx and HAProxy both refuse");
    found == 0
}

fn page(rows: &[Row<'_>], versions: &[String]) -> String {
    let now = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    let date = now.split('T').next().unwrap();
    let mut page = format!(
        "# Request hygiene\n\n\
        What becomes of odd and hostile HTTP/1 requests: {} cases, sent on {date} through\n{}.\n\n{ABOUT}\n",
        rows.len(),
        versions.join(", "),
    );
    page.push_str(&summary(rows));
    let mut theme = "";
    let mut rest = rows;
    while let Some(first) = rest.first() {
        if first.case.theme != theme {
            theme = &first.case.theme;
            write!(page, "\n## {theme}\n\n{HEAD}").unwrap();
        }
        let alike = rest.iter().take_while(|row| is_alike(first, row)).count();
        let (these, others) = rest.split_at(alike);
        line(&mut page, these);
        rest = others;
    }
    page
}

const ABOUT: &str = "\
Made by `cargo test --test hygiene -- --compare`, which writes this file. The cases are in `tests/hygiene/cases`; each is
sent in clear to a plain reverse proxy, in front of an upstream that keeps every byte that it gets, and is judged by those
bytes. Each proxy has its defaults, but for time limits of 2 s and connections to the upstream that are used once; nginx has
`proxy_http_version 1.1` and `proxy_set_header Host $host` as well. After each case the client sends one more good request
on the same connection: where a part of the case was still unread, that is what it becomes a part of.

| word | means |
|---|---|
| refused 400 | this status came back, and no byte of it reached the upstream |
| closed | the connection ended without an answer, and nothing reached the upstream |
| cut, cut 400 | a part reached the upstream, and never its end |
| silent | neither an answer nor an end |
| answered 200 | the proxy answered by itself |
| passed | it reached the upstream |
| passed, changed | the same, with another request line, or without a field that it had |
| TWO REQUESTS | a request reached the upstream that was hidden in another, or that followed one which must be the last |
| MALFORMED | what reached the upstream is not HTTP/1.1 to a strict reader |

`wanted` is what wxgate promises: `refuse`, `cut` (the fault is in the body: the upstream may have begun), `never` (the client
stops in the middle), `pass`, or `either` of refuse and pass. It is stricter than the standard in places: limits, lone LF, and
what the standard lets a server repair. Bold is what differs from it: for the others not always a fault.
";

const HEAD: &str = "\
| case | what | RFC | wanted | wxgate | nginx | HAProxy | Caddy |
|---|---|---|---|---|---|---|---|
";

/// Members of a family that fared alike share a line.
fn is_alike(first: &Row<'_>, row: &Row<'_>) -> bool {
    first.case.id == row.case.id
        || (first.case.family.is_some()
            && first.case.family == row.case.family
            && first.fates == row.fates)
}

fn line(page: &mut String, rows: &[Row<'_>]) {
    let (Some(Row { case, fates }), Some(last)) = (rows.first(), rows.last()) else {
        return;
    };
    let (mut id, mut title) = (case.id.clone(), case.title.clone());
    if let Some(family) = &case.family {
        let [first, end] = [case, last.case].map(|member| &member.id[family.len() + 1..]);
        title = title.split(": 0x").next().unwrap().to_owned();
        if first != end {
            id = format!("{family}-{first} … {end}");
        }
    }
    let want = format!("{:?}", case.want).to_lowercase();
    let cells = fates.map(|fate| {
        let mark = if fate.fits(case.want) { "" } else { "**" };
        format!("{mark}{fate}{mark}")
    });
    let title = title.replace('|', "\\|");
    writeln!(
        page,
        "| {id} | {title} | {} | {want} | {} |",
        case.rfc,
        cells.join(" | ")
    )
    .unwrap();
}

/// Counts over all cases.
fn summary(rows: &[Row<'_>]) -> String {
    type Which<'a> = (&'a str, fn(Want) -> bool, fn(Fate) -> bool);
    let is_any = |_: Want| true;
    let counts: [Which<'_>; 5] = [
        (
            "to be refused, and reached the upstream",
            Want::is_refusal,
            Fate::is_through,
        ),
        (
            "to be passed, and did not reach it",
            |want| want == Want::Pass,
            |fate| !fate.is_through(),
        ),
        (
            "to be either, and reached it",
            |want| want == Want::Either,
            Fate::is_through,
        ),
        ("two requests where one was meant", is_any, |fate| {
            fate == Fate::Two
        }),
        ("malformed at the upstream", is_any, |fate| {
            fate == Fate::Malformed
        }),
    ];
    let mut table =
        String::from("| | of | wxgate | nginx | HAProxy | Caddy |\n|---|---|---|---|---|---|\n");
    for (what, is_in, is_so) in counts {
        let rows: Vec<&Row<'_>> = rows.iter().filter(|row| is_in(row.case.want)).collect();
        let column = |at: usize| {
            rows.iter()
                .filter(|row| is_so(row.fates[at]))
                .count()
                .to_string()
        };
        let columns = [0, 1, 2, 3].map(column).join(" | ");
        writeln!(table, "| {what} | {} | {columns} |", rows.len()).unwrap();
    }
    table
}
