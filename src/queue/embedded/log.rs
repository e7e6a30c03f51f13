//! The write-ahead log, looked at before SQLite does: SQLite takes a log up to its first frame whose checksum does not
//! fit and forgets the rest without a word. At the torn end of a log that is right. In its middle, with a commit behind
//! it that was begun after this one was waited for, it would lose accepted messages: such a log is copied, and its
//! checksums are made to fit again, so that one wrong page remains, which the check of the file or a message's own
//! checksum finds. Damage in the last commit cannot be told from a power cut in the middle of writing it.
//!
//! A log whose header does not fit its own checksum is ignored by SQLite as a whole. No power cut leaves one with
//! accepted messages behind it: a header is on the disk before the first frame is written, and a new one is begun only
//! once everything of the log is in the file, so that old frames that are read again change nothing. Such a header is
//! written anew from what the file and the frames tell.
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
/// The version of the log's form, in its header.
const FORM_VERSION: u32 = 3_007_000;
/// Bytes of the header that its checksum is over; the checksum itself follows.
const SUMMED: usize = 24;
/// Where the file's own header tells the size of its pages.
const PAGE_BYTES_AT: u64 = 16;
/// The largest page that SQLite has.
const PAGE_BYTES_MAX: usize = 65_536;

type Sum = (u32, u32);

/// What is wrong with a log.
#[derive(Debug, PartialEq, Eq)]
struct Damage {
    /// The first frame that does not fit, from 0; none if only the header does not.
    first: Option<usize>,
    /// Frames up to the end of the last commit that can be read.
    frames: usize,
}

/// The log beside `path`.
pub(super) fn path_of(path: &Path) -> PathBuf {
    salvage::beside(path, "-wal")
}

/// Makes a log whole again whose header or middle is damaged, after it was copied. Any other log is left as it is.
/// Tells whether it was damaged: what was read behind the damage may not fit together.
pub(super) fn mend(path: &Path, now: Timestamp) -> io::Result<bool> {
    let log = path_of(path);
    let Some(form) = Form::find(path, &log)? else {
        return Ok(false);
    };
    let Some(damage) = examine(&log, &form)? else {
        return Ok(false);
    };
    let kept = salvage::name_aside(path, now, "-wal");
    fs::copy(&log, &kept)?;
    File::open(&kept)?.sync_all()?;
    let (path, kept) = (log.display(), kept.display());
    if damage.frames == 0 {
        tracing::error!(%path, %kept, "the beginning of the queue's log is damaged and nothing behind it can be read: a copy is kept, the events in it are not delivered. Look after the disk");
        return Ok(true);
    }
    tracing::error!(
        %path,
        %kept,
        is_header_damaged = !form.is_sound,
        frame = damage.first,
        frames = damage.frames,
        "the queue's log is damaged before its end: a copy is kept, and what stands behind the damage is read all the same. Look after the disk"
    );
    rewrite(&log, &form, damage.frames)?;
    Ok(true)
}

/// Finds a frame that does not fit, and at least two commits at or behind it, the last of them whole: the second was
/// begun after the first was on the disk. With a damaged header, finds what is whole otherwise.
fn examine(log: &Path, form: &Form) -> io::Result<Option<Damage>> {
    let Some(mut frames) = Frames::open(log, form.page_bytes)? else {
        return Ok(None);
    };
    let mut before = form.sums.clone();
    let (mut first, mut commits, mut number) = (None, 0, 0);
    let (mut whole, mut behind) = (0, 0);
    while let Some(frame) = frames.next()? {
        // A frame is whole if its sum follows from the one that stands in the frame before it.
        let is_ours = frame.salts() == form.salts;
        let is_whole = is_ours
            && before
                .iter()
                .any(|before| frame.sum(*before, form.is_big_endian) == frame.stored_sum());
        if !is_whole && first.is_none() {
            first = Some(number);
        }
        number += 1;
        if is_ours && frame.is_commit() {
            if first.is_none() {
                whole = number;
            } else {
                commits += 1;
                if commits > 1 && is_whole {
                    behind = number;
                }
            }
        }
        before = vec![frame.stored_sum()];
    }
    let frames = if form.is_sound {
        behind
    } else {
        whole.max(behind)
    };
    let is_damaged = frames > 0 || !form.is_sound;
    Ok(is_damaged.then_some(Damage { first, frames }))
}

