//! System calls: demo-abi says what they do.

use demo_abi as abi;

use crate::trap::Frame;
use crate::{process, serial, time};

pub fn dispatch(frame: &mut Frame) {
    let [a, b, c] = [frame.x[0], frame.x[1], frame.x[2]].map(|x| x as usize);
    let result = match frame.x[8] as usize {
        // These two change which process `frame` belongs to.
        abi::SYS_EXIT => return process::exit(frame, a as u64 & 0xff),
        abi::SYS_SPAWN => match spawn(frame, a, b) {
            Ok(()) => return,
            Err(error) => Err(error),
        },
        abi::SYS_WRITE => write(a, b),
        abi::SYS_MAP => checked(c).and_then(|()| process::space().map(a, b, c)).map(|()| 0),
        abi::SYS_PROTECT => checked(c).and_then(|()| process::space().protect(a, b, c)).map(|()| 0),
        abi::SYS_TIME => Ok(time::now() as isize),
        _ => Err(abi::ENOSYS),
    };
    frame.x[0] = result.unwrap_or_else(|error| error) as u64;
}

fn checked(prot: usize) -> Result<(), isize> {
    let known = prot & !(abi::PROT_R | abi::PROT_W | abi::PROT_X) == 0;
    let both = prot & abi::PROT_W != 0 && prot & abi::PROT_X != 0;
    if known && prot & abi::PROT_R != 0 && !both { Ok(()) } else { Err(abi::EINVAL) }
}

fn write(address: usize, len: usize) -> Result<isize, isize> {
    process::space().each(address, len, &mut |memory| serial::bytes(memory))?;
    Ok(len as isize)
}

fn spawn(frame: &mut Frame, address: usize, len: usize) -> Result<(), isize> {
    let mut block = [0; abi::PAGE];
    let block = block.get_mut(..len).ok_or(abi::EINVAL)?;
    let mut at = 0;
    process::space().each(address, len, &mut |memory| {
        block[at..at + memory.len()].copy_from_slice(memory);
        at += memory.len();
    })?;
    if block.last() != Some(&0) {
        return Err(abi::EINVAL);
    }
    process::spawn(frame, block)
}
