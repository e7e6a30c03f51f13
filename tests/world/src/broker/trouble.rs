//! What happens to brokers: stops, crashes, freezes, alarms and closed connections.

use super::Broker;
use super::process::Processes;

impl Broker {
    /// Stops RabbitMQ in the running Erlang, as an operator does; clients see CONNECTION_FORCED.
    pub async fn stop_app(&self) {
        self.eval("rabbit:stop()").await;
    }

    /// The opposite; the broker takes connections again afterwards.
    pub async fn start_app(&self) {
        self.eval("rabbit:start()").await;
    }

    /// SIGKILL. Its directories stay, for [`restart`](Self::restart).
    ///
    /// A quorum queue declared less than half a second before has no leader ever after (3.10 has not yet written
    /// down that it exists). That is the broker's fault and not what tests are about, so the tables are written
    /// first, unless it is frozen.
    pub async fn kill(&self) {
        if !self.own().is_frozen() {
            // A stopped application has no tables.
            drop(
                self.try_eval("[dets:sync(Table) || Table <- dets:all()]")
                    .await,
            );
        }
        self.own().kill();
    }

    /// Starts a killed broker again and waits until it takes connections (about 4 s).
    pub async fn restart(&self) {
        let started = self.own().start_again();
        let (place, control) = (self.place.clone(), self.control.clone());
        let processes = self.processes.clone();
        let booted = move || {
            let processes = processes.as_deref();
            started.and_then(|()| super::await_boot(&place, &control, processes))
        };
        match tokio::task::spawn_blocking(booted).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => panic!("the broker did not start again: {error}"),
            Err(error) => panic!("the broker did not start again: {error}"),
        }
    }

    /// SIGSTOP: connections stay open, nothing answers.
    pub async fn freeze(&self) {
        self.own().freeze(true);
    }

    /// SIGCONT.
    pub async fn thaw(&self) {
        self.own().freeze(false);
    }

    /// The memory alarm: connections that publish are blocked, those that only consume work on.
    pub async fn raise_memory_alarm(&self) {
        self.eval("vm_memory_monitor:set_vm_memory_high_watermark(0.0)")
            .await;
        self.until_alarmed(true).await;
    }

    /// The opposite.
    pub async fn clear_memory_alarm(&self) {
        self.eval("vm_memory_monitor:set_vm_memory_high_watermark(0.4)")
            .await;
        self.until_alarmed(false).await;
    }

    /// The disk alarm, which blocks in the same way.
    pub async fn raise_disk_alarm(&self) {
        self.eval("rabbit_disk_monitor:set_disk_free_limit(\"1000000GB\")")
            .await;
        self.until_alarmed(true).await;
    }

    /// The opposite.
    pub async fn clear_disk_alarm(&self) {
        self.eval("rabbit_disk_monitor:set_disk_free_limit(\"50MB\")")
            .await;
        self.until_alarmed(false).await;
    }

    /// Waits until an alarm is up, or none is: the broker's monitors tell of it on their own time.
    async fn until_alarmed(&self, is_alarmed: bool) {
        let look = format!(
            "(fun W(0) -> late; W(N) -> case rabbit_alarm:get_alarms() =/= [] of {is_alarmed} -> there; \
             _ -> timer:sleep(20), W(N - 1) end end)(250)"
        );
        assert_eq!(self.eval(&look).await, "there", "the alarm's change");
    }

    /// Closes every connection with CONNECTION_FORCED and gives their number.
    pub async fn close_all_connections(&self) -> usize {
        let closed = self
            .eval(
                // One may be on its way out already.
                "length([(catch rabbit_networking:close_connection(Pid, \"closed by a test\")) \
                 || Pid <- rabbit_networking:connections_local()])",
            )
            .await;
        closed.parse().expect("a number")
    }

    /// How many clients are connected.
    pub async fn connections(&self) -> usize {
        let open = self
            .eval("length(rabbit_networking:connections_local())")
            .await;
        open.parse().expect("a number")
    }

    fn own(&self) -> &Processes {
        self.processes
            .as_ref()
            .expect("a broker of one's own: the shared one must stay as it is")
    }
}
