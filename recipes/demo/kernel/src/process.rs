//! Processes. One runs at a time: `spawn` puts the parent to sleep until the child has ended, so processes form a stack.
//!
//! Every process begins in bootstrap, with an image of its own: the kernel maps a private copy of the initfs at 0x1000
//! and jumps to its entry. What program it becomes is bootstrap's business.

use core::fmt::Write;

use demo_abi as abi;
use demo_abi::KernelArgs;

use crate::bootargs::Arguments;
use crate::cell::Cell;
use crate::fdt::Tree;
use crate::image::Verified;
use crate::paging::Space;
use crate::serial::println;
use crate::trap::Frame;
use crate::{frames, layout, power};

const MAX_DEPTH: usize = 4;
const EMPTY: Option<Process> = None;

static PROCESSES: Cell<[Option<Process>; MAX_DEPTH]> = Cell::new([EMPTY; MAX_DEPTH]);
static SETUP: Cell<Option<Setup>> = Cell::new(None);

struct Process {
    space: Space,
    /// Everything allocated since belongs to this process.
    memory: frames::Mark,
    /// The registers while a child runs.
    frame: Frame,
    fp: FpState,
}

/// The same for every process.
struct Setup {
    image: Verified,
    args: KernelArgs,
    env: Env,
}

/// Registers q0 to q31, fpcr and fpsr, as `boot` saves them.
#[repr(C, align(16))]
struct FpState([u64; 66]);

unsafe extern "C" {
    fn fp_save(state: *mut FpState);
    fn fp_restore(state: *const FpState);
    static __kernel_start: u8;
    static __kernel_end: u8;
    static __stack_bottom: u8;
    static __stack_top: u8;
}

/// The environment: lines `KEY=value\n`. It shares its page with `KernelArgs`; the real bootloader's limit is 4096.
struct Env {
    bytes: [u8; abi::PAGE - size_of::<KernelArgs>()],
    len: usize,
}

impl Write for Env {
    fn write_str(&mut self, s: &str) -> core::fmt::Result {
        let end = self.len + s.len();
        self.bytes.get_mut(self.len..end).ok_or(core::fmt::Error)?.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}

/// Makes the first process and returns the registers it starts with.
pub fn first(image: Verified, arguments: &Arguments, tree: &Tree) -> Frame {
    let mut env = Env { bytes: [0; _], len: 0 };
    write!(env, "DTB_ADDR={:016x}\nDTB_SIZE={:016x}\nNONCE={}\n", tree.base(), tree.size(), arguments.nonce)
        .unwrap_or_else(|_| panic!("boot arguments: nonce is too long"));
    let address = |symbol: *const u8| symbol as u64;
    let (base, end) = (address(&raw const __kernel_start), address(&raw const __kernel_end));
    let (bottom, top) = (address(&raw const __stack_bottom), address(&raw const __stack_top));
    let args = KernelArgs {
        kernel_base: base,
        kernel_size: end - base,
        stack_base: bottom,
        stack_size: top - bottom,
        env_base: (abi::ARGS_PAGE + size_of::<KernelArgs>()) as u64,
        env_size: env.len as u64,
        hwdesc_base: tree.base() as u64,
        hwdesc_size: tree.size() as u64,
        areas_base: 0,
        areas_size: 0,
        bootstrap_base: layout::IMAGE as u64,
        bootstrap_size: image.data.len() as u64,
    };
    SETUP.with(|setup| *setup = Some(Setup { image, args, env }));
    start(&[]).unwrap_or_else(|error| panic!("no memory for the first process (error {error})"))
}

/// Starts a child in place of the current process; `frame` becomes the child's.
pub fn spawn(frame: &mut Frame, block: &[u8]) -> Result<(), isize> {
    let depth = depth();
    if depth == MAX_DEPTH {
        return Err(abi::ENOMEM);
    }
    let parent = *frame;
    *frame = start(block)?;
    PROCESSES.with(|processes| {
        if let Some(process) = &mut processes[depth - 1] {
            process.frame = parent;
            unsafe { fp_save(&mut process.fp) };
        }
    });
    unsafe { fp_restore(&FpState([0; 66])) };
    Ok(())
}

/// Ends the current process; `frame` becomes its parent's. The end of the first process is the end.
pub fn exit(frame: &mut Frame, status: u64) {
    let depth = depth();
    if depth == 1 {
        if status != 0 {
            panic!("the first process exited with status {status}");
        }
        println!("smoke: the first process exited with status 0");
        power::off();
    }
    PROCESSES.with(|processes| {
        if let Some(child) = processes[depth - 1].take() {
            frames::release(child.memory);
        }
        if let Some(parent) = &processes[depth - 2] {
            parent.space.activate();
            unsafe { fp_restore(&parent.fp) };
            *frame = parent.frame;
            frame.x[0] = status;
        }
    });
}

/// How many processes there are; the last one runs.
pub fn depth() -> usize {
    PROCESSES.with(|processes| processes.iter().flatten().count())
}

/// The address space of the running process.
pub fn space() -> Space {
    PROCESSES.with(|processes| match processes.iter().flatten().last() {
        Some(process) => process.space,
        None => panic!("no process"),
    })
}

fn start(block: &[u8]) -> Result<Frame, isize> {
    let memory = frames::mark();
    let built = SETUP.with(|setup| match setup {
        Some(setup) => build(setup, block),
        None => panic!("no image"),
    });
    let (space, frame) = built.inspect_err(|_| frames::release(memory))?;
    space.activate();
    let process = Process { space, memory, frame: Frame::ZERO, fp: FpState([0; 66]) };
    let depth = depth();
    PROCESSES.with(|processes| processes[depth] = Some(process));
    Ok(frame)
}

/// The memory and registers of a new process.
fn build(setup: &Setup, block: &[u8]) -> Result<(Space, Frame), isize> {
    let space = Space::new().ok_or(abi::ENOMEM)?;
    let (read, write, execute) = (abi::PROT_R, abi::PROT_W, abi::PROT_X);

    // As the real kernel does it; bootstrap takes the rights away that it does not need.
    let image = setup.image.data;
    space.map(abi::IMAGE_BASE, image.len(), read | write)?;
    space.fill(abi::IMAGE_BASE, image)?;
    space.protect(abi::IMAGE_BASE, image.len(), read | write | execute)?;

    space.map(abi::STACK_TOP - abi::STACK_SIZE, abi::STACK_SIZE, read | write)?;

    let args: &[u8; size_of::<KernelArgs>()] = unsafe { &*(&raw const setup.args).cast() };
    space.map(abi::ARGS_PAGE, abi::PAGE, read)?;
    space.fill(abi::ARGS_PAGE, args)?;
    space.fill(abi::ARGS_PAGE + args.len(), &setup.env.bytes[..setup.env.len])?;

    // SPSR 0: EL0, 64 bit, interrupts (the watchdog) on.
    let mut frame = Frame { sp: abi::STACK_TOP as u64, elr: setup.image.entry as u64, ..Frame::ZERO };
    frame.x[0] = abi::ARGS_PAGE as u64;
    if !block.is_empty() {
        space.map(abi::BLOCK_PAGE, abi::PAGE, read)?;
        space.fill(abi::BLOCK_PAGE, block)?;
        frame.x[1] = abi::BLOCK_PAGE as u64;
        frame.x[2] = block.len() as u64;
    }
    Ok((space, frame))
}
