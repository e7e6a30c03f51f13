//! Every vector is read by a test, and the page about them says by which.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A row of the page: a file's name, or how the names begin, and the source file of the test.
struct Row {
    begins: String,
    is_whole: bool,
    reader: String,
}

impl Row {
    fn claims(&self, name: &str) -> bool {
        let Some(rest) = name.strip_prefix(self.begins.as_str()) else {
            return false;
        };
        rest.is_empty() == self.is_whole && !rest.contains('/')
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn rows() -> Vec<Row> {
    let page = fs::read_to_string(root().join("tests/vectors/README.md")).unwrap();
    let row = |line: &str| {
        let mut cells = line.split('`').skip(1).step_by(2);
        let (files, reader) = (cells.next()?, cells.next()?);
        reader.ends_with(".rs").then(|| Row {
            begins: files.trim_end_matches('*').to_owned(),
            is_whole: !files.ends_with('*'),
            reader: reader.to_owned(),
        })
    };
    page.lines()
        .filter(|line| line.starts_with('|'))
        .filter_map(row)
        .collect()
}

fn names(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            names(&path, found);
        } else {
            let name = path.strip_prefix(root().join("tests/vectors")).unwrap();
            found.insert(name.to_str().unwrap().to_owned());
        }
    }
}

#[test]
fn every_vector_stands_in_one_row_of_the_page_and_every_row_has_files_and_a_test_that_names_them() {
    let rows = rows();
    let mut all = BTreeSet::new();
    names(&root().join("tests/vectors"), &mut all);
    assert!(all.remove("README.md"));
    for name in &all {
        let claims = rows.iter().filter(|row| row.claims(name)).count();
        assert_eq!(claims, 1, "{name} stands in {claims} rows of the page");
    }
    for row in &rows {
        let begins = &row.begins;
        assert!(all.iter().any(|name| row.claims(name)), "no file {begins}");
        let test = fs::read_to_string(root().join(&row.reader))
            .unwrap_or_else(|error| panic!("{}: {error}", row.reader));
        let quotes =
            |part: &str| test.contains(&format!("\"{part}")) || test.contains(&format!("/{part}"));
        let (folder, file) = begins.rsplit_once('/').unwrap();
        let is_named = quotes(file) && (row.is_whole || quotes(folder));
        // One test reads all files and names none.
        let reads_all = test.contains("files_below(&vectors()");
        assert!(is_named || reads_all, "{} names no {begins}", row.reader);
    }
}
