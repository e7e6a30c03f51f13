//! Detects lost commits of the write-ahead log. SQLite reads a log up to the first frame whose checksum does not match
//! and does not report the rest. It ignores a log as a whole if the checksum of its header does not match. For the last
//! commit that is right: a power cut may leave it incomplete. Every later commit was begun after the one before it was
//! on the disk, and a header is on the disk before the first frame. So a mismatch there is damage.
//!
//! The format of the log is SQLite's (<https://www.sqlite.org/fileformat2.html>, section 4).

use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::Path;

use crate::domain::Timestamp;

use super::salvage;

const HEADER_BYTES: usize = 32;
const FRAME_HEADER_BYTES: usize = 24;

/// Keeps a copy of the log of the file at `path`, and logs that, if it has commits after the `frames` of `page_bytes`
/// each that SQLite read. The log must not have been written to since SQLite read it.
pub(super) fn keep_lost(path: &Path, frames: u64, page_bytes: u64) -> io::Result<()> {
    let log = salvage::log_of(path);
    let Some(commits) = count_lost(&log, frames, page_bytes)? else {
        return Ok(());
    };
    // The name contains the time of the log's last change, so that there is one copy, however often opening the file
    // fails after this.
    let changed = jiff::Timestamp::try_from(fs::metadata(&log)?.modified()?).unwrap_or_default();
    let changed = Timestamp::from_millis(changed.as_millisecond());
    let kept = salvage::log_of(&salvage::quarantine_path(path, changed));
    fs::copy(&log, &kept)?;
    File::open(&kept)?.sync_all()?;
    tracing::error!(
        path = %log.display(),
        kept = %kept.display(),
        frames,
        lost_commits = commits,
        "the queue's log was damaged: a copy is kept, and the messages before the damage are read. Check the disk; jobs that meetings still owe are published again by the relay, the lost events are not"
    );
    Ok(())
}

/// The number of commits after the first `taken` frames. `None` if none was lost, or if only the last commit was
/// incomplete.
fn count_lost(log: &Path, taken: u64, page_bytes: u64) -> io::Result<Option<usize>> {
    let mut log = match File::open(log) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        log => log?,
    };
    let frame_bytes = FRAME_HEADER_BYTES as u64 + page_bytes;
    let frames = log.metadata()?.len().saturating_sub(HEADER_BYTES as u64) / frame_bytes;
    if frames == 0 {
        return Ok(None);
    }
    let mut header = [0; HEADER_BYTES];
    log.read_exact(&mut header)?;
    let is_whole = is_whole(&header);
    let mut commits = 0;
    for number in taken..frames {
        let mut frame = [0; FRAME_HEADER_BYTES];
        log.seek(SeekFrom::Start(HEADER_BYTES as u64 + number * frame_bytes))?;
        log.read_exact(&mut frame)?;
        // A frame with other salts remains from an earlier log whose commits are in the file.
        let is_of_this_log = !is_whole || frame[8..16] == header[16..24];
        commits += usize::from(is_of_this_log && frame[4..8] != [0; 4]);
    }
    Ok((!is_whole || commits > 1).then_some(commits))
}

/// Whether the header of a log matches its own checksum.
fn is_whole(header: &[u8; HEADER_BYTES]) -> bool {
    let word = |at: usize| -> [u8; 4] { std::array::from_fn(|n| header[at + n]) };
    // The last bit of the magic number gives the byte order of the checksum.
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
