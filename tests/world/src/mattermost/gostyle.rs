//! Encodings byte for byte as Go's standard library writes them.

use serde::Serialize;
use std::fmt::Write as _;

/// `url.Values.Encode`: pairs sorted by key (stable within a key), space as `+`.
pub(crate) fn form_encode(pairs: &[(&str, &str)]) -> String {
    let mut sorted: Vec<_> = pairs.to_vec();
    sorted.sort_by_key(|(key, _)| *key);
    let mut out = String::new();
    for (key, value) in sorted {
        if !out.is_empty() {
            out.push('&');
        }
        escape_into(&mut out, key);
        out.push('=');
        escape_into(&mut out, value);
    }
    out
}

/// `json.Marshal`: `<`, `>`, `&`, U+2028 and U+2029 are written as escapes.
pub(crate) fn json_encode(value: &impl Serialize) -> String {
    // These five occur only inside JSON strings, so replacing them in the whole text is exact.
    let plain = serde_json::to_string(value).unwrap_or_default();
    let mut out = String::with_capacity(plain.len());
    for letter in plain.chars() {
        match letter {
            '<' | '>' | '&' | '\u{2028}' | '\u{2029}' => {
                let _ = write!(out, "\\u{:04x}", u32::from(letter));
            }
            other => out.push(other),
        }
    }
    out
}

fn escape_into(out: &mut String, text: &str) {
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                out.push(char::from(byte));
            }
            b' ' => out.push('+'),
            other => {
                let _ = write!(out, "%{other:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn form_is_sorted_and_escaped_as_go_does() {
        assert_eq!(
            form_encode(&[("b", "a b~*"), ("a", "ä/&")]),
            "a=%C3%A4%2F%26&b=a+b~%2A"
        );
    }

    #[test]
    fn json_escapes_angle_brackets_ampersand_and_line_separator() {
        assert_eq!(
            json_encode(&serde_json::json!({"t": "R&D <b> \u{2028}"})),
            "{\"t\":\"R\\u0026D \\u003cb\\u003e \\u2028\"}"
        );
    }
}
