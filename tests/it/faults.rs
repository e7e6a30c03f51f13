//! The fault matrix of tests/it/faults/README.md: the tests of a row are named after it (`i1_...` to `o13_...`) and run
//! the real binary. The rows of "Attacks" stand in `security` and beside the units they are about.

mod crash_points;
mod ingest;
mod operations;
mod poison;
pub(crate) mod queue;
mod storage;
mod worker;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The letters that the rows begin with.
const PARTS: [char; 5] = ['i', 'q', 'w', 'o', 's'];
/// Fewer rows would mean that the page was not understood.
const ROWS_MIN: usize = 76;

/// What stands before the first `_` of each function anywhere in the sources or the tests, `q13` of `q13_...`, with the
/// files that such functions are in.
pub(crate) fn functions_by_prefix() -> BTreeMap<String, BTreeSet<String>> {
    fn search(folder: &Path, rows: &mut BTreeMap<String, BTreeSet<String>>) {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if root().join(&path).is_dir() {
                search(&path, rows);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = std::fs::read_to_string(root().join(&path)).unwrap();
                let functions = text.lines().filter_map(|line| line.split_once("fn "));
                let names = functions.filter_map(|(_, name)| name.split_once('_'));
                for (row, _) in names {
                    let files = rows.entry(row.to_owned()).or_default();
                    files.insert(path.to_string_lossy().into_owned());
                }
            }
        }
    }
    let mut rows = BTreeMap::new();
    for folder in ["src", "tests/it", "tests/world"] {
        search(Path::new(folder), &mut rows);
    }
    rows
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn is_row(name: &str) -> bool {
    let number = name.strip_prefix(PARTS).unwrap_or_default();
    !number.is_empty() && number.bytes().all(|digit| digit.is_ascii_digit())
}

/// The rows of a page, each with the files in its last column.
fn rows(page: &str) -> BTreeMap<String, BTreeSet<String>> {
    let mut rows = BTreeMap::new();
    for line in page.lines().filter(|line| line.starts_with("| ")) {
        let cells: Vec<&str> = line.trim_matches(['|', ' ']).split(" | ").collect();
        let name = cells[0].to_lowercase();
        if is_row(&name) && cells.len() == 4 {
            let files = cells[3].split('`').skip(1).step_by(2);
            let files: BTreeSet<String> = files.map(str::to_owned).collect();
            assert!(rows.insert(name, files).is_none(), "twice: {line}");
        }
    }
    rows
}

#[test]
fn every_row_names_its_tests_and_every_test_has_its_row() {
    let tests = functions_by_prefix();
    let rows = rows(include_str!("faults/README.md"));
    assert!(rows.len() >= ROWS_MIN, "{}", rows.len());
    let mut complaints = Vec::new();
    for (row, files) in &rows {
        if files.is_empty() {
            complaints.push(format!("{row} names no test"));
        }
        for file in files.iter().filter(|file| !root().join(file).is_file()) {
            complaints.push(format!("{row} names {file}, which is not there"));
        }
    }
    for (row, files) in tests.iter().filter(|(name, _)| is_row(name)) {
        let named = rows.get(row);
        for file in files {
            if !named.is_some_and(|named| named.contains(file)) {
                complaints.push(format!(
                    "{file} has tests of {row}, and the page does not say so"
                ));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
