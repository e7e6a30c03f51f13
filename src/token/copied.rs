//! Tokens as they come back from texts: linkers leave a last sign out, and sentences, Markdown and mail programs leave
//! theirs behind it.

use percent_encoding::percent_decode_str;

use super::TOKEN_BYTES_MAX;

/// Most bytes behind a token that are passed over.
const BEHIND_BYTES_MAX: usize = 64;
/// Most `-` and `_` at its end that may be somebody else's.
const ENDINGS_MAX: usize = 4;

/// The tokens that a copied one can be, the likeliest first; at most nine. What follows a token must be signs alone.
pub(super) fn readings(copied: &str) -> Vec<String> {
    let end = copied.find(|c: char| !is_of_token(c));
    let (signs, behind) = copied.split_at(end.unwrap_or(copied.len()));
    if signs.len() > TOKEN_BYTES_MAX || behind.len() > BEHIND_BYTES_MAX {
        return Vec::new();
    }
    let behind = percent_decode_str(behind).decode_utf8_lossy();
    if behind.chars().any(char::is_alphanumeric) {
        return Vec::new();
    }
    let core = signs.trim_end_matches(['-', '_']);
    let shortest = core.len().max(signs.len().saturating_sub(ENDINGS_MAX));
    let mut readings: Vec<String> = (shortest..=signs.len())
        .rev()
        .map(|end| signs[..end].to_owned())
        .collect();
    // Tokens that were given out earlier may end in one of these.
    for kept in [signs, core] {
        readings.extend(['-', '_'].map(|lost| format!("{kept}{lost}")));
    }
    readings
}

const fn is_of_token(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '-' | '_')
}
