//! A model of what Mattermost's parsers find in a text, for tests. It is written from facts about these parsers and
//! shares no code with what is tested. It finds too much rather than too little: it checks every position, while a
//! parser begins only at some.
//!
//! The facts are the rules of Mattermost's fork of marked (github.com/mattermost/marked, lib/marked.js) and the
//! patterns of the web application (github.com/mattermost/mattermost, webapp/channels/src/utils/text_formatting.tsx),
//! read at the commits c211e4c and 035220f:
//!
//! - An address is linked if it begins with one of three prefixes. First, a scheme (a letter, then letters, digits,
//!   `.`, `+`, `-`), a colon, and one to three slashes, a letter, a digit or `%`. Second, `www`, up to three digits and
//!   a dot. Third, a name, a dot, two to four letters and a slash. At least one more character that is no whitespace
//!   must follow; U+200B is no whitespace. Which schemes are linked is a setting of the server, so all of them count.
//! - `[]()`, `![]()` and `<...>` are links and images. `[][]` and `[]` are links only with a definition `[]:` at the
//!   beginning of a line.
//! - Mentions: `@` and a letter, digit, `.`, `-` or `_`; groups and `@all`, `@channel`, `@here` have the same syntax.
//!   Mail addresses: a character, `@`, a name, a dot, two to five letters. Channels: `~` and a name. Hashtags: `#` and
//!   a letter. Mattermost searches for these and for emoji after it has removed backslashes before punctuation.
//! - Emoji: a name of letters, digits, `_`, `+`, `-` between colons. They are harmless: pictures of the server's own.
//! - Blocks begin with a line: `#` to `######` and a space; `*`, `+`, `-` or a number with a dot, and a space; `>`;
//!   three or more of `*`, `-`, `_` and nothing else; three backticks or tildes; four spaces. A line of two or more `=`
//!   or `-` makes the line above a heading. A line of `-`, `:`, `|` makes a line above that contains `|` a table.
//!   U+2424 is a line break.
//! - `$...$` is a formula, if the server's setting is on, unless a letter, digit or `_` follows. Blocks of formulas
//!   are code with a language.
//! - `**`, `*`, `_`, `~~` and backticks format letters. HTML is shown unchanged.

use std::collections::BTreeSet;

use proptest::prelude::*;

/// Markup that Mattermost can find in a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Markup {
    Address,
    Link,
    Definition,
    Angle,
    Mention,
    Mail,
    Channel,
    Hashtag,
    Reference,
    Struck,
    /// A name of one or two digits does not count: it is part of a time of day.
    Emoji,
    /// A heading, list, quote, rule, table or block of code.
    Block,
    Formula,
    Starred,
    Code,
}

/// All markup that links, mentions somebody or loads a picture from another server.
pub(crate) const LINKS_AND_MENTIONS: [Markup; 9] = [
    Markup::Address,
    Markup::Link,
    Markup::Definition,
    Markup::Angle,
    Markup::Mention,
    Markup::Mail,
    Markup::Channel,
    Markup::Hashtag,
    Markup::Reference,
];

/// Markup that Mattermost searches for after it has removed backslashes.
const WITHOUT_BACKSLASHES: [Markup; 5] = [
    Markup::Mention,
    Markup::Mail,
    Markup::Channel,
    Markup::Hashtag,
    Markup::Emoji,
];

/// All markup that Mattermost finds in `text`.
pub(crate) fn markup_in(text: &str) -> BTreeSet<Markup> {
    let inline = |text: &str| {
        let chars: Vec<char> = text.chars().collect();
        let markup = (0..chars.len()).flat_map(|at| markup_at(&chars, at));
        markup.collect::<BTreeSet<Markup>>()
    };
    let mut markup = inline(text);
    let bare = inline(&without_backslashes(text));
    markup.extend(
        bare.into_iter()
            .filter(|one| WITHOUT_BACKSLASHES.contains(one)),
    );
    markup.extend(block_markup(text));
    markup
}

