//! Formats listings for people.

/// A table. Each column is as wide as its widest cell, with two spaces between columns.
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].chars().count());
        cells.chain([head[column].len()]).max().unwrap_or(0)
    };
    let widths: [usize; N] = std::array::from_fn(width);
    let line = |cells: [&str; N]| {
        let mut text = String::new();
        for (cell, width) in cells.iter().zip(widths) {
            text.push_str(&format!("{:<width$}  ", clean(cell)));
        }
        format!("{}\n", text.trim_end())
    };
    let mut text = line(head);
    for row in rows {
        text.push_str(&line(std::array::from_fn(|column| row[column].as_str())));
    }
    text
}

/// Names and values, one pair a line. Names without a value are left out.
pub(super) fn facts(facts: &[(&str, Option<String>)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    facts
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .map(|(name, value)| format!("{name:<width$}  {}\n", clean(value)))
        .collect()
}

/// Wraps a text to lines of at most [`LINE_CHARS_MAX`] characters. The first line begins at `column`, the others with
/// `indent` spaces. A word that is longer than a line gets a line of its own.
pub(super) fn wrapped(text: &str, column: usize, indent: usize) -> String {
    let mut wrapped = String::new();
    let mut at = column;
    for word in clean(text).split_whitespace() {
        let length = word.chars().count();
        let is_begun = at
            > if wrapped.contains('\n') {
                indent
            } else {
                column
            };
        if is_begun && at + 1 + length > LINE_CHARS_MAX {
            wrapped.push('\n');
            wrapped.push_str(&" ".repeat(indent));
            at = indent;
        } else if is_begun {
            wrapped.push(' ');
            at += 1;
        }
        wrapped.push_str(word);
        at += length;
    }
    wrapped.push('\n');
    wrapped
}

/// Longest line of a wrapped text, in characters.
const LINE_CHARS_MAX: usize = 100;

/// A text that people wrote, cut to at most 60 characters for a listing.
pub(super) fn cell(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    if text.chars().count() <= CHARS_MAX {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(CHARS_MAX - 1).collect();
    cut.push('…');
    cut
}

/// A text without control characters except line breaks.
pub(super) fn clean_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(clean).collect();
    lines.join("\n")
}

/// A text without control characters, so that no stored text can control a terminal.
fn clean(text: &str) -> String {
    let blank = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(blank).collect()
}

#[cfg(test)]
mod tests {
    use super::clean_lines;

    #[test]
    fn stored_text_cannot_control_a_terminal() {
        let message = serde_json::json!({ "title": "\u{9b}31m\u{7f}\u{1b}[2J" });
        let shown = clean_lines(&format!("{message:#}"));
        assert_eq!(shown, "{\n  \"title\": \" 31m \\u001b[2J\"\n}");
    }
}
