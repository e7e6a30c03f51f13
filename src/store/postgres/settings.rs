//! Small values that are kept between processes.

use super::failure::StoreFailure;
use super::pooled_client::{PostgresClient, execute, row};
use super::text::Text;

/// Reads a value.
pub(super) async fn load(
    client: &PostgresClient,
    name: &str,
) -> Result<Option<String>, StoreFailure> {
    let text = "SELECT value FROM settings WHERE name = $1";
    let found = row(client, text, &[&Text::of(name)]).await?;
    Ok(found.map(|row| row.try_get("value")).transpose()?)
}

/// Writes a value.
pub(super) async fn put(
    client: &PostgresClient,
    name: &str,
    value: &str,
) -> Result<(), StoreFailure> {
    let text = "INSERT INTO settings (name, value) VALUES ($1, $2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    execute(client, text, &[&Text::of(name), &Text::of(value)]).await?;
    Ok(())
}

/// Writes a value unless there is one, and returns the value that is then stored.
pub(super) async fn load_or_insert(
    client: &PostgresClient,
    name: &str,
    value: &str,
) -> Result<String, StoreFailure> {
    let text = "INSERT INTO settings (name, value) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    execute(client, text, &[&Text::of(name), &Text::of(value)]).await?;
    // A statement of its own: it sees what another replica wrote meanwhile.
    let stands = load(client, name).await?;
    stands
        .ok_or_else(|| StoreFailure::Unavailable(format!("the setting {name} was removed at once")))
}
