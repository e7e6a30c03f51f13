//! A Mattermost that lies: it stands before the fake, and hands connections on or says raw bytes instead.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::harness::{Setup, World, eventually, slow_peer_takes};

/// What it does with a connection.
#[derive(Clone)]
pub enum Manner {
    /// Hands it on to the fake.
    Honest(SocketAddr),
    /// Reads a request, writes these bytes and goes on so.
    Lie(Vec<u8>, After),
}

/// How a lie goes on.
#[derive(Clone)]
pub enum After {
    Close,
    /// Nothing more, and no end.
    Stall,
    /// One byte now and then.
    Drip,
    /// Bytes without end, as fast as they are taken.
    Endless,
    /// The connection is reset.
    Reset,
}

pub struct Liar {
    address: SocketAddr,
    manner: watch::Sender<Manner>,
    told: Arc<AtomicU64>,
    sent: Arc<AtomicU64>,
    _serving: JoinSet<()>,
}

impl Liar {
    /// It listens, and closes every connection.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (manner, _) = watch::channel(Manner::Lie(Vec::new(), After::Close));
        let (told, sent) = (Arc::<AtomicU64>::default(), Arc::<AtomicU64>::default());
        let mut serving = JoinSet::new();
        let (manners, counts) = (manner.clone(), (Arc::clone(&told), Arc::clone(&sent)));
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let (told, sent) = (Arc::clone(&counts.0), Arc::clone(&counts.1));
                let mut changes = manners.subscribe();
                connections.spawn(async move {
                    let manner = changes.borrow_and_update().clone();
                    tokio::select! {
                        // What it said before must not be met any more.
                        _ = changes.changed() => {}
                        () = meet(stream, manner, &told, &sent) => {}
                    }
                });
                while connections.try_join_next().is_some() {}
            }
        });
        Self {
            address,
            manner,
            told,
            sent,
            _serving: serving,
        }
    }

    /// A world whose relay takes it for the chat server; it is honest at first.
    pub async fn world(&self, setup: Setup) -> World {
        let world = setup
            .set("MATTERMOST__URL", &self.url("http"))
            .set("MATTERMOST__TIDY_AFTER", "1s")
            .set("MATTERMOST__CATCH_UP", "false")
            .start()
            .await;
        self.be_honest(&world);
        let ready = r#"meetrelay_ready{check="mattermost"} 1"#;
        world.relay.await_metric(ready).await;
        world
    }

    pub fn url(&self, scheme: &str) -> String {
        format!("{scheme}://{}", self.address)
    }

    pub fn be_honest(&self, world: &World) {
        let url = world.chat.url();
        let fake = url.trim_start_matches("http://").trim_end_matches('/');
        self.manner
            .send_replace(Manner::Honest(fake.parse().unwrap()));
    }

    pub fn lie(&self, words: impl AsRef<[u8]>, after: After) {
        let words = words.as_ref().to_vec();
        self.manner.send_replace(Manner::Lie(words, after));
    }

    /// How many requests it has lied to.
    pub fn told(&self) -> u64 {
        self.told.load(Ordering::Relaxed)
    }

    /// How many bytes of lies were taken from it.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// Waits until it has lied to so many more requests.
    pub async fn await_told(&self, more: u64) {
        let enough = self.told() + more;
        eventually("another request to lie to", async || {
            (self.told() >= enough).then_some(())
        })
        .await;
    }
}

async fn meet(mut stream: TcpStream, manner: Manner, told: &AtomicU64, sent: &AtomicU64) {
    let (words, after) = match manner {
        Manner::Honest(fake) => {
            if let Ok(mut fake) = TcpStream::connect(fake).await {
                let _ = copy_bidirectional(&mut stream, &mut fake).await;
            }
            return;
        }
        Manner::Lie(words, after) => (words, after),
    };
    if !read_request(&mut stream).await {
        return;
    }
    told.fetch_add(1, Ordering::Relaxed);
    if stream.write_all(&words).await.is_err() {
        return;
    }
    match after {
        After::Close => drop(stream.shutdown().await),
        After::Reset => drop(stream.set_zero_linger()),
        After::Stall => std::future::pending().await,
        After::Drip => {
            while stream.write_all(b"y").await.is_ok() {
                slow_peer_takes(Duration::from_millis(50)).await;
            }
        }
        After::Endless => {
            let chunk = [b'y'; 16 * 1024];
            while stream.write_all(&chunk).await.is_ok() {
                sent.fetch_add(chunk.len() as u64, Ordering::Relaxed);
            }
        }
    }
}

/// Head and body of one request; whether there was one.
async fn read_request(stream: &mut TcpStream) -> bool {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    loop {
        let Ok(length @ 1..) = stream.read(&mut buffer).await else {
            return false;
        };
        read.extend_from_slice(&buffer[..length]);
        let text = String::from_utf8_lossy(&read).to_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let told = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        if told.is_none_or(|told| body.len() >= told.parse().unwrap_or(0)) {
            return true;
        }
    }
}
