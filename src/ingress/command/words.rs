//! Parses the text of a slash command.

use crate::domain::choice::WORDS_CHARS_MAX;

/// Most ignored words that the answer names.
const IGNORED_MAX: usize = 5;
/// Longest word that the answer names, in characters.
const WORD_CHARS_MAX: usize = 32;

/// A sub-command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SubCommand {
    /// Start a meeting.
    Start {
        /// Start a new meeting even if one is running.
        always_new: bool,
        /// The title that the person wrote.
        title: Option<String>,
    },
    /// List the meetings that run here.
    List,
    /// End a meeting that runs here.
    End {
        /// Its title or number; empty if the person gave none.
        which: String,
    },
    /// Explain the command.
    Help {
        /// The unknown word that was written in the place of a sub-command.
        unknown: Option<String>,
    },
}

/// The sub-command and the options that it does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) sub_command: SubCommand,
    pub(super) ignored: Vec<String>,
}

/// Parses the text; every text results in a sub-command.
pub(super) fn read(text: &str) -> Words {
    let (first, rest) = first_word(text);
    let mut ignored = Vec::new();
    let sub_command = match first.to_lowercase().as_str() {
        "" => start("", &mut ignored),
        "start" => start(rest, &mut ignored),
        "list" => {
            let words = rest.split_whitespace().take(IGNORED_MAX);
            ignored.extend(words.map(short));
            SubCommand::List
        }
        "end" => SubCommand::End {
            which: rest.trim().chars().take(WORDS_CHARS_MAX).collect(),
        },
        "-h" => SubCommand::Help { unknown: None },
        _ if option(first).is_some_and(|name| name.eq_ignore_ascii_case("help")) => {
            SubCommand::Help { unknown: None }
        }
        _ if option(first).is_some() => start(text, &mut ignored),
        "help" => SubCommand::Help { unknown: None },
        _ => SubCommand::Help {
            unknown: Some(short(first)),
        },
    };
    Words {
        sub_command,
        ignored,
    }
}

fn start(mut text: &str, ignored: &mut Vec<String>) -> SubCommand {
    let mut always_new = false;
    let title = loop {
        let (first, rest) = first_word(text);
        let Some(name) = option(first) else {
            break text.trim();
        };
        if name.eq_ignore_ascii_case("new") {
            always_new = true;
        } else if ignored.len() < IGNORED_MAX {
            ignored.push(short(first));
        }
        text = rest;
    };
    let (title, is_last) = without_new_at_the_end(title);
    always_new |= is_last;
    SubCommand::Start {
        always_new,
        title: (!title.is_empty()).then(|| title.to_owned()),
    }
}

/// `--new` after a title has the same meaning as before it.
fn without_new_at_the_end(title: &str) -> (&str, bool) {
    let space = title.char_indices().rfind(|(_, c)| c.is_whitespace());
    let start = space.map_or(0, |(at, c)| at + c.len_utf8());
    match title.get(start..).and_then(option) {
        Some(name) if name.eq_ignore_ascii_case("new") => (title[..start].trim_end(), true),
        _ => (title, false),
    }
}

/// The name of the option `--name`. Telephones replace two hyphens by a dash.
fn option(word: &str) -> Option<&str> {
    word.strip_prefix("--")
        .or_else(|| word.strip_prefix('—'))
        .or_else(|| word.strip_prefix('–'))
        .filter(|name| !name.is_empty())
}

fn short(word: &str) -> String {
    word.chars().take(WORD_CHARS_MAX).collect()
}

fn first_word(text: &str) -> (&str, &str) {
    let text = text.trim_start();
    text.split_once(char::is_whitespace).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn start(always_new: bool, title: Option<&str>) -> SubCommand {
        SubCommand::Start {
            always_new,
            title: title.map(str::to_owned),
        }
    }

    fn end(which: &str) -> SubCommand {
        SubCommand::End {
            which: which.to_owned(),
        }
    }

    #[test]
    fn f21_no_word_is_ignored_silently() {
        assert_eq!(read("end").sub_command, end(""));
        assert_eq!(read(" END  Weekly  sync ").sub_command, end("Weekly  sync"));
        let words = read("list all of them");
        assert_eq!(words.ignored, ["all", "of", "them"]);
        assert_eq!(
            read(&format!("end {}", "é".repeat(999))).sub_command,
            end(&"é".repeat(WORDS_CHARS_MAX))
        );
    }

    fn help(unknown: Option<&str>) -> SubCommand {
        SubCommand::Help {
            unknown: unknown.map(str::to_owned),
        }
    }

    #[test]
    fn new_also_counts_after_the_title() {
        for text in ["start Weekly sync --new", "start Weekly sync —new "] {
            let expected = start(true, Some("Weekly sync"));
            assert_eq!(read(text).sub_command, expected, "{text}");
        }
        let inside = "start What is --new about";
        let expected = start(false, Some("What is --new about"));
        assert_eq!(read(inside).sub_command, expected);
        assert_eq!(
            read("start x\u{3000}--new").sub_command,
            start(true, Some("x"))
        );
    }

    #[test]
    fn help_options_as_of_programs_start_nothing() {
        for text in ["--help", "-h", "—help", "--HELP"] {
            assert_eq!(read(text).sub_command, help(None), "{text}");
        }
    }

    #[test]
    fn every_text_asks_for_something() {
        for (text, expected) in [
            ("", start(false, None)),
            ("  \n", start(false, None)),
            ("start", start(false, None)),
            (" START  Weekly  sync ", start(false, Some("Weekly  sync"))),
            ("start\nWeekly", start(false, Some("Weekly"))),
            ("start --new Weekly", start(true, Some("Weekly"))),
            ("start —New", start(true, None)),
            ("--new Weekly", start(true, Some("Weekly"))),
            ("start Weekly --new", start(true, Some("Weekly"))),
            ("start -- x", start(false, Some("-- x"))),
            ("list", SubCommand::List),
            ("End now", end("now")),
            ("help", help(None)),
            ("Weekly sync", help(Some("Weekly"))),
            ("startle", help(Some("startle"))),
        ] {
            assert_eq!(read(text).sub_command, expected, "{text:?}");
        }
    }

    #[test]
    fn unknown_options_are_ignored_and_named() {
        let words = read("start --record --new --with=everybody Weekly");
        assert_eq!(words.sub_command, start(true, Some("Weekly")));
        assert_eq!(words.ignored, ["--record", "--with=everybody"]);
        let many = format!("start {}", "--x".repeat(1000));
        assert_eq!(
            read(&many).ignored,
            [format!("--{}", "x--x--x--x--x--x--x--x--x--x--")]
        );
        let many = format!("start {}", "--x ".repeat(1000));
        assert_eq!(read(&many).ignored.len(), IGNORED_MAX);
    }
}
