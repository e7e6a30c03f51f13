#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::disallowed_methods,
    reason = "tests; what they spawn ends with their runtime"
)]

mod tls;

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use world::broker::Broker;

use super::{BrokerError, BrokerSettings, Declare, dial};

/// The settings of a relay for this address, with short limits so that tests fail fast.
pub(in crate::queue::rabbitmq) fn settings(url: &str) -> BrokerSettings {
    let mut shown = url::Url::parse(url).unwrap();
    let _ = shown.set_password(None);
    BrokerSettings {
        url: url.into(),
        shown: shown.into(),
        ca_file: None,
        declare: Declare::Create,
        connect_timeout: Duration::from_secs(5),
        heartbeat: Duration::from_secs(10),
        call_timeout: Duration::from_secs(5),
        confirm_timeout: Duration::from_secs(5),
        publish_window: 128,
        prefetch: 128,
        reconnect_max: Duration::from_secs(1),
    }
}

/// The error text, without the parts that differ from run to run.
async fn complaint(settings: &BrokerSettings) -> String {
    let error = dial(settings, "test").await.unwrap_err();
    let (kind, text) = match &error {
        BrokerError::Refused(text) => ("refused", text),
        BrokerError::Unavailable(text) => ("unavailable", text),
    };
    assert!(!text.contains('\n'), "{text}");
    assert!(
        !format!("{error:?}").contains("se%63ret") && !text.contains("secret"),
        "{text}"
    );
    format!("{kind}: {}", text.replace(&settings.shown, "SHOWN"))
}

#[tokio::test]
async fn connection_has_its_name_and_the_configured_heartbeat() {
    let broker = Broker::shared().await;
    let vhost = broker.new_vhost().await;
    let (connection, _cut) = dial(&settings(&broker.url(&vhost)), "meetrelay publisher")
        .await
        .unwrap();
    assert_eq!(connection.configuration().heartbeat(), 10);
    let names = broker
        .eval("[proplists:get_value(client_properties, rabbit_networking:connection_info(Pid, [client_properties])) || Pid <- rabbit_networking:connections_local()]")
        .await;
    assert!(names.contains("meetrelay publisher"), "{names}");
}

#[tokio::test]
async fn wrong_password_is_refused_without_repeating_it() {
    let broker = Broker::shared().await;
    let vhost = broker.new_vhost().await;
    let url = broker.url_as("nobody", "secret", &vhost);
    insta::assert_snapshot!(complaint(&settings(&url)).await, @"refused: queue.url SHOWN: the broker refuses the user name or password (ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN. For details see the broker logfile.): correct them, or create the user with rabbitmqctl add_user");
}

#[tokio::test]
async fn missing_vhost_is_refused_and_named() {
    let broker = Broker::shared().await;
    let url = broker.url("no-such-place");
    insta::assert_snapshot!(complaint(&settings(&url)).await, @"refused: queue.url SHOWN: the broker refuses the virtual host (NOT_ALLOWED - vhost no-such-place not found): correct its name at the end of queue.url, or create it and give the user permissions (rabbitmqctl add_vhost, set_permissions)");
    let empty = url.trim_end_matches("no-such-place");
    insta::assert_snapshot!(complaint(&settings(empty)).await, @"refused: queue.url SHOWN: the broker refuses the virtual host (NOT_ALLOWED - vhost  not found): queue.url ends with /, which means a virtual host with an empty name: remove the / for the broker's default one");
}

#[tokio::test]
async fn vhost_without_rights_is_refused() {
    let broker = Broker::shared().await;
    let (own, other) = (broker.new_vhost().await, broker.new_vhost().await);
    let user = format!("user-of-{own}");
    broker
        .add_user(&user, "secret", &own, ".*", ".*", ".*")
        .await;
    let text = complaint(&settings(&broker.url_as(&user, "secret", &other))).await;
    let text = text.replace(&user, "USER").replace(&other, "VHOST");
    insta::assert_snapshot!(text, @"refused: queue.url SHOWN: the broker refuses the virtual host (NOT_ALLOWED - access to vhost 'VHOST' refused for user 'USER'): correct its name at the end of queue.url, or create it and give the user permissions (rabbitmqctl add_vhost, set_permissions)");
}

