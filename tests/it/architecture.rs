//! The layout shows the architecture: who may import whom, how long a file may be.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// No file of the source is longer, in lines.
const LINES_MAX: usize = 500;

/// For each top-level module the modules of ours that it may name (itself is always allowed).
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("ports", &["domain"]),
    ("envelope", &["domain", "ports"]),
    ("clock", &["domain", "ports"]),
    ("backoff", &[]),
    ("http", &["domain"]),
    ("sqlite", &[]),
    ("listen", &[]),
    ("lock", &[]),
    ("log_throttle", &[]),
    ("token", &["domain", "ports"]),
    ("trigger", &["domain"]),
    ("shutdown", &[]),
    ("config", &["domain"]),
    (
        "ingress",
        &[
            "domain",
            "ports",
            "envelope",
            "token",
            "trigger",
            "listen",
            "log_throttle",
        ],
    ),
    ("tls", &[]),
    (
        "queue",
        &[
            "domain", "ports", "clock", "sqlite", "backoff", "tls", "lock",
        ],
    ),
    ("store", &["domain", "ports", "sqlite", "tls"]),
    (
        "worker",
        &[
            "domain",
            "ports",
            "envelope",
            "clock",
            "backoff",
            "trigger",
            "log_throttle",
        ],
    ),
    ("mattermost", &["domain", "ports", "http"]),
    ("plugnmeet", &["domain", "ports", "http"]),
    // The table of metrics names the parts' enums; no part names the table.
    (
        "telemetry",
        &[
            "config", "clock", "domain", "ports", "http", "ingress", "queue", "worker",
        ],
    ),
    ("repair", &["domain", "ports", "envelope"]),
    (
        "admin",
        &["domain", "ports", "repair", "listen", "telemetry", "token"],
    ),
    (
        "cli",
        &["admin", "app", "config", "domain", "telemetry", "shutdown"],
    ),
];

/// Modules that every other but the pure ones may name: nothing is left of them in a released build.
const EVERYWHERE: &[&str] = &["crash_point", "any"];
/// Modules without any effect.
const PURE: &[&str] = &["domain", "ports"];

/// Crates that only one module may name.
const ONLY_IN: &[(&str, &[&str])] = &[
    ("backoff", &["backoff"]),
    ("rusqlite", &["sqlite", "queue", "store"]),
    ("reqwest", &["http", "cli", "mattermost", "plugnmeet"]),
    ("warp", &["ingress", "admin", "listen", "app"]),
    ("prometheus", &["telemetry"]),
    ("lapin", &["queue"]),
    ("tokio_postgres", &["store"]),
    ("deadpool_postgres", &["store"]),
    ("tokio_postgres_rustls", &["store"]),
];

