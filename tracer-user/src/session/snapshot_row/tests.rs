use jiff::Timestamp;
use proptest::prelude::*;

use super::{NoSnapshot, SnapshotRow, parse};
use crate::kernel::event::Comm;
use crate::process::identity::{Identity, Ticks};
use crate::process::snapshot::{Snapshot, Values};

fn snapshot() -> Snapshot {
    Snapshot {
        captured_at: Timestamp::from_microsecond(1_000_000_000_000_001).unwrap(),
        id: Identity { pid: 7, start: Ticks(12345) },
        comm: Comm::cut(b"a\xff\\x \n"),
        is_target: true,
        cpu_percent: Some(12.5),
        values: Values {
            state: Some(b'S'),
            vm_rss_kb: Some(1700),
            vm_hwm_kb: Some(1788),
            vm_swap_kb: None,
            threads: Some(3),
            fd_count: Some(4),
            fd_soft_limit: Some(1024),
            oom_score: Some(666),
            oom_score_adj: Some(-17),
            sig_pnd: Some(0x201),
            sig_blk: Some(0),
            sig_cgt: Some(1 << 63),
            wchan: Some(b"do_wait".as_slice().into()),
            ctx_switches_voluntary: Some(12),
            ctx_switches_involuntary: Some(3),
            utime_ticks: Some(Ticks(150)),
            stime_ticks: Some(Ticks(50)),
            read_bytes: None,
            write_bytes: Some(8192),
        },
        sweep: 9,
    }
}

fn line(snapshot: &Snapshot) -> String {
    serde_json::to_string(&SnapshotRow::new(snapshot)).unwrap()
}

#[test]
fn a_line_has_the_fields_of_the_contract_in_its_order() {
    assert_eq!(
        line(&snapshot()),
        "{\"captured_at\":\"2001-09-09T01:46:40.000001Z\",\"pid\":7,\"starttime_ticks\":12345,\
         \"comm\":\"a\\\\xff\\\\x5cx \\n\",\"is_target\":true,\"state\":\"S\",\"vm_rss_kb\":1700,\"vm_hwm_kb\":1788,\
         \"vm_swap_kb\":null,\"threads\":3,\"fd_count\":4,\"fd_soft_limit\":1024,\"oom_score\":666,\"oom_score_adj\":-17,\
         \"sig_pnd\":\"0000000000000201\",\"sig_blk\":\"0000000000000000\",\"sig_cgt\":\"8000000000000000\",\
         \"wchan\":\"do_wait\",\"ctx_switches_voluntary\":12,\"ctx_switches_involuntary\":3,\"cpu_percent\":12.5,\
         \"utime_ticks\":150,\"stime_ticks\":50,\"read_bytes\":null,\"write_bytes\":8192,\"sweep\":9}"
    );
}

#[test]
fn a_line_comes_back_whole() {
    assert_eq!(parse(line(&snapshot()).as_bytes()).unwrap(), snapshot());
}

#[test]
fn a_damaged_field_is_unknown_and_the_rest_stays() {
    let damaged = line(&snapshot())
        .replace("1700", "\"many\"")
        .replace("\"S\"", "\"\"")
        .replace("\"0000000000000201\"", "\"xyz\"")
        .replace("\"threads\":3,", "")
        .replace("1788", "-1")
        .replace("\"do_wait\"", "5")
        .replace("12.5", "[]");
    let parsed = parse(damaged.as_bytes()).unwrap();
    let mut expected = Snapshot { cpu_percent: None, ..snapshot() };
    expected.values = Values {
        vm_rss_kb: None,
        vm_hwm_kb: None,
        state: None,
        sig_pnd: None,
        threads: None,
        wchan: None,
        ..expected.values
    };
    assert_eq!(parsed, expected);
}

#[test]
fn a_line_without_time_or_process_is_none() {
    for field in ["captured_at", "pid", "starttime_ticks", "comm", "is_target", "sweep"] {
        let renamed = line(&snapshot()).replace(&format!("\"{field}\":"), "\"other\":");
        assert!(
            matches!(parse(renamed.as_bytes()), Err(NoSnapshot::Without(name)) if name == field),
            "{field}"
        );
    }
    for no_object in ["", "[]", "{", "null"] {
        assert!(matches!(parse(no_object.as_bytes()), Err(NoSnapshot::NoObject(_))), "{no_object}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_a_snapshot_or_an_error(bytes: Vec<u8>) {
        let _ = parse(&bytes);
    }

    #[test]
    fn a_line_that_is_cut_or_damaged_anywhere_can_be_read(at in 0_usize..600, byte: u8) {
        let mut line = line(&snapshot()).into_bytes();
        let at = at.min(line.len() - 1);
        let _ = parse(&line[..at]);
        line[at] = byte;
        let _ = parse(&line);
    }
}
