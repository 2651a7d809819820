//! How a panic's message leaves a component that imports nothing: it is left in the plugin's own memory, behind a mark, where
//! the host looks after the trap.
//!
//! Owns the form of that note, for both sides: [`MARK`], the text's length as four bytes (little-endian; 0 while there was
//! no panic), and the text.

/// What the note begins with.
pub const MARK: [u8; 16] = *b"tidegate\xf5panic\xf5\x01";
/// The longest text, in bytes; the rest of a longer one is cut off.
pub const TEXT_BYTES_MAX: usize = 1_000;

#[cfg(target_arch = "wasm32")]
mod guest {
    use core::fmt::{self, Write as _};
    use core::sync::atomic::{AtomicU8, AtomicU32, Ordering::Relaxed};

    use super::{MARK, TEXT_BYTES_MAX};

    /// Atomic, because a static has to be safe to share; a plugin has one thread.
    #[repr(C)]
    struct Note {
        mark: [u8; MARK.len()],
        length: AtomicU32,
        text: [AtomicU8; TEXT_BYTES_MAX],
    }

    // Nothing in the plugin reads it: it must be kept all the same.
    #[used]
    static NOTE: Note =
        Note { mark: MARK, length: AtomicU32::new(0), text: [const { AtomicU8::new(0) }; TEXT_BYTES_MAX] };

    struct Writer;

    impl fmt::Write for Writer {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let mut length = NOTE.length.load(Relaxed);
            for byte in text.bytes() {
                let Some(place) = NOTE.text.get(length as usize) else { return Err(fmt::Error) };
                place.store(byte, Relaxed);
                length += 1;
                NOTE.length.store(length, Relaxed);
            }
            Ok(())
        }
    }

    /// Has the next panic leave its message. It allocates nothing: a panic may come of having no memory left.
    pub fn watch() {
        std::panic::set_hook(Box::new(|panic| {
            // Cut where it does not fit.
            let _ = write!(Writer, "{panic}");
        }));
    }
}

#[cfg(target_arch = "wasm32")]
#[doc(hidden)]
pub use guest::watch;
