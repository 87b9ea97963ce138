// Shows: a target whose llvm-target does not say which object format it has. Patch 0004-object-format.
// Without it: the compiler crashes, "binary format is unknown".
#[unsafe(no_mangle)]
pub extern "C" fn f(x: u64) -> u64 {
    x
}
