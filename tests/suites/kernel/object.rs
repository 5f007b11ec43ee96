//! The object as aya makes programs of it, handed to the verifier with its statistics on: aya itself asks for them only when a
//! program is refused.

use std::collections::BTreeMap;
use std::ffi::CString;
use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use aya_obj::generated::{bpf_attr, bpf_cmd, bpf_map_type, bpf_prog_type};
use aya_obj::{EbpfSectionKind, Map, Object};
use tracer_ebpf::member::entries_with_marks;
use tracer_ebpf::names;
use zerocopy::IntoBytes;

use crate::settings::Setting;

/// What the verifier says of a program (kernel/bpf/verifier.c, `print_verification_stats`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Work {
    /// Instructions that it walked, each as often as it came by.
    pub(crate) instructions: u64,
    /// States of registers and stack that it kept.
    pub(crate) states: u64,
    /// Of these at once.
    pub(crate) peak_states: u64,
    /// Bytes of stack.
    pub(crate) stack: u64,
}

impl Work {
    /// The larger of each.
    pub(crate) fn max(self, other: Self) -> Self {
        Self {
            instructions: self.instructions.max(other.instructions),
            states: self.states.max(other.states),
            peak_states: self.peak_states.max(other.peak_states),
            stack: self.stack.max(other.stack),
        }
    }

    /// From the closing lines of a log.
    fn from_log(log: &str) -> Option<Self> {
        let after = |word: &str| {
            let rest = &log[log.rfind(word)? + word.len()..];
            rest.split_whitespace().next()
        };
        // Some releases say `stack depth max 8`, and others a depth for each function: `8+16`.
        let depth = after("stack depth max ").or_else(|| after("stack depth "))?;
        let stack = depth.split('+').map(str::parse::<u64>).sum::<Result<u64, _>>().ok()?;
        let number = |word: &str| after(word)?.parse().ok();
        Some(Self {
            instructions: number("processed ")?,
            states: number("total_states ")?,
            peak_states: number("peak_states ")?,
            stack,
        })
    }
}

/// Whether a program is the copy of another, for processes that are preempted (`exit_3`).
fn is_copy(name: &str) -> bool {
    name.rsplit_once('_').is_some_and(|(_, number)| number.parse::<u32>().is_ok())
}

/// Loads every program that tracer loads with these globals, and throws them away again. An error names the program and ends with the log.
pub(crate) fn verify(object: &[u8], setting: &Setting) -> Result<BTreeMap<String, Work>, String> {
    let mut object = Object::parse(object).map_err(|error| format!("the object: {error}"))?;
    let level = setting.diagnostics as u8;
    let globals = [
        (names::FACTS, (setting.facts.as_bytes(), true)),
        (aya_log::LEVEL, (std::slice::from_ref(&level), true)),
    ];
    object.patch_map_data(globals.into()).map_err(|error| format!("the globals: {error}"))?;
    let maps: Vec<(String, Map)> = object.maps.drain().collect();
    let mut made = Vec::new();
    for (name, mut map) in maps {
        if name == names::SLOTS && setting.facts.preempted != 0 {
            map.set_max_entries(entries_with_marks(None));
        }
        let fd = make(&map).map_err(|error| format!("map {name}: {error}"))?;
        made.push((name, fd, map));
    }
    let sections = object.functions.keys().map(|(section, _)| *section).collect();
    let by_name = made.iter().map(|(name, fd, map)| (name.as_str(), fd.as_raw_fd(), map));
    object.relocate_maps(by_name, &sections).map_err(|error| error.to_string())?;
    object.relocate_calls(&sections).map_err(|error| error.to_string())?;
    let mut works = BTreeMap::new();
    let loaded = |name: &str| setting.facts.preempted != 0 || !is_copy(name);
    for (name, program) in object.programs.iter().filter(|(name, _)| loaded(name)) {
        let instructions = &object.functions[&program.function_key()].instructions;
        works.insert(
            name.clone(),
            load(instructions, &program.license).map_err(|error| format!("{name}: {error}"))?,
        );
    }
    Ok(works)
}

