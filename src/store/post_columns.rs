//! The row of one post, as its columns say it in every back end. Times are milliseconds since 1970.

use crate::domain::{PostId, PostRow, Timestamp};

use super::word;

/// All columns but those that name the post.
pub(super) struct PostColumns<T> {
    pub(super) first_tried_at: Option<i64>,
    pub(super) post: Option<T>,
    pub(super) posted_at: Option<i64>,
    pub(super) root: Option<T>,
    pub(super) rendered: i64,
    pub(super) answered: bool,
    pub(super) frozen: Option<T>,
    pub(super) tidy_at: Option<i64>,
    pub(super) outside_since: Option<i64>,
    pub(super) sent: i64,
    pub(super) again_at: Option<i64>,
}

impl<'a> PostColumns<&'a str> {
    /// What is to be written; an error says why it cannot be.
    pub(super) fn of(row: &'a PostRow) -> Result<Self, String> {
        // Named one by one, so that a new field cannot be forgotten here.
        let PostRow {
            first_tried_at,
            post,
            posted_at,
            root,
            rendered,
            answered,
            frozen,
            tidy_at,
            outside_since,
            sent,
            again_at,
        } = row;
        Ok(Self {
            first_tried_at: first_tried_at.map(Timestamp::millis),
            post: post.as_ref().map(PostId::as_str),
            posted_at: posted_at.map(Timestamp::millis),
            root: root.as_ref().map(PostId::as_str),
            rendered: i64::try_from(*rendered)
                .map_err(|_| "a card's version is out of range".to_owned())?,
            answered: *answered,
            frozen: frozen.map(word::of_frozen),
            tidy_at: tidy_at.map(Timestamp::millis),
            outside_since: outside_since.map(Timestamp::millis),
            sent: i64::from(*sent),
            again_at: again_at.map(Timestamp::millis),
        })
    }
}

impl<T: AsRef<str>> PostColumns<T> {
    /// What was written; `damaged` makes the error of a column that cannot be what it says.
    pub(super) fn read<E>(self, damaged: impl Fn(&str) -> E) -> Result<PostRow, E> {
        let post = |id: Option<T>, column| {
            id.map(|id| id.as_ref().parse().map_err(|_| damaged(column)))
                .transpose()
        };
        let frozen = self.frozen.as_ref();
        let frozen = frozen
            .map(|text| word::frozen(text.as_ref()).ok_or_else(|| damaged("frozen")))
            .transpose()?;
        Ok(PostRow {
            first_tried_at: self.first_tried_at.map(Timestamp::from_millis),
            post: post(self.post, "post")?,
            posted_at: self.posted_at.map(Timestamp::from_millis),
            root: post(self.root, "root")?,
            rendered: u64::try_from(self.rendered).map_err(|_| damaged("rendered"))?,
            answered: self.answered,
            frozen,
            tidy_at: self.tidy_at.map(Timestamp::from_millis),
            outside_since: self.outside_since.map(Timestamp::from_millis),
            sent: u32::try_from(self.sent).map_err(|_| damaged("sent"))?,
            again_at: self.again_at.map(Timestamp::from_millis),
        })
    }
}
