//! Whatever a comment or a page cites is in the repository.
//!
//! A Markdown file is cited by its path from the root of the repository, a section of it by its heading:
//! `src/mattermost/README.md, "Posts"`, and several as `"Posts" and "Limits"`. A page may name a file by its path from
//! its own folder too, as links do.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Where comments and pages are, besides the files at the root.
const FOLDERS: [&str; 5] = ["src", "tests", "deploy", "grafana", ".ci"];
/// Recordings: they may say anything, but for the page about them.
const RECORDINGS: &str = "tests/vectors";
/// Fewer would mean that the citations were not found.
const CITATIONS_MIN: usize = 100;

/// Reads the citations of one text after the other.
#[derive(Default)]
struct Citations {
    complaints: Vec<String>,
    count: usize,
    /// The headings of the cited files, by path.
    headings: BTreeMap<PathBuf, Vec<String>>,
}

impl Citations {
    /// Reads the text of `file`, a path from the root.
    fn read(&mut self, file: &Path, text: &str) {
        let is_source = file.extension().is_some_and(|kind| kind == "rs");
        let text = if is_source {
            comments(text)
        } else {
            text.split_whitespace().collect::<Vec<_>>().join(" ")
        };
        for (end, _) in text.match_indices(".md") {
            let (before, after) = (&text[..end], &text[end + ".md".len()..]);
            if !after.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
                self.cited(file, &format!("{}.md", path_at_the_end(before)), after);
            }
        }
        for (at, word) in text.match_indices("design ") {
            let number = text[at + word.len()..].starts_with(|c: char| c.is_ascii_digit());
            if number && !text[..at].ends_with(char::is_alphanumeric) {
                self.complain(file, "cites a section of a design that is not here");
            }
        }
    }

    /// `path` is cited in `file`, and `after` follows.
    fn cited(&mut self, file: &Path, path: &str, after: &str) {
        // Parts of addresses, patterns, and the bare ending.
        if path.starts_with("//") || path.contains('*') || path == ".md" {
            return;
        }
        let folder = file.parent().unwrap_or(Path::new(""));
        let places = [PathBuf::from(path), folder.join(path)];
        let Some(found) = places.iter().find(|place| root().join(place).is_file()) else {
            self.complain(file, &format!("cites {path}, which is not there"));
            return;
        };
        self.count += 1;
        let after = after.strip_prefix('`').unwrap_or(after);
        if after
            .strip_prefix(' ')
            .is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
        {
            self.complain(file, &format!("cites {path} by a number: use the heading"));
        }
        for heading in headings_cited(after) {
            let headings = self
                .headings
                .entry(found.clone())
                .or_insert_with(|| headings_of(found));
            let count = headings.iter().filter(|it| *it == heading).count();
            if count != 1 {
                self.complain(
                    file,
                    &format!("cites {path}, \"{heading}\": there are {count} such headings"),
                );
            }
        }
    }

    fn complain(&mut self, file: &Path, what: &str) {
        self.complaints.push(format!("{}: {what}", file.display()));
    }
}

/// The comments of a source file, those that follow each other joined; what stands between two is a line break.
fn comments(text: &str) -> String {
    let mut joined = String::new();
    for line in text.lines() {
        match line.split_once("//") {
            Some((_, comment)) => {
                let comment = comment.trim_start_matches(['/', '!']);
                joined.push(' ');
                joined.push_str(comment.trim());
            }
            None => joined.push('\n'),
        }
    }
    joined
}

/// The path with which a text ends, without its ending.
fn path_at_the_end(text: &str) -> &str {
    let is_in_path = |c: char| c.is_ascii_alphanumeric() || "_-./*".contains(c);
    &text[text.trim_end_matches(is_in_path).len()..]
}

/// The headings in the text behind a path: `, "One" and "Another"`.
fn headings_cited(after: &str) -> Vec<&str> {
    let mut cited = Vec::new();
    let mut rest = after;
    while let Some((heading, behind)) = [", \"", " and \""]
        .iter()
        .filter(|lead| !cited.is_empty() || **lead == ", \"")
        .find_map(|lead| rest.strip_prefix(lead))
        .and_then(|quoted| quoted.split_once('"'))
    {
        cited.push(heading);
        rest = behind;
    }
    cited
}

fn headings_of(path: &Path) -> Vec<String> {
    let text = fs::read_to_string(root().join(path)).unwrap();
    text.lines()
        .filter(|line| line.starts_with('#'))
        .map(|line| line.trim_start_matches('#').trim().to_owned())
        .collect()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every file with comments or text, by its path from the root.
fn files() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = FOLDERS.map(PathBuf::from).into();
    let at_root = fs::read_dir(root()).unwrap();
    found.extend(at_root.map(|entry| PathBuf::from(entry.unwrap().file_name())));
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(root().join(&folder)).unwrap() {
            let path = folder.join(entry.unwrap().file_name());
            if root().join(&path).is_dir() {
                folders.push(path);
            } else {
                found.push(path);
            }
        }
    }
    let page = Path::new(RECORDINGS).join("README.md");
    found.retain(|path| {
        root().join(path).is_file() && (!path.starts_with(RECORDINGS) || *path == page)
    });
    found
}

#[test]
fn every_cited_file_and_section_is_in_the_repository() {
    let mut citations = Citations::default();
    for file in files() {
        // Pictures are no text.
        if let Ok(text) = fs::read_to_string(root().join(&file)) {
            citations.read(&file, &text);
        }
    }
    let complaints = citations.complaints;
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(citations.count >= CITATIONS_MIN, "{}", citations.count);
}

#[test]
fn citations_of_what_is_not_there_are_found() {
    let here = "src/mattermost/README";
    // Composed, so that this file cites nothing that is not there.
    let nowhere = concat!("nowhere", ".md");
    for (text, is_good) in [
        (format!("//! See {here}.md."), true),
        (
            format!("/// The rules ({here}.md, \"Posts\" and \"Limits\")."),
            true,
        ),
        (
            format!("// The rules\n// ({here}.md,\n// \"Pending post ids\") hold."),
            true,
        ),
        (format!("let name = \"{nowhere}\";"), true),
        (format!("//! All of deploy/reference/*{}", ".md"), true),
        (format!("//! See {nowhere}."), false),
        (format!("/// The rules ({here}.md 5.3)."), false),
        (format!("/// The rules ({here}.md, \"Postings\")."), false),
        (
            format!("/// The rules ({here}.md, \"Posts\" and \"Postings\")."),
            false,
        ),
        (
            format!("// The rules ({here}.md,\n// \"Postings\")."),
            false,
        ),
        (format!("/// The keys of desig{} 3.", "n"), false),
    ] {
        let mut citations = Citations::default();
        citations.read(Path::new("src/lib.rs"), &text);
        let found = citations.complaints;
        assert_eq!(found.is_empty(), is_good, "{text}: {found:?}");
    }
}
