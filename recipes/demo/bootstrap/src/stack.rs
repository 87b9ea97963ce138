//! The initial stack of a program (System V ABI): argc, argv, null, envp, null, auxiliary vector, strings.

use demo_abi as abi;
use demo_elf::Elf;

const AT_NULL: usize = 0;
const AT_PHDR: usize = 3;
const AT_PHENT: usize = 4;
const AT_PHNUM: usize = 5;
const AT_PAGESZ: usize = 6;
const AT_ENTRY: usize = 9;

/// Arguments and environment together get no more than this much of the stack.
const LIMIT: usize = 32 << 10;

/// Writes the stack below bootstrap's own part and returns the stack pointer, or None if it would be too long.
/// `block` is NUL-terminated strings, `env` lines.
pub fn build(block: &[u8], env: &[u8], elf: &Elf, headers: usize) -> Option<usize> {
    let top = abi::STACK_TOP - abi::BOOTSTRAP_STACK;
    let args = || block.strip_suffix(&[0]).unwrap_or(block).split(|&byte| byte == 0);
    let vars = || env.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    let aux = [
        [AT_PHDR, headers],
        [AT_PHENT, 56],
        [AT_PHNUM, if headers == 0 { 0 } else { elf.phnum }],
        [AT_PAGESZ, abi::PAGE],
        [AT_ENTRY, elf.entry],
        [AT_NULL, 0],
    ];

    let words = 1 + args().count() + 1 + vars().count() + 1 + aux.len() * 2;
    let text = args().chain(vars()).map(|string| string.len() + 1).sum::<usize>();
    let size = words * size_of::<usize>() + text;
    if size > LIMIT {
        return None;
    }
    // The stack pointer is always a multiple of 16.
    let base = (top - size) & !15;
    let mut writer = Writer { word: base as *mut usize, text: (base + words * size_of::<usize>()) as *mut u8 };
    unsafe {
        writer.word(args().count());
        args().for_each(|arg| writer.string(arg));
        writer.word(0);
        vars().for_each(|var| writer.string(var));
        writer.word(0);
        aux.as_flattened().iter().for_each(|&word| writer.word(word));
    }
    Some(base)
}

/// Two cursors into the new stack: the words, and the strings behind them.
struct Writer {
    word: *mut usize,
    text: *mut u8,
}

impl Writer {
    unsafe fn word(&mut self, value: usize) {
        unsafe {
            self.word.write(value);
            self.word = self.word.add(1);
        }
    }

    unsafe fn string(&mut self, bytes: &[u8]) {
        unsafe {
            self.word(self.text as usize);
            core::ptr::copy_nonoverlapping(bytes.as_ptr(), self.text, bytes.len());
            self.text.add(bytes.len()).write(0);
            self.text = self.text.add(bytes.len() + 1);
        }
    }
}
