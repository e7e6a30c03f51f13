//! How a relay starts with RabbitMQ, and what a person is told when it cannot.

use std::process::Output;

use tempfile::TempDir;
use tokio::process::{Child, Command};
use world::broker::Broker;

use crate::harness::{BackEnd, PATIENCE, Setup, client, eventually};

/// A password that must show up nowhere.
pub(crate) const SECRET: &str = "hidden-5f3a";

/// A relay's configuration without any peer that would have to be there.
pub(crate) struct Start {
    folder: TempDir,
    variables: Vec<(&'static str, String)>,
}

impl Start {
    pub(crate) fn with(url: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\nadmin_listen = \"127.0.0.1:0\"\ndata_dir = {:?}\n\
             public_url = \"http://127.0.0.1:8080\"\n[mattermost]\nenabled = false\n[plugnmeet]\n\
             url = \"http://127.0.0.1:9\"\napi_key = \"key\"\napi_secret = \"{}\"\n",
            folder.path().join("data"),
            "s".repeat(40)
        );
        std::fs::write(folder.path().join("meetrelay.toml"), text).unwrap();
        Self {
            folder,
            variables: vec![("MEETRELAY__QUEUE__URL", url.to_owned())],
        }
    }

    pub(crate) fn and(mut self, name: &'static str, value: &str) -> Self {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_meetrelay"));
        command
            .arg("--config")
            .arg(self.folder.path().join("meetrelay.toml"))
            .args(arguments)
            .envs(self.variables.iter().map(|(name, value)| (*name, value)))
            .kill_on_drop(true);
        command
    }

    /// Serves beside the test.
    pub(crate) fn spawn(&self) -> Child {
        let log = std::fs::File::create(self.folder.path().join("relay.log")).unwrap();
        self.command(&["serve"]).stdout(log).spawn().unwrap()
    }

    /// Waits until a line of what was spawned contains `words`.
    pub(crate) async fn await_log(&self, words: &str) {
        let path = self.folder.path().join("relay.log");
        eventually(&format!("{words:?} in the log"), async || {
            let log = std::fs::read_to_string(&path).unwrap();
            log.contains(words).then_some(())
        })
        .await;
    }

    async fn run(&self, arguments: &[&str]) -> Output {
        let run = self.command(arguments).output();
        tokio::time::timeout(PATIENCE, run)
            .await
            .expect("it ends by itself")
            .unwrap()
    }

    /// What stands on standard error after a start that ended with code 2; one line, no secret anywhere.
    pub(crate) async fn refusal(&self) -> String {
        let output = self.run(&["serve"]).await;
        let said = String::from_utf8(output.stderr).unwrap();
        let logged = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}\n{logged}");
        assert_eq!(said.trim_end().lines().count(), 1, "{said}");
        assert!(
            !said.contains(SECRET) && !logged.contains(SECRET),
            "{said}\n{logged}"
        );
        let errors = logged
            .lines()
            .filter(|line| line.contains("\"ERROR\"") || line.contains("ERROR"));
        assert!(
            errors.count() <= 1,
            "one line says it, not several:\n{logged}"
        );
        said
    }
}

#[tokio::test]
async fn q6_wrong_password_ends_the_start_with_one_line() {
    let broker = Broker::shared().await;
    let vhost = broker.new_vhost().await;
    let said = Start::with(&broker.url_as("somebody", SECRET, &vhost))
        .refusal()
        .await;
    assert!(
        said.contains("queue.url amqp://somebody@127.0.0.1:"),
        "{said}"
    );
    assert!(said.contains("refuses the user name or password"), "{said}");
}

#[tokio::test]
async fn q6_missing_vhost_ends_the_start_with_one_line() {
    let broker = Broker::shared().await;
    let user = format!("user-{}", std::process::id());
    let own = broker.new_vhost().await;
    broker.add_user(&user, SECRET, &own, ".*", ".*", ".*").await;
    let said = Start::with(&broker.url_as(&user, SECRET, "nowhere"))
        .refusal()
        .await;
    assert!(
        said.contains("refuses the virtual host") && said.contains("nowhere"),
        "{said}"
    );
}

