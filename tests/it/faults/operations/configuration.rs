//! Configurations and surroundings that do not do (O4): one clear error each, at once, and in the exit code.

use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;

use tempfile::TempDir;
use tokio::process::Command;

/// Enough to serve: peers need not answer for that.
const ENOUGH: &str = r#"[server]
listen = "127.0.0.1:0"
admin_listen = "127.0.0.1:0"
public_url = "http://127.0.0.1:1"
data_dir = "DATA"
[mattermost]
url = "http://127.0.0.1:1"
bot_token = "canary4token4canary4canary"
outgoing_tokens = ["canary5token5canary5canary"]
[plugnmeet]
url = "http://127.0.0.1:1"
api_key = "key"
api_secret = "canary6secret6canary"
"#;

/// Writes the file, private, and runs a command with it.
async fn run(folder: &TempDir, text: &str, command: &str) -> (i32, String) {
    let file = folder.path().join("meetrelay.toml");
    std::fs::write(&file, text).unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    run_with(&file, command).await
}

async fn run_with(file: &Path, command: &str) -> (i32, String) {
    let output: Output = Command::new(env!("CARGO_BIN_EXE_meetrelay"))
        .arg("--config")
        .arg(file)
        .arg(command)
        .kill_on_drop(true)
        .output()
        .await
        .unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(!said.contains("canary"), "it tells a secret:\n{said}");
    (output.status.code().expect("it ends by itself"), said)
}

fn enough(folder: &TempDir) -> String {
    let data = folder.path().join("data");
    ENOUGH.replace("DATA", data.to_str().unwrap())
}

#[tokio::test]
async fn o4_every_wrong_key_is_named_with_file_and_line_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let text = "[server]\nlisten = \"nowhere\"\nlissten = \"x\"\n[mattermost]\ncall_timeout = \"soon\"\nenabled = 3\n";
    for command in ["check", "serve"] {
        let (code, said) = run(&folder, text, command).await;
        assert_eq!(code, 2, "{command}");
        for words in [
            "meetrelay.toml:2: server.listen",
            "meetrelay.toml:3: unknown key server.lissten; did you mean server.listen?",
            "meetrelay.toml:5: mattermost.call_timeout",
            "meetrelay.toml:6: mattermost.enabled: is a number",
        ] {
            assert!(said.contains(words), "{words:?} is not in:\n{said}");
        }
    }
}

#[tokio::test]
async fn o4_missing_secret_fails_check_as_it_fails_serve() {
    let folder = tempfile::tempdir().unwrap();
    let text = enough(&folder).replace("api_secret = \"canary6secret6canary\"\n", "");
    for command in ["check", "serve"] {
        let (code, said) = run(&folder, &text, command).await;
        assert_eq!(code, 2, "{command}: {said}");
        assert!(said.contains("plugnmeet.api_secret: is missing"), "{said}");
    }
    let text = enough(&folder).replace("bot_token = \"canary4token4canary4canary\"\n", "");
    for command in ["check", "serve"] {
        let (code, said) = run(&folder, &text, command).await;
        assert_eq!(code, 2, "{command}: {said}");
        assert!(said.contains("mattermost.bot_token: is missing"), "{said}");
    }
}

#[tokio::test]
async fn o4_file_with_secrets_that_everybody_can_read_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let (code, said) = run(&folder, &enough(&folder), "check").await;
    assert_eq!((code, said.contains("Warning")), (0, false), "{said}");
    let file = folder.path().join("meetrelay.toml");
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (code, said) = run_with(&file, "check").await;
    assert_eq!(code, 0, "it works all the same");
    assert!(
        said.contains("Warning: ") && said.contains("chmod 0600"),
        "{said}"
    );
}

#[tokio::test]
async fn o4_port_in_use_is_named_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for (key, line) in [
        ("server.listen", "\nlisten = \"127.0.0.1:0\""),
        ("server.admin_listen", "\nadmin_listen = \"127.0.0.1:0\""),
    ] {
        let text = enough(&folder).replace(line, &line.replace("127.0.0.1:0", &address));
        let (code, said) = run(&folder, &text, "serve").await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(&format!("{key} {address}: ")), "{said}");
        assert!(said.contains("write another address"), "{said}");
    }
}

#[tokio::test]
async fn o4_data_directory_that_cannot_be_is_named_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("data"), "a file stands here").unwrap();
    let text = enough(&folder).replace("/data\"", "/data/below\"");
    let (code, said) = run(&folder, &text, "serve").await;
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains("server.data_dir") && said.contains("write to"),
        "{said}"
    );
}
