//! The write-ahead log, looked at before SQLite does: SQLite takes a log up to its first frame whose checksum does not
//! fit and forgets the rest without a word. At the torn end of a log that is right. In its middle, with a commit behind
//! it that was begun after this one was waited for, it would lose accepted messages: such a log is copied, and its
//! checksums are made to fit again, so that one wrong page remains, which the check of the file or a message's own
//! checksum finds. Damage in the last commit cannot be told from a power cut in the middle of writing it.
//!
//! The form of the log is SQLite's (<https://www.sqlite.org/fileformat2.html>, section 4).

use std::fs::{self, File};
use std::io::{self, BufReader, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use crate::domain::Timestamp;

use super::salvage;

const HEADER: usize = 32;
const FRAME_HEADER: usize = 24;
/// The log's magic number; its last bit says in which order the bytes of checksums are.
const MAGIC: u32 = 0x377f_0682;
/// The largest page that SQLite has.
const PAGE_BYTES_MAX: usize = 65_536;

type Sum = (u32, u32);

/// What is wrong with a log.
#[derive(Debug, PartialEq, Eq)]
struct Damage {
    /// The first frame that does not fit, from 0.
    first: usize,
    /// Frames up to the end of the last whole commit.
    frames: usize,
}

/// The log beside `path`.
pub(super) fn path_of(path: &Path) -> PathBuf {
    salvage::beside(path, "-wal")
}

/// Makes a log that is damaged in its middle whole again, after it was copied. Any other log is left as it is.
pub(super) fn mend(path: &Path, now: Timestamp) -> io::Result<()> {
    let log = path_of(path);
    let Some(damage) = examine(&log)? else {
        return Ok(());
    };
    let kept = salvage::name_aside(path, now, "-wal");
    fs::copy(&log, &kept)?;
    File::open(&kept)?.sync_all()?;
    tracing::error!(
        path = %log.display(),
        kept = %kept.display(),
        frame = damage.first,
        frames = damage.frames,
        "the queue's log is damaged in its middle: a copy is kept, and what stands behind the damage is read all the same. Look after the disk"
    );
    rewrite(&log, damage.frames)
}

/// Finds a frame that does not fit, and at least two commits at or behind it, the last of them whole: the second was
/// begun after the first was on the disk.
fn examine(log: &Path) -> io::Result<Option<Damage>> {
    let Some(mut reader) = Reader::open(log)? else {
        return Ok(None);
    };
    let mut before = reader.sum;
    let (mut first, mut commits, mut frames, mut number) = (None, 0, 0, 0);
    while let Some(frame) = reader.next()? {
        // A frame is whole if its sum follows from the one that stands in the frame before it.
        let is_ours = frame.salts() == reader.salts;
        let is_whole = is_ours && frame.sum(before, reader.is_big_endian) == frame.stored_sum();
        if !is_whole && first.is_none() {
            first = Some(number);
        }
        if first.is_some() && is_ours && frame.is_commit() {
            commits += 1;
            if commits > 1 && is_whole {
                frames = number + 1;
            }
        }
        before = frame.stored_sum();
        number += 1;
    }
    Ok(first
        .filter(|_| frames > 0)
        .map(|first| Damage { first, frames }))
}

/// Writes salts and sums that fit into the first `count` frames, and ends the log there.
fn rewrite(log: &Path, count: usize) -> io::Result<()> {
    let Some(mut reader) = Reader::open(log)? else {
        return Ok(());
    };
    let mut file = File::options().write(true).open(log)?;
    let (mut sum, mut at) = (reader.sum, HEADER as u64);
    for _ in 0..count {
        let Some(mut frame) = reader.next()? else {
            break;
        };
        frame.0[8..16].copy_from_slice(&reader.salts);
        sum = frame.sum(sum, reader.is_big_endian);
        frame.0[16..20].copy_from_slice(&sum.0.to_be_bytes());
        frame.0[20..24].copy_from_slice(&sum.1.to_be_bytes());
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&frame.0[..FRAME_HEADER])?;
        at += frame.0.len() as u64;
    }
    file.set_len(at)?;
    file.sync_all()
}

/// Header and page.
struct Frame(Vec<u8>);

impl Frame {
    fn salts(&self) -> [u8; 8] {
        std::array::from_fn(|at| self.0[8 + at])
    }

    /// Whether a transaction ends with it.
    fn is_commit(&self) -> bool {
        word(&self.0, 4) != 0
    }

    fn stored_sum(&self) -> Sum {
        (word(&self.0, 16), word(&self.0, 20))
    }

    fn sum(&self, before: Sum, is_big_endian: bool) -> Sum {
        let sum = add(before, &self.0[..8], is_big_endian);
        add(sum, &self.0[FRAME_HEADER..], is_big_endian)
    }
}

/// Goes through a log without holding more of it than a page.
struct Reader {
    file: BufReader<File>,
    page_bytes: usize,
    is_big_endian: bool,
    salts: [u8; 8],
    /// The header's.
    sum: Sum,
}

impl Reader {
    /// `None`: there is no log, or nothing that looks like one.
    fn open(log: &Path) -> io::Result<Option<Self>> {
        let file = match File::open(log) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        let mut file = BufReader::new(file);
        let mut header = [0; HEADER];
        if !fill(&mut file, &mut header)? {
            return Ok(None);
        }
        let (magic, page_bytes) = (word(&header, 0), word(&header, 8) as usize);
        let is_log = magic & !1 == MAGIC
            && page_bytes.is_power_of_two()
            && (512..=PAGE_BYTES_MAX).contains(&page_bytes);
        Ok(is_log.then(|| Self {
            file,
            page_bytes,
            is_big_endian: magic & 1 == 1,
            salts: std::array::from_fn(|at| header[16 + at]),
            sum: (word(&header, 24), word(&header, 28)),
        }))
    }

    /// The next whole frame.
    fn next(&mut self) -> io::Result<Option<Frame>> {
        let mut bytes = vec![0; FRAME_HEADER + self.page_bytes];
        Ok(fill(&mut self.file, &mut bytes)?.then_some(Frame(bytes)))
    }
}

/// Whether there were as many bytes.
fn fill(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(std::array::from_fn(|n| bytes[at + n]))
}

fn add((mut first, mut second): Sum, bytes: &[u8], is_big_endian: bool) -> Sum {
    let read = |four: &[u8]| {
        let four = std::array::from_fn(|at| four[at]);
        match is_big_endian {
            true => u32::from_be_bytes(four),
            false => u32::from_le_bytes(four),
        }
    };
    for eight in bytes.chunks_exact(8) {
        first = first.wrapping_add(read(&eight[..4])).wrapping_add(second);
        second = second.wrapping_add(read(&eight[4..])).wrapping_add(first);
    }
    (first, second)
}