/// Writes a header that fits if the present one does not, salts and sums that fit into the first `count` frames, and
/// ends the log there. A frame without a page's number, at which SQLite would end, is left out.
fn rewrite(log: &Path, form: &Form, count: usize) -> io::Result<()> {
    let Some(mut frames) = Frames::open(log, form.page_bytes)? else {
        return Ok(());
    };
    let mut file = File::options().write(true).open(log)?;
    let mut sum = match form.sums.first() {
        Some(sum) if form.is_sound => *sum,
        _ => {
            let (header, sum) = form.header();
            file.write_all(&header)?;
            sum
        }
    };
    let mut at = HEADER as u64;
    for _ in 0..count {
        let Some(mut frame) = frames.next()? else {
            break;
        };
        if frame.page() == 0 {
            continue;
        }
        frame.0[8..16].copy_from_slice(&form.salts);
        sum = frame.sum(sum, form.is_big_endian);
        frame.0[16..20].copy_from_slice(&sum.0.to_be_bytes());
        frame.0[20..24].copy_from_slice(&sum.1.to_be_bytes());
        // Never behind what was read.
        file.seek(SeekFrom::Start(at))?;
        file.write_all(&frame.0)?;
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

    /// The number of its page, from 1.
    fn page(&self) -> u32 {
        word(&self.0, 0)
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

/// What a log's header tells.
struct Form {
    page_bytes: usize,
    is_big_endian: bool,
    salts: [u8; 8],
    /// What the first frame's sum may follow from.
    sums: Vec<Sum>,
    /// The header fits its own checksum.
    is_sound: bool,
}

impl Form {
    /// From the header, or else from what the file at `path` and the frames tell. `None`: there is no log, or nothing
    /// in it that is a frame.
    fn find(path: &Path, log: &Path) -> io::Result<Option<Self>> {
        let mut header = [0; HEADER];
        match File::open(log) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => {
                if !fill(&mut file?, &mut header)? {
                    return Ok(None);
                }
            }
        }
        match Self::read(&header) {
            Some(form) => Ok(Some(form)),
            None => Self::guess(path, log, &header),
        }
    }

    fn read(header: &[u8; HEADER]) -> Option<Self> {
        let (magic, page_bytes) = (word(header, 0), word(header, 8) as usize);
        let is_big_endian = magic & 1 == 1;
        let sum = (word(header, 24), word(header, 28));
        let is_sound = magic & !1 == MAGIC
            && is_page_size(page_bytes)
            && add((0, 0), &header[..SUMMED], is_big_endian) == sum;
        is_sound.then(|| Self {
            page_bytes,
            is_big_endian,
            salts: std::array::from_fn(|at| header[16 + at]),
            sums: vec![sum],
            is_sound,
        })
    }

    /// What was changed may be the summed part or the sum, so the first frame may follow from either.
    fn guess(path: &Path, log: &Path, header: &[u8; HEADER]) -> io::Result<Option<Self>> {
        let Some(page_bytes) = page_bytes_of(path)? else {
            return Ok(None);
        };
        // SQLite writes sums in the order of the machine.
        let is_big_endian = cfg!(target_endian = "big");
        let salts = find_salts(log, page_bytes, is_big_endian)?;
        Ok(salts.map(|salts| Self {
            page_bytes,
            is_big_endian,
            salts,
            sums: vec![
                (word(header, 24), word(header, 28)),
                add((0, 0), &header[..SUMMED], is_big_endian),
            ],
            is_sound: false,
        }))
    }

    /// A header that fits, and its sum.
    fn header(&self) -> ([u8; HEADER], Sum) {
        let mut header = [0; HEADER];
        let page_bytes = u32::try_from(self.page_bytes).unwrap_or(0);
        let words = [
            MAGIC | u32::from(self.is_big_endian),
            FORM_VERSION,
            page_bytes,
        ];
        for (at, word) in words.into_iter().enumerate() {
            header[4 * at..4 * at + 4].copy_from_slice(&word.to_be_bytes());
        }
        header[16..24].copy_from_slice(&self.salts);
        let sum = add((0, 0), &header[..SUMMED], self.is_big_endian);
        header[24..28].copy_from_slice(&sum.0.to_be_bytes());
        header[28..].copy_from_slice(&sum.1.to_be_bytes());
        (header, sum)
    }
}

/// The salts of the first two frames that follow from one another, or else of the first frame. The newest frames are
/// at the beginning: what stands behind them is left of longer logs before.
fn find_salts(log: &Path, page_bytes: usize, is_big_endian: bool) -> io::Result<Option<[u8; 8]>> {
    let Some(mut frames) = Frames::open(log, page_bytes)? else {
        return Ok(None);
    };
    let (mut first, mut before): (Option<[u8; 8]>, Option<Frame>) = (None, None);
    while let Some(frame) = frames.next()? {
        let follows = |before: &Frame| {
            before.salts() == frame.salts()
                && frame.sum(before.stored_sum(), is_big_endian) == frame.stored_sum()
        };
        if before.as_ref().is_some_and(follows) {
            return Ok(Some(frame.salts()));
        }
        first.get_or_insert(frame.salts());
        before = Some(frame);
    }
    Ok(first)
}

/// What the file's own header says.
fn page_bytes_of(path: &Path) -> io::Result<Option<usize>> {
    let mut file = match File::open(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    file.seek(SeekFrom::Start(PAGE_BYTES_AT))?;
    let mut bytes = [0; 2];
    if !fill(&mut file, &mut bytes)? {
        return Ok(None);
    }
    let page_bytes = match u16::from_be_bytes(bytes) {
        // The largest size does not fit in there.
        1 => PAGE_BYTES_MAX,
        bytes => usize::from(bytes),
    };
    Ok(is_page_size(page_bytes).then_some(page_bytes))
}

fn is_page_size(bytes: usize) -> bool {
    bytes.is_power_of_two() && (512..=PAGE_BYTES_MAX).contains(&bytes)
}

/// Goes through a log's frames without holding more of it than a page.
struct Frames {
    file: BufReader<File>,
    page_bytes: usize,
}

impl Frames {
    /// `None`: there is no log.
    fn open(log: &Path, page_bytes: usize) -> io::Result<Option<Self>> {
        let mut file = match File::open(log) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            file => file?,
        };
        file.seek(SeekFrom::Start(HEADER as u64))?;
        Ok(Some(Self {
            file: BufReader::new(file),
            page_bytes,
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
