//! Merges the object file that the assembly of a codegen unit was assembled to into the object file
//! of the codegen unit itself. With two object files `--emit obj` would have no single result.
//!
//! Only 64bit ELF is supported.

use std::error::Error;

use object::read::elf::ElfFile64;
use object::read::{
    Object as _, ObjectSection as _, ObjectSymbol as _, RelocationTarget, SectionIndex,
    SymbolSection as ReadSymbolSection,
};
use object::write::{Object, Relocation, SectionId, Symbol, SymbolId, SymbolSection};
use object::{BinaryFormat, SectionFlags, SectionKind, SymbolFlags, SymbolKind, elf};

use crate::prelude::*;

/// Names symbols by their index, which means nothing in another object file.
const SHT_LLVM_ADDRSIG: u32 = 0x6fff_4c03;

type AsmFile<'data> = ElfFile64<'data>;
type AsmSection<'data, 'file> = object::read::elf::ElfSection64<'data, 'file>;
type AsmSymbol<'data, 'file> = object::read::elf::ElfSymbol64<'data, 'file>;

/// Add everything in the object file `asm` to `object`.
///
/// Returns false and leaves `object` alone when there is something that can't be added.
pub(crate) fn merge(object: &mut Object<'_>, asm: &[u8]) -> Result<bool, Box<dyn Error>> {
    if object.format() != BinaryFormat::Elf {
        return Ok(false);
    }
    let Ok(asm) = AsmFile::parse(asm) else { return Ok(false) };
    if !can_merge(object, &asm)? {
        return Ok(false);
    }

    let mut sections = FxHashMap::default();
    for section in asm.sections().filter(|section| has_content(&asm, section)) {
        sections.insert(section.index(), add_section(object, &section)?);
    }

    let mut symbols = FxHashMap::default();
    for symbol in asm.symbols() {
        if let Some(id) = add_symbol(object, &sections, &symbol)? {
            symbols.insert(symbol.index(), id);
        }
    }

    for section in asm.sections() {
        let Some(&id) = sections.get(&section.index()) else { continue };
        for (offset, relocation) in section.relocations() {
            let RelocationTarget::Symbol(symbol) = relocation.target() else { unreachable!() };
            let (addend, flags) = (relocation.addend(), relocation.flags());
            let symbol = symbols[&symbol];
            object.add_relocation(id, Relocation { offset, symbol, addend, flags })?;
        }
    }

    Ok(true)
}

fn can_merge(object: &Object<'_>, asm: &AsmFile<'_>) -> Result<bool, Box<dyn Error>> {
    for section in asm.sections() {
        let SectionFlags::Elf { sh_flags } = section.flags() else { return Ok(false) };
        if sh_flags & u64::from(elf::SHF_GROUP | elf::SHF_LINK_ORDER | elf::SHF_COMPRESSED) != 0 {
            return Ok(false);
        }
        for (_, relocation) in section.relocations() {
            if relocation.has_implicit_addend()
                || !matches!(relocation.target(), RelocationTarget::Symbol(_))
            {
                return Ok(false);
            }
        }
    }
    for symbol in asm.symbols() {
        // Two definitions are left to the linker to complain about.
        if symbol.is_global()
            && symbol.section() != ReadSymbolSection::Undefined
            && let Some(id) = object.symbol_id(symbol.name_bytes()?)
            && !object.symbol(id).is_undefined()
        {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Is it anything else than a table of the object file or an empty section?
fn has_content(asm: &AsmFile<'_>, section: &AsmSection<'_, '_>) -> bool {
    match section.kind() {
        SectionKind::Metadata | SectionKind::Elf(SHT_LLVM_ADDRSIG) => false,
        _ if section.size() > 0 => true,
        // A symbol may be all there is in a section.
        _ => asm.symbols().any(|symbol| {
            symbol.kind() != SymbolKind::Section && symbol.section_index() == Some(section.index())
        }),
    }
}

fn add_section(
    object: &mut Object<'_>,
    section: &AsmSection<'_, '_>,
) -> Result<SectionId, Box<dyn Error>> {
    let kind = section.kind();
    let id = object.add_section(vec![], section.name_bytes()?.to_vec(), kind);
    if let SectionFlags::Elf { sh_flags } = section.flags() {
        // Merging entries needs their size, which can't be passed on.
        let sh_flags = sh_flags & !u64::from(elf::SHF_MERGE | elf::SHF_STRINGS);
        object.section_mut(id).flags = SectionFlags::Elf { sh_flags };
    }
    if kind.is_bss() {
        object.append_section_bss(id, section.size(), section.align().max(1));
    } else {
        object.append_section_data(id, section.data()?, section.align().max(1));
    }
    Ok(id)
}

fn add_symbol(
    object: &mut Object<'_>,
    sections: &FxHashMap<SectionIndex, SectionId>,
    symbol: &AsmSymbol<'_, '_>,
) -> Result<Option<SymbolId>, Box<dyn Error>> {
    let section = match symbol.section() {
        ReadSymbolSection::Undefined => SymbolSection::Undefined,
        ReadSymbolSection::Absolute => SymbolSection::Absolute,
        ReadSymbolSection::Common => SymbolSection::Common,
        ReadSymbolSection::Section(index) => match sections.get(&index) {
            Some(&id) => SymbolSection::Section(id),
            None => return Ok(None),
        },
        // The name of the source file
        _ => return Ok(None),
    };
    if symbol.kind() == SymbolKind::Section {
        return Ok(section.id().map(|id| object.section_symbol(id)));
    }

    let flags = match symbol.flags() {
        SymbolFlags::Elf { st_info, st_other } => SymbolFlags::Elf { st_info, st_other },
        _ => SymbolFlags::None,
    };
    let new = Symbol {
        name: symbol.name_bytes()?.to_vec(),
        value: symbol.address(),
        size: symbol.size(),
        kind: symbol.kind(),
        scope: symbol.scope(),
        weak: symbol.is_weak(),
        section,
        flags,
    };
    let known = if symbol.is_global() { object.symbol_id(&new.name) } else { None };
    Ok(match known {
        // What the assembly uses from the rest of the codegen unit, even when it's local to it.
        Some(id) if new.is_undefined() => Some(id),
        // What the rest of the codegen unit uses from the assembly.
        Some(id) => {
            *object.symbol_mut(id) = new;
            Some(id)
        }
        None => Some(object.add_symbol(new)),
    })
}
