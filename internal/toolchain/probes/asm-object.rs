// One object file has to hold both: the assembly and what refers to it.
global_asm!(".globl probe_label", "probe_label:", "nop");
extern "C" {
    fn probe_label();
}
#[no_mangle]
pub extern "C" fn probe() {
    unsafe { probe_label() }
}
