//! A real RabbitMQ broker for tests, the demo and load: the distribution's rabbitmq-server as a child process.
//!
//! It has ports, a node name, an epmd, a cookie and directories of its own, so that a broker already on the
//! machine is neither used nor touched. It listens on loopback only. Whoever started it may be killed at any
//! time: a keeper process then stops the broker and removes its directory.
//!
//! What goes wrong here is a fault of the machine or of the test, so every method but [`Broker::start`] panics
//! with what was wrong. Every wait is bounded.

mod control;
mod look;
mod place;
mod process;
mod shared;
mod tls;
mod trouble;

use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use control::{Control, binary};
use place::Conversation;
use process::Processes;
pub use shared::VARIABLE;

/// How long a broker may take to start on a slow machine.
const START_LIMIT: Duration = Duration::from_secs(90);
/// How long one call of rabbitmqctl may take.
const CTL_LIMIT: Duration = Duration::from_secs(60);
/// How often a start is tried again, with other ports each time.
const STARTS: usize = 3;

/// One running broker. Dropping it stops every process that it started and removes its directory.
pub struct Broker {
    place: Conversation,
    control: Control,
    /// None for a broker that another process started.
    processes: Option<Arc<Processes>>,
    vhosts: AtomicU32,
}

impl Broker {
    /// Starts a broker and waits until it takes connections (about 4 s).
    ///
    /// # Errors
    /// The package is missing, or the broker did not start; the text says what to do.
    pub async fn start() -> Result<Self, String> {
        place::look_for_package()?;
        let mut told = String::new();
        for _ in 0..STARTS {
            let started = tokio::task::spawn_blocking(Self::start_once).await;
            match started.map_err(|error| error.to_string())? {
                Ok(broker) => return Ok(broker),
                Err(error) => told = error,
            }
        }
        Err(format!("rabbitmq-server did not start: {told}"))
    }

    fn start_once() -> Result<Self, String> {
        let place =
            Conversation::make().map_err(|error| format!("no place for a broker: {error}"))?;
        let processes = Processes::start(&place)?;
        let broker = Self::at(place, Some(Arc::new(processes)));
        await_boot(&broker.place, &broker.control, broker.processes.as_deref())?;
        Ok(broker)
    }

    fn at(place: Conversation, processes: Option<Arc<Processes>>) -> Self {
        let control = Control::new(&place);
        Self {
            place,
            control,
            processes,
            vhosts: AtomicU32::new(0),
        }
    }

    /// The address of a virtual host for a user that may do everything in it.
    pub fn url(&self, vhost: &str) -> String {
        self.url_as(place::USER, &self.place.password, vhost)
    }

    /// The address of a virtual host for a user of [`add_user`](Self::add_user).
    pub fn url_as(&self, user: &str, password: &str, vhost: &str) -> String {
        self.address("amqp", self.place.amqp, user, password, vhost)
    }

    /// The password in [`url`](Self::url), for tests that look for it where it must not be.
    pub fn password(&self) -> &str {
        &self.place.password
    }

    /// The directory with the broker's messages and logs.
    pub fn folder(&self) -> &Path {
        &self.place.folder
    }

    /// Makes a virtual host that nobody else uses, and gives its name. Takes some 10 ms.
    pub async fn new_vhost(&self) -> String {
        let number = self.vhosts.fetch_add(1, Ordering::Relaxed);
        let name = format!("test-{}-{number}", std::process::id());
        self.add_vhost(&name).await;
        name
    }

    /// Makes a virtual host of this name.
    pub async fn add_vhost(&self, name: &str) {
        let (vhost, user) = (binary(name), binary(place::USER));
        let all = binary(".*");
        self.eval(&format!(
            "ok = rabbit_vhost:add({vhost}, {user}), \
             rabbit_auth_backend_internal:set_permissions({user}, {vhost}, {all}, {all}, {all}, {user})"
        ))
        .await;
    }

