//! redoxfs-tool reads and writes RedoxFS inside image files. It mounts nothing and needs no rights
//! beyond those of the file.
//!
//! Results are JSON on standard output (cat: the file), errors are one JSON object on standard error
//! with exit status 1. The file system itself is the upstream crate's; what is ours is the command
//! line, the checks before and after, and that the same input gives the same bytes.

mod args;
mod disk;
mod error;
mod ops;
mod read;
mod verify;
mod volume;

use std::io::{self, BufWriter, Write};
use std::{panic, thread};

use serde_json::json;

use args::Args;
use error::{Error, Kind, Result};
use ops::{How, Op};
use volume::Volume;

/// Directories are walked by recursion; this is enough for read::DEPTH. The system gives the memory when it is used.
const STACK: usize = 256 << 20;

fn main() {
    error::keep_log();
    panic::set_hook(Box::new(|_| {}));
    // Where so large a stack cannot be had, what is there does for all but deep trees.
    let thread = thread::Builder::new().stack_size(STACK).spawn(run);
    let result = thread.map_or_else(|_| panic::catch_unwind(run), |t| t.join()).unwrap_or_else(|cause| {
        let text =
            cause.downcast_ref::<String>().cloned().or_else(|| cause.downcast_ref::<&str>().map(|s| s.to_string()));
        let text = text.unwrap_or_else(|| "unknown cause".into());
        Err(Error::new(
            Kind::Corrupt,
            "",
            format!("the file system is damaged in a way that its code does not expect: {text}"),
        ))
    });
    if let Err(e) = result {
        eprintln!("{}", json!({"error": {"kind": e.kind.text(), "path": e.path, "message": e.message}}));
        std::process::exit(if e.kind == Kind::Usage { 2 } else { 1 });
    }
}

fn run() -> Result<()> {
    let a = Args::parse(std::env::args_os().skip(1))?;
    let out = match a.command.as_str() {
        "version" => json!({"redoxfs": redoxfs::VERSION, "tool": env!("CARGO_PKG_VERSION")}),
        "mkfs" => {
            let v = Volume::create(&a.place, a.uuid()?, a.number("time", u64::MAX)?.unwrap_or(0), a.durable())?;
            let df = read::df(&v);
            v.finish()?;
            df
        }
        "df" => read::df(&a.open()?.0),
        "ls" => read::ls(&mut a.open()?.0, a.path_or_root()?, a.flag("recursive"), a.flag("digest"))?,
        "stat" => read::stat(&mut a.open()?.0, a.path()?, a.flag("digest"))?,
        "get" => read::get(&mut a.open()?.0, a.path()?, a.second()?.as_ref())?,
        "cat" => return read::cat(&mut a.open()?.0, a.path()?, &mut BufWriter::new(io::stdout().lock())),
        "grow" => {
            let mut v = Volume::open_to_write(&a.place, a.durable())?;
            v.grow()?;
            let df = read::df(&v);
            v.finish()?;
            df
        }
        "verify" => {
            let (mut v, ring) = a.open()?;
            verify::verify(&mut v, &ring)?
        }
        _ => change(&a)?,
    };
    writeln!(io::stdout().lock(), "{out}").map_err(|e| Error::host("output".as_ref(), e))
}

fn change(a: &Args) -> Result<serde_json::Value> {
    let meta = a.meta()?;
    let how = How {
        parents: a.flag("parents"),
        flush_every: a.number("flush-mib", 1 << 20)?.unwrap_or(0) << 20,
        progress: a.flag("progress"),
    };
    let given: Vec<Op> = match a.command.as_str() {
        "apply" => {
            let mut v = Volume::open_to_write(&a.place, a.durable())?;
            let out = ops::apply(&mut v, ops::parse(io::stdin().lock()), how)?;
            v.finish()?;
            return Ok(out);
        }
        "put" => ops::copy_of(a.first()?.as_ref(), a.second_path()?, meta)?,
        "mkdir" => vec![Op::Dir { path: a.path()?.into(), meta }],
        "ln" => vec![Op::Link { target: a.path()?.into(), path: a.second_path()?.into(), meta }],
        "chmod" => vec![Op::Meta { path: a.path()?.into(), meta }],
        "rm" => vec![Op::Remove { path: a.path()?.into(), recursive: a.flag("recursive"), may_lack: false }],
        other => return Err(Error::usage(format!("unknown command {other:?}\n{}", args::HELP))),
    };
    let mut v = Volume::open_to_write(&a.place, a.durable())?;
    let out = ops::apply(&mut v, given.into_iter().map(Ok), how)?;
    v.finish()?;
    Ok(out)
}
