//! The load driver itself: a short run at a small rate finds nothing missing and nothing doubled.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::process::Command;

/// The program is of another package, which `cargo test --workspace` builds beside the relay.
fn program() -> PathBuf {
    Path::new(env!("CARGO_BIN_EXE_meetrelay")).with_file_name("load")
}

#[tokio::test]
async fn short_run_of_the_load_driver_finds_every_card() {
    if !program().exists() {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let built = Command::new(cargo)
            .args([
                "build",
                "--quiet",
                "--locked",
                "--package",
                "world",
                "--bin",
                "load",
            ])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .status()
            .await
            .unwrap();
        assert!(built.success());
    }
    let folder = tempfile::tempdir().unwrap();
    let run = Command::new(program())
        .args([
            "--rate",
            "40",
            "--seconds",
            "2",
            "--connections",
            "8",
            "--json",
        ])
        .arg("--folder")
        .arg(folder.path())
        .arg("--relay")
        .arg(env!("CARGO_BIN_EXE_meetrelay"))
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(Duration::from_secs(90), run)
        .await
        .expect("it ends in time")
        .unwrap();
    let out = String::from_utf8_lossy(&output.stdout);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{out}\n{told}");
    let report: serde_json::Value = serde_json::from_str(&out).unwrap();
    assert_eq!(report["clean"], true, "{report}");
    assert_eq!(report["cards"], 16, "{report}");
    assert_eq!(report["sent"], report["accepted"], "{report}");
    let again = &report["kinds"]["second start"]["accepted"];
    assert_eq!(*again, 1, "{report}");
}
