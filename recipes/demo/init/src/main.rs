//! init: lists the initfs, runs the programs in it one after the other, checks the canaries, and says how
//! it went. Every line another program reads has one of the forms
//!
//! ```text
//! list KIND MODE SIZE PATH        KIND file, dir or link; MODE octal; SIZE in bytes
//! exit STATUS PATH
//! canary NAME ok|FAIL DETAIL
//! demo: done nonce=NONCE canaries=N failed=M
//! ```

#![no_std]
#![no_main]
#![feature(f128, thread_local)]

extern crate alloc;

use core::ffi::{c_char, c_int};
use core::str;

use demo_initfs::{Image, Kind};
use demo_rt as rt;

mod canary;
mod language;
mod process;

use canary::Report;

#[unsafe(no_mangle)]
extern "C" fn main(argc: c_int, argv: *const *const c_char) -> c_int {
    let args = unsafe { rt::args(argc, argv) };
    rt::println!("init: {} started, {} ms after power-on", args[0], rt::time() / 1_000_000);
    list();

    let mut report = Report::default();
    process::check(&mut report);
    language::check(&mut report);

    let nonce = rt::env("NONCE").unwrap_or("");
    rt::println!("demo: done nonce={nonce} canaries={} failed={}", report.total, report.failed);
    (report.failed != 0) as c_int
}

fn list() {
    let result = Image::open(rt::image()).and_then(|image| {
        image.walk(&mut |path, node| {
            let kind = match node.kind {
                Kind::File => "file",
                Kind::Dir => "dir",
                Kind::Link => "link",
            };
            let path = str::from_utf8(path).unwrap_or("?");
            rt::println!("list {kind} {:04o} {} {path}", node.mode, node.data.len());
        })
    });
    if let Err(error) = result {
        panic!("cannot list the initfs: {error}");
    }
}
