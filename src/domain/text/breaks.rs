//! Where zero-width spaces go.

use super::BREAK;

/// Breaks up a cleaned line. At most one break a character: `fit` counts on it.
pub(super) fn in_line(line: &str) -> String {
    let broken = in_markdown(line);
    if begins_block(line) {
        let mut begun = String::with_capacity(broken.len() + BREAK.len_utf8());
        begun.push(BREAK);
        begun.push_str(&broken);
        return begun;
    }
    broken
}

/// Breaks up cleaned Markdown.
pub(super) fn in_markdown(text: &str) -> String {
    let mut broken = String::with_capacity(text.len() + text.len() / 8);
    let mut before = None;
    let mut rest = text.chars();
    while let Some(c) = rest.next() {
        broken.push(c);
        if is_broken_after(before, c, rest.as_str()) {
            broken.push(BREAK);
        }
        before = Some(c);
    }
    broken
}

fn is_broken_after(before: Option<char>, c: char, rest: &str) -> bool {
    let Some(next) = rest.chars().next().filter(|next| !next.is_whitespace()) else {
        return false;
    };
    match c {
        // Mentions and mail addresses; the wide forms as well, some keyboards write them.
        '@' | '＠' | '﹫' => true,
        // Links to channels, and strikethrough.
        '~' => true,
        // Hashtags begin with a letter.
        '#' => next.is_alphabetic(),
        // Emoji names and addresses; not the time of day.
        ':' | '：' => {
            let is_time = next.is_ascii_digit() && before.is_some_and(|b| b.is_ascii_digit());
            !is_time && next != super::ELLIPSIS
        }
        // Bare domains; not numbers.
        '.' => next.is_alphabetic() && before.is_some_and(|b| !b.is_whitespace()),
        // Links and images, in place or by reference, and the references themselves.
        ']' => matches!(next, '(' | '[' | ':'),
        // Character references: Mattermost reads `&#64;all` as a mention.
        '&' => is_reference(rest),
        _ => false,
    }
}

/// Longest name of a character reference in HTML, in bytes, with room to spare.
const REFERENCE_BYTES_MAX: usize = 40;

fn is_reference(rest: &str) -> bool {
    rest.bytes()
        .take(REFERENCE_BYTES_MAX)
        .find(|b| !b.is_ascii_alphanumeric() && *b != b'#')
        == Some(b';')
}

/// A heading, list, quote, rule or table would begin here.
fn begins_block(line: &str) -> bool {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.starts_with(['#', '-', '+', '=', '|'])
        || line.starts_with("__")
        || (number.len() < line.len() && number.starts_with(['.', ')']))
}