/// The markup of `unwanted` that Mattermost finds in `text`.
pub(crate) fn markup_among(text: &str, unwanted: &[Markup]) -> Vec<Markup> {
    let markup = markup_in(text).into_iter();
    markup.filter(|one| unwanted.contains(one)).collect()
}

fn without_backslashes(text: &str) -> String {
    let mut bare = String::new();
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        let is_escape = c == '\\' && chars.peek().is_some_and(char::is_ascii_punctuation);
        bare.extend(if is_escape { chars.next() } else { Some(c) });
    }
    bare
}

/// The inline markup that begins at position `at`.
fn markup_at(chars: &[char], at: usize) -> Vec<Markup> {
    let (before, here) = (&chars[..at], &chars[at..]);
    let begins = |text: &str| here.starts_with(&text.chars().collect::<Vec<_>>());
    let next = here.get(1).copied();
    let all = [
        (
            Markup::Address,
            has_scheme(here) || has_www(here) || has_path(before, here),
        ),
        (Markup::Link, begins("](") && before.contains(&'[')),
        (Markup::Definition, begins("]:") && is_label(before)),
        (
            Markup::Angle,
            here[0] == '<' && next.is_some_and(|next| !next.is_whitespace()),
        ),
        (Markup::Mention, here[0] == '@' && is_called(&here[1..])),
        (Markup::Mail, here[0] == '@' && is_mail(before, &here[1..])),
        (Markup::Channel, here[0] == '~' && is_called(&here[1..])),
        (
            Markup::Hashtag,
            here[0] == '#' && next.is_some_and(char::is_alphabetic),
        ),
        (
            Markup::Reference,
            here[0] == '&' && is_reference(&here[1..]),
        ),
        (Markup::Struck, begins("~~")),
        (Markup::Emoji, here[0] == ':' && is_emoji(&here[1..])),
        (Markup::Formula, here[0] == '$' && is_formula(&here[1..])),
        (Markup::Starred, here[0] == '*'),
        (Markup::Code, here[0] == '`'),
    ];
    let present = all.into_iter().filter(|(_, is_present)| *is_present);
    present.map(|(markup, _)| markup).collect()
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

/// Whether `rest` begins with a name that a user, group or channel may have.
fn is_called(rest: &[char]) -> bool {
    let name = &rest[..run(rest, is_name)];
    name.iter().any(char::is_ascii_alphanumeric)
}

/// Whether `before` ends with what may be the label of a definition: a `[` at the beginning of a line, not closed yet.
fn is_label(before: &[char]) -> bool {
    let opened = before.rsplit(|c| *c == ']').next().unwrap_or_default();
    let at = before.len() - opened.len();
    let places = (at..before.len()).filter(|at| before[*at] == '[');
    let mut lines = places.map(|at| before[..at].rsplit(|c| *c == '\n').next());
    lines.any(|line| line.is_none_or(|line| line.iter().all(|c| c.is_whitespace())))
}

fn is_blank(c: Option<&char>) -> bool {
    c.is_none_or(|c| c.is_whitespace())
}

/// The number of characters at the beginning of `chars` that are `wanted`.
fn run(chars: &[char], wanted: impl Fn(char) -> bool) -> usize {
    chars.iter().take_while(|c| wanted(**c)).count()
}

fn has_scheme(here: &[char]) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '+' | '-');
    let end = run(here, is_part);
    here[0].is_ascii_alphabetic()
        && here.get(end) == Some(&':')
        && here.get(end + 1).is_some_and(|c| {
            c.is_alphabetic() || c.is_ascii_digit() || matches!(c, '/' | '%' | '+')
        })
        && !is_blank(here.get(end + 2))
}

