//! The guest's allocator: an arena that only moves forward and never frees.
//!
//! An instance dies after its one event, so whatever is freed is freed then, all at once and for nothing. The last
//! block grows in place, which is what vectors and texts that are being written need. Past the bound, or where the
//! sandbox refuses to grow the memory, an allocation fails plainly and the guest traps; the sandbox's own limit, the
//! manifest's `memory_max`, is mostly lower.

/// The highest address that is ever handed out: the most that a manifest may ask for.
const BOUND: usize = 64 << 20;
/// How far the memory grows at once, where it may: asking costs more than the pages do.
const STEP: usize = 128 << 10;

/// The memory that the arena lies in.
trait Memory {
    /// The first address that is free, and the end of what is there.
    fn initial(&mut self) -> (usize, usize);

    /// Makes the memory reach at least to `end`, and says how far it reaches now; nothing when it must not.
    fn grow(&mut self, end: usize) -> Option<usize>;
}

/// The bookkeeping, in addresses. `end` is 0 until the first block.
struct Arena {
    next: usize,
    end: usize,
    last: usize,
}

impl Arena {
    const fn new() -> Arena {
        Arena { next: 0, end: 0, last: 0 }
    }

    /// The address of a new block. Its bytes are zero, because no byte is ever handed out twice.
    #[inline]
    fn alloc(&mut self, memory: &mut impl Memory, size: usize, align: usize) -> Option<usize> {
        if self.end == 0 {
            (self.next, self.end) = memory.initial();
        }
        let at = self.next.checked_next_multiple_of(align)?;
        let end = at.checked_add(size)?;
        self.reach(memory, end)?;
        self.last = at;
        self.next = end;
        Some(at)
    }

    /// Makes the block at `at` larger where it is; nothing when it is not the last one, or there is no room.
    #[inline]
    fn extend(&mut self, memory: &mut impl Memory, at: usize, size: usize) -> Option<()> {
        if at != self.last {
            return None;
        }
        let end = at.checked_add(size)?;
        self.reach(memory, end)?;
        self.next = self.next.max(end);
        Some(())
    }

    #[inline]
    fn reach(&mut self, memory: &mut impl Memory, end: usize) -> Option<()> {
        if end <= self.end { Some(()) } else { self.grow(memory, end) }
    }

    #[cold]
    fn grow(&mut self, memory: &mut impl Memory, end: usize) -> Option<()> {
        if end > BOUND {
            return None;
        }
        let generous = end.max(self.end.saturating_add(STEP)).min(BOUND);
        // Close to the sandbox's limit a whole step is refused where the block alone still fits.
        self.end = memory.grow(generous).or_else(|| memory.grow(end))?;
        Some(())
    }
}

#[cfg(target_arch = "wasm32")]
mod guest {
    #![expect(unsafe_code, reason = "an allocator is unsafe by its interface; all that it decides is in `Arena`")]

    use core::alloc::{GlobalAlloc, Layout};
    use core::arch::wasm32::{memory_grow, memory_size};
    use core::cell::UnsafeCell;
    use core::ptr;

    use super::{Arena, Memory};

    const PAGE: usize = 64 << 10;

    unsafe extern "C" {
        /// Where the linker puts the end of the stack and of the data: the first byte that nobody uses.
        static __heap_base: u8;
    }

    struct Linear;

    impl Memory for Linear {
        fn initial(&mut self) -> (usize, usize) {
            (&raw const __heap_base as usize, memory_size(0) * PAGE)
        }

        fn grow(&mut self, end: usize) -> Option<usize> {
            let pages = end.div_ceil(PAGE).checked_sub(memory_size(0))?;
            (memory_grow(0, pages) != usize::MAX).then(|| memory_size(0) * PAGE)
        }
    }

    struct Global(UnsafeCell<Arena>);

    // SAFETY: a plugin has one thread; the sandbox refuses the threads proposal and shared memories.
    unsafe impl Sync for Global {}

    #[global_allocator]
    static GLOBAL: Global = Global(UnsafeCell::new(Arena::new()));

