//! State of the kernel that outlives one exception.

use core::cell::UnsafeCell;

/// A value only the kernel's one thread of control touches: a single processor, and no interrupts in the kernel.
pub struct Cell<T>(UnsafeCell<T>);

// See above: there is nobody to share with.
unsafe impl<T> Sync for Cell<T> {}

impl<T> Cell<T> {
    pub const fn new(value: T) -> Self {
        Cell(UnsafeCell::new(value))
    }

    /// Runs `f` with the value. Must not be nested for the same cell.
    pub fn with<R>(&self, f: impl FnOnce(&mut T) -> R) -> R {
        f(unsafe { &mut *self.0.get() })
    }
}
