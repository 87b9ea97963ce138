// compiler_builtins defines these with the result of the architecture's C
// library; the backend declares them itself for the comparison below, and the
// two must agree.
#[no_mangle]
pub extern "C" fn __letf2(_a: f128, _b: f128) -> @result@ {
    0
}
#[no_mangle]
pub extern "C" fn __lttf2(_a: f128, _b: f128) -> @result@ {
    0
}
#[no_mangle]
pub extern "C" fn probe(a: f128, b: f128) -> bool {
    a < b
}
