//! The global allocator: free lists by power of two, over memory that is never given back. A process has one thread,
//! so there is no lock.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr;

/// Memory is taken from the kernel in at least this much.
const CHUNK: usize = 256 << 10;
const SMALLEST: usize = 16;

struct State {
    /// Freed blocks of size 2^n, each holding the address of the next.
    free: [*mut u8; usize::BITS as usize],
    fresh: usize,
    end: usize,
}

struct Heap(UnsafeCell<State>);

// One thread per process, and no interrupt handlers in user space.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(State { free: [ptr::null_mut(); usize::BITS as usize], fresh: 0, end: 0 }));

/// A block's size, which is also its alignment.
fn class(layout: Layout) -> Option<usize> {
    layout.size().max(layout.align()).max(SMALLEST).checked_next_power_of_two()
}

unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(size) = class(layout) else {
            return ptr::null_mut();
        };
        let state = unsafe { &mut *self.0.get() };
        let list = &mut state.free[size.trailing_zeros() as usize];
        if !list.is_null() {
            let block = *list;
            *list = unsafe { block.cast::<*mut u8>().read() };
            return block;
        }
        let mut at = state.fresh.next_multiple_of(size);
        if at + size > state.end || state.fresh == 0 {
            let want = (2 * size).max(CHUNK);
            let chunk = unsafe { super::mini_map(want) } as usize;
            if chunk == 0 {
                return ptr::null_mut();
            }
            state.end = chunk + want;
            at = chunk.next_multiple_of(size);
        }
        state.fresh = at + size;
        at as *mut u8
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        let Some(size) = class(layout) else {
            return;
        };
        let state = unsafe { &mut *self.0.get() };
        let list = &mut state.free[size.trailing_zeros() as usize];
        unsafe { block.cast::<*mut u8>().write(*list) };
        *list = block;
    }
}
