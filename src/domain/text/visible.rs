//! The visible characters of a text: one rule for titles and names, wherever they are shown.

use unicode_properties::{GeneralCategory, GeneralCategoryGroup, UnicodeGeneralCategory};

/// `text` without NUL and without invisible characters, which can reorder, hide or mark others (Unicode's
/// `Default_Ignorable_Code_Point`, and the characters that mark annotations).
///
/// The joiners U+200C and U+200D and the variation selectors are kept where they change what is visible, because
/// Persian, Indic scripts and emoji need them: a selector behind a non-ASCII character, a joiner between two of them.
///
/// Empty if nothing is left that is visible by itself: a lone accent or an empty Braille cell is not.
pub(crate) fn visible(text: &str) -> String {
    let mut visible = String::with_capacity(text.len());
    let mut last = None;
    let mut chars = text.chars().filter(|c| !is_dropped(*c)).peekable();
    while let Some(c) = chars.next() {
        let is_kept = if is_selector(c) {
            last.is_some_and(is_shaped)
        } else if is_joiner(c) {
            last.is_some_and(|last| is_shaped(last) || is_selector(last))
                && chars.peek().copied().is_some_and(is_shaped)
        } else {
            true
        };
        if is_kept {
            visible.push(c);
            last = Some(c);
        }
    }
    if is_seen(&visible) {
        visible
    } else {
        String::new()
    }
}

/// Whether `text` contains a character that is visible by itself. Whitespace, control and format characters are not,
/// nor are marks that only change the letter before them. A code point that Unicode has not assigned counts as visible:
/// it may be an emoji that is newer than our tables.
pub(super) fn is_seen(text: &str) -> bool {
    text.chars().any(|c| {
        c.is_ascii_graphic()
            || !(c.is_whitespace() || c.is_control() || is_blank(c) || is_mark_or_format(c))
    })
}

fn is_mark_or_format(c: char) -> bool {
    c.general_category_group() == GeneralCategoryGroup::Mark
        || c.general_category() == GeneralCategory::Format
}

/// Letters and symbols without a shape: the empty Braille cell, the object replacement character, blank hieroglyphs,
/// the null note head; and the newline symbol, which is replaced by a space.
const fn is_blank(c: char) -> bool {
    matches!(
        c,
        '\u{2800}' | super::NEWLINE_SYMBOL | '\u{FFFC}' | '\u{13441}' | '\u{13442}' | '\u{1D159}'
    )
}

/// U+200C (zero-width non-joiner) and U+200D (zero-width joiner).
pub(super) const fn is_joiner(c: char) -> bool {
    matches!(c, '\u{200C}' | '\u{200D}')
}

const fn is_selector(c: char) -> bool {
    matches!(c, '\u{FE00}'..='\u{FE0F}' | '\u{E0100}'..='\u{E01EF}')
}

/// Whether a joiner or a selector can change the shape of `c`.
fn is_shaped(c: char) -> bool {
    let is_gap = c.is_whitespace() || c.is_control() || c == super::NEWLINE_SYMBOL;
    !c.is_ascii() && !is_gap && !is_joiner(c) && !is_selector(c)
}

fn is_dropped(c: char) -> bool {
    !is_joiner(c)
        && !is_selector(c)
        && matches!(c,
            '\0' | '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
            | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
            | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FEFF}' | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}'
            | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Longest name of an emoji, in bytes: Mattermost's custom emoji have at most 64.
const EMOJI_NAME_BYTES_MAX: usize = 64;

/// Replaces each name of an emoji (`:tada:`) by a space. A name is enclosed by colons that have no letter or digit on
/// their other side, so `10:30:45` and `a:b:c` contain none.
pub(crate) fn without_emoji_names(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut rest = text;
    let mut may_begin = true;
    while let Some(c) = rest.chars().next() {
        if c == ':'
            && may_begin
            && let Some(length) = emoji_name(rest)
        {
            kept.push(' ');
            rest = &rest[length..];
            continue;
        }
        kept.push(c);
        may_begin = !c.is_alphanumeric() && c != ':';
        rest = &rest[c.len_utf8()..];
    }
    kept
}

/// The length in bytes of the emoji name at the beginning of `text`, including its colons.
fn emoji_name(text: &str) -> Option<usize> {
    let name = text[1..].split(':').next()?;
    let end = 1 + name.len();
    let is_name = (1..=EMOJI_NAME_BYTES_MAX).contains(&name.len())
        && name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'+' | b'-'))
        && name.bytes().any(|b| b.is_ascii_alphanumeric());
    let behind = text.get(end..)?.strip_prefix(':')?;
    let goes_on = behind.chars().next().is_some_and(char::is_alphanumeric);
    (is_name && !goes_on).then_some(end + 1)
}
