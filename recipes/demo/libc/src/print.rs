//! Variadic printing: the one thing here that needs LLVM.
//!
//! Conversions: d i u x c s p f %, the flags `-` and `0`, width, precision (s and f), the lengths l, ll
//! and z. Anything else is printed as it stands, so that a mistake shows.

use core::ffi::{CStr, VaList, c_char, c_int, c_void};
use core::fmt::{self, Write};

use crate::mini_write;

/// Where the text goes: a caller's buffer of which the last byte stays free for the NUL, or the serial line.
struct Sink {
    buffer: *mut u8,
    room: usize,
    len: usize,
}

impl Sink {
    fn byte(&mut self, byte: u8) {
        if self.buffer.is_null() {
            unsafe { mini_write(1, (&raw const byte).cast(), 1) };
        } else if self.len < self.room {
            unsafe { *self.buffer.add(self.len) = byte };
        }
        self.len += 1;
    }

    fn bytes(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|&byte| self.byte(byte));
    }
}

/// `snprintf` of C for the conversions above: returns the length of the whole text, writes at most `n - 1`
/// bytes of it and a NUL.
///
/// # Safety
/// As in C: the arguments must be what the format says, `n` bytes must be writable at `buffer`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mini_snprintf(buffer: *mut c_char, n: usize, format: *const c_char, args: ...) -> c_int {
    let room = n.saturating_sub(1);
    let mut dummy = 0u8;
    // With n = 0 nothing may be written, not even the NUL.
    let target = if n == 0 { &raw mut dummy } else { buffer.cast() };
    let mut sink = Sink { buffer: target, room, len: 0 };
    unsafe {
        print(&mut sink, format, args);
        *target.add(sink.len.min(room)) = 0;
    }
    sink.len as c_int
}

/// `printf` of C for the conversions above, to the serial line.
///
/// # Safety
/// As in C: the arguments must be what the format says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn mini_printf(format: *const c_char, args: ...) -> c_int {
    let mut sink = Sink { buffer: core::ptr::null_mut(), room: 0, len: 0 };
    unsafe { print(&mut sink, format, args) };
    sink.len as c_int
}

/// For libc's own panic message.
pub(crate) fn to_serial(args: fmt::Arguments) {
    struct Serial;
    impl Write for Serial {
        fn write_str(&mut self, s: &str) -> fmt::Result {
            unsafe { mini_write(2, s.as_ptr().cast::<c_void>(), s.len()) };
            Ok(())
        }
    }
    let _ = Serial.write_fmt(args);
}

#[derive(Default)]
struct Spec {
    left: bool,
    zero: bool,
    width: usize,
    precision: Option<usize>,
    long: bool,
}

/// One converted argument before padding. No double needs more digits than this with the precision capped.
struct Text {
    bytes: [u8; 400],
    len: usize,
}

impl Write for Text {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let end = self.len + s.len();
        self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}

unsafe fn print(sink: &mut Sink, format: *const c_char, mut args: VaList) {
    let mut rest = unsafe { CStr::from_ptr(format) }.to_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'%' {
            sink.byte(byte);
            rest = tail;
            continue;
        }
        let (spec, conversion, after) = parse(tail);
        if !unsafe { convert(sink, &spec, conversion, &mut args) } {
            sink.bytes(&rest[..rest.len() - after.len()]);
        }
        rest = after;
    }
}

fn parse(mut at: &[u8]) -> (Spec, u8, &[u8]) {
    let mut spec = Spec::default();
    let next = |at: &mut &[u8]| -> u8 {
        let byte = at.first().copied().unwrap_or(0);
        *at = at.get(1..).unwrap_or(&[]);
        byte
    };
    let mut byte = next(&mut at);
    while byte == b'-' || byte == b'0' {
        spec.left |= byte == b'-';
        spec.zero |= byte == b'0';
        byte = next(&mut at);
    }
    while byte.is_ascii_digit() {
        spec.width = spec.width.saturating_mul(10).saturating_add((byte - b'0') as usize);
        byte = next(&mut at);
    }
    if byte == b'.' {
        let mut precision = 0usize;
        byte = next(&mut at);
        while byte.is_ascii_digit() {
            precision = precision.saturating_mul(10).saturating_add((byte - b'0') as usize);
            byte = next(&mut at);
        }
        spec.precision = Some(precision);
    }
    while byte == b'l' || byte == b'z' {
        spec.long = true;
        byte = next(&mut at);
    }
    (spec, byte, at)
}

/// Converts one argument; false if the conversion is unknown, and then no argument is consumed.
unsafe fn convert(sink: &mut Sink, spec: &Spec, conversion: u8, args: &mut VaList) -> bool {
    let mut text = Text { bytes: [0; 400], len: 0 };
    let done = unsafe {
        match conversion {
            b'd' | b'i' if spec.long => write!(text, "{}", args.arg::<i64>()),
            b'd' | b'i' => write!(text, "{}", args.arg::<c_int>()),
            b'u' if spec.long => write!(text, "{}", args.arg::<u64>()),
            b'u' => write!(text, "{}", args.arg::<u32>()),
            b'x' if spec.long => write!(text, "{:x}", args.arg::<u64>()),
            b'x' => write!(text, "{:x}", args.arg::<u32>()),
            b'p' => write!(text, "{:#x}", args.arg::<*const c_void>() as usize),
            b'f' => write!(text, "{:.*}", spec.precision.unwrap_or(6).min(60), args.arg::<f64>()),
            b'c' => {
                text.bytes[0] = args.arg::<c_int>() as u8;
                text.len = 1;
                Ok(())
            }
            b's' => {
                let s = CStr::from_ptr(args.arg::<*const c_char>()).to_bytes();
                pad(sink, spec, &s[..s.len().min(spec.precision.unwrap_or(usize::MAX))], false);
                return true;
            }
            b'%' => {
                sink.byte(b'%');
                return true;
            }
            _ => return false,
        }
    };
    if done.is_err() {
        return false;
    }
    pad(sink, spec, &text.bytes[..text.len], conversion != b'c');
    true
}

fn pad(sink: &mut Sink, spec: &Spec, text: &[u8], number: bool) {
    let fill = spec.width.saturating_sub(text.len());
    let (sign, digits) = match text {
        [b'-', digits @ ..] if number => (&b"-"[..], digits),
        _ => (&b""[..], text),
    };
    let zeros = spec.zero && !spec.left && number;
    if !zeros && !spec.left {
        (0..fill).for_each(|_| sink.byte(b' '));
    }
    sink.bytes(sign);
    if zeros {
        (0..fill).for_each(|_| sink.byte(b'0'));
    }
    sink.bytes(digits);
    if spec.left {
        (0..fill).for_each(|_| sink.byte(b' '));
    }
}
