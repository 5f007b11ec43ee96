//! Drops the debug sections: BTF is made of them at link time, no loader reads them, and they hold paths.
//!
//! Everything else stays as bpf-linker wrote it: code, relocations, maps, `.rodata`, `license`, `.BTF`, `.BTF.ext`
//! and the symbols of all of these.

use anyhow::{Context, Result};
use object::build::elf::{Builder, SectionData};
use object::elf::SHT_STRTAB;

/// The object without `.debug_*` sections, their relocations and their section symbols.
pub(crate) fn strip(object: &[u8]) -> Result<Vec<u8>> {
    let mut builder = Builder::read(object).context("the object is no ELF file")?;
    for section in &mut builder.sections {
        section.delete = is_debug(&section.name);
    }
    builder.delete_orphans();
    name_sections_apart(&mut builder);
    let mut stripped = Vec::new();
    builder.write(&mut stripped).context("cannot write the stripped object")?;
    Ok(stripped)
}

/// LLVM keeps the names of sections and of symbols in one table; `object` writes two.
fn name_sections_apart(builder: &mut Builder<'_>) {
    if builder.sections.iter().any(|section| matches!(section.data, SectionData::SectionString)) {
        return;
    }
    let names = builder.sections.add();
    names.name = b".shstrtab"[..].into();
    names.sh_type = SHT_STRTAB;
    names.sh_addralign = 1;
    names.data = SectionData::SectionString;
}

/// Whether a section is debug information, or relocates some.
fn is_debug(name: &[u8]) -> bool {
    let name = name.strip_prefix(b".rel").unwrap_or(name);
    name.starts_with(b".debug_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_sections_go_and_what_a_loader_reads_stays() {
        let gone: [&[u8]; 3] = [b".debug_info", b".rel.debug_info", b".debug_str"];
        let kept: [&[u8]; 6] = [b".BTF", b".BTF.ext", b".rel.BTF.ext", b"maps", b".rodata", b".relraw_tp/x"];
        assert!(gone.iter().all(|name| is_debug(name)));
        assert!(!kept.iter().any(|name| is_debug(name)));
    }
}
