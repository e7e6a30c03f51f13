//! Inserts zero-width spaces (breaks) where Mattermost would begin a mention, link, emoji or block.

use super::BREAK;

/// Inserts breaks into a cleaned line: at most one for each character, which `fit` relies on.
pub(super) fn break_line(line: &str) -> String {
    let broken = without_formulas(&break_markdown(line));
    if begins_block(line) {
        let mut begun = String::with_capacity(broken.len() + BREAK.len_utf8());
        begun.push(BREAK);
        begun.push_str(&broken);
        return begun;
    }
    broken
}

/// Inserts breaks into cleaned Markdown.
pub(super) fn break_markdown(text: &str) -> String {
    let mut broken = String::with_capacity(text.len() + text.len() / 8);
    for (at, c) in text.char_indices() {
        let (before, rest) = (&text[..at], &text[at + c.len_utf8()..]);
        // Mattermost links `www.` with whatever follows, even a break, so the break must come before the dot.
        if c == '.' && ends_with_www(before) {
            broken.push(BREAK);
        }
        broken.push(c);
        if is_broken_after(before, c, rest) {
            broken.push(BREAK);
        }
    }
    broken
}

fn is_broken_after(before: &str, c: char, rest: &str) -> bool {
    let Some(next) = rest.chars().next().filter(|next| !next.is_whitespace()) else {
        return false;
    };
    match c {
        // Mentions and mail addresses. Some keyboards write the wide forms.
        '@' | '＠' | '﹫' => true,
        // Links to channels, and strikethrough.
        '~' => true,
        // Hashtags begin with a letter.
        '#' => next.is_alphabetic(),
        // Emoji names and addresses; not the time of day.
        ':' | '：' => next != super::ELLIPSIS && !is_time(before, rest),
        // Bare domains; not numbers.
        '.' => next.is_alphabetic() && before.ends_with(|b: char| !b.is_whitespace()),
        // Links and images, in place or by reference, and the references themselves.
        ']' => matches!(next, '(' | '[' | ':'),
        // Character references: Mattermost reads `&#64;all` as a mention.
        '&' => is_reference(rest),
        _ => false,
    }
}

/// `www`, `WWW1` to `www999`.
fn ends_with_www(before: &str) -> bool {
    let bytes = before.as_bytes();
    let digits = bytes.iter().rev().take(3);
    let digits = digits.take_while(|b| b.is_ascii_digit()).count();
    bytes[..bytes.len() - digits]
        .last_chunk::<3>()
        .is_some_and(|www| www.eq_ignore_ascii_case(b"www"))
}

/// Whether the colon is between two numbers, the second of one or two digits. `v2:30` is no time, because `v2` may be
/// the scheme of an address.
fn is_time(before: &str, rest: &str) -> bool {
    let mut scheme = before
        .bytes()
        .rev()
        .take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'-' | b'.'));
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let goes_on = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-' | b'\\');
    before.ends_with(|b: char| b.is_ascii_digit())
        && !scheme.any(|b| b.is_ascii_alphabetic())
        && (1..=2).contains(&digits)
        && !rest.as_bytes().get(digits).is_some_and(goes_on)
}

/// Whether `rest` begins with a character reference without its `&`, such as `#64;` or `amp;`. The name contains no
/// `&`, so no part of a text is scanned twice.
fn is_reference(rest: &str) -> bool {
    rest.bytes()
        .find(|b| !b.is_ascii_alphanumeric() && *b != b'#')
        == Some(b';')
}

/// A formula ends with a `$` that no letter or digit follows. A break does not prevent it, so such a `$` is replaced by
/// the wide `＄`.
fn without_formulas(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars().peekable();
    while let Some(c) = chars.next() {
        let goes_on = |next: &char| next.is_ascii_alphanumeric() || *next == '_';
        let ends = c == '$' && !chars.peek().is_some_and(goes_on);
        plain.push(if ends { '＄' } else { c });
    }
    plain
}

/// Whether a heading, list, quote, rule or table would begin with this line.
fn begins_block(line: &str) -> bool {
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    line.starts_with(['#', '-', '+', '=', '|', '_'])
        || (number.len() < line.len() && number.starts_with(['.', ')']))
}
