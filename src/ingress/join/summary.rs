//! A summary on a page: untrusted Markdown, converted to harmless HTML.

use std::collections::HashSet;

use pulldown_cmark::{Event, Options, Parser};

use crate::domain::event::SUMMARY_CHARS_MAX;
use crate::domain::text::{cut, visible};

/// Deepest nesting of quotes, lists and the like. Cleaning takes time with the square of the depth, and the text is
/// untrusted.
const NESTING_MAX: usize = 16;

/// The allowed tags: no links and no pictures. No tag keeps an attribute.
const TAGS: [&str; 22] = [
    "p",
    "br",
    "hr",
    "ul",
    "ol",
    "li",
    "strong",
    "em",
    "del",
    "code",
    "pre",
    "blockquote",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "table",
    "tr",
    "td",
    "th",
];

/// Converts any text to harmless HTML. The summary was cleaned when it was fetched, but it has passed through the queue
/// since then, so it is cleaned again.
pub(super) fn html(markdown: &str) -> String {
    // Zero-width spaces prevent mentions in Mattermost. On a page they have no use and would be copied with the text.
    let text = visible(&cut(markdown, SUMMARY_CHARS_MAX));
    let mut html = String::with_capacity(text.len() * 2);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    // Line breaks are kept, as in Mattermost.
    let events = Parser::new_ext(&text, options).map(|event| match event {
        Event::SoftBreak => Event::HardBreak,
        other => other,
    });
    pulldown_cmark::html::push_html(&mut html, flattened(events));
    ammonia::Builder::empty()
        .tags(HashSet::from(TAGS))
        .clean_content_tags(HashSet::from(["script", "style"]))
        .clean(&html)
        .to_string()
}

/// Removes elements that are nested deeper than [`NESTING_MAX`] and keeps their text.
fn flattened<'t>(events: impl Iterator<Item = Event<'t>>) -> impl Iterator<Item = Event<'t>> {
    let mut depth = 0_usize;
    events.filter(move |event| match event {
        Event::Start(_) => {
            depth += 1;
            depth <= NESTING_MAX
        }
        Event::End(_) => {
            let is_kept = depth <= NESTING_MAX;
            depth = depth.saturating_sub(1);
            is_kept
        }
        _ => true,
    })
}

#[cfg(test)]
mod tests {
    use super::{SUMMARY_CHARS_MAX, html};

    #[test]
    fn markdown_becomes_html() {
        assert_eq!(
            html("### Decisions\n\n- **Ship** on *Friday*\n- @\u{200B}all knows\n").trim(),
            "<h3>Decisions</h3>\n<ul>\n<li><strong>Ship</strong> on <em>Friday</em></li>\n<li>@all knows</li>\n</ul>"
        );
    }

    #[test]
    fn nothing_in_a_summary_can_act() {
        for hostile in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "[x](javascript:alert(1))",
            "![x](https://evil.example/pixel)",
            "<a href=\"https://evil.example\" onclick=\"x()\">x</a>",
            "<https://evil.example>",
            "<p style=\"position:fixed\" onmouseover=\"x()\">x</p>",
            "<form action=\"https://evil.example\"><input name=x></form>",
            "<meta http-equiv=refresh content=0>",
            "</div></main><h1 onclick=x>",
        ] {
            let html = html(hostile);
            for bad in [
                "<script", "alert", "<img", "<a", "href", "onclick", "onmouse", "style=", "<form",
                "<input", "<meta", "</div", "</main",
            ] {
                assert!(!html.contains(bad), "{hostile}: {html}");
            }
        }
    }

    #[test]
    fn s2_forged_summary_is_bounded_and_turns_nothing_around() {
        let turned = html("safe \u{202E}nepo\u{2066} [x](https://evil.example) www.evil.example");
        assert_eq!(turned.trim(), "<p>safe nepo x www.evil.example</p>");
        let long = html(&"words ".repeat(SUMMARY_CHARS_MAX));
        assert!(long.chars().count() < SUMMARY_CHARS_MAX + 20);
        assert!(long.contains('…'));
    }

    #[test]
    fn nesting_is_flattened_and_the_text_stays() {
        assert_eq!(
            html("> - a\n>   1. b").replace('\n', ""),
            "<blockquote><ul><li>a<ol><li>b</li></ol></li></ul></blockquote>"
        );
        let began = std::time::Instant::now();
        for mark in [">", "> ", "- ", "1. "] {
            let html = html(&format!(
                "{}the end",
                mark.repeat(SUMMARY_CHARS_MAX / mark.len() - 8)
            ));
            assert!(html.contains("the end"), "{mark}");
            assert!(html.matches("<blockquote>").count() <= super::NESTING_MAX);
            assert!(html.matches("<li>").count() <= super::NESTING_MAX);
        }
        // With the square of it it is minutes.
        assert!(began.elapsed() < std::time::Duration::from_secs(8));
    }
}
