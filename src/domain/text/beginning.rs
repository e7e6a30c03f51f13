//! Shortening a text that is too long to be shown to its beginning.

use super::cut;

/// Longest fence of a code block that is closed again, in characters. A code block with a longer fence is left out.
const FENCE_CHARS_MAX: usize = 16;

/// Shortens Markdown to at most `chars_max` characters. A `text` that fits is unchanged. Of a longer one whole
/// paragraphs or lines from its beginning are kept, with `below` as the last paragraph. An open code block is closed,
/// so that `below` does not become part of it.
pub(crate) fn beginning(text: &str, chars_max: usize, below: &str) -> String {
    if text.char_indices().nth(chars_max).is_none() {
        return text.to_owned();
    }
    let taken = below.chars().count() + 2 * "\n\n".len() + FENCE_CHARS_MAX;
    if below.is_empty() || taken * 2 > chars_max {
        return cut(text, chars_max);
    }
    let mut kept = cut_at_boundary(text, chars_max - taken);
    let mut end = "\n\n".to_owned();
    if let Some((at, fence)) = open_fence(&kept) {
        if fence.chars().count() <= FENCE_CHARS_MAX {
            end = format!("\n{fence}\n\n");
        } else {
            kept.truncate(at);
        }
    }
    format!("{}{end}{below}", kept.trim_end())
}

/// At most `chars_max` characters that end with a paragraph, a line or a word: the first of these that keeps at least
/// half of them.
fn cut_at_boundary(text: &str, chars_max: usize) -> String {
    let end = text
        .char_indices()
        .nth(chars_max)
        .map_or(text.len(), |(at, _)| at);
    let whole = &text[..end];
    let boundary = ["\n\n", "\n", " "]
        .iter()
        .filter_map(|boundary| whole.rfind(boundary))
        .find(|at| *at >= end / 2);
    match boundary {
        Some(at) => whole[..at].to_owned(),
        None => cut(text, chars_max),
    }
}

/// The code block that is still open at the end of `text`: the byte offset where it begins, and its fence.
fn open_fence(text: &str) -> Option<(usize, &str)> {
    let mut open: Option<(usize, &str)> = None;
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        let marks = bare.len() - bare.trim_start_matches('`').len();
        match open {
            None if marks >= 3 => open = Some((at, &bare[..marks])),
            Some((_, fence)) if marks >= fence.len() && marks == bare.len() => open = None,
            _ => {}
        }
        at += line.len();
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    const BELOW: &str = "[The whole](https://relay.example.org/join/T)";

    #[test]
    fn f6_long_text_is_shortened_to_whole_paragraphs() {
        assert_eq!(beginning("short", 5, BELOW), "short");
        let long = format!("{}\n\n{}", "é".repeat(100), "word ".repeat(40));
        let short = beginning(&long, 200, BELOW);
        assert_eq!(short, format!("{}\n\n{BELOW}", "é".repeat(100)));
        // Where whole paragraphs would leave too little, whole lines are kept; then words; then characters.
        for (text, end) in [
            ("a line\n".repeat(100), "a line"),
            ("word ".repeat(100), "word"),
            ("x".repeat(500), "x…"),
        ] {
            let short = beginning(&text, 200, BELOW);
            assert!(short.ends_with(&format!("{end}\n\n{BELOW}")), "{short}");
            assert!((100..=200).contains(&short.chars().count()), "{short}");
        }
    }

    #[test]
    fn f6_link_to_the_whole_text_is_never_inside_a_code_block() {
        let code = format!("```\n{}", "let x = 1;\n".repeat(50));
        let short = beginning(&code, 200, BELOW);
        assert!(
            short.ends_with(&format!("let x = 1;\n```\n\n{BELOW}")),
            "{short}"
        );
        let closed = format!("````\nx\n````\n\n{}", "line\n".repeat(100));
        assert!(!beginning(&closed, 200, BELOW).contains("````\n\n["));
        let hostile = format!("{}\nx\n", "`".repeat(40)) + &"zz\n".repeat(300);
        let short = beginning(&hostile, 300, BELOW);
        assert!(!short.contains("zz") && short.ends_with(BELOW), "{short}");
    }

    #[test]
    fn f6_result_is_never_longer_than_the_maximum() {
        for unit in ["x", "é ", "```\n", "`````\n\n", "| a | b |\n"] {
            let text = unit.repeat(2_000);
            for chars_max in [1, 10, 100, 101, 500, 3_999] {
                for below in ["", BELOW] {
                    let chars = beginning(&text, chars_max, below).chars().count();
                    assert!(chars <= chars_max, "{unit:?} {chars_max} {below}: {chars}");
                }
            }
        }
    }
}
