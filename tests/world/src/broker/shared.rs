//! One broker for all tests of a run, each in a virtual host of its own.

use tokio::sync::OnceCell;

use super::Broker;
use super::place::Conversation;

/// The environment variable that names the directory of a broker which is there for a whole run.
pub const VARIABLE: &str = "MEETRELAY_TEST_BROKER";

static SHARED: OnceCell<Broker> = OnceCell::const_new();

impl Broker {
    /// The broker of this run: the one that MEETRELAY_TEST_BROKER names, else one for this process, which ends
    /// with it. Nobody stops or freezes it.
    ///
    /// # Panics
    /// Without a broker, with the reason.
    pub async fn shared() -> &'static Self {
        let start = || async {
            match std::env::var_os(VARIABLE) {
                Some(folder) => Self::attach(folder.as_ref()),
                None => Self::start().await,
            }
        };
        match SHARED.get_or_try_init(start).await {
            Ok(broker) => broker,
            Err(error) => panic!("{error}"),
        }
    }

    fn attach(folder: &std::path::Path) -> Result<Self, String> {
        let place = Conversation::of(folder)
            .map_err(|error| format!("{VARIABLE}: no broker in {}: {error}", folder.display()))?;
        Ok(Self::at(place, None))
    }
}