#[test]
fn modules_import_only_what_the_design_allows() {
    let allowed: BTreeMap<&str, BTreeSet<&str>> = MAY_USE
        .iter()
        .map(|(module, uses)| (*module, uses.iter().copied().collect()))
        .collect();
    let mut complaints = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        if ["main", "lib", "app", "crash_point", "any"].contains(&module.as_str()) {
            continue;
        }
        let Some(allowed) = allowed.get(module.as_str()) else {
            complaints.push(format!(
                "{}: module {module} has no line in MAY_USE",
                path.display()
            ));
            continue;
        };
        for (number, line) in code_lines(&text) {
            for used in words_after(line, "crate::") {
                let is_for_all = EVERYWHERE.contains(&used) && !PURE.contains(&module.as_str());
                if used != module && !allowed.contains(used) && !is_for_all {
                    complaints.push(format!("{}:{number}: {module} uses {used}", path.display()));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn vendors_are_named_only_where_they_belong() {
    let mut complaints = Vec::new();
    for (path, text) in sources() {
        let module = module_of(&path);
        for (vendor, modules) in ONLY_IN {
            if modules.contains(&module.as_str()) {
                continue;
            }
            for (number, line) in code_lines(&text) {
                let named = line.contains(&format!("use {vendor}::"))
                    || line
                        .split(|c: char| !c.is_alphanumeric() && c != '_' && c != ':')
                        .any(|word| word.starts_with(&format!("{vendor}::")));
                if named && !line.contains(&format!("crate::{vendor}")) {
                    complaints.push(format!("{}:{number}: {vendor}", path.display()));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn files_are_short_and_stand_beside_their_folders() {
    let mut complaints = Vec::new();
    for (path, text) in sources() {
        let lines = text.lines().count();
        if lines > LINES_MAX {
            complaints.push(format!(
                "{}: {lines} lines, the limit is {LINES_MAX}",
                path.display()
            ));
        }
        if path.file_name().is_some_and(|name| name == "mod.rs") {
            complaints.push(format!(
                "{}: foo.rs stands beside foo/, never mod.rs",
                path.display()
            ));
        }
        let marker = concat!("TO", "DO");
        if text.contains(marker) {
            complaints.push(format!("{}: {marker} without an issue", path.display()));
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// Where the integration tests sleep: a test waits for a state by `harness::eventually`.
const SLEEPS_IN: &str = "harness/eventually.rs";

/// Who may take time on purpose, by `harness::slow_peer_takes`.
const SLOW_PEERS: &[&str] = &[
    // Fakes of the peers, and peers that answer in drips.
    "workers/peers.rs",
    "faults/worker/liar.rs",
    // Senders that are slow, or leave before they are answered.
    "faults/ingest/connections.rs",
    "faults/ingest/doubles.rs",
    "security/slow_senders.rs",
];

#[test]
fn tests_wait_for_states_and_not_for_time() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let mut complaints = Vec::new();
    for (path, text) in files_below(&folder) {
        let name = path.strip_prefix(&folder).expect("it lies there");
        let name = name.to_string_lossy();
        if name == SLEEPS_IN {
            continue;
        }
        let is_slow = SLOW_PEERS.contains(&&*name);
        for (number, line) in code_lines(&text) {
            let is_wait = lets_time_pass(line) || (line.contains(SLOW) && !is_slow);
            if is_wait {
                complaints.push(format!("{name}:{number}: {}", line.trim()));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// A call of what slow peers use.
const SLOW: &str = concat!("slow_peer", "_takes(");

/// Every way to let a fixed time pass.
fn lets_time_pass(line: &str) -> bool {
    let ways = [
        concat!("sle", "ep("),
        concat!("sleep", "_until("),
        concat!("sleep", "_ms("),
    ];
    ways.iter().any(|way| line.contains(way))
}

#[test]
fn sleep_is_recognised_however_it_is_written() {
    for line in [
        concat!("tokio::time::sle", "ep(SECOND).await;"),
        concat!("std::thread::sle", "ep(SECOND);"),
        concat!("sleep", "_until(then).await;"),
    ] {
        assert!(lets_time_pass(line), "{line}");
    }
    assert!(!lets_time_pass("eventually(what, probe).await;"));
}

/// Lines that are code, with their numbers: comments and doc comments name modules freely.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines()
        .enumerate()
        .map(|(index, line)| (index + 1, line.split("//").next().unwrap_or_default()))
}

fn words_after<'a>(line: &'a str, prefix: &'a str) -> impl Iterator<Item = &'a str> {
    line.match_indices(prefix).filter_map(move |(at, _)| {
        let is_whole = !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
        let rest = &line[at + prefix.len()..];
        let end = rest
            .find(|c: char| !c.is_alphanumeric() && c != '_')
            .unwrap_or(rest.len());
        (is_whole && end > 0).then(|| &rest[..end])
    })
}

fn module_of(path: &Path) -> String {
    let below = path.strip_prefix(root()).unwrap_or(path);
    let first = below.components().next().expect("a source file has a name");
    first
        .as_os_str()
        .to_string_lossy()
        .trim_end_matches(".rs")
        .to_owned()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

fn sources() -> Vec<(PathBuf, String)> {
    files_below(&root())
}

fn files_below(root: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("the folder can be read") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = fs::read_to_string(&path).expect("a source file is UTF-8");
                found.push((path, text));
            }
        }
    }
    assert!(found.len() > 20, "the sources were found");
    found
}
