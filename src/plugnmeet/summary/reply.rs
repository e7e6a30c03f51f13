//! Extracts the summary from a language model's reply: without its reasoning, an announcement and a wrapping.

use std::borrow::Cow;

/// The tags between which models write their reasoning.
const REASONING_TAGS: [&str; 3] = ["think", "thinking", "reasoning"];

/// Most sections of one of these tags that are removed, because each removal scans the whole text.
const REASONINGS_MAX: usize = 16;

/// Longest reply that is read, in bytes; models may write long reasoning before they answer.
const REPLY_BYTES_MAX: usize = 1024 * 1024;

/// The languages of a code fence that may wrap the whole reply.
const WRAPPING_LANGUAGES: [&str; 6] = ["json", "html", "markdown", "md", "text", "txt"];

/// The beginnings of a line that only announces the summary.
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

/// Longest line that counts as an announcement, in bytes.
const PREFACE_BYTES_MAX: usize = 150;

/// The summary in a reply. It is unwrapped twice, because a value in JSON may be wrapped itself.
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

/// Removes the text between reasoning tags. The opening or the closing tag may be missing, because some models omit it
/// or are cut off.
fn without_reasoning(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for tag in REASONING_TAGS {
        let (open, close) = (format!("<{tag}>"), format!("</{tag}>"));
        for _ in 0..REASONINGS_MAX {
            // Lower case of ASCII letters does not change byte positions.
            let lower = text.to_ascii_lowercase();
            let ended = lower
                .find(&close)
                .filter(|at| !lower[..*at].contains(&open));
            // Further inside a line, the tag is only mentioned by the text.
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

/// Removes a first line such as "Here is the summary of the meeting:".
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

/// Removes a code fence around the whole reply, or around JSON that is followed by words.
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

/// The summary in a JSON object; any other text is unchanged.
fn unwrap_json(text: &str) -> Cow<'_, str> {
    if !text.starts_with('{') {
        return Cow::Borrowed(text);
    }
    // A stream reads only the first value and ignores any text of the model after it.
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<serde_json::Value>();
    match values.next() {
        Some(Ok(value)) => match value.get("summary").and_then(serde_json::Value::as_str) {
            Some(summary) => Cow::Owned(summary.to_owned()),
            None => Cow::Borrowed(text),
        },
        _ => Cow::Borrowed(text),
    }
}
