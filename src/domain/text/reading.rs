//! What Mattermost makes of a text, for tests: written from facts of its parsers and sharing nothing with the code that
//! is tested. It reads too much rather than too little: it looks at every position, where a parser begins at some.
//!
//! The facts: the rules of Mattermost's fork of marked (github.com/mattermost/marked, lib/marked.js) and the patterns
//! of the web application (github.com/mattermost/mattermost, webapp/channels/src/utils/text_formatting.tsx), read at
//! the commits c211e4c and 035220f:
//!
//! - An address is linked where it begins with a scheme (a letter, then letters, digits, `.`, `+`, `-`), a colon and one
//!   to three slashes, a letter, a digit or `%`; or with `www`, up to three digits and a dot; or with a name, a dot, two
//!   to four letters and a slash. At least one more sign that is no blank belongs to it; U+200B is no blank. Which schemes
//!   are linked is a setting of the server, so all of them count here.
//! - `[]()`, `![]()` and `<...>` are links and images; `[][]` and `[]` only with a definition `[]:` at a line's beginning.
//! - Mentions: `@` and a letter, digit, `.`, `-` or `_`; groups and `@all`, `@channel`, `@here` look the same. Mail
//!   addresses: a sign, `@`, a name, a dot, two to five letters. Channels: `~` and a name. Hashtags: `#` and a letter.
//!   These and emoji are looked for after backslashes were taken off, which stand before punctuation.
//! - Emoji: a name of letters, digits, `_`, `+`, `-` between colons. They are harmless: pictures of the server's own.
//! - Blocks begin with a line: `#` to `######` and a blank; `*`, `+`, `-` or a number with a dot, and a blank; `>`; three or
//!   more of `*`, `-`, `_` and nothing else; three backticks or tildes; four blanks. A line of two or more `=` or `-` makes
//!   the line above a heading; a line of `-`, `:`, `|` makes a line above that has a `|` a table. U+2424 is a line break.
//! - `$...$` is a formula, where the server's setting is on, unless a letter, digit or `_` follows. Blocks of formulas
//!   are code with a language.
//! - `**`, `*`, `_`, `~~` and backticks mark letters. HTML is shown as it stands.

use std::collections::BTreeSet;

use proptest::prelude::*;

/// What stands in a text beside letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Sign {
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
    /// With a name of more than two digits: others are a time of day.
    Emoji,
    /// A heading, list, quote, rule, table or block of code.
    Block,
    Formula,
    Starred,
    Code,
}

/// Whatever leads somewhere, calls somebody or shows a picture from elsewhere.
pub(crate) const LEADING: [Sign; 9] = [
    Sign::Address,
    Sign::Link,
    Sign::Definition,
    Sign::Angle,
    Sign::Mention,
    Sign::Mail,
    Sign::Channel,
    Sign::Hashtag,
    Sign::Reference,
];

const WITHOUT_BACKSLASHES: [Sign; 5] = [
    Sign::Mention,
    Sign::Mail,
    Sign::Channel,
    Sign::Hashtag,
    Sign::Emoji,
];

/// All that Mattermost would find.
pub(crate) fn signs(text: &str) -> BTreeSet<Sign> {
    let places = |text: &str| {
        let chars: Vec<char> = text.chars().collect();
        let found = (0..chars.len()).flat_map(|at| at_place(&chars, at));
        found.collect::<BTreeSet<Sign>>()
    };
    let mut found = places(text);
    let bare = places(&without_backslashes(text));
    found.extend(
        bare.into_iter()
            .filter(|sign| WITHOUT_BACKSLASHES.contains(sign)),
    );
    found.extend(blocks(text));
    found
}