#[tokio::test]
async fn q6_certificate_that_nobody_vouches_for_ends_the_start_with_one_line() {
    let broker = Broker::shared().await;
    let vhost = broker.new_vhost().await;
    let url = broker.tls_url(&vhost);
    let said = Start::with(&url).refusal().await;
    assert!(
        said.contains("certificate") && said.contains("queue.ca_file"),
        "{said}"
    );
    let missing = "/nowhere/ca.pem";
    let start = Start::with(&url).and("MEETRELAY__QUEUE__CA_FILE", missing);
    let said = start.refusal().await;
    assert!(
        said.contains("queue.ca_file /nowhere/ca.pem: No such file"),
        "{said}"
    );
}

#[tokio::test]
async fn q5_queue_with_other_arguments_ends_the_start_with_its_name() {
    let broker = Broker::shared().await;
    let vhost = broker.new_vhost().await;
    broker
        .eval(&format!(
            "{{new, _}} = rabbit_amqqueue:declare(rabbit_misc:r(<<\"{vhost}\">>, queue, <<\"meetrelay.chat\">>), \
             true, false, [], none, <<\"test\">>)"
        ))
        .await;
    let said = Start::with(&broker.url(&vhost)).refusal().await;
    assert!(
        said.contains("queue meetrelay.chat: exists with a different x-dead-letter-exchange"),
        "{said}"
    );
    assert!(!said.contains(broker.password()), "{said}");
}

#[tokio::test]
async fn q5_missing_queue_ends_the_start_of_a_relay_that_only_verifies() {
    let broker = Broker::shared().await;
    let vhost = broker.new_vhost().await;
    let verifying = || Start::with(&broker.url(&vhost)).and("MEETRELAY__QUEUE__DECLARE", "verify");
    let applied = verifying().run(&["topology", "apply"]).await;
    assert_eq!(applied.status.code(), Some(0), "{applied:?}");
    broker
        .eval(&format!(
            "{{ok, Queue}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<\"{vhost}\">>, queue, <<\"meetrelay.delay.1m\">>)), \
             rabbit_amqqueue:delete(Queue, false, false, <<\"test\">>)"
        ))
        .await;
    let said = verifying().refusal().await;
    assert!(
        said.contains("queue meetrelay.delay.1m: is missing"),
        "{said}"
    );
}

#[tokio::test]
async fn q1_relay_starts_without_its_broker_and_says_so() {
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqp://relay:{SECRET}@{}/v", free.local_addr().unwrap());
    drop(free);
    let world = Setup::default()
        .back_end(BackEnd::Embedded)
        .set("QUEUE__URL", &url)
        .start()
        .await;
    world.relay.await_log("RabbitMQ takes no messages").await;
    let metrics = format!("{}/metrics", world.relay.ports.admin_url());
    let text = client()
        .get(metrics)
        .send()
        .await
        .unwrap()
        .text()
        .await
        .unwrap();
    for line in [
        "meetrelay_ready{check=\"amqp_publisher\"} 0",
        "meetrelay_ready{check=\"amqp_consumer\"} 0",
        "meetrelay_ready{check=\"queue\"} 1",
        "meetrelay_amqp_connected{role=\"publisher\"} 0",
    ] {
        assert!(text.contains(line), "{line} is not in:\n{text}");
    }
    let log = world.relay.log();
    assert!(!log.contains(SECRET), "{log}");
    assert!(log.contains("is the broker up?"), "{log}");
    world.finish().await;
}

#[tokio::test]
async fn q1_broker_that_comes_back_makes_the_publisher_ready() {
    let world = Setup::default()
        .back_end(BackEnd::own().await)
        .start()
        .await;
    let (broker, _) = world.back_end.broker().unwrap();
    let is_ready = async |wanted: &str| {
        let line = format!("meetrelay_ready{{check=\"amqp_publisher\"}} {wanted}");
        world.relay.await_metric(&line).await;
    };
    is_ready("1").await;
    broker.stop_app().await;
    is_ready("0").await;
    broker.start_app().await;
    is_ready("1").await;
    let text = world.relay.metrics().await;
    assert!(
        text.contains("meetrelay_amqp_connected{role=\"publisher\"} 1"),
        "{text}"
    );
    world.relay.await_log("RabbitMQ takes messages again").await;
    world.card_of("ana", "dev", "after all").await;
    world.finish().await;
}

