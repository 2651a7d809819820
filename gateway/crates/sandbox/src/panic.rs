//! What a plugin said when it panicked.
//!
//! A component without imports can tell nobody. The SDK's panic hook writes the message into the plugin's own memory, at a
//! mark, and traps; this reads it from there afterwards. The words are the plugin's: they are bounded, made printable, and
//! believed in nothing.

use memchr::memmem;
use tidegate_plugin_sdk::panic::{MARK, TEXT_BYTES_MAX};
use wasmtime::{AsContextMut, WasmCoreDump};

/// How far into a memory the mark is looked for: statics lie at its beginning.
const SEARCH_BYTES_MAX: usize = 1 << 20;

/// The message of the panic that led to this error, if there was one.
pub(crate) fn message(error: &wasmtime::Error, mut store: impl AsContextMut) -> Option<String> {
    let dump = error.downcast_ref::<WasmCoreDump>()?;
    dump.memories().iter().find_map(|memory| {
        let data = memory.data(store.as_context_mut());
        read(data.get(..SEARCH_BYTES_MAX).unwrap_or(data))
    })
}

/// The text after a mark, where there is any.
fn read(data: &[u8]) -> Option<String> {
    memmem::find_iter(data, &MARK).find_map(|at| {
        let note = data.get(at + MARK.len()..)?;
        let (length, text) = note.split_first_chunk()?;
        let length =
            usize::try_from(u32::from_le_bytes(*length)).ok().filter(|length| (1..=TEXT_BYTES_MAX).contains(length))?;
        Some(printable(&String::from_utf8_lossy(text.get(..length)?)))
    })
}

/// On one line, and without what would move a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn memory(notes: &[(u32, &[u8])]) -> Vec<u8> {
        let mut data = vec![7; 100];
        for (length, text) in notes {
            data.extend(MARK);
            data.extend(length.to_le_bytes());
            data.extend(*text);
        }
        data
    }

    #[test]
    fn the_first_mark_with_a_text_is_read() {
        assert_eq!(read(&memory(&[(0, b"never"), (7, b"at a:1\nmore")])).as_deref(), Some("at a:1 "));
    }

    #[test]
    fn a_length_that_is_not_there_is_no_message() {
        let long = vec![b'x'; TEXT_BYTES_MAX + 1];
        let notes: [(u32, &[u8]); 4] = [(0, b""), (9, b"short"), (u32::MAX, b"short"), (1_001, &long)];
        for note in notes {
            assert_eq!(read(&memory(&[note])), None, "{note:?}");
        }
        assert_eq!(read(&memory(&[])), None);
        assert_eq!(read(&MARK), None);
    }

    #[test]
    fn bytes_that_are_no_text_do_no_harm() {
        assert_eq!(read(&memory(&[(3, b"a\xffb")])).as_deref(), Some("a\u{fffd}b"));
    }
}
