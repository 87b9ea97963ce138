// A sym operand of asm outside any function, naming a function that is not
// exported: it ends up in another object than the asm.
extern "C" fn callee() {}
global_asm!(".globl probe", "probe:", "@call@ {f}", f = sym callee);
