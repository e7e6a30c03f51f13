#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

use std::os::unix::fs::FileTypeExt;

use tokio::net::UnixStream;

use super::*;
use crate::config::{Environment, Sources, load};

fn config(data: &Path) -> Config {
    let variables = [("MEETRELAY__SERVER__DATA_DIR", data.to_str().unwrap())];
    let sources = Sources {
        file: None,
        environment: variables.into_iter().collect::<Environment>(),
    };
    load(&sources).unwrap().config
}

fn mode(path: &Path) -> u32 {
    path.symlink_metadata().unwrap().permissions().mode() & 0o777
}

#[test]
fn data_directory_is_made_private_and_one_that_is_there_is_left() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("new/data");
    make(&config(&data)).unwrap();
    assert_eq!(mode(&data), 0o700);
    fs::set_permissions(&data, Permissions::from_mode(0o755)).unwrap();
    make(&config(&data)).unwrap();
    assert_eq!(mode(&data), 0o755);
}

#[tokio::test]
async fn socket_is_private_and_goes_with_its_relay() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let path = config.admin_socket_path();
    let socket = AdminSocket::take(&config).unwrap();
    let listener = socket.listen().unwrap();
    assert!(path.metadata().unwrap().file_type().is_socket());
    assert_eq!(mode(&path), 0o600);
    assert!(!folder.path().join(".sock").exists());
    UnixStream::connect(&path).await.unwrap();
    assert!(matches!(
        AdminSocket::take(&config),
        Err(LockError::InUse { .. })
    ));
    drop((listener, socket));
    assert!(!path.exists());
    drop(AdminSocket::take(&config).unwrap());
}

#[tokio::test]
async fn what_a_killed_relay_left_is_replaced() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let path = config.admin_socket_path();
    // One relay was killed while it served, and an earlier one while it made its socket.
    fs::create_dir(folder.path().join(".sock")).unwrap();
    for left in [path.clone(), folder.path().join(".sock/s")] {
        drop(std::os::unix::net::UnixListener::bind(left).unwrap());
    }
    let refused = UnixStream::connect(&path).await.unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::ConnectionRefused);
    let socket = AdminSocket::take(&config).unwrap();
    let _listener = socket.listen().unwrap();
    UnixStream::connect(&path).await.unwrap();
}

#[tokio::test]
async fn file_that_is_no_socket_is_replaced_but_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let config = config(folder.path());
    let path = config.admin_socket_path();
    fs::write(&path, "a file").unwrap();
    let socket = AdminSocket::take(&config).unwrap();
    drop(socket.listen().unwrap());
    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    assert!(socket.listen().is_none());
}
