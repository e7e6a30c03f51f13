//! Restores tokens that were copied from texts. Programs that detect links may omit the last character, and sentences,
//! Markdown and mail programs may add characters after it.

use percent_encoding::percent_decode_str;

use super::TOKEN_BYTES_MAX;

/// Most bytes after a token that are ignored.
const TRAILING_BYTES_MAX: usize = 64;
/// Most `-` and `_` at the end of a token that may have been added.
const ENDINGS_MAX: usize = 4;

/// The possible original tokens, the most likely first; at most nine. Only punctuation may follow a token.
pub(super) fn readings(copied: &str) -> Vec<String> {
    let end = copied.find(|c: char| !is_of_token(c));
    let (token, trailing) = copied.split_at(end.unwrap_or(copied.len()));
    if token.len() > TOKEN_BYTES_MAX || trailing.len() > TRAILING_BYTES_MAX {
        return Vec::new();
    }
    let trailing = percent_decode_str(trailing).decode_utf8_lossy();
    if trailing.chars().any(char::is_alphanumeric) {
        return Vec::new();
    }
    let core = token.trim_end_matches(['-', '_']);
    let shortest = core.len().max(token.len().saturating_sub(ENDINGS_MAX));
    let mut readings: Vec<String> = (shortest..=token.len())
        .rev()
        .map(|end| token[..end].to_owned())
        .collect();
    // Tokens of earlier versions may end in one of these characters.
    for kept in [token, core] {
        readings.extend(['-', '_'].map(|lost| format!("{kept}{lost}")));
    }
    readings
}

const fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}
