//! Small values that outlive the process.

use super::failure::StoreFailure;
use super::pooled_client::{PostgresClient, execute, row};
use super::text::Text;

/// What stands there.
pub(super) async fn load(
    client: &PostgresClient,
    name: &str,
) -> Result<Option<String>, StoreFailure> {
    let text = "SELECT value FROM settings WHERE name = $1";
    let found = row(client, text, &[&Text::of(name)]).await?;
    Ok(found.map(|row| row.try_get("value")).transpose()?)
}

/// Writes it.
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

/// Writes it unless there is one, and answers what then stands there.
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
