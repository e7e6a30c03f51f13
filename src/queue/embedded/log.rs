//! Notices that commits of the write-ahead log were lost. SQLite takes a log up to the first frame whose checksum does
//! not fit and says nothing of the rest; a log whose header does not fit its checksum it ignores as a whole. For the
//! last commit that is right: a power cut may leave it torn. Any later one was begun after the one before it was on the
//! disk, and a header is on the disk before the first frame: what does not fit there is damage.
//!
//! The form of the log is SQLite's (<https://www.sqlite.org/fileformat2.html>, section 4).

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use crate::domain::Timestamp;

use super::salvage;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// Copies the log of the file at `path` aside, and says so, if there are commits in it behind the `frames` of
/// `page_bytes` each that SQLite took. Nothing may have been written to it since.
pub(super) fn keep_lost(path: &Path, frames: u64, page_bytes: u64) -> io::Result<()> {
    let log = salvage::log_of(path);
    let Some(commits) = count_lost(&log, frames, page_bytes)? else {
        return Ok(());
    };
    // With the time of its last change there is one copy, however often the file cannot be opened after this.
    let changed = jiff::Timestamp::try_from(fs::metadata(&log)?.modified()?).unwrap_or_default();
    let changed = Timestamp::from_millis(changed.as_millisecond());
    let kept = salvage::log_of(&salvage::aside_of(path, changed));
    fs::copy(&log, &kept)?;
    File::open(&kept)?.sync_all()?;
    tracing::error!(
        path = %log.display(),
        kept = %kept.display(),
        frames,
        lost_commits = commits,
        "the queue's log was damaged: a copy is kept, and what stands before the damage is read. Look after the disk; what meetings still owe is found again by itself, the events that are lost are not"
    );
    Ok(())
}

/// Commits behind the first `taken` frames, if not only the last of them was torn.
fn count_lost(log: &Path, taken: u64, page_bytes: u64) -> io::Result<Option<usize>> {
    let mut log = match File::open(log) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        log => log?,
    };
    let frame_bytes = FRAME_HEADER as u64 + page_bytes;
    let frames = log.metadata()?.len().saturating_sub(HEADER as u64) / frame_bytes;
    if frames == 0 {
        return Ok(None);
    }
    let mut header = [0; HEADER];
    log.read_exact(&mut header)?;
    let is_whole = is_whole(&header);
    let mut commits = 0;
    for number in taken..frames {
        let mut frame = [0; FRAME_HEADER];
        log.seek(SeekFrom::Start(HEADER as u64 + number * frame_bytes))?;
        log.read_exact(&mut frame)?;
        // A frame with other salts is left of a log that is in the file.
        let is_of_this_log = !is_whole || frame[8..16] == header[16..24];
        commits += usize::from(is_of_this_log && frame[4..8] != [0; 4]);
    }
    Ok((!is_whole || commits > 1).then_some(commits))
}

/// Whether a log's header fits its own checksum.
fn is_whole(header: &[u8; HEADER]) -> bool {
    let word = |at: usize| -> [u8; 4] { std::array::from_fn(|n| header[at + n]) };
    // The last bit of the magic number says in which order the summed bytes are.
    let read = match header[3] & 1 {
        1 => u32::from_be_bytes,
        _ => u32::from_le_bytes,
    };
    let (mut first, mut second) = (0_u32, 0_u32);
    for at in [0, 8, 16] {
        first = first.wrapping_add(read(word(at))).wrapping_add(second);
        second = second.wrapping_add(read(word(at + 4))).wrapping_add(first);
    }
    header[..3] == [0x37, 0x7f, 0x06]
        && [first.to_be_bytes(), second.to_be_bytes()] == [word(24), word(28)]
}
