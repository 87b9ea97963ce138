// Shows: a call of a function of another object in the static relocation model, which is one `bl`. Patch
// 0011-direct-calls-when-static.
// Without it: the address is loaded from the global offset table.
unsafe extern "C" {
    fn elsewhere(x: u64) -> u64;
}
#[unsafe(no_mangle)]
pub extern "C" fn f(x: u64) -> u64 {
    unsafe { elsewhere(x) }
}
