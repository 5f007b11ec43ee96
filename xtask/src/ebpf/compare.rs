//! Two objects, compared as a loader reads them: section by section, relocation by relocation, symbol by symbol.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use object::build::elf::{Builder, SectionData};

/// What of a section decides how it is loaded. Symbols are named, not numbered, so that an order means nothing.
#[derive(Debug, PartialEq, Eq)]
struct Section {
    kind: u32,
    flags: u64,
    bytes: Vec<u8>,
    relocations: Vec<(u64, u32, String)>,
}

/// An object, as far as it is compared.
#[derive(Debug)]
struct Contents {
    sections: BTreeMap<String, Section>,
    symbols: BTreeSet<String>,
}

/// Every difference between two objects, one line each; none when they load the same.
pub(crate) fn differences(committed: &[u8], rebuilt: &[u8]) -> Result<Vec<String>> {
    let old = read(committed).context("cannot read the committed object")?;
    let new = read(rebuilt).context("cannot read the rebuilt object")?;
    let names: BTreeSet<&String> = old.sections.keys().chain(new.sections.keys()).collect();
    let mut lines = Vec::new();
    for name in names {
        match (old.sections.get(name), new.sections.get(name)) {
            (Some(old), Some(new)) => lines.extend(section(name, old, new)),
            (Some(_), None) => lines.push(format!("{name}: only in the committed object")),
            (None, _) => lines.push(format!("{name}: only in the rebuilt object")),
        }
    }
    lines.extend(
        old.symbols.difference(&new.symbols).map(|symbol| format!("symbol only committed: {symbol}")),
    );
    lines.extend(new.symbols.difference(&old.symbols).map(|symbol| format!("symbol only rebuilt: {symbol}")));
    Ok(lines)
}

/// How two sections of one name differ.
fn section(name: &str, old: &Section, new: &Section) -> Vec<String> {
    let mut lines = Vec::new();
    if (old.kind, old.flags) != (new.kind, new.flags) {
        let (a, b, c, d) = (old.kind, old.flags, new.kind, new.flags);
        lines.push(format!("{name}: type {a} flags {b:#x}, rebuilt type {c} flags {d:#x}"));
    }
    if old.bytes.len() != new.bytes.len() {
        lines.push(format!("{name}: {} bytes, rebuilt {} bytes", old.bytes.len(), new.bytes.len()));
    }
    if let Some(at) = old.bytes.iter().zip(&new.bytes).position(|(old, new)| old != new) {
        lines.push(format!("{name}: bytes differ from offset {at:#x} on"));
    }
    if old.relocations != new.relocations {
        let (a, b) = (old.relocations.len(), new.relocations.len());
        let first = old.relocations.iter().zip(&new.relocations).find(|(old, new)| old != new);
        let first = first.map_or(String::new(), |(old, new)| format!(", first {old:?}, rebuilt {new:?}"));
        lines.push(format!("{name}: relocations differ ({a}, rebuilt {b}{first})"));
    }
    lines
}

fn read(object: &[u8]) -> Result<Contents> {
    let elf = Builder::read(object)?;
    let section_name = |id| elf.sections.get(id).name.to_string();
    let symbol = |id| {
        let symbol: &object::build::elf::Symbol<'_> = elf.symbols.get(id);
        let place = symbol.section.map_or_else(|| format!("#{}", symbol.st_shndx), section_name);
        let (name, value, size, info) = (&symbol.name, symbol.st_value, symbol.st_size, symbol.st_info);
        format!("{name} in {place} at {value:#x}, {size} bytes, info {info:#x}")
    };
    let mut sections = BTreeMap::new();
    for section in &elf.sections {
        let (bytes, relocations) = match &section.data {
            SectionData::Data(data) => (data.to_vec(), Vec::new()),
            SectionData::UninitializedData(size) => (size.to_le_bytes().to_vec(), Vec::new()),
            SectionData::Relocation(list) => {
                let named =
                    list.iter().map(|r| (r.r_offset, r.r_type, r.symbol.map_or_else(String::new, symbol)));
                (Vec::new(), named.collect())
            }
            _ => continue,
        };
        let (kind, flags) = (section.sh_type, section.sh_flags);
        sections.insert(section.name.to_string(), Section { kind, flags, bytes, relocations });
    }
    let symbols = elf.symbols.iter().map(|each| symbol(each.id())).collect();
    Ok(Contents { sections, symbols })
}

#[cfg(test)]
mod tests {
    use super::*;
    use object::elf::{SHF_ALLOC, SHT_PROGBITS, SHT_STRTAB};

    /// An object with one section.
    fn object(name: &'static str, bytes: &'static [u8]) -> Vec<u8> {
        let mut builder = Builder::new(object::Endianness::Little, true);
        let section = builder.sections.add();
        (section.name, section.sh_type, section.sh_flags) =
            (name.as_bytes().into(), SHT_PROGBITS, SHF_ALLOC.into());
        (section.sh_addralign, section.data) = (8, SectionData::Data(bytes.into()));
        let names = builder.sections.add();
        (names.name, names.sh_type) = (b".shstrtab"[..].into(), SHT_STRTAB);
        (names.sh_addralign, names.data) = (1, SectionData::SectionString);
        let mut written = Vec::new();
        builder.write(&mut written).unwrap();
        written
    }

    #[test]
    fn an_object_does_not_differ_from_itself() {
        let one = object("maps", b"abcd");
        assert_eq!(differences(&one, &one).unwrap(), Vec::<String>::new());
    }

    #[test]
    fn a_changed_byte_is_named_with_its_section_and_offset() {
        let lines = differences(&object("maps", b"abcd"), &object("maps", b"abXd")).unwrap();
        assert_eq!(lines, ["maps: bytes differ from offset 0x2 on"]);
    }

    #[test]
    fn a_section_that_one_side_lacks_is_named() {
        let lines = differences(&object(".rodata", b"a"), &object(".data", b"a")).unwrap();
        assert_eq!(lines, [".data: only in the rebuilt object", ".rodata: only in the committed object"]);
    }
}
