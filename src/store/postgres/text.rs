//! Text as PostgreSQL can store it.

use std::borrow::Cow;
use std::error::Error;

use bytes::BytesMut;
use tokio_postgres::types::{IsNull, ToSql, Type, to_sql_checked};

/// A text in which U+FFFD replaces U+0000, which PostgreSQL cannot store. Every text is sent to the database as one of
/// these, in changes and in queries, so that none is refused because of it.
#[derive(Debug, Clone)]
pub(super) struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    /// The text, cleaned.
    pub(super) fn of(text: impl Into<Cow<'a, str>>) -> Self {
        Self(clean(text))
    }

    /// The text form of a value of ours.
    pub(super) fn shown(shown: impl ToString) -> Self {
        Self::of(shown.to_string())
    }
}

/// The text as it is read again.
pub(super) fn clean<'a>(text: impl Into<Cow<'a, str>>) -> Cow<'a, str> {
    let text = text.into();
    if text.contains('\0') {
        return text.replace('\0', "\u{fffd}").into();
    }
    text
}

impl ToSql for Text<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> Result<IsNull, Box<dyn Error + Sync + Send>> {
        self.0.as_ref().to_sql(ty, out)
    }

    fn accepts(ty: &Type) -> bool {
        <&str as ToSql>::accepts(ty)
    }

    to_sql_checked!();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_text_carries_a_nul() {
        assert_eq!(Text::of("a\0b").0, "a\u{fffd}b");
        assert_eq!(Text::shown("\0").0, "\u{fffd}");
        assert_eq!(Text::of("plain").0, "plain");
    }
}