#[tokio::test]
async fn vhost_with_too_many_connections_is_unavailable() {
    let broker = Broker::shared().await;
    let vhost = broker.new_vhost().await;
    broker
        .ctl(&["set_vhost_limits", "-p", &vhost, r#"{"max-connections":0}"#])
        .await;
    let text = complaint(&settings(&broker.url(&vhost))).await;
    assert!(
        text.starts_with("unavailable: ") && text.contains("limit"),
        "{text}"
    );
}

#[tokio::test]
async fn refused_connection_is_unavailable() {
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let url = format!("amqp://relay:secret@127.0.0.1:{port}/v");
    insta::assert_snapshot!(complaint(&settings(&url)).await, @"unavailable: queue.url SHOWN: no connection: Connection refused (os error 111): is the broker up?");
    let url = "amqp://relay:secret@no-such-host.invalid:5672/v";
    let text = complaint(&settings(url)).await;
    assert!(
        text.starts_with(
            "unavailable: queue.url SHOWN: the name no-such-host.invalid is not resolved"
        ),
        "{text}"
    );
}

#[tokio::test]
async fn http_server_is_refused() {
    let url = answering(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n").await;
    insta::assert_snapshot!(complaint(&settings(&url)).await, @"refused: queue.url SHOWN: the server there does not support AMQP 0-9-1: write the address of RabbitMQ's AMQP listener (port 5672), or amqps:// and the address of its TLS listener (port 5671)");
}

#[tokio::test]
async fn other_version_of_amqp_is_refused() {
    let url = answering(b"AMQP\x00\x01\x00\x00").await;
    let text = complaint(&settings(&url)).await;
    assert!(text.starts_with("refused: "), "{text}");
}

#[tokio::test]
async fn server_that_closes_the_connection_is_unavailable() {
    let text = complaint(&settings(&answering(b"").await)).await;
    assert!(text.starts_with("unavailable: "), "{text}");
}

#[tokio::test]
async fn unreadable_address_is_not_repeated() {
    let mut settings = settings("amqp://relay:secret@127.0.0.1:5672/v?heartbeat=often");
    settings.shown = "amqp://relay@127.0.0.1:5672/v".to_owned();
    insta::assert_snapshot!(complaint(&settings).await, @"refused: queue.url SHOWN: cannot be parsed: write an address like amqp://user:password@host:5672/vhost, with special characters percent-encoded and numbers in its query");
}

#[tokio::test]
async fn ipv6_host_is_not_replaced_by_localhost() {
    let settings = settings("amqp://relay:secret@[::1]:5672/v");
    assert_eq!(super::uri(&settings).unwrap().authority.host, "::1");
}

/// One thread per connection, as lapin alone would leave behind, would be visible after 20 connections.
#[tokio::test]
async fn silent_server_costs_neither_threads_nor_descriptors() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("amqp://relay:secret@{}/v", listener.local_addr().unwrap());
    let held = tokio::spawn(async move {
        let mut held = Vec::new();
        while let Ok((stream, _)) = listener.accept().await {
            held.push(stream);
        }
    });
    let mut settings = settings(&url);
    settings.connect_timeout = Duration::from_millis(100);
    insta::assert_snapshot!(complaint(&settings).await, @"unavailable: queue.url SHOWN: accepts a connection but does not answer the AMQP handshake within 100ms: is it RabbitMQ's port, and does it use TLS only if queue.url begins with amqps://?");
    for _ in 0..20 {
        complaint(&settings).await;
    }
    held.abort();
    let threads = || {
        let tasks = std::fs::read_dir("/proc/self/task").unwrap();
        let names =
            tasks.filter_map(|task| std::fs::read_to_string(task.ok()?.path().join("comm")).ok());
        names
            .filter(|name| name.starts_with("lapin-io-loop"))
            .count()
    };
    // Tests that run at the same time have a few connections.
    tokio::time::timeout(Duration::from_secs(10), async {
        while threads() > 12 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
    .unwrap_or_else(|_| panic!("{} threads are left", threads()));
}

#[tokio::test]
async fn cut_ends_a_connection_that_the_peer_does_not_end() {
    let broker = Broker::shared().await;
    let vhost = broker.new_vhost().await;
    let (connection, cut) = dial(&settings(&broker.url(&vhost)), "test").await.unwrap();
    assert!(connection.status().connected());
    cut.now();
    tokio::time::timeout(Duration::from_secs(10), async {
        while connection.status().connected() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .unwrap();
}

/// Starts a server that answers every connection with `what` and closes it. Returns its address.
async fn answering(what: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut heard = [0; 1024];
            let _ = stream.read(&mut heard).await;
            let _ = stream.write_all(what).await;
        }
    });
    format!("amqp://relay:secret@{address}/v")
}
