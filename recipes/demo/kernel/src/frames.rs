//! Physical page frames. Processes run strictly one inside the other (a parent sleeps until its child has ended), so
//! a mark and a release are all there is to reclaiming memory.

use demo_abi::PAGE;

use crate::cell::Cell;
use crate::layout;

static NEXT: Cell<usize> = Cell::new(layout::FRAMES);

/// Everything allocated after this point is released by `release` with it.
#[derive(Clone, Copy)]
pub struct Mark(usize);

pub fn mark() -> Mark {
    NEXT.with(|next| Mark(*next))
}

pub fn release(mark: Mark) {
    NEXT.with(|next| *next = mark.0);
}

/// A zeroed frame: its address, physical and for the kernel alike.
pub fn allocate() -> Option<usize> {
    let frame = NEXT.with(|next| {
        (*next < layout::IMAGE).then(|| {
            let frame = *next;
            *next += PAGE;
            frame
        })
    })?;
    unsafe { core::ptr::write_bytes(frame as *mut u8, 0, PAGE) };
    Some(frame)
}
