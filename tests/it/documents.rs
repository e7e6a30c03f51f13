//! The documents: every link leads somewhere, and every command, setting, metric and file that a page names exists.

mod links;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::CommandFactory;
use meetrelay::cli::Arguments;
use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// README.md is the first page that anybody reads: it has no more lines.
const README_LINES_MAX: usize = 220;
/// Folders without documents of this repository: what .gitignore names, and git's own.
const SKIPPED: &[&str] = &[".git", "target", "data"];
/// What changed names things that are gone since.
const HISTORY: &str = "CHANGELOG.md";

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Markdown file below `root`: its path from there, and its text.
fn pages(root: &Path) -> Vec<(PathBuf, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let is_skipped = SKIPPED.iter().any(|name| entry.file_name() == *name);
            if entry.file_type().unwrap().is_dir() {
                if !is_skipped {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|extension| extension == "md") {
                let name = path.strip_prefix(root).unwrap().to_owned();
                found.push((name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

/// The pages that describe the present state.
fn present_pages() -> Vec<(PathBuf, String)> {
    let mut pages = pages(root());
    pages.retain(|(name, _)| name != Path::new(HISTORY));
    assert!(pages.len() > 10, "the pages were found");
    pages
}

fn parse(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES)
}

/// Code within sentences.
fn code_spans(text: &str) -> Vec<String> {
    parse(text)
        .filter_map(|event| match event {
            Event::Code(code) => Some(code.to_string()),
            _ => None,
        })
        .collect()
}

/// Lines of code blocks that are commands or output.
fn code_lines(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut is_shell = false;
    for event in parse(text) {
        match event {
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(language))) => {
                is_shell = matches!(&*language, "sh" | "text");
            }
            Event::End(TagEnd::CodeBlock) => is_shell = false,
            Event::Text(block) if is_shell => lines.extend(block.lines().map(str::to_owned)),
            _ => {}
        }
    }
    lines
}

/// The arguments of a call of the relay's program, if that is what the line is.
fn arguments(line: &str) -> Option<Vec<&str>> {
    let is_before = |word: &&str| *word == "$" || word.starts_with("MEETRELAY__");
    let words: Vec<&str> = line
        .split_whitespace()
        .skip_while(is_before)
        .take_while(|word| !word.starts_with(['#', '<', '>']))
        .collect();
    let in_container = words.strip_prefix(&["docker", "compose", "exec", "relay"]);
    let (first, rest) = in_container.unwrap_or(&words).split_first()?;
    (*first == "meetrelay" && !rest.is_empty()).then(|| rest.to_vec())
}

/// What is wrong with a call of the relay's program.
fn unknown_argument(arguments: &[&str]) -> Option<String> {
    let mut top = Arguments::command();
    top.build();
    let mut commands = vec![&top];
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if let Some(option) = word.strip_prefix("--") {
            for command in &commands {
                let known = command
                    .get_arguments()
                    .find(|argument| argument.get_long() == Some(option));
                let Some(known) = known else {
                    return Some(format!("{} has no --{option}", command.get_name()));
                };
                if known.get_action().takes_values() {
                    words.next();
                }
            }
        } else if commands.iter().any(|command| command.has_subcommands()) && *word != "..." {
            let mut chosen = Vec::new();
            for name in word.split('|') {
                for command in &commands {
                    match command.find_subcommand(name) {
                        Some(found) => chosen.push(found),
                        None => return Some(format!("{} has no {name}", command.get_name())),
                    }
                }
            }
            commands = chosen;
        }
    }
    None
}

/// Every configuration key as `section.key`, and the sections.
fn settings() -> (BTreeSet<String>, BTreeSet<String>) {
    let (mut keys, mut sections) = (BTreeSet::new(), BTreeSet::new());
    let mut section = "";
    let reference = meetrelay::config::reference();
    for line in reference.lines() {
        if let Some(name) = line.strip_prefix("## ") {
            section = name.trim_matches(['[', ']']);
            sections.insert(section.to_owned());
        } else if let Some(row) = line.strip_prefix("| `") {
            let key = row.split('`').next().unwrap();
            keys.insert(format!("{section}.{key}"));
        }
    }
    (keys, sections)
}

#[test]
fn readme_is_short() {
    let lines = fs::read_to_string(root().join("README.md"))
        .unwrap()
        .lines()
        .count();
    assert!(
        lines <= README_LINES_MAX,
        "README.md has {lines} lines, the limit is {README_LINES_MAX}: details belong to the pages below deploy"
    );
}

#[test]
fn every_command_that_a_page_names_exists() {
    let mut complaints = Vec::new();
    let mut count = 0;
    for (name, text) in present_pages() {
        for line in code_spans(&text).into_iter().chain(code_lines(&text)) {
            let Some(arguments) = arguments(&line) else {
                continue;
            };
            count += 1;
            if let Some(what) = unknown_argument(&arguments) {
                complaints.push(format!("{}: {line}: {what}", name.display()));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(count > 30, "only {count} commands were looked at");
}

#[test]
fn unknown_commands_and_options_are_noticed() {
    let what = |line: &str| unknown_argument(&arguments(line).unwrap());
    for line in [
        "$ meetrelay why mm-dmgkw7lu3kffn",
        "meetrelay --config meetrelay.toml check  # --nothing",
        "MEETRELAY__SERVER__DATA_DIR=/var/lib/meetrelay meetrelay meetings list|show --json",
        "docker compose exec relay meetrelay topology export --vhost NAME",
        "meetrelay dead-letters replay --kind unreadable --all",
    ] {
        assert_eq!(what(line), None, "{line}");
    }
    assert_eq!(
        what("meetrelay wyh REF").unwrap(),
        "meetrelay has no wyh".to_owned()
    );
    assert_eq!(
        what("meetrelay meetings list|stop").unwrap(),
        "meetings has no stop"
    );
    assert_eq!(
        what("meetrelay dead-letters list --all").unwrap(),
        "list has no --all"
    );
    for line in ["systemctl reload meetrelay", "docker build -t meetrelay ."] {
        assert_eq!(arguments(line), None, "{line}");
    }
}

#[test]
fn every_setting_that_a_page_names_exists() {
    let (keys, sections) = settings();
    let mut complaints = Vec::new();
    let mut count = 0;
    for (name, text) in present_pages() {
        for span in code_spans(&text) {
            let word = span.split([' ', '=']).next().unwrap();
            let is_name = word
                .chars()
                .all(|c| c.is_ascii_lowercase() || c == '_' || c == '.');
            let section = word.split('.').next().unwrap();
            let is_file = word.ends_with(".db");
            if !is_name || is_file || !word.contains('.') || !sections.contains(section) {
                continue;
            }
            count += 1;
            if !keys.contains(word) && !sections.contains(word) {
                complaints.push(format!("{}: {word} is no key", name.display()));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(count > 40, "only {count} settings were looked at");
}

#[test]
fn every_metric_that_a_page_names_exists() {
    let reference = fs::read_to_string(root().join("deploy/reference/metrics.md")).unwrap();
    let mut complaints = Vec::new();
    let mut count = 0;
    for (name, text) in present_pages() {
        for span in code_spans(&text) {
            let metric = span.split('{').next().unwrap();
            if metric.starts_with("meetrelay_") {
                count += 1;
                if !reference.contains(&format!("| `{metric}` |")) {
                    complaints.push(format!("{}: {metric} is no metric", name.display()));
                }
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(count > 40, "only {count} metrics were looked at");
}

#[test]
fn every_file_that_a_page_names_in_code_exists() {
    let folders = ["src/", "tests/", "deploy/", "grafana/", ".ci/"];
    let mut complaints = Vec::new();
    let mut count = 0;
    for (name, text) in present_pages() {
        for span in code_spans(&text) {
            let path = span.split(' ').next().unwrap();
            if path.contains('*') || !folders.iter().any(|folder| path.starts_with(folder)) {
                continue;
            }
            count += 1;
            if !root().join(path).exists() {
                complaints.push(format!("{}: {path} is no file", name.display()));
            }
        }
    }
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
    assert!(count > 30, "only {count} files were looked at");
}
