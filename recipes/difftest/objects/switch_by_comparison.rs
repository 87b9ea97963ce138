// Shows: a switch of three targets takes two comparisons. Patch 0014-switch-by-comparison.
// Without it: a jump table behind two range checks, 80 bytes.
#[unsafe(no_mangle)]
pub extern "C" fn f(x: u64) -> u64 {
    match x {
        0 => 5,
        1 => 9,
        _ => 2,
    }
}
