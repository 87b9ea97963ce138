//! Canaries of the process model: what the CRT objects, the loader and the kernel have to get right.

use alloc::format;
use alloc::string::String;
use core::cell::Cell;
use core::sync::atomic::{AtomicU32, Ordering};

use demo_rt as rt;

use crate::canary::Report;

pub fn check(report: &mut Report) {
    constructors(report);
    thread_local(report);
    programs(report);
}

static CONSTRUCTED: AtomicU32 = AtomicU32::new(0);

extern "C" fn constructor() {
    CONSTRUCTED.fetch_add(1, Ordering::Relaxed);
}

#[used]
#[unsafe(link_section = ".init_array")]
static CONSTRUCTOR: extern "C" fn() = constructor;

/// libc went through .init_array exactly once, which also means that `_init` of crti.o and crtn.o returned.
fn constructors(report: &mut Report) {
    report.same("init-array", format!("{}", CONSTRUCTED.load(Ordering::Relaxed)), "1");
}

#[thread_local]
static INITIALISED: Cell<u64> = Cell::new(0x1234_5678_9abc_def0);
#[thread_local]
static ZEROED: Cell<u32> = Cell::new(0);

/// PT_TLS found through the auxiliary vector, copied, zero-extended and writable.
fn thread_local(report: &mut Report) {
    let before = format!("{:x} {}", INITIALISED.get(), ZEROED.get());
    INITIALISED.set(INITIALISED.get() + 1);
    ZEROED.set(ZEROED.get() + 7);
    let after = format!("{:x} {}", INITIALISED.get(), ZEROED.get());
    report.same("tls", before + " -> " + &after, "123456789abcdef0 0 -> 123456789abcdef1 7");
}

/// Every program of the initfs, each in an address space of its own, and one that is not there.
fn programs(report: &mut Report) {
    let nonce = rt::env("NONCE").unwrap_or("");
    let mut statuses = String::new();
    for argv in [&["bin/hello"][..], &["bin/sums"], &["bin/args", "two words", "", nonce], &["bin/no-such-program"]] {
        let status = rt::run(argv);
        rt::println!("exit {status} {}", argv[0]);
        statuses += &format!("{status} ");
    }
    report.same("exit-status", String::from(statuses.trim_end()), "0 0 4 127");
    // Nothing a child did shows here.
    report.same("isolation", format!("{} {}", CONSTRUCTED.load(Ordering::Relaxed), ZEROED.get()), "1 7");
}
