//! One cluster for all tests of a run, each in a database of its own.

use std::sync::atomic::AtomicU32;

use tokio::sync::OnceCell;

use super::Postgres;
use super::place::Conversation;

/// The environment variable that names the directory of a cluster which is there for a whole run.
pub const VARIABLE: &str = "MEETRELAY_TEST_POSTGRES";

static SHARED: OnceCell<Postgres> = OnceCell::const_new();

impl Postgres {
    /// The cluster of this run: the one that MEETRELAY_TEST_POSTGRES names, else one for this process, which ends
    /// with it. Nobody stops or freezes it; it does not sync.
    ///
    /// # Panics
    /// Without a cluster, with the reason.
    pub async fn shared() -> &'static Self {
        let start = || async {
            match std::env::var_os(VARIABLE) {
                Some(folder) => Self::attach(folder.as_ref()),
                None => Self::start_unsynced().await,
            }
        };
        match SHARED.get_or_try_init(start).await {
            Ok(postgres) => postgres,
            Err(error) => panic!("{error}"),
        }
    }

    fn attach(folder: &std::path::Path) -> Result<Self, String> {
        let place = Conversation::of(folder)
            .map_err(|error| format!("{VARIABLE}: no cluster in {}: {error}", folder.display()))?;
        Ok(Self {
            place,
            processes: None,
            databases: AtomicU32::new(0),
        })
    }
}
