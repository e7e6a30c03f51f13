//! What happens to database servers: stops, crashes, freezes and closed connections.

use std::sync::Arc;

use super::process::Processes;
use super::{Postgres, place};

impl Postgres {
    /// SIGKILL for every process of the cluster. Its files stay, for [`start_again`](Self::start_again).
    pub async fn kill(&self) {
        self.blocking(Processes::kill).await;
    }

    /// A fast shutdown, as an operator's restart begins with: clients see 57P01.
    pub async fn stop(&self) {
        self.blocking(Processes::stop).await;
    }

    /// Starts a killed or stopped cluster again and waits until it takes connections.
    pub async fn start_again(&self) {
        self.blocking(|own| own.start_again().expect("it can be started"))
            .await;
        if let Err(error) = self.until_ready().await {
            panic!("PostgreSQL did not start again: {error}");
        }
    }

    /// SIGSTOP for every process of the cluster: connections stay open, nothing answers.
    pub async fn freeze(&self) {
        self.blocking(|own| own.freeze(true)).await;
    }

    /// SIGCONT.
    pub async fn thaw(&self) {
        self.blocking(|own| own.freeze(false)).await;
    }

    /// Closes every connection of the databases' owner, as an administrator does (57P01), and gives their number.
    pub async fn close_all_connections(&self) -> usize {
        let user = place::USER;
        self.execute(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{user}'"
        ))
        .await
        .len()
    }

    /// How many clients are connected to a database.
    pub async fn connections(&self, database: &str) -> usize {
        let open = format!(
            "SELECT count(*) FROM pg_stat_activity \
             WHERE datname = '{database}' AND pid <> pg_backend_pid()"
        );
        self.execute(&open).await[0].parse().expect("a number")
    }

    async fn blocking(&self, act: impl FnOnce(&Processes) + Send + 'static) {
        let own = self.processes.clone();
        let own: Arc<Processes> =
            own.expect("a cluster of one's own: the shared one must stay as it is");
        let done = tokio::task::spawn_blocking(move || act(&own)).await;
        done.expect("the processes do as told");
    }
}
