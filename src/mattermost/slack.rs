//! Converts the Markdown of our own texts to the format of Slack's incoming webhooks: `*bold*`, `<url|label>`, and `&`,
//! `<`, `>` as entities. Texts of people within them are already escaped.

/// Escapes a text that is shown literally.
pub(super) fn plain(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Converts headings, `**bold**` and `[label](address)`. Everything else is escaped and not converted.
pub(super) fn mrkdwn(text: &str) -> String {
    let lines: Vec<String> = text.split('\n').map(line).collect();
    lines.join("\n")
}

fn line(text: &str) -> String {
    let hashes = text.bytes().take_while(|byte| *byte == b'#').count();
    if (1..=6).contains(&hashes)
        && let Some(heading) = text[hashes..].strip_prefix(' ')
    {
        return format!("*{}*", words(&heading.trim().replace("**", "")));
    }
    words(text)
}

fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find('[') {
        out.push_str(&emphasis(&rest[..start]));
        rest = &rest[start..];
        if let Some((label, address, behind)) = link(rest) {
            // Neither character is allowed in the address of this format.
            let address = address.replace('|', "%7C").replace('>', "%3E");
            let label = emphasis(label).replace('|', "¦");
            out.push_str(&format!("<{}|{label}>", plain(&address)));
            rest = behind;
        } else {
            out.push('[');
            rest = &rest[1..];
        }
    }
    out.push_str(&emphasis(rest));
    out
}

fn emphasis(text: &str) -> String {
    plain(&text.replace("**", "*"))
}

/// The link at the start of `text` (label and address), and the text after it.
fn link(text: &str) -> Option<(&str, &str, &str)> {
    let (label, rest) = text.strip_prefix('[')?.split_once("](")?;
    let (address, behind) = rest.split_once(')')?;
    let is_link = !label.is_empty()
        && !label.contains(['[', ']'])
        && address.contains("://")
        && !address.contains(char::is_whitespace);
    is_link.then_some((label, address, behind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_markdown_becomes_what_slack_reads_and_the_rest_is_escaped() {
        for (markdown, expected) in [
            (
                "**[Join](https://r.example.org/join/a?b=1&c=2)** now",
                "*<https://r.example.org/join/a?b=1&amp;c=2|Join>* now",
            ),
            (
                "@ada started **R&D <x>**",
                "@ada started *R&amp;D &lt;x&gt;*",
            ),
            ("## Plan **A**\n- one\n> two", "*Plan A*\n- one\n&gt; two"),
            ("[no link] [a](b) [", "[no link] [a](b) ["),
            (
                "[a](https://h/x|y) [b](https://h/<z>)",
                "<https://h/x%7Cy|a> <https://h/&lt;z%3E|b>",
            ),
            ("#hashtag ####### seven", "#hashtag ####### seven"),
            ("**", "*"),
            ("", ""),
        ] {
            assert_eq!(mrkdwn(markdown), expected, "{markdown:?}");
        }
    }

    #[test]
    fn text_that_is_shown_as_it_is_keeps_its_signs() {
        assert_eq!(plain("a*b & <c> [d](e)"), "a*b &amp; &lt;c&gt; [d](e)");
    }
}
