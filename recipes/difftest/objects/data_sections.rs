// Shows: a section for each data object, so that the linker can leave out what nothing refers to. Patch 0013-data-sections.
// Without it: all of a kind are in one section.
#[unsafe(no_mangle)]
pub static FIRST: u64 = 1;
#[unsafe(no_mangle)]
pub static SECOND: u64 = 2;
