//! Converts the file of a summary to harmless Markdown (src/plugnmeet/README.md, "Summaries"). Its text comes from a
//! language model and from participants, so it is treated as hostile: only plain structure is kept; links and images
//! are removed.
//!
//! The model may answer in HTML, as requested, or in Markdown. Both are converted to HTML, which is cleaned and
//! converted to Markdown. The result is empty if the answer has no word.

mod reply;
mod tables;

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use htmd::HtmlToMarkdown;
use htmd::options::{BulletListMarker, HrStyle, Options};
use pulldown_cmark::{Event, Parser};

/// Longest text that is converted, in bytes. The summary that is kept is shorter.
const HTML_BYTES_MAX: usize = 128 * 1024;

/// Most tags, opening and closing, that are converted, because parsing takes time with the square of their depth.
const TAGS_MAX: usize = 4000;

/// Deepest nesting that is converted, because the converter is recursive.
const DEPTH_MAX: usize = 40;

/// The tags that are kept: those with an equivalent in Markdown, and blocks, which separate paragraphs.
const TAGS: [&str; 46] = [
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "p",
    "br",
    "hr",
    "ul",
    "ol",
    "li",
    "strong",
    "b",
    "em",
    "i",
    "code",
    "pre",
    "blockquote",
    "table",
    "tr",
    "td",
    "th",
    "div",
    "dl",
    "dt",
    "dd",
    "section",
    "article",
    "header",
    "footer",
    "main",
    "aside",
    "nav",
    "address",
    "figure",
    "figcaption",
    "details",
    "summary",
    "fieldset",
    "legend",
    "form",
    "center",
    "dir",
    "menu",
    "option",
];

/// The tags that are removed together with their text.
const TAGS_WITH_CONTENT: [&str; 6] = ["script", "style", "title", "template", "noscript", "iframe"];

/// Tags that occur within a line of Markdown. A text that begins with one of them is Markdown.
const INLINE_TAGS: [&str; 16] = [
    "a", "b", "i", "em", "strong", "u", "s", "br", "code", "span", "mark", "small", "sub", "sup",
    "font", "kbd",
];

static CLEANER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut cleaner = ammonia::Builder::empty();
    cleaner
        .tags(HashSet::from(TAGS))
        .generic_attributes(HashSet::new())
        // The first number of a list that continues after a paragraph.
        .tag_attributes(HashMap::from([("ol", HashSet::from(["start"]))]))
        .clean_content_tags(HashSet::from(TAGS_WITH_CONTENT));
    cleaner
});

/// The summary in the file, without plugNmeet's header and everything else that is not the summary.
pub(super) fn markdown(file: &[u8]) -> String {
    let text = String::from_utf8_lossy(file);
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let summary = reply::summary(without_header(&text));
    let html = with_table(html(cut(&summary)));
    let clean = CLEANER.clean(cut(&html)).to_string();
    let flat = if depth(&clean) > DEPTH_MAX {
        ammonia::Builder::empty().clean(&clean).to_string()
    } else {
        tables::level(&clean)
    };
    let options = Options {
        bullet_list_marker: BulletListMarker::Dash,
        hr_style: HrStyle::Dashes,
        ul_bullet_spacing: 1,
        ol_number_spacing: 1,
        ..Options::default()
    };
    let converter = HtmlToMarkdown::builder().options(options).build();
    let markdown = converter.convert(&flat).unwrap_or_default();
    let markdown = tables::narrow(markdown.trim()).replace('\0', "");
    if markdown.chars().any(char::is_alphanumeric) {
        // Replaces every `<` that could begin a tag, also in code, and a backslash before it, which would be visible.
        markdown.replace("\\<", "‹").replace('<', "‹")
    } else {
        String::new()
    }
}

/// The text after `Meeting Summary for: <room>` and its rule, or the whole text if that header is missing.
fn without_header(text: &str) -> &str {
    if !text.trim_start().starts_with("Meeting Summary for:") {
        return text;
    }
    text.split_once("\n---\n").map_or_else(
        || {
            text.trim_start()
                .split_once('\n')
                .map_or("", |(_, rest)| rest)
        },
        |(_, rest)| rest,
    )
}

/// The summary as HTML. Line breaks of Markdown are kept, as in Mattermost.
fn html(summary: &str) -> Cow<'_, str> {
    if is_html(summary) {
        return Cow::Borrowed(summary);
    }
    let options =
        pulldown_cmark::Options::ENABLE_TABLES | pulldown_cmark::Options::ENABLE_STRIKETHROUGH;
    let events = Parser::new_ext(summary, options).map(|event| match event {
        // The tag alone: a line break after it would become a space.
        Event::SoftBreak | Event::HardBreak => Event::InlineHtml("<br>".into()),
        other => other,
    });
    let mut html = String::with_capacity(summary.len() * 2);
    pulldown_cmark::html::push_html(&mut html, events);
    Cow::Owned(html)
}

/// Adds a table around rows without one; otherwise their cells would be joined.
fn with_table(html: Cow<'_, str>) -> Cow<'_, str> {
    let lower = html.to_ascii_lowercase();
    if lower.contains("<td") && !lower.contains("<table") {
        Cow::Owned(format!("<table>{html}"))
    } else {
        html
    }
}

/// Whether the summary is HTML: it begins with a tag other than [`INLINE_TAGS`]. Markdown may contain HTML further
/// down.
fn is_html(summary: &str) -> bool {
    let Some(tag) = summary.trim_start().strip_prefix('<') else {
        return false;
    };
    let tag = tag.trim_start_matches('/');
    let end = tag
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(tag.len());
    let name = tag[..end].to_ascii_lowercase();
    !name.is_empty() && !INLINE_TAGS.contains(&name.as_str())
}

/// The part of a text that is converted.
fn cut(text: &str) -> &str {
    let mut end = HTML_BYTES_MAX.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let text = &text[..end];
    match text.match_indices('<').nth(TAGS_MAX) {
        Some((at, _)) => &text[..at],
        None => text,
    }
}

/// The nesting depth of the tags in cleaned, and therefore well-formed, HTML.
fn depth(html: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    for tag in html.split('<').skip(1) {
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if !tag.starts_with("br") && !tag.starts_with("hr") {
            depth += 1;
            deepest = deepest.max(depth);
        }
    }
    deepest
}

#[cfg(test)]
mod tests;
