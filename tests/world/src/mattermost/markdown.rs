//! Markdown of posts as harmless HTML for the page.

use pulldown_cmark::{CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, html};

/// What Mattermost's own renderer shows: tables, strike-through, bare links, line breaks; never raw HTML.
pub(crate) fn render(text: &str) -> String {
    let options =
        Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_TASKLISTS;
    let mut inside = 0_u32;
    let events = Parser::new_ext(text, options).flat_map(move |event| {
        match &event {
            Event::Start(Tag::Link { .. } | Tag::CodeBlock(_) | Tag::Image { .. }) => inside += 1,
            Event::End(TagEnd::Link | TagEnd::CodeBlock | TagEnd::Image) => {
                inside = inside.saturating_sub(1)
            }
            _ => {}
        }
        match event {
            Event::SoftBreak => vec![Event::HardBreak],
            Event::Html(raw) | Event::InlineHtml(raw) => vec![Event::Text(raw)],
            Event::Text(text) if inside == 0 => linked(&text),
            other => vec![other],
        }
    });
    let mut out = String::new();
    html::push_html(&mut out, events);
    ammonia::Builder::default()
        .rm_tags(["img"])
        .add_generic_attributes(["class"])
        .add_tag_attributes("a", ["target"])
        .set_tag_attribute_value("a", "target", "_blank")
        .clean(&out)
        .to_string()
}

/// Bare addresses become links and @names stand out, as in the real client.
fn linked<'a>(text: &str) -> Vec<Event<'a>> {
    let mut events = Vec::new();
    let mut plain = String::new();
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        let is_link = bare.starts_with("http://") || bare.starts_with("https://");
        let is_mention = bare.len() > 1 && bare.starts_with('@');
        if !is_link && !is_mention {
            plain.push_str(word);
            continue;
        }
        events.push(Event::Text(std::mem::take(&mut plain).into()));
        let core = bare.trim_end_matches(['.', ',', ';', ':', ')', '!', '?']);
        if is_link {
            let (url, empty) = (CowStr::from(core.to_owned()), CowStr::from(""));
            let tag = Tag::Link {
                link_type: LinkType::Autolink,
                dest_url: url.clone(),
                title: empty.clone(),
                id: empty,
            };
            events.extend([
                Event::Start(tag),
                Event::Text(url),
                Event::End(TagEnd::Link),
            ]);
        } else {
            events.push(Event::InlineHtml("<span class=\"mention\">".into()));
            events.push(Event::Text(core.to_owned().into()));
            events.push(Event::InlineHtml("</span>".into()));
        }
        plain.push_str(&word[core.len()..]);
    }
    events.push(Event::Text(plain.into()));
    events
}

#[cfg(test)]
mod tests {
    use super::render;

    #[test]
    fn raw_html_is_shown_as_text() {
        let html = render("hi <script>alert(1)</script> <b onclick=x>y</b> [x](javascript:alert)");
        assert!(
            !html.contains("<script") && !html.contains("<b ") && !html.contains("javascript:"),
            "{html}"
        );
        assert!(html.contains("&lt;script&gt;"), "{html}");
    }

    #[test]
    fn links_mentions_and_breaks_are_rendered() {
        let html = render("**[Join](http://a.example/j)**\nsee http://b.example/x. @bob!");
        assert!(
            html.contains("<strong><a href=\"http://a.example/j\""),
            "{html}"
        );
        assert!(
            html.contains("<br>") && html.contains(">http://b.example/x</a>."),
            "{html}"
        );
        assert!(
            html.contains("<span class=\"mention\">@bob</span>!"),
            "{html}"
        );
    }
}
