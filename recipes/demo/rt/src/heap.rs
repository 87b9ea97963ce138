//! The global allocator: first fit over a list of free blocks kept in address order, neighbours merged.
//!
//! Small and slow, and enough: what it has to do is to give `alloc` real memory and to notice misuse as little as
//! any allocator. A process has one thread, so there is no lock.

use core::alloc::{GlobalAlloc, Layout};
use core::cell::UnsafeCell;
use core::ptr::{self, NonNull};

/// Every block begins and ends at a multiple of this, the size of `Free`.
const UNIT: usize = 16;
/// Memory is taken from the kernel in at least this much.
const CHUNK: usize = 64 << 10;

#[repr(C, align(16))]
struct Free {
    size: usize,
    next: *mut Free,
}

struct Heap(UnsafeCell<*mut Free>);

// One thread per process, and no interrupt handlers in user space.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(ptr::null_mut()));

unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some(size) = layout.size().max(1).checked_next_multiple_of(UNIT) else {
            return ptr::null_mut();
        };
        let align = layout.align().max(UNIT);
        unsafe {
            if let Some(found) = self.take(size, align) {
                return found.as_ptr();
            }
            let Some(want) = size.checked_add(align) else {
                return ptr::null_mut();
            };
            let want = want.max(CHUNK).next_multiple_of(UNIT);
            let fresh = super::mini_map(want).cast::<u8>();
            if fresh.is_null() {
                return ptr::null_mut();
            }
            self.give(fresh, want);
            self.take(size, align).map_or(ptr::null_mut(), NonNull::as_ptr)
        }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { self.give(block, layout.size().max(1).next_multiple_of(UNIT)) }
    }
}

impl Heap {
    /// Cuts the first block that is large enough at the wanted alignment; what is left on both sides stays free.
    unsafe fn take(&self, size: usize, align: usize) -> Option<NonNull<u8>> {
        unsafe {
            let mut link = self.0.get();
            while !(*link).is_null() {
                let block = *link;
                let (start, end) = (block as usize, block as usize + (*block).size);
                let at = start.next_multiple_of(align);
                if at.checked_add(size).is_some_and(|stop| stop <= end) {
                    let mut next = (*block).next;
                    if at + size < end {
                        let behind = (at + size) as *mut Free;
                        behind.write(Free { size: end - at - size, next });
                        next = behind;
                    }
                    if at > start {
                        (*block).size = at - start;
                        (*block).next = next;
                    } else {
                        *link = next;
                    }
                    return NonNull::new(at as *mut u8);
                }
                link = &raw mut (*block).next;
            }
        }
        None
    }

    /// Puts a block back in its place and merges it with the neighbours it touches.
    unsafe fn give(&self, block: *mut u8, size: usize) {
        unsafe {
            let mut before: *mut Free = ptr::null_mut();
            let mut link = self.0.get();
            while !(*link).is_null() && (*link as usize) < block as usize {
                before = *link;
                link = &raw mut (*before).next;
            }
            let next = *link;
            let block = block.cast::<Free>();
            block.write(Free { size, next });
            *link = block;
            if !next.is_null() && block as usize + size == next as usize {
                (*block).size += (*next).size;
                (*block).next = (*next).next;
            }
            if !before.is_null() && before as usize + (*before).size == block as usize {
                (*before).size += (*block).size;
                (*before).next = (*block).next;
            }
        }
    }
}