fn has_www(here: &[char]) -> bool {
    if run(here, |c| c.eq_ignore_ascii_case(&'w')) < 3 {
        return false;
    }
    // Of more than three `w`, the last three count.
    let digits = run(&here[3..], |c| c.is_ascii_digit());
    digits <= 3 && here.get(3 + digits) == Some(&'.') && !is_blank(here.get(4 + digits))
}

fn has_path(before: &[char], here: &[char]) -> bool {
    let is_part = |c: &char| c.is_alphabetic() || c.is_ascii_digit() || matches!(c, '.' | '-');
    let letters = run(&here[1..], char::is_alphabetic);
    here[0] == '.'
        && before.last().is_some_and(is_part)
        && (2..=4).contains(&letters)
        && here.get(1 + letters) == Some(&'/')
        && !is_blank(here.get(2 + letters))
}

fn is_mail(before: &[char], host: &[char]) -> bool {
    let end = run(host, |c| {
        c.is_alphabetic() || c.is_ascii_digit() || is_name(c)
    });
    let dots = (1..end).filter(|at| host[*at] == '.');
    !is_blank(before.last())
        && dots
            .map(|at| run(&host[at + 1..], char::is_alphabetic))
            .any(|letters| letters >= 2)
}

fn is_reference(rest: &[char]) -> bool {
    let hash = usize::from(rest.first() == Some(&'#'));
    let length = run(&rest[hash..], |c| c.is_ascii_alphanumeric());
    length > 0 && rest.get(hash + length) == Some(&';')
}

fn is_emoji(rest: &[char]) -> bool {
    let length = run(rest, |c| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '+' | '-')
    });
    let is_time = length <= 2 && rest[..length].iter().all(char::is_ascii_digit);
    length > 0 && !is_time && rest.get(length) == Some(&':')
}

fn is_formula(rest: &[char]) -> bool {
    let length = run(rest, |c| !matches!(c, '$' | '\n' | '\u{2424}'));
    let behind = rest.get(length + 1);
    length > 0
        && rest.get(length) == Some(&'$')
        && !behind.is_some_and(|c| c.is_ascii_alphanumeric() || *c == '_')
}

fn block_markup(text: &str) -> Option<Markup> {
    let lines: Vec<&str> = text.split(['\n', '\r', '\u{2424}']).collect();
    let begin = lines.iter().any(|line| begins_block(line));
    let end = lines.windows(2).any(|pair| ends_block(pair[0], pair[1]));
    (begin || end).then_some(Markup::Block)
}

fn begins_block(line: &str) -> bool {
    let chars: Vec<char> = line.trim_end().chars().collect();
    let blanks = run(&chars, char::is_whitespace);
    let rest = &chars[blanks..];
    let (hashes, digits) = (run(rest, |c| c == '#'), run(rest, |c| c.is_ascii_digit()));
    let is_followed = |at: usize| rest.get(at).is_some_and(|c| c.is_whitespace());
    let is_rule = |sign: char| {
        rest.iter().all(|c| *c == sign || c.is_whitespace())
            && rest.iter().filter(|c| **c == sign).count() >= 3
    };
    let is_fence = |sign: char| run(rest, |c| c == sign) >= 3;
    let first = rest.first().copied().unwrap_or('x');
    (1..=6).contains(&hashes) && is_followed(hashes)
        || matches!(first, '*' | '+' | '-') && is_followed(1)
        || digits > 0 && matches!(rest.get(digits), Some('.' | ')')) && is_followed(digits + 1)
        || first == '>'
        || ['*', '-', '_'].into_iter().any(is_rule)
        || is_fence('`')
        || is_fence('~')
        || blanks >= 4
}

/// Whether the second line makes the first one a heading or a table.
fn ends_block(first: &str, second: &str) -> bool {
    let second = second.trim();
    let is_all = |signs: &[char]| second.chars().all(|c| signs.contains(&c));
    let is_underline = second.len() >= 2 && (is_all(&['=']) || is_all(&['-']));
    let is_table = second.contains('|') && first.contains('|') && is_all(&['-', ':', '|', ' ']);
    !first.trim().is_empty() && (is_underline || is_table)
}

