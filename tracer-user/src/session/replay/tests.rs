use bytes::Bytes;
use jiff::Timestamp;
use proptest::prelude::*;
use proptest::{collection::vec, option::of};

use super::{ReplayError, event};
use crate::kernel::event::{
    Args, Comm, Event, Exec, Exit, Fork, NamespacePid, Sender, Signal, Status, Totals, What,
};
use crate::process::identity::{Identity, Ticks};
use crate::session::clock::Clock;
use crate::session::event_row::EventRow;

fn line(event: &Event) -> String {
    let clock = Clock::new(Timestamp::UNIX_EPOCH, 0);
    serde_json::to_string(&EventRow { event, clock, cwd: None }).unwrap()
}

fn identity() -> impl Strategy<Value = Identity> {
    (any::<u32>(), any::<u64>()).prop_map(|(pid, start)| Identity { pid, start: Ticks(start) })
}

/// Bytes without a NUL, with many that need escapes.
fn bytes(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![Just(b'\\'), Just(b'x'), b'0'..=b'9', 1_u8..=255], len)
}

fn comm() -> impl Strategy<Value = Comm> {
    bytes(0..16).prop_map(|name| {
        let mut comm = [0; tracer_ebpf::COMM_LEN];
        comm[..name.len()].copy_from_slice(&name);
        Comm::new(comm)
    })
}

fn namespace() -> impl Strategy<Value = Option<NamespacePid>> {
    of((any::<u32>(), any::<u32>()).prop_map(|(pid, inode)| NamespacePid { pid, inode }))
}

fn fork() -> impl Strategy<Value = What> {
    (any::<u32>(), namespace(), any::<u32>(), any::<bool>()).prop_map(
        |(uid, namespace, parent_tid, untracked)| What::Fork(Fork { uid, namespace, parent_tid, untracked }),
    )
}

fn exec() -> impl Strategy<Value = What> {
    let args = (of(vec(bytes(0..6), 0..5)), any::<bool>(), any::<u64>());
    let names = (bytes(0..20), any::<bool>(), of(bytes(0..9)));
    let ids = (any::<u32>(), any::<u32>(), of(any::<u32>()), namespace(), of(any::<u64>()));
    (args, names, ids).prop_map(|((argv, truncated, total), (filename, cut, interp), ids)| {
        let ended = |arg: &Vec<u8>| [arg.as_slice(), b"\0"].concat();
        What::Exec(Box::new(Exec {
            filename: filename.into(),
            filename_truncated: cut,
            interp: interp.map(Bytes::from),
            args: Args {
                bytes: argv.iter().flatten().flat_map(ended).collect(),
                total,
                truncated,
                unreadable: argv.is_none(),
            },
            old_tid: ids.0,
            uid: ids.1,
            euid: ids.2,
            namespace: ids.3,
            cgroup_id: ids.4,
            cwd: None,
        }))
    })
}

fn exit() -> impl Strategy<Value = What> {
    let status = prop_oneof![
        any::<u8>().prop_map(|code| u32::from(code) << 8),
        (1_u32..65, any::<bool>()).prop_map(|(signal, core)| signal | if core { 0x80 } else { 0 }),
    ];
    let counts = proptest::array::uniform7(of(any::<u64>()));
    let rest = (any::<u32>(), any::<u64>(), any::<u64>(), any::<bool>(), of(any::<u64>()));
    (status, counts, rest).prop_map(|(status, counts, (tid, utime_us, stime_us, partial, cgroup_id))| {
        let [max_rss_kb, min_flt, maj_flt, nvcsw, nivcsw, read_bytes, write_bytes] = counts;
        What::Exit(Box::new(Exit {
            status: Status(status),
            tid,
            totals: Totals {
                max_rss_kb,
                utime_us,
                stime_us,
                min_flt,
                maj_flt,
                nvcsw,
                nivcsw,
                read_bytes,
                write_bytes,
            },
            totals_partial: partial,
            cgroup_id,
        }))
    })
}

fn signal() -> impl Strategy<Value = What> {
    let sender = (identity(), comm(), any::<u32>());
    let sender = of(sender.prop_map(|(process, comm, uid)| Sender { process, comm, uid }));
    (any::<u8>(), any::<i32>(), sender, any::<bool>())
        .prop_map(|(signal, code, sender, handled)| What::Signal(Signal { signal, code, sender, handled }))
}

fn any_event() -> impl Strategy<Value = Event> {
    let rename = comm().prop_map(|old_comm| What::Rename { old_comm });
    let what = prop_oneof![fork(), exec(), exit(), rename, signal(), Just(What::Oom)];
    // A line's time is a calendar date too: it has to lie before the year 10000.
    let at = 0..u64::MAX / 100;
    (at, identity(), identity(), any::<u16>(), comm(), what).prop_map(
        |(ktime_ns, process, parent, depth, comm, what)| Event {
            ktime_ns,
            process,
            parent,
            depth,
            comm,
            what,
        },
    )
}

proptest! {
    #[test]
    fn an_event_that_was_written_comes_back(before in any_event()) {
        prop_assert_eq!(event(&line(&before)).unwrap(), before);
    }

    #[test]
    fn a_torn_line_is_an_error(before in any_event(), lost in 1_usize..200) {
        let whole = line(&before);
        let mut end = whole.len().saturating_sub(lost);
        while !whole.is_char_boundary(end) {
            end -= 1;
        }
        prop_assert!(event(&whole[..end]).is_err());
    }

    #[test]
    fn any_text_gives_an_event_or_an_error(text in ".{0,80}") {
        let _ = event(&text);
    }
}

#[test]
fn a_field_of_a_later_version_is_passed_over() {
    let line = r#"{"event":"oom","later":[1],"ktime_ns":1,"pid":2,"starttime_ticks":3,"comm":"x","ppid":1,
        "parent_starttime_ticks":1,"depth":0}"#;
    assert_eq!(event(line).unwrap().what, What::Oom);
}

#[test]
fn a_comm_that_no_kernel_gives_is_named() {
    let line = r#"{"event":"oom","ktime_ns":1,"pid":2,"starttime_ticks":3,"comm":"sixteen-bytes-xx","ppid":1,
        "parent_starttime_ticks":1,"depth":0}"#;
    assert!(matches!(event(line), Err(ReplayError::Comm(name)) if name == "sixteen-bytes-xx"));
}
