// Cranelift hands both kinds of asm to a child rustc, with the target's spec.
global_asm!(".globl probe_label", "probe_label:", "nop");
#[no_mangle]
pub extern "C" fn probe() {
    unsafe { asm!("nop") }
}
