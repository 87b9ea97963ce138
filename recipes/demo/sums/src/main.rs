//! sums: the SHA-256 of every regular file of the initfs, as user space sees it. The host compares the lines with
//! the manifest of the image it packed.

#![no_std]
#![no_main]

use core::ffi::{c_char, c_int};
use core::str;

use demo_initfs::{Image, Kind};
use demo_rt as rt;
use demo_sha256::{Hex, digest};

#[unsafe(no_mangle)]
extern "C" fn main(_argc: c_int, _argv: *const *const c_char) -> c_int {
    let result = Image::open(rt::image()).and_then(|image| {
        image.walk(&mut |path, node| {
            if node.kind == Kind::File {
                let path = str::from_utf8(path).unwrap_or("?");
                rt::println!("sum {} {} {path}", Hex(digest(node.data)), node.data.len());
            }
        })
    });
    match result {
        Ok(()) => 0,
        Err(error) => {
            rt::println!("sums: {error}");
            1
        }
    }
}
