//! What the host tells the kernel: `-append "KEY=VALUE ..."`.
//!
//! | key | value |
//! |---|---|
//! | initfs.size | length of the image in bytes, decimal |
//! | initfs.sha256 | its SHA-256, 64 hexadecimal digits |
//! | bootstrap.size | length of the bootstrap ELF in bytes, decimal |
//! | bootstrap.sha256 | its SHA-256 |
//! | nonce | any text without spaces, given to user space and printed by init |
//! | watchdog | seconds user space may take; optional, 30 |
//!
//! All but the last are required and an unknown key is an error: a mistyped key must not turn a check off.

use core::fmt;

const WATCHDOG: u64 = 30;

#[derive(Clone, Copy)]
pub struct Arguments {
    pub initfs: Identity,
    pub bootstrap: Identity,
    pub nonce: &'static str,
    pub watchdog: u64,
}

/// What the manifest says of a file.
#[derive(Clone, Copy)]
pub struct Identity {
    pub size: usize,
    pub sha256: [u8; 32],
}

pub enum Error {
    Unknown(&'static str),
    Value(&'static str),
    Missing(&'static str),
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Unknown(word) => write!(f, "unknown: {word}"),
            Error::Value(word) => write!(f, "bad value: {word}"),
            Error::Missing(key) => write!(f, "{key} is missing"),
        }
    }
}

pub fn parse(text: &'static str) -> Result<Arguments, Error> {
    let (mut sizes, mut digests) = ([None; 2], [None; 2]);
    let (mut nonce, mut watchdog) = (None, WATCHDOG);
    for word in text.split_ascii_whitespace() {
        let (key, value) = word.split_once('=').ok_or(Error::Unknown(word))?;
        let number = || value.parse::<usize>().map_err(|_| Error::Value(word));
        let digest = || sha256(value).ok_or(Error::Value(word));
        match key {
            "initfs.size" => sizes[0] = Some(number()?),
            "initfs.sha256" => digests[0] = Some(digest()?),
            "bootstrap.size" => sizes[1] = Some(number()?),
            "bootstrap.sha256" => digests[1] = Some(digest()?),
            "nonce" => nonce = Some(value),
            "watchdog" => watchdog = number()? as u64,
            _ => return Err(Error::Unknown(word)),
        }
    }
    Ok(Arguments {
        initfs: Identity {
            size: sizes[0].ok_or(Error::Missing("initfs.size"))?,
            sha256: digests[0].ok_or(Error::Missing("initfs.sha256"))?,
        },
        bootstrap: Identity {
            size: sizes[1].ok_or(Error::Missing("bootstrap.size"))?,
            sha256: digests[1].ok_or(Error::Missing("bootstrap.sha256"))?,
        },
        nonce: nonce.ok_or(Error::Missing("nonce"))?,
        watchdog,
    })
}

fn sha256(hex: &str) -> Option<[u8; 32]> {
    let mut out = [0; 32];
    if hex.len() != 64 {
        return None;
    }
    for (byte, pair) in out.iter_mut().zip(hex.as_bytes().chunks_exact(2)) {
        let digit = |c: u8| (c as char).to_digit(16);
        *byte = (digit(pair[0])? << 4 | digit(pair[1])?) as u8;
    }
    Some(out)
}
