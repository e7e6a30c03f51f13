//! A summary's file as harmless Markdown (plugnmeet.md 6). Its words come from a language model and from what
//! people said, so all of it is hostile: only plain structure survives, links and images do not.

use std::borrow::Cow;
use std::collections::HashSet;
use std::sync::LazyLock;

use htmd::HtmlToMarkdown;
use htmd::options::{BulletListMarker, HrStyle, Options};

/// Longest text that is converted, in bytes: four times what is kept of it.
const HTML_BYTES_MAX: usize = 64 * 1024;

/// Most tags, opening and closing, that are converted: parsing takes the square of their depth.
const TAGS_MAX: usize = 4000;

/// Deepest nesting that is converted: the converter calls itself for each level.
const DEPTH_MAX: usize = 40;

/// The tags that survive. No `code` and `pre`: text in them is not escaped.
const TAGS: [&str; 16] = [
    "h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "hr", "ul", "ol", "li", "strong", "b", "em", "i",
];

/// Of these also the text goes.
const TAGS_WITH_CONTENT: [&str; 6] = ["script", "style", "title", "template", "noscript", "iframe"];

static CLEANER: LazyLock<ammonia::Builder<'static>> = LazyLock::new(|| {
    let mut cleaner = ammonia::Builder::empty();
    cleaner
        .tags(HashSet::from(TAGS))
        .clean_content_tags(HashSet::from(TAGS_WITH_CONTENT));
    cleaner
});

/// The file's summary, without plugNmeet's header.
pub(super) fn markdown(file: &[u8]) -> String {
    let text = String::from_utf8_lossy(file);
    let text = text.trim_start_matches('\u{feff}').replace("\r\n", "\n");
    let summary = unwrap_json(without_header(&text));
    let html = with_lines(cut(&summary));
    let clean = CLEANER.clean(&html).to_string();
    let flat = if depth(&clean) > DEPTH_MAX {
        ammonia::Builder::empty().clean(&clean).to_string()
    } else {
        clean
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
    markdown.trim().replace('\0', "")
}

/// What stands behind `Meeting Summary for: <room>` and its rule; the whole text where that head is missing.
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

/// The summary in a model's raw reply, which may be JSON and fenced; any other text as it is.
fn unwrap_json(text: &str) -> Cow<'_, str> {
    let bare = without_fence(text.trim());
    let Some(start) = bare
        .find('{')
        .filter(|start| bare[..*start].trim().is_empty())
    else {
        return Cow::Borrowed(bare);
    };
    // A stream reads the first value and leaves what a model says behind it.
    let mut values =
        serde_json::Deserializer::from_str(&bare[start..]).into_iter::<serde_json::Value>();
    match values.next() {
        Some(Ok(value)) => match value.get("summary").and_then(serde_json::Value::as_str) {
            Some(summary) => Cow::Owned(summary.to_owned()),
            None => Cow::Borrowed(bare),
        },
        _ => Cow::Borrowed(bare),
    }
}

fn without_fence(text: &str) -> &str {
    let Some(inner) = text.strip_prefix("```") else {
        return text;
    };
    let inner = inner.split_once('\n').map_or(inner, |(_, rest)| rest);
    inner
        .rsplit_once("```")
        .map_or(inner, |(body, _)| body)
        .trim()
}

/// Text without any tag keeps its lines.
fn with_lines(text: &str) -> Cow<'_, str> {
    let has_tag = TAGS
        .iter()
        .any(|tag| text.contains(&format!("<{tag}>")) || text.contains(&format!("<{tag} ")));
    if has_tag {
        Cow::Borrowed(text)
    } else {
        Cow::Owned(text.lines().map(|line| format!("<p>{line}</p>")).collect())
    }
}

/// What of a text is converted.
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

/// How deep the tags of cleaned, hence well-formed, HTML are nested.
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
