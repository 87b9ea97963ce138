//! The command line.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};

use crate::disk::Place;
use crate::error::{Error, Result};
use crate::ops::Meta;
use crate::volume::{Ring, Volume};

pub const HELP: &str = "usage: redoxfs-tool COMMAND IMAGE [ARGUMENT...] [--OPTION VALUE...]
  mkfs IMAGE [--uuid HEX] [--time SECONDS]        an empty file system over all of its place
  grow IMAGE                                      the file system fills its place
  df IMAGE                                        size and free space
  ls IMAGE [PATH] [--recursive] [--digest]        entries
  stat IMAGE PATH [--digest]                      one entry
  cat IMAGE PATH                                  a file's content
  get IMAGE PATH HOSTPATH                         a copy of a file or tree
  put IMAGE HOSTPATH PATH [META]                  a file or tree of the host
  mkdir IMAGE PATH [META]                         a directory
  ln IMAGE TARGET PATH [META]                     a symbolic link
  chmod IMAGE PATH META                           mode, owner and time
  rm IMAGE PATH [--recursive]                     removes
  apply IMAGE [--flush-mib N] [--progress]        operations from standard input, one JSON object a line
  verify IMAGE                                    reads everything, checks every checksum
  version
META: --mode OCTAL --uid N --gid N --mtime SECONDS
the place: --offset BYTES --length BYTES (default: the whole file)
writing: --parents makes missing directories, --no-sync leaves flushing to the caller";

const FLAGS: [&str; 5] = ["recursive", "digest", "parents", "progress", "no-sync"];
const VALUES: [&str; 9] = ["offset", "length", "uuid", "time", "mode", "uid", "gid", "mtime", "flush-mib"];

pub struct Args {
    pub command: String,
    pub place: Place,
    rest: Vec<OsString>,
    options: BTreeMap<String, String>,
}

impl Args {
    pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Args> {
        let mut words = Vec::new();
        let mut options = BTreeMap::new();
        let mut args = args;
        let mut only_words = false;
        while let Some(a) = args.next() {
            let name = if only_words { None } else { a.to_str().and_then(|s| s.strip_prefix("--")) };
            match name {
                None => words.push(a),
                Some("") => only_words = true,
                Some(n) if FLAGS.contains(&n) => {
                    options.insert(n.to_string(), String::new());
                }
                Some(n) if VALUES.contains(&n) => {
                    let v = args
                        .next()
                        .and_then(|v| v.into_string().ok())
                        .ok_or_else(|| Error::usage(format!("--{n} wants a value")))?;
                    options.insert(n.to_string(), v);
                }
                Some(n) => return Err(Error::usage(format!("unknown option --{n}\n{HELP}"))),
            }
        }
        let mut words = words.into_iter();
        let command = words.next().and_then(|c| c.into_string().ok()).ok_or_else(|| Error::usage(HELP))?;
        let image = words.next().unwrap_or_default();
        if image.is_empty() && command != "version" {
            return Err(Error::usage(HELP));
        }
        let mut a = Args {
            command,
            place: Place { image: image.into(), offset: 0, length: None },
            rest: words.collect(),
            options,
        };
        a.place.offset = a.number("offset", u64::MAX)?.unwrap_or(0);
        a.place.length = a.number("length", u64::MAX)?;
        Ok(a)
    }

    pub fn flag(&self, name: &str) -> bool {
        self.options.contains_key(name)
    }

    pub fn durable(&self) -> bool {
        !self.flag("no-sync")
    }

    pub fn number(&self, name: &str, max: u64) -> Result<Option<u64>> {
        self.parsed(name, 10, max)
    }

    fn parsed(&self, name: &str, radix: u32, max: u64) -> Result<Option<u64>> {
        let Some(text) = self.options.get(name) else { return Ok(None) };
        match u64::from_str_radix(text, radix) {
            Ok(n) if n <= max => Ok(Some(n)),
            _ => Err(Error::usage(format!("--{name} {text:?} is no number in base {radix} up to {max}"))),
        }
    }

    pub fn meta(&self) -> Result<Meta> {
        Ok(Meta {
            mode: self.parsed("mode", 8, 0o7777)?.map(|n| n as u16),
            uid: self.number("uid", u32::MAX.into())?.map(|n| n as u32),
            gid: self.number("gid", u32::MAX.into())?.map(|n| n as u32),
            mtime: self.number("mtime", u64::MAX)?.map(|s| (s, 0)),
        })
    }

    pub fn uuid(&self) -> Result<[u8; 16]> {
        let text = self.options.get("uuid").cloned().unwrap_or_default().replace('-', "");
        let mut out = [0; 16];
        if text.is_empty() {
            return Ok(out);
        }
        if text.len() != 32 || !text.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Error::usage("--uuid wants 32 hex digits"));
        }
        for (i, b) in out.iter_mut().enumerate() {
            *b = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).map_err(|e| Error::usage(e.to_string()))?;
        }
        Ok(out)
    }

    pub fn open(&self) -> Result<(Volume, Ring)> {
        Volume::open(&self.place, false, false)
    }

    pub fn first(&self) -> Result<&OsStr> {
        self.rest.first().map(OsString::as_os_str).ok_or_else(|| Error::usage(HELP))
    }

    pub fn second(&self) -> Result<&OsStr> {
        self.rest.get(1).map(OsString::as_os_str).ok_or_else(|| Error::usage(HELP))
    }

    pub fn path(&self) -> Result<&str> {
        utf8(self.first()?)
    }

    pub fn path_or_root(&self) -> Result<&str> {
        if self.rest.is_empty() {
            return Ok("/");
        }
        self.path()
    }

    pub fn second_path(&self) -> Result<&str> {
        utf8(self.second()?)
    }
}

fn utf8(s: &OsStr) -> Result<&str> {
    s.to_str().ok_or_else(|| Error::usage(format!("{s:?} is not UTF-8, which paths in RedoxFS are")))
}
