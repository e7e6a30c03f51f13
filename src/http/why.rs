//! Texts for the log: bounded, on one line, without tokens and without the queries of addresses.

use std::error::Error;

/// Longest text about a failure, in characters.
const WHY_CHARS_MAX: usize = 300;

/// The text of an error and of all its causes.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let words = error.to_string();
        if !text.ends_with(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = error.source();
    }
    log_text(&text)
}

/// Makes a peer's text fit for the log. Control characters become spaces, words that contain a JSON web token, a query
/// or credentials are masked, and a text that is too long is cut.
pub(crate) fn log_text(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if word.is_empty() {
            continue;
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(if is_secret(word) { "[redacted]" } else { word });
        if line.len() > WHY_CHARS_MAX * 4 {
            break;
        }
    }
    if line.chars().count() > WHY_CHARS_MAX {
        line = line.chars().take(WHY_CHARS_MAX - 1).collect();
        line.push('…');
    }
    line
}

/// Whether a word probably contains a secret: a token, or an address with a query or credentials.
fn is_secret(word: &str) -> bool {
    let is_address = word.contains("://");
    word.contains("eyJ") || (is_address && (word.contains('?') || word.contains('@')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn log_text_is_one_bounded_line_without_tokens() {
        assert_eq!(
            log_text("validation errors:\n - room_id: \u{1b}[31mempty"),
            "validation errors: - room_id: [31mempty"
        );
        assert_eq!(
            log_text("bad token eyJhbGciOi.x.y at https://h/p?sig=1 or http://u:p@h/"),
            "bad token [redacted] at [redacted] or [redacted]"
        );
        let long = log_text(&"é".repeat(100_000));
        assert_eq!(long.chars().count(), WHY_CHARS_MAX);
        assert!(long.ends_with('…'));
    }
}
