mod any;

use super::*;
use crate::domain::text::neutralise_markdown;

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
    assert_eq!(text, "‹script>x‹/script>");
}

#[test]
fn code_cannot_break_out() {
    let text =
        of("<pre><code>```\n[x](http://evil.example) @all\n```</code></pre><p>`a` *b* _c_ # d</p>");
    insta::assert_snapshot!(text, @r"
    ````
    ```
    [x](http://evil.example) @all
    ```
    ````

    \`a\` \*b\* \_c\_ # d
    ");
    let shown = neutralise_markdown(&text, 1_000);
    assert!(!shown.contains("](") && !shown.contains("@all"), "{shown}");
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
    assert_eq!(of("First\nSecond"), "First  \nSecond");
}

#[test]
fn a_missing_or_empty_header_is_tolerated() {
    assert_eq!(markdown(b"<p>x</p>"), "x");
    assert_eq!(markdown(b"Meeting Summary for: mm-1"), "");
    assert_eq!(markdown(b"Meeting Summary for: mm-1\n<p>x</p>"), "x");
    assert_eq!(
        markdown(b"Meeting Summary for: mm-1\r\n\r\n---\r\n\r\n<p>x</p>"),
        "x"
    );
    let text = markdown(b"\xff\xfe<p>x\xc3\x28</p>\0");
    assert!(
        text.starts_with("\u{fffd}\u{fffd}\n\nx\u{fffd}("),
        "{text:?}"
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

#[test]
fn f7_a_table_stays_a_table() {
    let seen = of(
        "<table><tr><th>Who</th><th>What</th></tr><tr><td>Ana</td><td>ship v2</td></tr></table>",
    );
    insta::assert_snapshot!(seen, @r"
    | Who | What |
    | --- | --- |
    | Ana | ship v2 |
    ");
    // Without a header, with rows that mix both kinds of cell, with blocks and pipes in cells.
    let seen = of(
        "<p>Before</p><table><caption>Tasks</caption><tbody><tr><td>Who</td><td>What</td></tr>\
         <tr><th>Ana</th><td>a|b<br>c</td><td>late</td></tr><tr><td></td><td><ul><li>x</li><li>y</li></ul></td></tr>\
         </tbody></table><p>After</p>",
    );
    insta::assert_snapshot!(seen, @r"
    Before

    Tasks

    | Who | What | |
    | --- | --- | --- |
    | Ana | a\|b c | late |
    | | - x - y | |

    After
    ");
    // A character reference would be escaped, and then it would be visible.
    assert_eq!(
        neutralise_markdown(&seen, 1_000).replace('\u{200B}', ""),
        seen
    );
}

#[test]
fn f7_nested_torn_and_huge_tables_keep_their_cells_apart() {
    let nested = of(
        "<table><tr><th>A</th><th>B</th></tr><tr><td>1</td><td><table><tr><td>x</td><td>y</td></tr></table></td></tr></table>",
    );
    assert_eq!(nested, "| A | B |\n| --- | --- |\n| 1 | x y |");
    assert_eq!(
        of("<tr><td>Who</td><td>What</td></tr><tr><td>Ana</td><td>ship</td></tr>"),
        "| Who | What |\n| --- | --- |\n| Ana | ship |"
    );
    // Cells that would be padded to gigabytes.
    let rows = format!("<tr><td>a</td><td>{}</td></tr>", "w".repeat(100)).repeat(400);
    let huge = of(&format!(
        "<table><tr><td>{}</td></tr>{rows}</table>",
        "v".repeat(60_000)
    ));
    assert!(huge.len() < 2 * HTML_BYTES_MAX, "{}", huge.len());
    assert!(huge.contains("a www"), "{}", &huge[60_000..60_100]);
}

#[test]
fn f7_every_dropped_tag_keeps_what_it_kept_apart() {
    for (html, expected) in [
        ("<div>a</div><div>b</div>", "a\n\nb"),
        ("<section>a</section>b<article>c</article>", "a\n\nb\n\nc"),
        (
            "<dl><dt>Term</dt><dd>What it is</dd></dl>",
            "Term\n\nWhat it is",
        ),
        (
            "<details><summary>More</summary>inside</details>",
            "More\n\ninside",
        ),
        ("<figure>a<figcaption>b</figcaption></figure>", "a\n\nb"),
        ("<blockquote>said</blockquote>", "> said"),
        ("<p>a<br>b</p>", "a  \nb"),
    ] {
        assert_eq!(of(html), expected, "{html}");
    }
}

#[test]
fn f8_markdown_stays_markdown() {
    let text = "## Decisions\n\n- Ship **v2** on *Friday*\n- see [notes](https://evil.example)\n\n\
                | Who | What |\n|---|---|\n| Ana | a<br>b |\n\n1. one\n\nbetween\n\n2. two\n\n\
                ```rust\nlet x = 1; // @all\n```\n\n<script>alert(1)</script>\n\n\
                ![p](https://evil.example/p.png)a line\nanother\n";
    insta::assert_snapshot!(of(text), @r"
    ## Decisions

    - Ship **v2** on *Friday*
    - see notes

    | Who | What |
    | --- | --- |
    | Ana | a b |

    1. one

    between

    2. two

    ```
    let x = 1; // @all
    ```

    a line  
    another
    ");
    // A reply that begins with HTML counts as HTML, whatever it contains.
    assert_eq!(of("<p>1 of *2*</p>"), "1 of \\*2\\*");
    assert_eq!(of("<b>Decisions</b>\n\n- one"), "**Decisions**\n\n- one");
}

#[test]
fn f8_what_a_model_thinks_aloud_is_dropped() {
    let plain = "## T\n\nx";
    for reply in [
        "<think>Let me see.\n\n- maybe</think>\n## T\n\nx",
        "<THINK>a</THINK><thinking>b</thinking>\n## T\n\nx",
        "Okay, the user wants a summary.\n</think>\n\n## T\n\nx",
        "## T\n\nx\n\n<reasoning>I was cut o",
        "<think>a</think>\n```json\n{\"summary\":\"<think>b</think>## T\\n\\nx\"}\n```",
        "```markdown\n## T\n\nx\n```",
        "```md\r\n## T\r\n\r\nx\r\n```\r\nI hope that helps!",
        "Here is the summary of the meeting:\n\n```\n## T\n\nx\n```",
        "**Sure! Here are the meeting notes:**\n\n## T\n\nx",
        "\u{feff}## T\n\nx",
    ] {
        assert_eq!(of(reply), plain, "{reply}");
    }
    // A mention of the tag, and code, are not reasoning.
    assert_eq!(
        of("We talked of `<think>` and kept it"),
        "We talked of `‹think>` and kept it"
    );
    let code = "```\nlet a = 1;\n```\n\nand more\n\n```\nlet b = 2;\n```";
    assert_eq!(of(code), code);
}

#[test]
fn f8_a_reply_without_a_word_is_empty() {
    for reply in [
        "",
        " \n\u{a0}\n",
        "<think>only thoughts</think>",
        "<think>cut o",
        "```markdown\n```",
        "{\"summary\": \"\"}",
        "<p></p><ul><li></li></ul>",
        "---\n***",
        "<table><tr><td></td></tr></table>",
    ] {
        assert_eq!(of(reply), "", "{reply:?}");
    }
}

#[test]
fn f8_hostile_markdown_takes_no_time() {
    let began = std::time::Instant::now();
    for unit in ["> ", "- ", "[", "*a", "`", "| a ", "<p>", "![", "1. ", "\\"] {
        of(&unit.repeat(HTML_BYTES_MAX / unit.len()));
    }
    // If the time grew with the square of the length, this would take hours.
    assert!(began.elapsed() < std::time::Duration::from_secs(60));
}
