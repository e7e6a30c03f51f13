//! The fault matrix: one test for each row, named after its id (`i1_...` to `o13_...`), on the real binary. What a
//! row has no test for, and why, stands in faults/README.md.

mod crash_points;
mod ingest;
mod operations;
mod poison;
pub(crate) mod queue;
mod storage;
mod worker;

use std::collections::BTreeSet;
use std::path::Path;

/// How many rows each part of the matrix has.
const ROWS: [(char, u32); 4] = [('i', 24), ('q', 22), ('w', 17), ('o', 13)];

/// What stands before the first `_` of each function anywhere in the sources or the tests: `q13` of `q13_...`.
pub(crate) fn functions_by_prefix() -> BTreeSet<String> {
    fn look(folder: &Path, rows: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                look(&path, rows);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let functions = text.lines().filter_map(|line| line.split_once("fn "));
                let names = functions.filter_map(|(_, name)| name.split_once('_'));
                rows.extend(names.map(|(row, _)| row.to_owned()));
            }
        }
    }
    let mut rows = BTreeSet::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["src", "tests/it", "tests/world"] {
        look(&root.join(folder), &mut rows);
    }
    rows
}

#[test]
fn every_row_has_a_test_or_a_reason() {
    let tested = functions_by_prefix();
    let reasons = include_str!("faults/README.md");
    let rows = ROWS
        .iter()
        .flat_map(|(part, count)| (1..=*count).map(move |number| format!("{part}{number}")));
    let missing: Vec<String> = rows
        .filter(|row| {
            let line = format!("| {} |", row.to_uppercase());
            !tested.contains(row) && !reasons.lines().any(|reason| reason.starts_with(&line))
        })
        .collect();
    assert!(missing.is_empty(), "no test and no reason: {missing:?}");
}
