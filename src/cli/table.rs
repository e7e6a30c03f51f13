//! Listings as people read them.

/// Columns as wide as their widest cell, two blanks between them; the last one runs free.
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

/// Names and values, one a line; values that are absent are left out.
pub(super) fn facts(facts: &[(&str, Option<String>)]) -> String {
    let width = facts.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    facts
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)))
        .map(|(name, value)| format!("{name:<width$}  {}\n", clean(value)))
        .collect()
}

/// Words in lines of at most [`LINE_CHARS_MAX`], each begun with `indent` blanks but the first, which begins at
/// `column`. A word that is longer than a line has a line of its own.
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

/// Longest line of what is wrapped, in characters.
const LINE_CHARS_MAX: usize = 100;

/// A text of people in a listing, cut to what a line can bear.
pub(super) fn cell(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    if text.chars().count() <= CHARS_MAX {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(CHARS_MAX - 1).collect();
    cut.push('…');
    cut
}

/// Lines that are printed as they are, but without other control characters.
pub(super) fn clean_lines(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(clean).collect();
    lines.join("\n")
}

/// Without control characters: nothing that was stored can steer a terminal.
fn clean(text: &str) -> String {
    let blank = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(blank).collect()
}

#[cfg(test)]
mod tests {
    use super::clean_lines;

    #[test]
    fn nothing_that_was_stored_steers_a_terminal() {
        let message = serde_json::json!({ "title": "\u{9b}31m\u{7f}\u{1b}[2J" });
        let shown = clean_lines(&format!("{message:#}"));
        assert_eq!(shown, "{\n  \"title\": \" 31m \\u001b[2J\"\n}");
    }
}
