//! Looks at the write-ahead log before SQLite does. Changes nothing.
//!
//! SQLite reads a log up to its first frame that is not whole and takes the rest for what a crash had left unfinished:
//! it cannot tell a crash from a log that was cut or overwritten afterwards, and would begin silently without what was
//! acknowledged. Its index of the log, the file that ends in `-shm`, outlives a killed process and says how far the log
//! had been synced. Where both are there, the log must be whole up to there. Formats: <https://sqlite.org/walformat.html>.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use super::open::{OpenError, beside};

/// The version of both formats.
const VERSION: u32 = 3_007_000;
const LOG_HEADER: usize = 32;
const FRAME_HEADER: usize = 24;

/// What the index says of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Index {
    /// How many frames were committed, and how many of them are in the file as well.
    committed: u32,
    copied: u32,
    /// Tells one log from the next, which begins in the same place.
    salt: [u8; 8],
}

/// Refuses a file whose log has lost what was committed.
pub(super) fn check(path: &Path) -> Result<(), OpenError> {
    let (log, index) = (beside(path, "-wal"), beside(path, "-shm"));
    let failed = |source| OpenError::Create { path: log.clone(), source };
    let Some(known) = optional(File::open(&index)).and_then(|file| read_index(file.as_ref())).map_err(failed)? else {
        return Ok(());
    };
    let file = optional(File::open(&log)).map_err(failed)?;
    let whole = match file.map(|file| whole_frames(BufReader::with_capacity(1 << 16, file), known)).transpose() {
        Ok(Some(Some(whole))) => whole,
        // A later log than the index knows.
        Ok(Some(None)) => return Ok(()),
        Ok(None) => 0,
        Err(source) => return Err(failed(source)),
    };
    let is_lost = whole < known.committed && !(whole == 0 && known.copied == known.committed);
    // An index that changes meanwhile belongs to a process that is at work beside this one.
    let again = optional(File::open(&index)).and_then(|file| read_index(file.as_ref())).map_err(failed)?;
    if is_lost && again == Some(known) {
        return Err(OpenError::LogLost { path: path.into(), log, whole, committed: known.committed });
    }
    Ok(())
}

fn optional(opened: io::Result<File>) -> io::Result<Option<File>> {
    match opened {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

/// `None` when nothing can be known from it: it is not there, or was not written to its end.
fn read_index(file: Option<&File>) -> io::Result<Option<Index>> {
    let Some(mut file) = file else { return Ok(None) };
    let mut bytes = [0; 100];
    if !fill(&mut file, &mut bytes)? {
        return Ok(None);
    }
    let number = |at: usize| native(&bytes[at..at + 4]);
    let sum = checksum([0, 0], &bytes[..40], native);
    let is_whole = bytes[..48] == bytes[48..96] && sum == [number(40), number(44)];
    if !is_whole || number(0) != VERSION || bytes[12] != 1 {
        return Ok(None);
    }
    let mut salt = [0; 8];
    salt.copy_from_slice(&bytes[32..40]);
    Ok(Some(Index { committed: number(16), copied: number(96), salt }))
}

/// How many of the committed frames are there and whole, from the first one on; `None` when it is another log.
fn whole_frames(mut log: impl Read, known: Index) -> io::Result<Option<u32>> {
    let mut header = [0; LOG_HEADER];
    if !fill(&mut log, &mut header)? {
        return Ok(Some(0));
    }
    let word: fn(&[u8]) -> u32 = if big(&header[..4]) & 1 == 1 { big } else { little };
    let mut sum = checksum([0, 0], &header[..24], word);
    if sum != [big(&header[24..28]), big(&header[28..32])] {
        return Ok(Some(0));
    }
    if header[16..24] != known.salt {
        return Ok(None);
    }
    let mut frame = vec![0; FRAME_HEADER + big(&header[8..12]) as usize];
    for count in 0..known.committed {
        if !fill(&mut log, &mut frame)? || frame[8..16] != known.salt {
            return Ok(Some(count));
        }
        sum = checksum(checksum(sum, &frame[..8], word), &frame[FRAME_HEADER..], word);
        if sum != [big(&frame[16..20]), big(&frame[20..24])] {
            return Ok(Some(count));
        }
    }
    Ok(Some(known.committed))
}

/// Reads as many bytes as there is room for; `false` when there are fewer.
fn fill(file: &mut impl Read, bytes: &mut [u8]) -> io::Result<bool> {
    match file.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

fn checksum(start: [u32; 2], bytes: &[u8], word: impl Fn(&[u8]) -> u32) -> [u32; 2] {
    bytes.chunks_exact(8).fold(start, |[first, second], pair| {
        let first = first.wrapping_add(word(&pair[..4])).wrapping_add(second);
        [first, second.wrapping_add(word(&pair[4..])).wrapping_add(first)]
    })
}

fn big(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn little(bytes: &[u8]) -> u32 {
    bytes.iter().rev().fold(0, |number, byte| number << 8 | u32::from(*byte))
}

fn native(bytes: &[u8]) -> u32 {
    if cfg!(target_endian = "big") { big(bytes) } else { little(bytes) }
}
