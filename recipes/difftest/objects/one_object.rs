// Shows: `--emit obj` of a crate with assembly, which has to be one file with the assembly and what refers to it. Patch
// 0005-one-object-file.
// Without it: a warning, "ignoring emit path because multiple .o files were produced", and no file.
global_asm!(".globl entry", "entry: b f");
unsafe extern "C" {
    fn entry(x: u64) -> u64;
}
#[unsafe(no_mangle)]
pub extern "C" fn f(x: u64) -> u64 {
    x
}
#[unsafe(no_mangle)]
pub extern "C" fn g(x: u64) -> u64 {
    unsafe { entry(x) }
}