#[tokio::test]
async fn topology_is_checked_applied_and_checked_again() {
    let broker = Broker::shared().await;
    let vhost = broker.new_vhost().await;
    let start = Start::with("embedded");
    let url = broker.url(&vhost);
    let run = async |command: &str| {
        let output = start.run(&["topology", command, "--url", &url]).await;
        let said = [output.stdout, output.stderr].map(|text| String::from_utf8(text).unwrap());
        let said = said.concat();
        assert!(!said.contains(broker.password()), "{said}");
        (output.status.code(), said)
    };
    let (code, said) = run("check").await;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("17 things are not as needed"), "{said}");
    assert!(said.contains("queue meetrelay.dead: is missing"), "{said}");
    assert_eq!(run("apply").await.0, Some(0));
    let (code, said) = run("check").await;
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("with the expected arguments"), "{said}");
    let embedded = start.run(&["topology", "check"]).await;
    assert_eq!(embedded.status.code(), Some(2));
}

#[tokio::test]
async fn committed_definitions_are_the_exported_ones_and_fit_a_broker() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/deploy/rabbitmq/definitions.json"
    );
    let committed = std::fs::read_to_string(path).unwrap_or_default();
    let exported = Start::with("embedded").run(&["topology", "export"]).await;
    assert!(
        committed.as_bytes() == exported.stdout,
        "run: cargo run -- topology export > deploy/rabbitmq/definitions.json"
    );
    let broker = Broker::shared().await;
    broker.add_vhost("meetrelay").await;
    broker.import_definitions(path.as_ref()).await;
    let start = Start::with(&broker.url("meetrelay"));
    for command in ["check", "apply"] {
        let output = start.run(&["topology", command]).await;
        assert_eq!(output.status.code(), Some(0), "{output:?}");
    }
}

#[tokio::test]
async fn q6_accounts_of_the_instructions_may_do_what_the_relay_does() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let steps = std::fs::read_to_string(root.join("deploy/rabbitmq/README.md")).unwrap();
    let command = "rabbitmqctl set_permissions -p meetrelay meetrelay ";
    let rights: Vec<Vec<&str>> = steps
        .split(command)
        .skip(1)
        .map(|rest| rest.split('\'').skip(1).step_by(2).take(3).collect())
        .collect();
    assert_eq!(rights.len(), 2, "one for create, one for verify");
    let broker = Broker::shared().await;
    for (declare, rights) in ["create", "verify"].into_iter().zip(rights) {
        let vhost = broker.new_vhost().await;
        let user = format!("{declare}-{}", std::process::id());
        broker
            .add_user(&user, SECRET, &vhost, rights[0], rights[1], rights[2])
            .await;
        let url = broker.url_as(&user, SECRET, &vhost);
        if declare == "verify" {
            let start = Start::with(&broker.url(&vhost));
            let applied = start.run(&["topology", "apply"]).await;
            assert_eq!(applied.status.code(), Some(0), "{applied:?}");
        }
        let world = Setup::default()
            .back_end(BackEnd::Shared(broker, vhost))
            .set("QUEUE__URL", &url)
            .set("QUEUE__DECLARE", declare)
            .start()
            .await;
        world.chat.say("ana", "dev", "meet now: allowed").await;
        let card = world.card("dev", "allowed").await;
        // Polls and ends lie in the delay queues for a while.
        world.conference.end_room(&world.room().await.room_id);
        world
            .see("the end on the card", |chat| {
                chat.post(&card.id)?.message.contains("ended").then_some(())
            })
            .await;
        let metrics = format!("{}/metrics", world.relay.ports.admin_url());
        let text = client().get(metrics).send().await.unwrap();
        let text = text.text().await.unwrap();
        let lost = text
            .lines()
            .filter(|line| line.starts_with("meetrelay_amqp_reconnects_total"));
        let lost: Vec<_> = lost.filter(|line| !line.ends_with(" 0")).collect();
        assert!(lost.is_empty(), "{declare}: {lost:?}");
        world.finish().await;
    }
}

#[tokio::test]
async fn check_names_the_broker_without_its_password() {
    let start = Start::with(&format!("amqp://relay:{SECRET}@broker.example.org/v"));
    let output = start.run(&["check"]).await;
    let said = String::from_utf8(output.stdout).unwrap();
    assert!(
        said.contains("queue            amqp://relay@broker.example.org:5672/v"),
        "{said}"
    );
    assert!(!said.contains(SECRET));
}
