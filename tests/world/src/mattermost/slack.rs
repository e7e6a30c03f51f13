//! The text rewriting that Mattermost does for integrations (src/mattermost/README.md, "Text rewriting"); posts over
//! REST do not get it.

/// `<!channel>`, `<@id>` and `<url|label>` as Mattermost shows them; `name_of` finds a user's name by id.
pub(crate) fn rewrite(text: &str, name_of: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('<') {
        out.push_str(&rest[..start]);
        rest = &rest[start..];
        let inner = rest.find('>').map(|end| &rest[1..end]);
        match inner.and_then(|inner| Some((inner, replacement(inner, &name_of)?))) {
            Some((inner, replacement)) => {
                out.push_str(&replacement);
                rest = &rest[inner.len() + 2..];
            }
            None => {
                out.push('<');
                rest = &rest[1..];
            }
        }
    }
    out.push_str(rest);
    out
}

/// Cuts a text into parts of at most `max` characters; an empty text is one empty part.
pub(crate) fn split(text: &str, max: usize) -> Vec<String> {
    let letters: Vec<char> = text.chars().collect();
    if letters.is_empty() {
        return vec![String::new()];
    }
    letters
        .chunks(max)
        .map(|part| part.iter().collect())
        .collect()
}

fn replacement(inner: &str, name_of: &impl Fn(&str) -> Option<String>) -> Option<String> {
    match inner {
        "!channel" => return Some("@channel".to_owned()),
        "!here" => return Some("@here".to_owned()),
        "!all" => return Some("@all".to_owned()),
        _ => {}
    }
    if let Some(id) = inner.strip_prefix('@') {
        return name_of(id).map(|name| format!("@{name}"));
    }
    let (url, label) = inner.split_once('|')?;
    let is_link = !url.is_empty()
        && !label.is_empty()
        && !inner.contains(['\n', '<'])
        && !label.contains('|');
    is_link.then(|| format!("[{label}]({url})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_and_mentions_are_rewritten_and_bare_brackets_stay() {
        let name_of = |id: &str| (id == "u1").then(|| "bob".to_owned());
        assert_eq!(
            rewrite(
                "<http://a.example|Join> <!all> <@u1> <@u2> <b> 1 < 2",
                name_of
            ),
            "[Join](http://a.example) @all @bob <@u2> <b> 1 < 2"
        );
    }

    #[test]
    fn long_text_is_cut_at_exactly_the_limit() {
        assert_eq!(split("äöüß", 3), ["äöü", "ß"]);
        assert_eq!(split("", 3), [""]);
    }
}
