//! Neutralises text of people before it is shown in Mattermost. The result is safe in a message, in an attachment's
//! title (plain text if it is a link, Markdown if not), in a field and on a page.
//!
//! There are three steps: clean (drop and replace characters), cut, and break (insert a zero-width space where a
//! mention, link, emoji name or block would begin). In this order, neutralising twice gives the same result as once.

mod beginning;
mod breaks;
#[cfg(test)]
pub(crate) mod reading;
#[cfg(test)]
mod tests;
mod visible;

pub(crate) use visible::{visible, without_emoji_names};

pub(crate) use beginning::beginning;

/// Interrupts a mention or link invisibly. Mattermost's parsers treat it neither as a letter nor as whitespace.
const BREAK: char = '\u{200B}';
/// Ends a text that was cut.
const ELLIPSIS: char = '…';
/// The symbol for a newline (U+2424), which Mattermost's parser treats as a line break.
const NEWLINE_SYMBOL: char = '\u{2424}';

/// Neutralises a title, name or message to one line of at most `chars_max` characters. It contains no line breaks, no
/// Markdown except underscores (which can only make letters italic), no mentions and no links. Hashtags are neutralised
/// as well, because they link to a search.
pub(crate) fn neutralise_line(text: &str, chars_max: usize) -> String {
    fit(&clean_line(text), chars_max, breaks::break_line)
}

/// Cleans a title as it is stored, and as it is shown where Markdown is not rendered (plugNmeet, pages). It is one line
/// of at most `chars_max` characters, with the same letters that [`neutralise_line`] shows, without emoji names and
/// without breaks.
pub(crate) fn clean_title(text: &str, chars_max: usize) -> String {
    let mut title = clean_line(text);
    loop {
        let named = visible::without_emoji_names(&title);
        let words: Vec<&str> = named.split_whitespace().collect();
        let cleaned = cut(&words.join(" "), chars_max);
        // Cutting may leave an emoji name that was part of a longer word before.
        if cleaned != title {
            title = cleaned;
            continue;
        }
        // An emoji name may have been the only visible part.
        return if visible::is_seen(&title) {
            title
        } else {
            String::new()
        };
    }
}

fn clean_line(text: &str) -> String {
    let text = visible(text);
    let mut line = String::with_capacity(text.len());
    let mut is_gap = false;
    for c in text.chars() {
        if c.is_whitespace() || c.is_control() || c == NEWLINE_SYMBOL {
            is_gap = !line.is_empty();
            continue;
        }
        if std::mem::take(&mut is_gap) {
            line.push(' ');
        }
        line.push(replace_markdown(c));
    }
    line
}

/// Neutralises the Markdown of a summary to at most `chars_max` characters in several lines. Lists, tables, headings
/// and emphasis stay. Mentions, links, images, HTML, emoji names and hashtags lose their effect.
pub(crate) fn neutralise_markdown(text: &str, chars_max: usize) -> String {
    let text = visible(text).replace("\r\n", "\n");
    let mut lines = String::with_capacity(text.len().min(4 * chars_max));
    let mut empty_lines = 0;
    for line in text.split(is_line_end) {
        let mut clean = String::with_capacity(line.len());
        let mut has_begun = false;
        for c in line.chars() {
            match c {
                '\t' => clean.push_str("    "),
                c if c.is_whitespace() || c.is_control() => clean.push(' '),
                '<' => clean.push('‹'),
                // A `>` at the beginning of a line is a quote and stays.
                '>' if has_begun => clean.push('›'),
                c => clean.push(c),
            }
            has_begun |= !clean.ends_with([' ', '>']);
        }
        let clean = clean.trim_end();
        if clean.is_empty() {
            empty_lines += 1;
            continue;
        }
        if !lines.is_empty() {
            lines.push_str(if empty_lines > 0 { "\n\n" } else { "\n" });
        }
        empty_lines = 0;
        lines.push_str(clean);
    }
    fit(&lines, chars_max, breaks::break_markdown)
}

/// Cuts a text to at most `chars_max` characters; the last one of a cut text is "…".
pub(crate) fn cut(text: &str, chars_max: usize) -> String {
    if text.char_indices().nth(chars_max).is_none() {
        return text.to_owned();
    }
    if chars_max == 0 {
        return String::new();
    }
    let end = text
        .char_indices()
        .nth(chars_max - 1)
        .map_or(text.len(), |(at, _)| at);
    // A joiner at the end would join the ellipsis to the character before it.
    let kept = text[..end].trim_end_matches(|c: char| c.is_whitespace() || visible::is_joiner(c));
    format!("{kept}{ELLIPSIS}")
}

/// Cuts `clean` until it fits together with its breaks. Neutralising the result again drops the breaks, has nothing to
/// cut, and inserts the same breaks.
fn fit(clean: &str, chars_max: usize, break_up: fn(&str) -> String) -> String {
    let mut keep = chars_max;
    loop {
        let broken = break_up(&cut(clean, keep));
        let over = broken.chars().count().saturating_sub(chars_max);
        if over == 0 || keep == 0 {
            return broken;
        }
        // There is at most one break for each character, so cutting half of the excess never cuts too much.
        keep -= (over / 2).clamp(1, keep);
    }
}

fn is_line_end(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{0B}' | '\u{0C}' | '\u{85}' | '\u{2028}' | '\u{2029}' | NEWLINE_SYMBOL
    )
}

/// Replaces Markdown characters that no break can disable by similar ones. They cannot be escaped instead, because a
/// backslash would be visible where Markdown is not rendered.
const fn replace_markdown(c: char) -> char {
    match c {
        '<' => '‹',
        '>' => '›',
        '`' => '\'',
        '*' => '∗',
        '\\' => '∖',
        c => c,
    }
}
