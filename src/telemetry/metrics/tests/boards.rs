//! Checks that the boards in grafana/ show metrics that exist, have descriptions, and are laid out without overlap.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use serde_json::Value;

use super::*;

/// The selector that every expression contains.
const SELECTOR: &str = r#"job=~"$job", instance=~"$instance""#;

fn boards() -> Vec<(String, Value)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("grafana");
    let files = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let boards: Vec<_> = files
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "json")
        })
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            (name, serde_json::from_str(&text).unwrap())
        })
        .collect();
    assert!(!boards.is_empty());
    boards
}

/// All panels: also rows, and the panels inside collapsed rows.
fn panels(board: &Value) -> Vec<&Value> {
    let top = board["panels"].as_array().unwrap();
    let inside = |panel: &'_ Value| panel["panels"].as_array().is_some();
    let below = top.iter().filter(|panel| inside(panel));
    let below = below.flat_map(|panel| panel["panels"].as_array().unwrap());
    top.iter().chain(below).collect()
}

fn expressions(board: &Value) -> Vec<String> {
    let targets = panels(board)
        .into_iter()
        .filter_map(|panel| panel["targets"].as_array());
    let annotations = board["annotations"]["list"].as_array().unwrap();
    targets
        .flatten()
        .chain(annotations)
        .map(|target| target["expr"].as_str().unwrap().to_owned())
        .collect()
}

/// The words in an expression, among them the names of metrics and labels.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
}

fn series_of_the_relay() -> BTreeSet<String> {
    let text = Metrics::new().unwrap().encode().unwrap();
    sample_lines(&text)
        .iter()
        .map(|line| line.split(['{', ' ']).next().unwrap().to_owned())
        .collect()
}

#[test]
fn every_expression_names_series_that_exist() {
    let known = series_of_the_relay();
    for (name, board) in boards() {
        for expression in expressions(&board) {
            let mut names = words(&expression)
                .filter(|word| word.starts_with("meetrelay_") || word.starts_with("process_"))
                .peekable();
            assert!(names.peek().is_some(), "{name}: no metric in {expression}");
            for word in names {
                assert!(
                    known.contains(word),
                    "{name}: {word} does not exist in {expression}"
                );
            }
        }
    }
}

#[test]
fn every_label_value_of_an_expression_exists() {
    let text = Metrics::new().unwrap().encode().unwrap();
    for (name, board) in boards() {
        for expression in expressions(&board) {
            for label in ["check", "code", "outcome", "state"] {
                let Some((_, rest)) = expression.split_once(&format!("{label}=\"")) else {
                    continue;
                };
                let value = rest.split('"').next().unwrap();
                let wanted = format!("{label}=\"{value}\"");
                assert!(text.contains(&wanted), "{name}: {wanted} in {expression}");
            }
        }
    }
}

#[test]
fn every_expression_is_bound_to_the_variables_and_rates_to_the_interval() {
    for (name, board) in boards() {
        for expression in expressions(&board) {
            assert!(expression.contains(SELECTOR), "{name}: {expression}");
            for part in expression.split("rate(").skip(1) {
                let range = part.split('[').nth(1).unwrap().split(']').next().unwrap();
                assert_eq!(range, "$__rate_interval", "{name}: {expression}");
            }
            let open = expression.matches('(').count();
            assert_eq!(
                open,
                expression.matches(')').count(),
                "{name}: {expression}"
            );
            let is_edge = expression.contains("_bucket{le=~");
            assert!(
                !is_edge || expression.contains(r#"le=~"5(\\.0)?""#),
                "{name}: {expression}"
            );
        }
    }
}

#[test]
fn every_panel_says_what_it_shows_and_has_a_place_of_its_own() {
    for (name, board) in boards() {
        assert_eq!(board["uid"], format!("meetrelay-{name}"));
        assert_eq!(board["schemaVersion"], 42);
        assert_eq!(board["graphTooltip"], 1);
        assert_eq!(board["timezone"], "utc");
        assert_eq!(board["editable"], false);
        let mut ids = BTreeSet::new();
        let mut taken = BTreeSet::new();
        for panel in panels(&board) {
            let title = panel["title"].as_str().unwrap();
            assert!(
                ids.insert(panel["id"].as_u64().unwrap()),
                "{title}: id is not unique"
            );
            let place = |key: &str| panel["gridPos"][key].as_u64().unwrap();
            assert!(place("x") + place("w") <= 24, "{title}");
            for x in place("x")..place("x") + place("w") {
                for y in place("y")..place("y") + place("h") {
                    assert!(taken.insert((x, y)), "{title} overlaps at {x},{y}");
                }
            }
            if panel["type"] == "row" {
                continue;
            }
            let description = panel["description"].as_str().unwrap_or_default();
            assert!(
                description.len() > 40,
                "{title}: the description says too little"
            );
            assert!(
                panel["fieldConfig"]["defaults"]["unit"].is_string(),
                "{title}"
            );
            assert_eq!(panel["datasource"]["uid"], "${datasource}", "{title}");
        }
    }
}

#[test]
fn variables_follow_the_time_range() {
    for (name, board) in boards() {
        let variables = board["templating"]["list"].as_array().unwrap();
        let names: Vec<_> = variables
            .iter()
            .map(|v| v["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, ["datasource", "job", "instance"], "{name}");
        for variable in &variables[1..] {
            assert_eq!(variable["refresh"], 2);
            assert_eq!(variable["allValue"], ".*");
            assert_eq!(variable["multi"], true);
        }
    }
}
