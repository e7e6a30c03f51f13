//! What of a language model's reply is the summary: without what it thought aloud, said before, and wrapped around.

use std::borrow::Cow;

/// Tags between which models think aloud.
const REASONING_TAGS: [&str; 3] = ["think", "thinking", "reasoning"];

/// How often one of these tags is looked for: each time takes as long as the text.
const REASONINGS_MAX: usize = 16;

/// Longest reply that is looked through, in bytes; models think at length before they answer.
const REPLY_BYTES_MAX: usize = 1024 * 1024;

/// Languages that a fence around the whole reply names.
const WRAPPING_LANGUAGES: [&str; 6] = ["json", "html", "markdown", "md", "text", "txt"];

/// How a line begins that only announces the summary.
const PREFACES: [&str; 9] = [
    "here is",
    "here's",
    "here’s",
    "here are",
    "below is",
    "sure",
    "certainly",
    "of course",
    "okay",
];

/// Longest line that is taken for an announcement, in bytes.
const PREFACE_BYTES_MAX: usize = 150;

/// The summary in a reply. A value of JSON may be wrapped once more.
pub(super) fn summary(reply: &str) -> String {
    let mut end = REPLY_BYTES_MAX.min(reply.len());
    while !reply.is_char_boundary(end) {
        end -= 1;
    }
    let mut text = reply[..end].to_owned();
    for _ in 0..2 {
        text = unwrapped(&text);
    }
    text
}

fn unwrapped(text: &str) -> String {
    let text = without_reasoning(text);
    let text = without_preface(bare(&text));
    unwrap_json(without_fence(text)).into_owned()
}

fn bare(text: &str) -> &str {
    text.trim_matches(|c: char| c.is_whitespace() || c == '\u{feff}')
}

/// Without what stands between the tags of reasoning; also where the opening or the closing one is missing, as some
/// models leave them out or are cut off.
fn without_reasoning(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for tag in REASONING_TAGS {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        for _ in 0..REASONINGS_MAX {
            // Letters of ASCII keep their places.
            let lower = text.to_ascii_lowercase();
            let ended = lower
                .find(&close)
                .filter(|at| !lower[..*at].contains(&open));
            // Further inside a line it is a word about the tag.
            let begun = lower
                .match_indices(&open)
                .map(|(at, _)| at)
                .find(|at| begins_line(&lower[..*at]));
            text = match (ended, begun) {
                (Some(at), _) => Cow::Owned(text[at + close.len()..].to_owned()),
                (None, Some(begun)) => {
                    let end = lower[begun..].find(&close);
                    let end = end.map_or(text.len(), |at| begun + at + close.len());
                    Cow::Owned(format!("{}{}", &text[..begun], &text[end..]))
                }
                (None, None) => break,
            };
        }
    }
    text
}

fn begins_line(before: &str) -> bool {
    let before = before.trim_end_matches([' ', '\t']);
    before.is_empty() || before.ends_with('\n')
}

/// Without a first line such as "Here is the summary of the meeting:".
fn without_preface(text: &str) -> &str {
    let Some((first, rest)) = text.split_once('\n') else {
        return text;
    };
    let line = first.trim().trim_matches('*').to_lowercase();
    let is_preface = first.len() <= PREFACE_BYTES_MAX
        && line.ends_with(':')
        && PREFACES.iter().any(|words| line.starts_with(words))
        && ["summary", "recap", "minutes", "notes"]
            .iter()
            .any(|word| line.contains(word));
    if is_preface { bare(rest) } else { text }
}

/// Without a fence around the whole, or around JSON with words behind it.
fn without_fence(text: &str) -> &str {
    let Some(inner) = text.strip_prefix("```") else {
        return text;
    };
    let (language, inner) = inner.split_once('\n').unwrap_or(("", inner));
    let (body, behind) = inner.rsplit_once("```").unwrap_or((inner, ""));
    let language = language.trim().to_ascii_lowercase();
    let is_wrapping = WRAPPING_LANGUAGES.contains(&language.as_str())
        || (language.is_empty()
            && (body.trim_start().starts_with('{') || behind.trim().is_empty())
            && !body.contains("```"));
    if is_wrapping { bare(body) } else { text }
}

/// The summary in JSON; any other text as it is.
fn unwrap_json(text: &str) -> Cow<'_, str> {
    if !text.starts_with('{') {
        return Cow::Borrowed(text);
    }
    // A stream reads the first value and leaves what a model says behind it.
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
    match values.next() {
        Some(Ok(value)) => match value.get("summary").and_then(serde_json::Value::as_str) {
            Some(summary) => Cow::Owned(summary.to_owned()),
            None => Cow::Borrowed(text),
        },
        _ => Cow::Borrowed(text),
    }
}
