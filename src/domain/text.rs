//! Making harmless what people wrote, before it is shown in Mattermost. What comes out can stand in a message,
//! an attachment's title (plain when it is a link, Markdown when not), a field or a page.
//!
//! Three steps, in an order that makes a second round change nothing: clean (drop and replace characters), cut,
//! break (put a zero-width space where a mention, link, emoji name or block would begin).

mod beginning;
mod breaks;
#[cfg(test)]
pub(crate) mod reading;
#[cfg(test)]
mod tests;
mod visible;

pub(crate) use visible::{visible, without_emoji_names};

pub(crate) use beginning::beginning;

/// What breaks a mention or link without being seen. Mattermost's parsers take it for neither letter nor space.
const BREAK: char = '\u{200B}';
/// Ends a text that was cut.
const ELLIPSIS: char = '…';
/// The symbol for a newline: Mattermost's parser begins a new line there.
const NEWLINE_SYMBOL: char = '\u{2424}';

/// One line for a title, name or message: at most `chars_max` characters, no line breaks, no Markdown but
/// underscores (which can only slant letters), nobody mentioned, nothing linked, hashtags included (they lead to a
/// search).
pub(crate) fn neutralise_line(text: &str, chars_max: usize) -> String {
    fit(&one_line(text), chars_max, breaks::in_line)
}

/// A title as it is kept, and shown where no Markdown is read (plugNmeet, pages): at most `chars_max` characters in one
/// line, with the same letters that [`neutralise_line`] shows, without names of emoji and without breaks.
pub(crate) fn clean_title(text: &str, chars_max: usize) -> String {
    let mut title = one_line(text);
    loop {
        let named = visible::without_emoji_names(&title);
        let words: Vec<&str> = named.split_whitespace().collect();
        let cleaned = cut(&words.join(" "), chars_max);
        // What is cut off may leave a name of an emoji that had been part of a word.
        if cleaned != title {
            title = cleaned;
            continue;
        }
        // A name of an emoji may have been all that was seen.
        return if visible::is_seen(&title) {
            title
        } else {
            String::new()
        };
    }
}

fn one_line(text: &str) -> String {
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
        line.push(plain(c));
    }
    line
}

/// Several lines for a summary: at most `chars_max` characters. Lists, tables, headings and emphasis stay;
/// mentions, links, images, HTML, emoji names and hashtags are defused.
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
                // A quote's mark may begin a line.
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
    fit(&lines, chars_max, breaks::in_markdown)
}

/// Cuts at a character's border to at most `chars_max` characters, the last of which is then "…".
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
    // No joiner may bind what was cut away to the ellipsis.
    let kept = text[..end].trim_end_matches(|c: char| c.is_whitespace() || visible::is_joiner(c));
    format!("{kept}{ELLIPSIS}")
}

/// Cuts `clean` until it fits with its breaks. A second round drops the breaks, has nothing to cut, and puts the
/// same breaks in.
fn fit(clean: &str, chars_max: usize, break_up: fn(&str) -> String) -> String {
    let mut keep = chars_max;
    loop {
        let broken = break_up(&cut(clean, keep));
        let over = broken.chars().count().saturating_sub(chars_max);
        if over == 0 || keep == 0 {
            return broken;
        }
        // A break adds at most as many characters as there are, so half of the excess is never too much.
        keep -= (over / 2).clamp(1, keep);
    }
}

fn is_line_end(c: char) -> bool {
    matches!(
        c,
        '\n' | '\r' | '\u{0B}' | '\u{0C}' | '\u{85}' | '\u{2028}' | '\u{2029}' | NEWLINE_SYMBOL
    )
}

/// Markdown's signs that no break stops, as their likes: a backslash would be seen where no Markdown is read.
const fn plain(c: char) -> char {
    match c {
        '<' => '‹',
        '>' => '›',
        '`' => '\'',
        '*' => '∗',
        '\\' => '∖',
        c => c,
    }
}
