mod any;

use super::*;

fn of(summary: &str) -> String {
    markdown(format!("Meeting Summary for: mm-1\n\n---\n\n{summary}").as_bytes())
}

#[test]
fn the_hostile_vector_becomes_plain_markdown() {
    let file = include_bytes!("../../../tests/vectors/plugnmeet/summary.txt");
    insta::assert_snapshot!(markdown(file), @r#"
    ### Decisions

    - Ship **v2** on Friday
    - @all please review & sign off

    ### Open points

    Budget link for Q1
    "#);
}

#[test]
fn links_and_images_do_not_survive_in_any_form() {
    let text = of(
        "<p>a <a href=\"https://evil.example/\">b</a> <img src=\"https://evil.example/x.png\" alt=\"c\"> \
                   ![d](https://evil.example/y.png) [e](https://evil.example/z)</p>",
    );
    assert_eq!(
        text,
        r"a b !\[d\](https://evil.example/y.png) \[e\](https://evil.example/z)"
    );
}

#[test]
fn raw_html_does_not_survive_even_when_it_was_escaped() {
    let text = of(
        "<p>&lt;script&gt;x&lt;/script&gt; <script>y</script><iframe src=z>w</iframe>\
                   <svg><style><!--</style><img src=x onerror=alert(1)>--></style></svg></p>",
    );
    assert_eq!(text, r"\<script>x\</script>");
}

#[test]
fn code_cannot_break_out() {
    let text =
        of("<pre><code>```\n[x](http://evil.example) @all\n```</code></pre><p>`a` *b* _c_ # d</p>");
    insta::assert_snapshot!(text, @r#"
    \`\`\` \[x\](http://evil.example) @all \`\`\`

    \`a\` \*b\* \_c\_ # d
    "#);
}

#[test]
fn structure_survives() {
    let text = of(
        "<h3>Decisions</h3><ol><li>One</li><li><strong>Two</strong><ul><li>a</li><li>b</li></ul></li></ol>\
                   <p>Line<br>break &amp; more</p><hr><p><em>end</em></p>",
    );
    insta::assert_snapshot!(text, @r#"
    ### Decisions

    1. One
    2. **Two**
       - a
       - b

    Line  
    break & more

    - - -

    *end*
    "#);
}

#[test]
fn json_replies_are_unwrapped_fenced_or_not() {
    let html = "<h3>T</h3><p>x</p>";
    let plain = of(html);
    assert_eq!(plain, "### T\n\nx");
    assert_eq!(of(&format!("{{\"summary\":\"{html}\"}}")), plain);
    assert_eq!(
        of(&format!("```json\n{{\"summary\": \"{html}\"}}\n```")),
        plain
    );
    assert_eq!(
        of(&format!(
            "```\n{{\"summary\":\"{html}\"}}\n```\nHope it helps"
        )),
        plain
    );
    assert_eq!(
        of(&format!("{{\"summary\":\"{html}\"}} Hope it helps")),
        plain
    );
}

#[test]
fn broken_json_stays_text() {
    let text = of("```json\n{\"summary\": \"<h3>T</h3><p>x</p>\n```");
    assert!(text.contains("### T") && !text.contains("```"), "{text}");
}

#[test]
fn text_without_tags_keeps_its_lines() {
    assert_eq!(of("First\nSecond"), "First\n\nSecond");
}

#[test]
fn a_missing_or_empty_header_is_borne() {
    assert_eq!(markdown(b"<p>x</p>"), "x");
    assert_eq!(markdown(b"Meeting Summary for: mm-1"), "");
    assert_eq!(markdown(b"Meeting Summary for: mm-1\n<p>x</p>"), "x");
    assert_eq!(
        markdown(b"Meeting Summary for: mm-1\r\n\r\n---\r\n\r\n<p>x</p>"),
        "x"
    );
    assert_eq!(
        markdown(b"\xff\xfe<p>\xc3\x28</p>\0"),
        "\u{fffd}\u{fffd}\n\n\u{fffd}("
    );
    assert_eq!(markdown(b""), "");
}

#[test]
fn deep_nesting_and_length_are_bounded() {
    for tag in ["ul", "li", "b", "p", "h1", "div", "table", "font"] {
        let deep = of(&format!("<{tag}>").repeat(2_000_000 / (tag.len() + 2)));
        assert!(deep.len() <= HTML_BYTES_MAX, "{tag}: {}", deep.len());
    }
    let long = of(&"<p>é</p>".repeat(500_000));
    assert!(long.len() <= 2 * HTML_BYTES_MAX);
    let nested = of(&format!(
        "{}deep{}",
        "<ul><li>".repeat(500),
        "</li></ul>".repeat(500)
    ));
    assert_eq!(nested, "deep");
}