/// Makes a map; globals get their values and are frozen, so that the verifier takes them for constants.
fn make(map: &Map) -> io::Result<OwnedFd> {
    let is_ring = map.map_type() == bpf_map_type::BPF_MAP_TYPE_RINGBUF as u32;
    let fd = bpf(bpf_cmd::BPF_MAP_CREATE, |attr| {
        // SAFETY: the attributes are a union of integers, and this is the member of the command.
        let create = unsafe { &mut attr.__bindgen_anon_1 };
        create.map_type = map.map_type();
        create.key_size = map.key_size();
        create.value_size = if is_ring { 0 } else { map.value_size() };
        create.max_entries = map.max_entries();
        create.map_flags = map.map_flags();
    })?;
    // SAFETY: the kernel has just given us this descriptor.
    let fd = unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).map_err(io::Error::other)?) };
    let number = fd.as_raw_fd().cast_unsigned();
    if !map.data().is_empty() {
        let key = 0_u32;
        bpf(bpf_cmd::BPF_MAP_UPDATE_ELEM, |attr| {
            // SAFETY: as above.
            let update = unsafe { &mut attr.__bindgen_anon_2 };
            update.map_fd = number;
            update.key = (&raw const key).addr() as u64;
            update.__bindgen_anon_1.value = map.data().as_ptr().addr() as u64;
        })?;
    }
    if map.section_kind() == EbpfSectionKind::Rodata {
        bpf(bpf_cmd::BPF_MAP_FREEZE, |attr| {
            // SAFETY: as above.
            unsafe { &mut attr.__bindgen_anon_2 }.map_fd = number;
        })?;
    }
    Ok(fd)
}

fn load(instructions: &[aya_obj::generated::bpf_insn], license: &CString) -> Result<Work, String> {
    const STATISTICS: u32 = 4;
    let mut log = vec![0_u8; 1 << 16];
    let loaded = bpf(bpf_cmd::BPF_PROG_LOAD, |attr| {
        // SAFETY: as above.
        let load = unsafe { &mut attr.__bindgen_anon_3 };
        load.prog_type = bpf_prog_type::BPF_PROG_TYPE_RAW_TRACEPOINT as u32;
        load.insns = instructions.as_ptr().addr() as u64;
        load.insn_cnt = u32::try_from(instructions.len()).unwrap();
        load.license = license.as_ptr().addr() as u64;
        load.log_level = STATISTICS;
        load.log_buf = log.as_mut_ptr().addr() as u64;
        load.log_size = u32::try_from(log.len()).unwrap();
    });
    let end = log.iter().position(|byte| *byte == 0).unwrap_or(log.len());
    let log = String::from_utf8_lossy(&log[..end]);
    let fd = loaded.map_err(|error| format!("{error}; the verifier says:\n{log}"))?;
    // SAFETY: the kernel has just given us this descriptor; dropping it unloads the program.
    drop(unsafe { OwnedFd::from_raw_fd(i32::try_from(fd).unwrap()) });
    Work::from_log(&log).ok_or_else(|| format!("no statistics in the verifier's log:\n{log}"))
}

/// bpf(2) with attributes that are zero but for what `fill` writes.
fn bpf(command: bpf_cmd, fill: impl FnOnce(&mut bpf_attr)) -> io::Result<i64> {
    // SAFETY: the attributes are a union of integers, so zeros are a value of it.
    let mut attr = unsafe { std::mem::zeroed::<bpf_attr>() };
    fill(&mut attr);
    // SAFETY: pointers among the attributes are to memory that the callers hold for the length of the call.
    let result =
        unsafe { libc::syscall(libc::SYS_bpf, command as u32, &raw mut attr, size_of::<bpf_attr>()) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(result) }
}

#[test]
fn the_closing_lines_of_a_log_are_read() {
    let log = "verification time 97 usec\nstack depth 72+8\nprocessed 541 insns (limit 1000000) max_states_per_insn 1 \
               total_states 38 peak_states 37 mark_read 12\n";
    let work = Work { instructions: 541, states: 38, peak_states: 37, stack: 80 };
    assert_eq!(Work::from_log(log), Some(work));
    assert_eq!(Work::from_log(&log.replace("72+8", "max 80")), Some(work));
    assert_eq!(Work::from_log(""), None);
}
