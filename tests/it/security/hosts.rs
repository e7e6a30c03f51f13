//! Requests that mean one thing to a proxy and another one to the relay.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::{PATIENCE, World};

/// Everything that comes back until the relay ends the connection.
async fn say(world: &World, request: &str) -> String {
    let address = ("127.0.0.1", world.relay.ports.public);
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_string(&mut answer)).await;
    read.expect("the connection is ended").unwrap();
    answer
}

#[tokio::test]
async fn request_with_two_hosts_is_refused_and_nothing_follows_on_its_connection() {
    let world = World::start().await;
    let request = |hosts: &[&str]| {
        let hosts: String = hosts
            .iter()
            .map(|host| format!("Host: {host}\r\n"))
            .collect();
        format!("GET /healthz HTTP/1.1\r\n{hosts}")
    };
    let one = request(&["relay.example.org"]);
    let answer = say(&world, &format!("{one}Connection: close\r\n\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    for hosts in [
        ["relay.example.org", "evil.example"],
        ["relay.example.org", "relay.example.org"],
    ] {
        let two = request(&hosts);
        let answer = say(&world, &format!("{two}\r\n{one}\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    }
    world.finish().await;
}