/// What of `unwanted` is found in `text`.
pub(crate) fn signs_among(text: &str, unwanted: &[Sign]) -> Vec<Sign> {
    let signs = signs(text).into_iter();
    signs.filter(|sign| unwanted.contains(sign)).collect()
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

fn at_place(chars: &[char], at: usize) -> Vec<Sign> {
    let (before, here) = (&chars[..at], &chars[at..]);
    let begins = |text: &str| here.starts_with(&text.chars().collect::<Vec<_>>());
    let next = here.get(1).copied();
    let all = [
        (
            Sign::Address,
            has_scheme(here) || has_www(here) || has_path(before, here),
        ),
        (Sign::Link, begins("](") && before.contains(&'[')),
        (Sign::Definition, begins("]:") && is_label(before)),
        (
            Sign::Angle,
            here[0] == '<' && next.is_some_and(|next| !next.is_whitespace()),
        ),
        (Sign::Mention, here[0] == '@' && is_called(&here[1..])),
        (Sign::Mail, here[0] == '@' && is_mail(before, &here[1..])),
        (Sign::Channel, here[0] == '~' && is_called(&here[1..])),
        (
            Sign::Hashtag,
            here[0] == '#' && next.is_some_and(char::is_alphabetic),
        ),
        (Sign::Reference, here[0] == '&' && is_reference(&here[1..])),
        (Sign::Struck, begins("~~")),
        (Sign::Emoji, here[0] == ':' && is_emoji(&here[1..])),
        (Sign::Formula, here[0] == '$' && is_formula(&here[1..])),
        (Sign::Starred, here[0] == '*'),
        (Sign::Code, here[0] == '`'),
    ];
    let found = all.into_iter().filter(|(_, is_there)| *is_there);
    found.map(|(sign, _)| sign).collect()
}

fn is_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

/// A name begins that somebody may have.
fn is_called(rest: &[char]) -> bool {
    let name = &rest[..run(rest, is_name)];
    name.iter().any(char::is_ascii_alphanumeric)
}

/// It ends with what may be a definition's label: opened at the beginning of a line, not closed yet.
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

/// How many of `chars` from the first on are `wanted`.
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
    // The last three of many.
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

fn blocks(text: &str) -> Option<Sign> {
    let lines: Vec<&str> = text.split(['\n', '\r', '\u{2424}']).collect();
    let begin = lines.iter().any(|line| begins_block(line));
    let end = lines.windows(2).any(|pair| ends_block(pair[0], pair[1]));
    (begin || end).then_some(Sign::Block)
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

/// The second line makes a heading or a table of the first.
fn ends_block(first: &str, second: &str) -> bool {
    let second = second.trim();
    let is_all = |signs: &[char]| second.chars().all(|c| signs.contains(&c));
    let is_underline = second.len() >= 2 && (is_all(&['=']) || is_all(&['-']));
    let is_table = second.contains('|') && first.contains('|') && is_all(&['-', ':', '|', ' ']);
    !first.trim().is_empty() && (is_underline || is_table)
}

/// What somebody writes who knows all this.
pub(crate) fn hostile() -> impl Strategy<Value = String> {
    let signs = "@ @all @here @ana @a.b a@b.org <!channel> <@x> < > <https://x.y> | || :|- ]( ](https://x.y) ] [ ![ [a][b] \
                 [a]:/b ]: ( ) : :tada: :100: :// // / https: http:// ftp://x mailto:a tel:1 tel:+1 x1:2 1:2 10:30 www \
                 www. WWW.x www1. www999.x w . .. .com/ a.io/x # ## #tag \u{2424} `` ` ``` ~ ~~ ~~~ ~dev * ** *** _ __ \
                 &#64; &#x40;all &commat; &amp; & ; $ $$ $x$ \\ \\( \\$ \\_ \\. = == === - -- --- + 1. 12) 1 … é 会 ＠ ： \
                 \u{200B} \u{200D} \u{200C} \u{FE0F} \u{FEFF} \u{202E} \u{AD} \u{2060} \u{301} \u{3164} \u{2800} \0 ‹ ∗ 👩";
    let signs: Vec<&'static str> = signs.split(' ').filter(|sign| !sign.is_empty()).collect();
    let blanks = vec![
        " ", "  ", "    ", "\n", "\n\n", "\r\n", "\t", "\u{A0}", "\u{2028}", "  \n",
    ];
    let piece = prop_oneof![
        6 => prop::sample::select(signs).prop_map(String::from),
        2 => prop::sample::select(blanks).prop_map(String::from),
        2 => "[a-zA-Z0-9]{1,4}",
        1 => any::<char>().prop_map(String::from),
    ];
    prop::collection::vec(piece, 0..24).prop_map(|pieces| pieces.concat())
}

#[test]
fn reader_knows_what_mattermost_finds() {
    for (text, sign) in [
        ("www.evil.example", Sign::Address),
        ("see www12.evil.example/x", Sign::Address),
        ("WWW.x", Sign::Address),
        ("wwww.x", Sign::Address),
        ("www.\u{200B}evil", Sign::Address),
        ("https://x", Sign::Address),
        ("ftp://x", Sign::Address),
        ("mailto:ab", Sign::Address),
        ("tel:+1 tel:12", Sign::Address),
        ("web+x1:23", Sign::Address),
        ("évil.com/x", Sign::Address),
        ("[a](b)", Sign::Link),
        ("![a](b)", Sign::Link),
        ("[a]: /b", Sign::Definition),
        ("<x>", Sign::Angle),
        ("@all", Sign::Mention),
        ("\\@dev-team", Sign::Mention),
        ("@\\_x", Sign::Mention),
        ("a@b\\.org", Sign::Mail),
        ("~town-square", Sign::Channel),
        ("#plan", Sign::Hashtag),
        ("&#64;all", Sign::Reference),
        ("&commat;", Sign::Reference),
        (":tada:", Sign::Emoji),
        ("5:100:", Sign::Emoji),
        ("~~x~~", Sign::Struck),
        ("$x$", Sign::Formula),
        ("# x", Sign::Block),
        ("x\u{2424}> y", Sign::Block),
        ("x\n===", Sign::Block),
        ("x\n--", Sign::Block),
        ("a|b\n-|-", Sign::Block),
        ("_ _ _", Sign::Block),
        ("- x", Sign::Block),
        ("12. x", Sign::Block),
        ("~~~", Sign::Block),
        ("    x", Sign::Block),
        ("*x*", Sign::Starred),
        ("`x`", Sign::Code),
    ] {
        assert!(signs(text).contains(&sign), "{text:?}: {:?}", signs(text));
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
        assert_eq!(signs(text), BTreeSet::new(), "{text:?}");
    }
}
