//! One word, one meaning: no type name is defined twice, and no word of the relay's early days comes back.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Names that several files define, with the reason.
const DEFINED_OFTEN: &[(&str, &str)] = &[(
    "Migration",
    "the two back ends of the store each list their own, of the same meaning",
)];

/// Words that readers had to look up, each with the term that is used instead.
const REPLACED: &[(&str, &str)] = &[
    ("way out", "delivery method"),
    ("ways out", "delivery methods"),
    ("castoff", "returned message"),
    ("castoffs", "returned messages"),
    ("manieth", "attempt number"),
    ("put aside", "quarantine, or keep a copy"),
    ("shop", "WorkerContext"),
];

#[test]
fn every_type_name_has_one_definition() {
    let mut files: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for (path, text) in sources() {
        for name in text.lines().filter_map(type_name) {
            files.entry(name.to_owned()).or_default().push(path.clone());
        }
    }
    assert!(files.len() > 500, "only {} types were found", files.len());
    let is_allowed = |name: &str| DEFINED_OFTEN.iter().any(|(often, _)| *often == name);
    let twice: Vec<_> = files
        .iter()
        .filter(|(name, files)| files.len() > 1 && !is_allowed(name))
        .collect();
    assert!(twice.is_empty(), "{twice:#?}");
}

#[test]
fn replaced_words_do_not_come_back() {
    let mut complaints = Vec::new();
    for (path, text) in sources() {
        for (number, line) in text.lines().enumerate() {
            let lower = line.to_lowercase();
            for (word, instead) in REPLACED {
                if has_word(&lower, word) {
                    let at = format!("{}:{}", path.display(), number + 1);
                    complaints.push(format!("{at}: \"{word}\" is called {instead}"));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

/// The name that a line at the outermost level defines.
fn type_name(line: &str) -> Option<&str> {
    let rest = match line.strip_prefix("pub") {
        Some(rest) => rest
            .strip_prefix('(')
            .and_then(|rest| rest.split_once(')'))
            .map_or(rest, |(_, rest)| rest)
            .trim_start(),
        None => line,
    };
    let rest = ["struct ", "enum ", "trait ", "type "]
        .iter()
        .find_map(|keyword| rest.strip_prefix(keyword))?;
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
    Some(&rest[..end.unwrap_or(rest.len())])
}

fn has_word(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let is_part = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

/// The source without its unit tests.
fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    let mut folders = vec![root.join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("src can be read") {
            let path = entry.expect("src can be read").path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if name == "tests" || name == "tests.rs" {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else if name.ends_with(".rs") {
                let text = fs::read_to_string(&path).expect("a source file is UTF-8");
                let below = path.strip_prefix(root).unwrap_or(&path).to_owned();
                found.push((below, text));
            }
        }
    }
    found
}
