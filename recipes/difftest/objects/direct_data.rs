// Shows: the address of a static of another object in the static relocation model, which is `adrp` and `add`. Patch
// 0015-direct-data-when-static.
// Without it: it is loaded from the global offset table.
unsafe extern "C" {
    static ELSEWHERE: u64;
}
#[unsafe(no_mangle)]
pub extern "C" fn f() -> u64 {
    unsafe { ELSEWHERE }
}
