// Shows: a local whose address goes no further than the function, which needs no memory. Patch 0016-stack-slots-to-values.
// Without it: it is stored to the stack and loaded from there.
#[repr(C)]
struct Three(u64, u64, u64);
impl Copy for Three {}
#[unsafe(no_mangle)]
pub extern "C" fn f(x: u64, y: u64, z: u64) -> u64 {
    let three = Three(x, y, z);
    let first = &raw const three as *const Two;
    unsafe { (*first).1 }
}
#[repr(C)]
struct Two(u64, u64);
