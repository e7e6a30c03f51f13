//! Delivery marks: how many times work on a redelivered message has begun without a verdict.

use rusqlite::Connection;

use crate::sqlite::SqliteError;
use crate::store::MARKS_MAX;

/// Increases the count of a mark, and returns it.
pub(super) fn add(file: &Connection, message: &str) -> Result<u32, SqliteError> {
    let begun: i64 = file
        .prepare_cached(
            "INSERT INTO marks (message, begun) VALUES (?1, 1)
             ON CONFLICT (message) DO UPDATE SET begun = begun + 1
             RETURNING begun",
        )?
        .query_row([message], |row| row.get(0))?;
    file.prepare_cached("DELETE FROM marks WHERE line <= (SELECT max(line) FROM marks) - ?1")?
        .execute([super::limit(MARKS_MAX, MARKS_MAX)])?;
    Ok(u32::try_from(begun).unwrap_or(u32::MAX))
}

/// Deletes a mark.
pub(super) fn clear(file: &Connection, message: &str) -> Result<(), SqliteError> {
    file.prepare_cached("DELETE FROM marks WHERE message = ?1")?
        .execute([message])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn oldest_marks_make_room_for_new_ones() {
        let mut file = Connection::open_in_memory().unwrap();
        crate::store::sqlite::schema::migrate(&mut file).unwrap();
        add(&file, "first").unwrap();
        for number in 0..MARKS_MAX {
            add(&file, &number.to_string()).unwrap();
        }
        let kept: i64 = file
            .query_row("SELECT count(*) FROM marks", [], |row| row.get(0))
            .unwrap();
        assert_eq!(kept, i64::try_from(MARKS_MAX).unwrap());
        assert_eq!(
            add(&file, "0").unwrap(),
            2,
            "the second oldest is still known"
        );
        assert_eq!(add(&file, "first").unwrap(), 1, "the oldest is not");
    }
}
