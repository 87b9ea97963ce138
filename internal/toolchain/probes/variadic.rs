// Compiled for the host with its own core: the shape of VaList differs from
// compiler to compiler.
#![no_std]
#![feature(c_variadic)]
#[no_mangle]
pub unsafe extern "C" fn probe(count: i32, _arguments: ...) -> i32 {
    count
}
