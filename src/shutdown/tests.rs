#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "tests"
)]

use std::os::unix::net::UnixDatagram;
use std::time::Duration;

use futures_util::FutureExt;

use super::*;

#[tokio::test(start_paused = true)]
async fn a_request_begins_the_drain_at_once_and_ends_it_at_the_deadline() {
    let shutdown = Shutdown::new(Duration::from_secs(25));
    assert_eq!(shutdown.requested().now_or_never(), None);
    let began = Instant::now();
    shutdown.clone().request();
    shutdown.requested().await;
    assert_eq!(began.elapsed(), Duration::ZERO);
    shutdown.expired().await;
    assert_eq!(began.elapsed(), Duration::from_secs(25));
}

#[tokio::test(start_paused = true)]
async fn a_second_request_does_not_move_the_deadline() {
    let shutdown = Shutdown::new(Duration::from_secs(10));
    let began = Instant::now();
    shutdown.request();
    tokio::time::sleep(Duration::from_secs(6)).await;
    shutdown.request();
    shutdown.expired().await;
    assert_eq!(began.elapsed(), Duration::from_secs(10));
}

#[tokio::test]
async fn the_first_signal_drains_and_the_second_ends() {
    let shutdown = Shutdown::new(Duration::from_secs(25));
    let signals = Signals::listen().unwrap();
    let driven = tokio::spawn(signals.drive(shutdown.clone()));
    let raise = || async {
        let own = std::process::id().to_string();
        let sent = tokio::process::Command::new("kill")
            .args(["-TERM", &own])
            .status();
        assert!(sent.await.unwrap().success());
    };
    raise().await;
    shutdown.requested().await;
    assert!(!driven.is_finished());
    raise().await;
    driven.await.unwrap();
}

#[test]
fn service_manager_is_notified_of_ready_and_stopping() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let name = path.display().to_string();
    let manager = ServiceManager::at(Some(&name));
    manager.ready();
    manager.stopping();
    let mut bytes = [0; 64];
    let mut receive = || {
        let length = socket.recv(&mut bytes).unwrap();
        String::from_utf8_lossy(&bytes[..length]).into_owned()
    };
    assert_eq!([receive(), receive()], ["READY=1", "STOPPING=1"]);
    ServiceManager::at(None).ready();
}