    /// Removes a virtual host with all its queues and messages.
    pub async fn remove_vhost(&self, name: &str) {
        let (vhost, user) = (binary(name), binary(place::USER));
        self.eval(&format!("rabbit_vhost:delete({vhost}, {user})"))
            .await;
    }

    /// Adds a user with patterns for what it may configure, write and read in one virtual host.
    pub async fn add_user(
        &self,
        name: &str,
        password: &str,
        vhost: &str,
        configure: &str,
        write: &str,
        read: &str,
    ) {
        let [name, password, vhost] = [name, password, vhost].map(binary);
        let [configure, write, read] = [configure, write, read].map(binary);
        let acting = binary(place::USER);
        self.eval(&format!(
            "ok = rabbit_auth_backend_internal:add_user({name}, {password}, {acting}), \
             rabbit_auth_backend_internal:set_permissions(\
             {name}, {vhost}, {configure}, {write}, {read}, {acting})"
        ))
        .await;
    }

    /// Imports definitions from a JSON file, as an operator does.
    pub async fn import_definitions(&self, path: &Path) {
        let path = path.to_str().expect("a path in UTF-8");
        self.ctl(&["import_definitions", path]).await;
    }

    /// Runs rabbitmqctl (about 0.4 s) and gives what it printed.
    pub async fn ctl(&self, arguments: &[&str]) -> String {
        let run = tokio::process::Command::new(place::tool("rabbitmqctl"))
            .arg("-q")
            .args(arguments)
            .envs(self.place.environment())
            .stdin(std::process::Stdio::null())
            .kill_on_drop(true)
            .output();
        let output = tokio::time::timeout(CTL_LIMIT, run)
            .await
            .unwrap_or_else(|_| panic!("rabbitmqctl {arguments:?} took over {CTL_LIMIT:?}"))
            .expect("rabbitmqctl can be run");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let complained = String::from_utf8_lossy(&output.stderr);
        let status = output.status;
        assert!(
            status.success(),
            "rabbitmqctl {arguments:?}: {status}\n{said}\n{complained}"
        );
        said
    }

    /// Evaluates an Erlang expression in the broker and gives the printed result.
    pub async fn eval(&self, expression: &str) -> String {
        match self.try_eval(expression).await {
            Ok(value) => value,
            Err(error) => panic!("the broker: {error}\n{expression}\n{}", self.last_words()),
        }
    }

    /// The same, for a broker that may be away.
    ///
    /// # Errors
    /// The broker is away or frozen, or the expression failed.
    pub async fn try_eval(&self, expression: &str) -> Result<String, String> {
        let (control, expression) = (self.control.clone(), expression.to_owned());
        tokio::task::spawn_blocking(move || control.eval(&expression))
            .await
            .map_err(|error| error.to_string())?
    }

    /// The end of the broker's log, for a failure's text.
    pub fn last_words(&self) -> String {
        self.place.last_words()
    }

    fn address(&self, scheme: &str, port: u16, user: &str, password: &str, vhost: &str) -> String {
        let mut url = url::Url::parse(&format!("amqp://127.0.0.1:{port}")).expect("an address");
        url.set_username(user).expect("an address with a host");
        url.set_password(Some(password))
            .expect("an address with a host");
        url.path_segments_mut()
            .expect("an address with a path")
            .push(vhost);
        format!("{scheme}{}", url.as_str().trim_start_matches("amqp"))
    }
}

/// Waits until the broker takes connections. Blocks.
fn await_boot(
    place: &Conversation,
    control: &Control,
    processes: Option<&Processes>,
) -> Result<(), String> {
    let until = Instant::now() + START_LIMIT;
    while Instant::now() < until {
        if let Some(status) = processes.and_then(Processes::ended) {
            let words = place.last_words();
            return Err(format!("it ended at once ({status}):\n{words}"));
        }
        let is_listening = TcpStream::connect((Ipv4Addr::LOCALHOST, place.amqp)).is_ok();
        if is_listening && control.eval("rabbit:is_booted()") == Ok("true".to_owned()) {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let words = place.last_words();
    Err(format!("not ready within {START_LIMIT:?}:\n{words}"))
}
