//! The real binary as a child process.

mod lives;

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::process::{Child, Command};
use world::plugnmeet::Options as ConferenceOptions;

use super::{PATIENCE, within};

/// The relay's two ports, the same over restarts.
#[derive(Clone, Copy)]
pub struct Ports {
    pub public: u16,
    pub admin: u16,
}

impl Ports {
    /// Two ports below those that the system gives to clients, so that a restart finds them free.
    pub fn free() -> Self {
        static NEXT: AtomicU16 = AtomicU16::new(0);
        let first = 12_000 + (std::process::id() % 18_000) as u16;
        let free = || loop {
            let port = 12_000 + (first - 12_000 + NEXT.fetch_add(1, Ordering::Relaxed)) % 18_000;
            if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
                return port;
            }
        };
        Self {
            public: free(),
            admin: free(),
        }
    }

    pub fn public_url(self) -> String {
        format!("http://127.0.0.1:{}", self.public)
    }

    pub fn admin_url(self) -> String {
        format!("http://127.0.0.1:{}", self.admin)
    }
}

/// What stands in the configuration file.
pub struct Settings<'a> {
    pub ports: &'a Ports,
    pub data: &'a Path,
    pub chat: &'a str,
    pub hooks: &'a [String],
    pub commands: &'a [String],
    /// The lines that say how the relay gets into the chat.
    pub delivery_method: &'a str,
    pub conference: &'a str,
    pub options: &'a ConferenceOptions,
}

/// A whole configuration with short times.
pub fn config(settings: &Settings<'_>) -> String {
    let Settings {
        ports,
        data,
        chat,
        hooks,
        commands,
        delivery_method,
        conference,
        options,
    } = settings;
    format!(
        r#"[server]
listen = "127.0.0.1:{public}"
admin_listen = "127.0.0.1:{admin}"
public_url = "{url}"
data_dir = "{data}"
[mattermost]
url = "{chat}"
outgoing_tokens = {hooks:?}
command_tokens = {commands:?}
{delivery_method}
call_timeout = "2s"
[plugnmeet]
url = "{conference}"
api_key = "{key}"
api_secret = "{secret}"
call_timeout = "5s"
poll_first_after = "1s"
poll_every = "1s"
end_again_after = "1s"
artifact_polls = ["500ms", "1s", "2s", "4s", "8s"]
[retry]
initial = "100ms"
max = "1s"
unavailable_max = "1s"
[breaker]
probe_every = "300ms"
[sweep]
every = "300ms"
[ledger]
settled_within = "2s"
[log]
format = "json"
level = "debug"
"#,
        public = ports.public,
        admin = ports.admin,
        url = ports.public_url(),
        data = data.display(),
        key = options.api_key,
        secret = options.api_secret,
    )
}

/// One relay, started, killed and started again.
pub struct Relay {
    config: PathBuf,
    log: PathBuf,
    settings: Vec<(String, String)>,
    pub ports: Ports,
    child: Option<Child>,
}

impl Relay {
    pub async fn start(
        config: PathBuf,
        log: PathBuf,
        ports: Ports,
        settings: Vec<(String, String)>,
    ) -> Self {
        let mut relay = Self {
            config,
            log,
            settings,
            ports,
            child: None,
        };
        relay.start_again().await;
        relay
    }

    /// Starts the process and waits until it is ready.
    pub async fn start_again(&mut self) {
        let log = self.open_log();
        let stdout = log.try_clone().unwrap();
        self.start_writing_to(stdout, log).await;
    }

    /// The same with another standard output and error.
    pub async fn start_writing_to(&mut self, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) {
        self.spawn_writing_to(stdout, stderr);
        let http = reqwest_client();
        let url = format!("{}/readyz", self.ports.admin_url());
        let ready = within(PATIENCE, async || {
            if let Some(status) = self.child.as_mut().unwrap().try_wait().unwrap() {
                panic!("the relay ended at once ({status}):\n{}", self.last_words());
            }
            let answer = http.get(&url).send().await.ok()?;
            answer.status().is_success().then_some(())
        });
        if ready.await.is_none() {
            panic!("the relay was not ready in time:\n{}", self.last_words());
        }
    }