    // SAFETY: blocks never overlap, because the arena only moves forward; it aligns them, keeps them inside the linear
    // memory, and answers null where it cannot. None of its methods calls out, so no reference to it lives twice.
    unsafe impl GlobalAlloc for Global {
        #[inline]
        unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
            let arena = unsafe { &mut *self.0.get() };
            arena.alloc(&mut Linear, layout.size(), layout.align()).map_or(ptr::null_mut(), |at| at as *mut u8)
        }

        #[inline]
        unsafe fn dealloc(&self, _block: *mut u8, _layout: Layout) {}

        #[inline]
        unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
            unsafe { self.alloc(layout) }
        }

        #[inline]
        unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
            let arena = unsafe { &mut *self.0.get() };
            if size <= layout.size() || arena.extend(&mut Linear, block as usize, size).is_some() {
                return block;
            }
            let Some(at) = arena.alloc(&mut Linear, size, layout.align()) else { return ptr::null_mut() };
            unsafe { ptr::copy_nonoverlapping(block, at as *mut u8, layout.size()) };
            at as *mut u8
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A memory that may grow up to `most`, in pages as WebAssembly has them.
    struct Fake {
        end: usize,
        most: usize,
        asked: usize,
    }

    impl Memory for Fake {
        fn initial(&mut self) -> (usize, usize) {
            (20_001, self.end)
        }

        fn grow(&mut self, end: usize) -> Option<usize> {
            self.asked += 1;
            let end = end.next_multiple_of(64 << 10);
            (end <= self.most).then(|| {
                self.end = end;
                end
            })
        }
    }

    fn fake(most: usize) -> Fake {
        Fake { end: 128 << 10, most, asked: 0 }
    }

    #[test]
    fn blocks_are_aligned_and_never_overlap() {
        let (mut arena, mut memory) = (Arena::new(), fake(BOUND));
        let mut free_from = 20_001;
        for (size, align) in [(1, 1), (8, 8), (3, 2), (100, 16), (1, 4096), (7, 4)] {
            let at = arena.alloc(&mut memory, size, align).unwrap();
            assert!(at >= free_from && at.is_multiple_of(align), "{at}");
            free_from = at + size;
        }
        assert_eq!(memory.asked, 0, "all of it fits in the initial memory");
    }

    #[test]
    fn only_the_last_block_grows_in_place() {
        let (mut arena, mut memory) = (Arena::new(), fake(BOUND));
        let first = arena.alloc(&mut memory, 10, 1).unwrap();
        assert_eq!(arena.extend(&mut memory, first, 1000), Some(()));
        let second = arena.alloc(&mut memory, 10, 1).unwrap();
        assert_eq!(second, first + 1000);
        assert_eq!(arena.extend(&mut memory, first, 2000), None);
        assert_eq!(arena.extend(&mut memory, second, 20), Some(()));
        assert_eq!(arena.extend(&mut memory, second, 15), Some(()));
        assert_eq!(arena.alloc(&mut memory, 1, 1), Some(second + 20), "what a block had is not handed out again");
    }

    #[test]
    fn memory_grows_by_steps_and_at_the_limit_by_what_is_needed() {
        let (mut arena, mut memory) = (Arena::new(), fake(320 << 10));
        arena.alloc(&mut memory, 120 << 10, 1).unwrap();
        assert_eq!((memory.end, memory.asked), (256 << 10, 1));
        arena.alloc(&mut memory, 150 << 10, 1).unwrap();
        assert_eq!((memory.end, memory.asked), (320 << 10, 3), "a step was refused, the need was met");
        assert_eq!(arena.alloc(&mut memory, 64 << 10, 1), None);
        assert!(arena.alloc(&mut memory, 10, 1).is_some(), "what is left can still be had");
    }

    #[test]
    fn nothing_past_the_bound_is_handed_out() {
        let (mut arena, mut memory) = (Arena::new(), fake(usize::MAX));
        for (size, align) in [(BOUND, 1), (usize::MAX, 1), (usize::MAX - 20_001, 1), (1, 1 << 30)] {
            assert_eq!(arena.alloc(&mut memory, size, align), None, "{size} {align}");
        }
        let at = arena.alloc(&mut memory, 1, 1).unwrap();
        assert_eq!(arena.extend(&mut memory, at, usize::MAX), None);
        assert_eq!(memory.asked, 0);
    }
}
