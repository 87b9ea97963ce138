//! Counting and printing of canaries.

use alloc::string::String;

use demo_rt as rt;

#[derive(Default)]
pub struct Report {
    pub total: usize,
    pub failed: usize,
}

impl Report {
    /// One canary: what was computed has to be what it must be. Both are text, so that a failure shows them.
    pub fn same(&mut self, name: &str, got: String, want: &str) {
        self.total += 1;
        if got == want {
            rt::println!("canary {name} ok {got}");
        } else {
            self.failed += 1;
            rt::println!("canary {name} FAIL got {got:?}, want {want:?}");
        }
    }
}
