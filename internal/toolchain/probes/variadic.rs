
// As large as any target's. The compiler wants a type with a lifetime.
#[lang = "va_list"]
#[repr(C)]
pub struct VaList<'f> {
    stack: &'f u8,
    general: &'f u8,
    vector: &'f u8,
    offsets: [u32; 2],
}
#[no_mangle]
pub unsafe extern "C" fn probe(count: i32, _arguments: ...) -> i32 {
    count
}