/// Texts of somebody who knows all these rules.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    let parts = "@ @all @here @ana @a.b a@b.org <!channel> <@x> < > <https://x.y> | || :|- ]( ](https://x.y) ] [ ![ [a][b] \
                 [a]:/b ]: ( ) : :tada: :100: :// // / https: http:// ftp://x mailto:a tel:1 tel:+1 x1:2 1:2 10:30 www \
                 www. WWW.x www1. www999.x w . .. .com/ a.io/x # ## #tag \u{2424} `` ` ``` ~ ~~ ~~~ ~dev * ** *** _ __ \
                 &#64; &#x40;all &commat; &amp; & ; $ $$ $x$ \\ \\( \\$ \\_ \\. = == === - -- --- + 1. 12) 1 … é 会 ＠ ： \
                 \u{200B} \u{200D} \u{200C} \u{FE0F} \u{FEFF} \u{202E} \u{AD} \u{2060} \u{301} \u{3164} \u{2800} \0 ‹ ∗ 👩";
    let parts: Vec<&'static str> = parts.split(' ').filter(|part| !part.is_empty()).collect();
    let blanks = vec![
        " ", "  ", "    ", "\n", "\n\n", "\r\n", "\t", "\u{A0}", "\u{2028}", "  \n",
    ];
    let piece = prop_oneof![
        6 => prop::sample::select(parts).prop_map(String::from),
        2 => prop::sample::select(blanks).prop_map(String::from),
        2 => "[a-zA-Z0-9]{1,4}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

#[test]
fn model_finds_what_mattermost_finds() {
    for (text, markup) in [
        ("www.evil.example", Markup::Address),
        ("see www12.evil.example/x", Markup::Address),
        ("WWW.x", Markup::Address),
        ("wwww.x", Markup::Address),
        ("www.\u{200B}evil", Markup::Address),
        ("https://x", Markup::Address),
        ("ftp://x", Markup::Address),
        ("mailto:ab", Markup::Address),
        ("tel:+1 tel:12", Markup::Address),
        ("web+x1:23", Markup::Address),
        ("évil.com/x", Markup::Address),
        ("[a](b)", Markup::Link),
        ("![a](b)", Markup::Link),
        ("[a]: /b", Markup::Definition),
        ("<x>", Markup::Angle),
        ("@all", Markup::Mention),
        ("\\@dev-team", Markup::Mention),
        ("@\\_x", Markup::Mention),
        ("a@b\\.org", Markup::Mail),
        ("~town-square", Markup::Channel),
        ("#plan", Markup::Hashtag),
        ("&#64;all", Markup::Reference),
        ("&commat;", Markup::Reference),
        (":tada:", Markup::Emoji),
        ("5:100:", Markup::Emoji),
        ("~~x~~", Markup::Struck),
        ("$x$", Markup::Formula),
        ("# x", Markup::Block),
        ("x\u{2424}> y", Markup::Block),
        ("x\n===", Markup::Block),
        ("x\n--", Markup::Block),
        ("a|b\n-|-", Markup::Block),
        ("_ _ _", Markup::Block),
        ("- x", Markup::Block),
        ("12. x", Markup::Block),
        ("~~~", Markup::Block),
        ("    x", Markup::Block),
        ("*x*", Markup::Starred),
        ("`x`", Markup::Code),
    ] {
        assert!(
            markup_in(text).contains(&markup),
            "{text:?}: {:?}",
            markup_in(text)
        );
    }
    for text in [
        "Weekly sync 10:30",
        "$5 or $6x",
        "1.5 and 2:1",
        "a [x] b",
        "#1, #-",
        "@ and ~ & so on;",
        "v1.2.3",
        "x = y",
    ] {
        assert_eq!(markup_in(text), BTreeSet::new(), "{text:?}");
    }
}
