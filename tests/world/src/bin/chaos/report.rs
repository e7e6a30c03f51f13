//! What a person reads: the plan, the ledger, and each discrepancy with the last log lines about it.

use std::collections::BTreeMap;
use std::io::BufRead;
use std::path::{Path, PathBuf};

use super::ledger::{Counts, Discrepancy};
use super::stage::Stage;

/// The most memory that a relay may hold at one time (VmHWM).
pub const RELAY_MEMORY_MAX_KIB: u64 = 256 * 1024;
/// Discrepancies that are printed; the others are counted.
const NAMED_MAX: usize = 30;
/// Log lines that are printed about one.
const LOG_LINES_MAX: usize = 6;
/// Letters of a log line that are printed.
const LOG_LETTERS_MAX: usize = 400;

/// What the relays' processes went through.
#[derive(Debug, Default)]
pub struct Processes {
    pub starts: u32,
    pub memory_kib: u64,
    pub wrong: Vec<Discrepancy>,
}

/// Stops every relay and looks back at their processes.
pub async fn processes(stage: &Stage) -> Processes {
    let mut all = Processes::default();
    for relay in &stage.relays {
        let mut relay = relay.lock().await;
        relay.stop().await;
        all.starts += relay.starts;
        all.memory_kib = all.memory_kib.max(relay.memory_kib);
        let id = format!("relay-{}", relay.number);
        for what in &relay.wrong {
            all.wrong.push(Discrepancy {
                id: id.clone(),
                what: what.clone(),
            });
        }
        if relay.memory_kib > RELAY_MEMORY_MAX_KIB {
            let what = format!(
                "held {} KiB, more than {RELAY_MEMORY_MAX_KIB}",
                relay.memory_kib
            );
            all.wrong.push(Discrepancy { id, what });
        }
    }
    all
}

/// Secrets in the relays' logs.
pub fn secrets(stage: &Stage) -> Vec<Discrepancy> {
    let mut wrong = Vec::new();
    for log in logs(&stage.folder) {
        for secret in &stage.secrets {
            let mut lines = lines(&log).filter(|line| line.contains(secret));
            if let Some(line) = lines.next() {
                let id = log.display().to_string();
                let what = format!("holds a secret ({secret:.6}...): {line:.200}");
                wrong.push(Discrepancy { id, what });
            }
        }
    }
    wrong
}

/// The table.
pub fn table(counts: &Counts, troubles: &BTreeMap<String, u32>, processes: &Processes) -> String {
    let mut text = String::from("troubles\n");
    for (name, count) in troubles {
        text += &format!("  {count:>5}  {name}\n");
    }
    let rows = [
        ("requests accepted", counts.accepted),
        ("requests refused in visible words", counts.refused),
        (
            "requests lost at the source (Mattermost's one try)",
            counts.lost,
        ),
        ("  of both, taken all the same", counts.taken_all_the_same),
        ("meetings", counts.meetings),
        ("cards", counts.cards),
        ("sessions in plugNmeet", counts.sessions),
        ("webhooks accepted", counts.webhooks_accepted),
        (
            "webhooks lost at the source (plugNmeet's three tries)",
            counts.webhooks_lost,
        ),
        ("recordings and summaries", counts.artifacts),
        (
            "late answers that came twice (cannot be looked up)",
            counts.answers_doubled,
        ),
        ("meetings with a dead letter", counts.buried),
        ("starts of relays", processes.starts),
    ];
    text += "ledger\n";
    for (name, count) in rows {
        text += &format!("  {count:>5}  {name}\n");
    }
    text += &format!(
        "  {:>5}  MiB, the most that a relay held\n",
        processes.memory_kib / 1024
    );
    text
}

/// Each discrepancy with the last log lines about its id.
pub fn discrepancies(folder: &Path, wrong: &[Discrepancy]) -> String {
    let mut text = String::new();
    for one in wrong.iter().take(NAMED_MAX) {
        text += &format!("WRONG {}: {}\n", one.id, one.what);
        for line in last_lines(folder, &one.id) {
            text += &format!("      {line:.LOG_LETTERS_MAX$}\n");
        }
    }
    if wrong.len() > NAMED_MAX {
        text += &format!("and {} more\n", wrong.len() - NAMED_MAX);
    }
    text
}

fn last_lines(folder: &Path, id: &str) -> Vec<String> {
    // "-" and names of relays are no ids that logs know.
    if id.len() < 20 {
        return Vec::new();
    }
    let mut found = Vec::new();
    for log in logs(folder) {
        let with_id = lines(&log).filter(|line| line.contains(id));
        found.extend(with_id);
    }
    found.sort();
    found.split_off(found.len().saturating_sub(LOG_LINES_MAX))
}

fn logs(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let paths = entries.map(|entry| entry.path());
    paths
        .filter(|path| path.extension().is_some_and(|end| end == "log"))
        .collect()
}

fn lines(path: &Path) -> impl Iterator<Item = String> {
    let file = std::fs::File::open(path).ok();
    let lines = file.map(|file| std::io::BufReader::new(file).lines());
    lines.into_iter().flatten().map_while(Result::ok)
}
