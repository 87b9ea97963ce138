// Shows: no unwind tables where nobody asked for them (panic=abort, no default-uwtable). Patch 0010-unwind-tables-on-demand.
// Without it: every function has an entry in .eh_frame.
#[unsafe(no_mangle)]
pub extern "C" fn f(x: u64) -> u64 {
    x
}
