//! Files with secrets that everybody on the machine can read.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use super::Loaded;
use super::keys::Config;
use super::problem::ValueOrigin;

/// The permission to read for everybody.
const READ_BY_OTHERS: u32 = 0o004;

impl Loaded {
    /// The files that a secret came from although everybody on this machine can read them. It is no fault: what a
    /// container is handed often looks so, and nobody else is in there.
    pub(super) fn exposed_files(&self) -> BTreeSet<PathBuf> {
        let mut files = BTreeSet::new();
        for key in Config::SECTIONS.iter().flat_map(|section| section.keys) {
            if let Some(origin) = self.origins.get(&key.path()).filter(|_| key.is_secret) {
                note_files(origin, &mut files);
            }
        }
        files.retain(|path| is_read_by_others(path));
        files
    }
}

fn note_files(origin: &ValueOrigin, files: &mut BTreeSet<PathBuf>) {
    match origin {
        ValueOrigin::File { path, .. } | ValueOrigin::SecretFile { path, .. } => {
            files.insert(path.clone());
        }
        ValueOrigin::Variable(_) => {}
        ValueOrigin::Both(one, other) => {
            note_files(one, files);
            note_files(other, files);
        }
    }
}

fn is_read_by_others(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|found| found.permissions().mode() & READ_BY_OTHERS != 0)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

    use super::*;
    use crate::config::{Environment, Sources, load};

    #[test]
    fn only_files_that_hold_a_secret_and_that_everybody_can_read_are_told() {
        let folder = tempfile::tempdir().unwrap();
        let (file, secret) = (folder.path().join("relay.toml"), folder.path().join("key"));
        std::fs::write(&file, "[server]\nlisten = \"127.0.0.1:1\"\n").unwrap();
        std::fs::write(&secret, "a-secret\n").unwrap();
        let name = "MEETRELAY__MATTERMOST__BOT_TOKEN_FILE";
        let url = ("MEETRELAY__MATTERMOST__URL", "http://127.0.0.1:1");
        let sources = Sources {
            file: Some(file.clone()),
            environment: [(name, secret.to_str().unwrap()), url]
                .into_iter()
                .collect::<Environment>(),
        };
        let exposed = |mode| {
            for path in [&file, &secret] {
                let permissions = std::fs::Permissions::from_mode(mode);
                std::fs::set_permissions(path, permissions).unwrap();
            }
            let found = load(&sources).unwrap().exposed_files();
            found.into_iter().collect::<Vec<_>>()
        };
        assert_eq!(exposed(0o600), Vec::<PathBuf>::new());
        assert_eq!(exposed(0o640), Vec::<PathBuf>::new());
        assert_eq!(
            exposed(0o644),
            std::slice::from_ref(&secret),
            "the file holds no secret"
        );
        std::fs::write(
            &file,
            "[plugnmeet]\nurl = \"http://127.0.0.1:1\"\napi_key = \"k\"\napi_secret = \"s\"\n",
        )
        .unwrap();
        assert_eq!(exposed(0o644).len(), 2);
    }
}
