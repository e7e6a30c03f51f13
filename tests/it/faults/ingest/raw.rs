//! Requests byte by byte, for those that no HTTP client would send.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::harness::Relay;

/// Far beyond every deadline that these tests set.
const WITHIN: Duration = Duration::from_secs(15);

/// Everything that came back.
#[derive(Debug)]
pub struct Answer {
    /// Of the first answer; 0 if there was none.
    pub status: u16,
    /// All answers with their heads.
    pub text: String,
    /// The relay ended the connection.
    pub is_closed: bool,
}

impl Answer {
    /// How many requests were answered finally.
    pub fn count(&self) -> usize {
        let lines = self.text.split("HTTP/1.").skip(1);
        lines.filter(|line| !line[2..].starts_with("100")).count()
    }

    /// Without what differs from answer to answer.
    pub fn shape(&self) -> String {
        let lines = self.text.lines().map(|line| {
            let is_own = line.starts_with("date:") || line.starts_with("x-request-id:");
            match line.find("ref ") {
                _ if is_own => "",
                Some(at) => &line[..at],
                None => line,
            }
        });
        lines.collect::<Vec<_>>().join("\n")
    }
}

/// A POST of form or JSON that ends its connection.
pub fn post(path: &str, content_type: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let head = format!("Content-Type: {content_type}\r\n");
    request("POST", path, &head, body)
}

/// Any request with these header lines, a Content-Length, and the wish to end the connection.
pub fn request(method: &str, path: &str, headers: &str, body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let length = body.len();
    let mut request = format!(
        "{method} {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{headers}Content-Length: {length}\r\n\r\n"
    )
    .into_bytes();
    request.extend(body);
    request
}

/// Connects to the public listener.
pub async fn connect(relay: &Relay) -> TcpStream {
    TcpStream::connect(("127.0.0.1", relay.ports.public))
        .await
        .unwrap()
}

/// Sends all of it and reads until the relay ends the connection.
pub async fn say(relay: &Relay, request: &[u8]) -> Answer {
    let mut stream = connect(relay).await;
    // The relay may answer and close before it has read everything.
    let _ = tokio::time::timeout(WITHIN, stream.write_all(request)).await;
    read(stream).await
}

/// The same, but nothing more can come: as from a sender that died.
pub async fn say_and_hang_up(relay: &Relay, request: &[u8]) -> Answer {
    let mut stream = connect(relay).await;
    stream.write_all(request).await.unwrap();
    stream.shutdown().await.unwrap();
    read(stream).await
}

/// Reads until the relay ends the connection.
pub async fn read(mut stream: TcpStream) -> Answer {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(WITHIN, stream.read_to_end(&mut bytes)).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text
        .split(' ')
        .nth(1)
        .and_then(|word| word.parse().ok())
        .unwrap_or(0);
    Answer {
        status,
        text,
        is_closed: read.is_ok(),
    }
}
