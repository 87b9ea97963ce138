// A sym operand of asm! in a function.
extern "C" fn callee() {}
#[no_mangle]
pub extern "C" fn probe() {
    unsafe { asm!("@call@ {f}", f = sym callee) }
}
