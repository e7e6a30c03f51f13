//! Tells the program of which commit it was built (`telemetry::REVISION`): the variable `MEETRELAY_REVISION` of the
//! build if it is set, else what git says of this folder, else nothing.
#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "cargo gives a build script its input by variables and takes its output from standard output"
)]

use std::path::Path;
use std::process::Command;

const VARIABLE: &str = "MEETRELAY_REVISION";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-env-changed={VARIABLE}");
    let given = std::env::var(VARIABLE)
        .ok()
        .map(|given| given.trim().to_owned())
        .filter(|given| !given.is_empty());
    if let Some(revision) = given.or_else(of_git) {
        println!("cargo:rustc-env={VARIABLE}={revision}");
    }
}

/// The commit that is checked out here. A source archive unpacked inside another repository is not that one's commit.
fn of_git() -> Option<String> {
    let top = git(&["rev-parse", "--show-toplevel"])?;
    let here = std::env::var_os("CARGO_MANIFEST_DIR")?;
    if Path::new(&top).canonicalize().ok()? != Path::new(&here).canonicalize().ok()? {
        return None;
    }
    // The first changes with another branch, the second with each commit. One that is missing is left out, or cargo
    // would run this at every build. Builds for tests are not made again for each commit.
    let is_release = std::env::var("PROFILE").is_ok_and(|profile| profile == "release");
    for name in ["HEAD", "logs/HEAD"]
        .iter()
        .take(1 + usize::from(is_release))
    {
        let path = git(&["rev-parse", "--git-path", name])?;
        if Path::new(&path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}
