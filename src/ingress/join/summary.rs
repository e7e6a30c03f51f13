//! A summary on a page: Markdown of a stranger's making, as harmless HTML.

use std::collections::HashSet;

use pulldown_cmark::{Options, Parser};

/// What a summary may be made of; no links, no pictures, no attributes at all.
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

/// The HTML of a summary; its length is bounded by the domain (`SUMMARY_CHARS_MAX`).
pub(super) fn html(markdown: &str) -> String {
    // Zero-width spaces keep Mattermost from seeing mentions; here they would only be copied along.
    let text = markdown.replace('\u{200B}', "");
    let mut html = String::with_capacity(text.len() * 2);
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    pulldown_cmark::html::push_html(&mut html, Parser::new_ext(&text, options));
    ammonia::Builder::empty()
        .tags(HashSet::from(TAGS))
        .clean_content_tags(HashSet::from(["script", "style"]))
        .clean(&html)
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::html;

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
}