    /// Starts the process.
    #[allow(dead_code, reason = "used by lives")]
    fn spawn(&mut self) {
        let log = self.open_log();
        self.spawn_writing_to(log.try_clone().unwrap(), log);
    }

    fn spawn_writing_to(&mut self, stdout: impl Into<Stdio>, stderr: impl Into<Stdio>) {
        assert!(self.child.is_none(), "it still runs");
        let child = self
            .command()
            .arg("serve")
            .stdout(stdout)
            .stderr(stderr)
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        self.child = Some(child);
    }

    fn open_log(&self) -> std::fs::File {
        let mut options = std::fs::File::options();
        options.create(true).append(true).open(&self.log).unwrap()
    }

    /// SIGKILL: no instruction more.
    pub async fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.kill().await.unwrap();
    }

    /// The process's id.
    pub fn id(&self) -> u32 {
        let child = self.child.as_ref().expect("it runs");
        child.id().expect("it runs")
    }

    /// Changes the text of the configuration's file.
    pub fn configure(&self, change: impl FnOnce(String) -> String) {
        let text = std::fs::read_to_string(&self.config).unwrap();
        std::fs::write(&self.config, change(text)).unwrap();
    }

    /// SIGHUP, and waits until the relay says what became of it: `true` when the configuration was taken over.
    pub async fn reload(&mut self) -> bool {
        const ENDS: [&str; 2] = ["configuration reloaded", "configuration is refused"];
        let count = |relay: &Self| ENDS.map(|end| relay.log().matches(end).count());
        let before = count(self);
        self.signal("HUP").await;
        self.eventually("what became of a reload", async || {
            let now = count(self);
            (now != before).then_some(now[0] > before[0])
        })
        .await
    }

    /// Sends a signal by name.
    pub async fn signal(&mut self, name: &str) {
        let id = self.id().to_string();
        let status = Command::new("kill")
            .args([&format!("-{name}"), &id])
            .status()
            .await
            .unwrap();
        assert!(status.success());
    }

    /// Waits for the end of the process.
    pub async fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        tokio::time::timeout(PATIENCE, child.wait())
            .await
            .expect("it ends in time")
            .unwrap()
    }

    /// SIGTERM, and exit code 0.
    pub async fn stop(&mut self) {
        if self.child.is_none() {
            return;
        }
        self.signal("TERM").await;
        let status = self.ended().await;
        assert_eq!(
            status.code(),
            Some(0),
            "a stop is no failure:\n{}",
            self.last_words()
        );
    }

    /// Runs a subcommand against this relay.
    pub async fn cli(&self, arguments: &[&str]) -> Output {
        self.command().args(arguments).output().await.unwrap()
    }

    /// The same, expecting success; gives what was printed.
    pub async fn cli_ok(&self, arguments: &[&str]) -> String {
        let output = self.cli(arguments).await;
        let (out, err) = (lossy(&output.stdout), lossy(&output.stderr));
        assert!(
            output.status.success(),
            "{arguments:?}: {}\n{out}\n{err}",
            output.status
        );
        out
    }

    /// How many files and connections the process has open.
    pub fn open_files(&self) -> usize {
        let id = self.child.as_ref().and_then(Child::id).expect("it runs");
        std::fs::read_dir(format!("/proc/{id}/fd")).unwrap().count()
    }

    /// Everything logged so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Waits until a line of the log contains `words`.
    pub async fn await_log(&self, words: &str) {
        self.await_logged(words, 1).await;
    }

    /// Waits until `words` have been logged `times` times.
    pub async fn await_logged(&self, words: &str, times: usize) {
        let what = format!("{words:?} in the log, {times} times");
        self.eventually(&what, async || {
            (self.log().matches(words).count() >= times).then_some(())
        })
        .await;
    }

    /// The admin listener's /metrics.
    pub async fn metrics(&self) -> String {
        let url = format!("{}/metrics", self.ports.admin_url());
        let answer = reqwest_client().get(&url).send().await.unwrap();
        answer.text().await.unwrap()
    }

    /// Asks for the metrics until `line` stands there.
    pub async fn await_metric(&self, line: &str) {
        self.eventually(&format!("{line:?} in the metrics"), async || {
            let metrics = self.metrics().await;
            metrics.lines().any(|known| known == line).then_some(())
        })
        .await;
    }

    /// [`eventually`](super::eventually), with the relay's last words in a failure's text.
    pub async fn eventually<T>(&self, what: &str, probe: impl AsyncFnMut() -> Option<T>) -> T {
        match within(PATIENCE, probe).await {
            Some(found) => found,
            None => panic!("waited in vain for {what}:\n{}", self.last_words()),
        }
    }

    /// Every dead letter, as `dead-letters list --json` has them.
    pub async fn dead_letters(&self) -> Vec<Value> {
        let listed = ["dead-letters", "list", "--json", "--limit", "500"];
        let listed: Value = serde_json::from_str(&self.cli_ok(&listed).await).unwrap();
        let letters = listed["dead_letters"].as_array().unwrap();
        letters.clone()
    }

    /// Waits for the first dead letter, and gives its id.
    pub async fn dead_letter(&self) -> String {
        self.await_log("a dead letter waits for a person").await;
        let letters = self.dead_letters().await;
        letters[0]["id"].as_str().unwrap().to_owned()
    }

    /// When the sweep last succeeded, as Unix time; 0 before the first time.
    pub async fn swept_at(&self) -> f64 {
        const SWEPT: &str = "meetrelay_reconcile_last_success_timestamp_seconds ";
        let metrics = self.metrics().await;
        let at = metrics.lines().find_map(|line| line.strip_prefix(SWEPT));
        at.unwrap().parse().unwrap()
    }

    /// Waits until the sweep has succeeded once more.
    pub async fn sweeps_again(&self) {
        let before = self.swept_at().await;
        self.eventually("the next sweep", async || {
            (self.swept_at().await > before).then_some(())
        })
        .await;
    }

    /// Whether the process was started and neither stopped nor killed since.
    pub fn is_running(&self) -> bool {
        self.child.is_some()
    }

    /// The most resident memory that the process ever had, in bytes.
    pub fn peak_memory(&self) -> u64 {
        let id = self.child.as_ref().and_then(Child::id).expect("it runs");
        let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap();
        let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = peak
            .and_then(|peak| peak.trim().strip_suffix(" kB"))
            .unwrap();
        kibibytes.parse::<u64>().unwrap() * 1024
    }

    /// The end of the log, for a failure's text.
    pub fn last_words(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }

    /// The program with this relay's configuration, to be given a subcommand.
    pub fn command(&self) -> Command {
        // A released build, where a measurement is about that one.
        let released = std::env::var_os("MEETRELAY_TEST_PROGRAM");
        let program = released.unwrap_or_else(|| env!("CARGO_BIN_EXE_meetrelay").into());
        let mut command = Command::new(program);
        command.arg("--config").arg(&self.config);
        command.env_remove("RUST_LOG");
        command.envs(self.settings.iter().map(|(key, value)| (key, value)));
        command
    }
}

/// A client for the relay's own pages: follows nothing, keeps nothing.
pub fn reqwest_client() -> reqwest::Client {
    let provider = rustls::crypto::ring::default_provider();
    // A second test of the same process finds it installed.
    drop(provider.install_default());
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        // A connection that the relay closes after a refusal must not be met by the next request.
        .pool_max_idle_per_host(0)
        .timeout(Duration::from_secs(10))
        .build()
        .unwrap()
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
