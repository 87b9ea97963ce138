// Shows: a constant that two functions use is there once. Patch 0017-constants-once.
// Without it: each function has one of its own, the third object is .Ldata2.
#[unsafe(no_mangle)]
pub extern "C" fn f() -> &'static [u64; 3] {
    &[1, 2, 3]
}
#[unsafe(no_mangle)]
pub extern "C" fn g(x: u64) -> &'static [u64; 3] {
    match x {
        0 => &[3, 2, 1],
        _ => &[1, 2, 3],
    }
}
