use jiff::Timestamp;
use proptest::prelude::*;

use super::detectors::Detectors;
use super::thresholds::Thresholds;
use super::{Anomaly, Kind, Severity};
use crate::kernel::event::{Comm, Event, Exit, Sender, Signal, Status, Totals, What};
use crate::kernel::loss::Loss;
use crate::process::identity::{Identity, Ticks};
use crate::process::snapshot::{Snapshot, Values};
use crate::session::clock::Clock;
use crate::session::snapshot_row::made;

fn detectors() -> Detectors {
    Detectors::new(Thresholds::default(), Clock::new(Timestamp::UNIX_EPOCH, 0))
}

fn second(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

/// A row of process 7 at a second, with the change that the test is about.
fn row(at: i64, change: impl Fn(&mut Snapshot)) -> Snapshot {
    let mut row = Snapshot { captured_at: second(at), sweep: u64::try_from(at).unwrap(), ..made(7, "work") };
    row.values.threads = Some(1);
    change(&mut row);
    row
}

/// When which kinds are told, over rows a second apart.
fn told<T: Clone>(values: impl IntoIterator<Item = T>, set: impl Fn(&mut Values, T)) -> Vec<(usize, Kind)> {
    let mut detectors = detectors();
    let rows = values.into_iter().enumerate();
    rows.flat_map(|(at, value)| {
        let row = row(i64::try_from(at).unwrap(), |row| set(&mut row.values, value.clone()));
        detectors.snapshot(&row).into_iter().map(move |anomaly| (at, anomaly.kind))
    })
    .collect()
}

fn scores(scores: impl IntoIterator<Item = Option<u64>>) -> Vec<(usize, Kind)> {
    told(scores, |values, score| values.oom_score = score)
}

#[test]
fn a_score_that_rises_at_once_is_a_spike_and_one_that_creeps_is_not() {
    assert_eq!(scores([Some(666), Some(766), Some(767)]), [(1, Kind::OomSpike)]);
    assert_eq!(scores([Some(666), Some(765), Some(864), Some(700), Some(666)]), []);
    assert_eq!(scores([Some(1000)]), [], "the first row rises from nothing");
}

#[test]
fn a_spike_is_seen_across_a_row_without_a_score() {
    assert_eq!(scores([Some(666), None, Some(800)]), [(2, Kind::OomSpike)]);
}

#[test]
fn a_high_score_is_critical_once_until_it_was_clearly_below() {
    let creeping =
        (1110..1210).step_by(10).chain([1190, 1200, 1100]).chain((1000..1210).step_by(50)).map(Some);
    let told = scores(creeping);
    assert_eq!(told, [(9, Kind::OomCritical), (17, Kind::OomCritical)]);
}

#[test]
fn a_score_that_its_owner_set_high_is_not_critical() {
    let adjusted =
        |values: &mut Values, score| (values.oom_score, values.oom_score_adj) = (Some(score), Some(1000));
    assert_eq!(told([1334, 1340], adjusted), []);
    assert_eq!(told([1867], adjusted), [(0, Kind::OomCritical)]);
}

fn states(states: &str) -> Vec<(usize, Kind)> {
    told(states.bytes().collect::<Vec<_>>(), |values, state| values.state = (state != b'?').then_some(state))
}

#[test]
fn a_child_that_nobody_waits_for_is_a_zombie_after_some_seconds() {
    assert_eq!(states("SZZZZZZZZ"), [(6, Kind::Zombie)]);
    assert_eq!(states("SZZZZZ"), []);
    assert_eq!(states("Z??????Z"), [(7, Kind::Zombie)]);
}

#[test]
fn a_main_thread_that_ended_first_is_no_zombie() {
    let state = |values: &mut Values, _| (values.state, values.threads) = (Some(b'Z'), Some(3));
    assert_eq!(told(0..20, state), []);
}

#[test]
fn sleep_without_end_that_no_signal_wakes_is_told_once() {
    assert_eq!(states("DDDDDDDDDDDDDDD"), [(10, Kind::DState)]);
    assert_eq!(states("DDDDDDDDDDSDDDDDDDDDD"), []);
    let busy_disk = |values: &mut Values, at| {
        (values.state, values.ctx_switches_voluntary) = (Some(b'D'), Some(at));
    };
    assert_eq!(told(0..30, busy_disk), [], "it wakes in between");
}

fn cpu(percents: impl IntoIterator<Item = Option<f64>>) -> Vec<(usize, Kind)> {
    let mut detectors = detectors();
    let rows = percents.into_iter().enumerate();
    rows.flat_map(|(at, percent)| {
        let row = row(i64::try_from(at).unwrap(), |row| row.cpu_percent = percent);
        detectors.snapshot(&row).into_iter().map(move |anomaly| (at, anomaly.kind))
    })
    .collect()
}

#[test]
fn a_spinner_is_told_after_a_minute_and_a_burst_is_not() {
    assert_eq!(cpu([Some(99.0); 80]), [(60, Kind::HighCpu)]);
    let burst = [Some(99.0); 60].into_iter().chain([Some(50.0)]).chain([Some(99.0); 60]);
    assert_eq!(cpu(burst), []);
    let with_gap = [None].into_iter().chain([Some(99.0); 30]).chain([None]).chain([Some(99.0); 30]);
    assert_eq!(cpu(with_gap), [(61, Kind::HighCpu)]);
}

fn rss(figures: impl IntoIterator<Item = u64>) -> Vec<(usize, Kind)> {
    told(figures, |values, mib| values.vm_rss_kb = (mib > 0).then_some(mib * 1024))
}

#[test]
fn a_leaker_is_told_and_a_slow_one_is_not() {
    assert_eq!(rss((0..40).map(|at| 100 + at * 20)), [(26, Kind::RssGrowth)]);
    assert_eq!(rss((0..600).map(|at| 100 + at * 8)), []);
    assert_eq!(rss([600; 90]), [], "a large one that stays as it is");
    assert_eq!(rss([100, 0, 0, 700]), [(3, Kind::RssGrowth)]);
}

#[test]
fn growth_across_a_long_gap_in_the_rows_is_not_within_a_minute() {
    let mut detectors = detectors();
    for (at, mib) in [(0, 100), (5, 110), (5000, 2000)] {
        let row = row(at, |row| row.values.vm_rss_kb = Some(mib * 1024));
        assert_eq!(detectors.snapshot(&row), []);
    }
}

#[test]
fn a_descriptor_hoarder_is_told_with_its_figures() {
    let set =
        |values: &mut Values, count| (values.fd_count, values.fd_soft_limit) = (Some(count), Some(1000));
    assert_eq!(told([799, 800, 790, 800, 700, 800], set), [(1, Kind::FdHigh), (5, Kind::FdHigh)]);
    let none = |values: &mut Values, count| (values.fd_count, values.fd_soft_limit) = (Some(count), Some(0));
    assert_eq!(told([799], none), []);
    let hoarder = row(3, |row| set(&mut row.values, 900));
    let expected = Anomaly {
        kind: Kind::FdHigh,
        severity: Severity::Warning,
        captured_at: second(3),
        process: Some((hoarder.id, hoarder.comm)),
        detail: "900 of 1000 descriptors are open".to_owned(),
    };
    assert_eq!(detectors().snapshot(&hoarder), [expected]);
}

#[test]
fn another_process_under_the_same_pid_has_episodes_of_its_own() {
    let mut detectors = detectors();
    let hoards = |row: &mut Snapshot| (row.values.fd_count, row.values.fd_soft_limit) = (Some(10), Some(10));
    let other = |row: &mut Snapshot| {
        hoards(row);
        row.id.start = Ticks(6);
    };
    let rows = [row(1, hoards), row(2, hoards), row(3, other)];
    let counts: Vec<usize> = rows.iter().map(|row| detectors.snapshot(row).len()).collect();
    assert_eq!(counts, [1, 0, 1]);
}

fn event(at: u64, comm: &str, what: What) -> Event {
    let process = Identity { pid: 7, start: Ticks(5) };
    let parent = Identity { pid: 1, start: Ticks(1) };
    Event { ktime_ns: at * 1_000_000_000, process, parent, depth: 1, comm: Comm::cut(comm.as_bytes()), what }
}

fn exit(status: u32) -> What {
    let totals = Totals::default();
    let exit = Exit { status: Status(status), tid: 7, totals, totals_partial: false, cgroup_id: None };
    What::Exit(Box::new(exit))
}

fn sent(signal: u8, by: Option<&str>) -> What {
    let process = Identity { pid: 44, start: Ticks(2) };
    let sender = by.map(|comm| Sender { process, comm: Comm::cut(comm.as_bytes()), uid: 7 });
    What::Signal(Signal { signal, code: 0, sender, handled: false })
}

fn events(whats: impl IntoIterator<Item = What>) -> Vec<(Kind, Severity, String)> {
    let mut detectors = detectors();
    let told =
        whats.into_iter().flat_map(|what| detectors.event(&event(9, "work", what))).collect::<Vec<_>>();
    told.into_iter().map(|anomaly| (anomaly.kind, anomaly.severity, anomaly.detail)).collect()
}

#[test]
fn a_death_by_signal_names_signal_and_sender() {
    let killed = |severity, detail: &str| vec![(Kind::KilledBySignal, severity, detail.to_owned())];
    let told = events([sent(9, Some("first")), sent(15, None), sent(9, Some("killer")), exit(9)]);
    assert_eq!(told, killed(Severity::Warning, "killed by SIGKILL from killer (44), uid 7"));
    assert_eq!(
        events([sent(15, None), exit(15)]),
        killed(Severity::Info, "killed by SIGTERM from the kernel")
    );
    assert_eq!(events([exit(6)]), killed(Severity::Critical, "killed by SIGABRT; who sent it was not seen"));
}

#[test]
fn an_exit_is_no_anomaly_whatever_its_code() {
    assert_eq!(events([sent(15, None), exit(0x300)]), []);
    assert_eq!(events([What::Oom, exit(0)]), []);
}

#[test]
fn a_death_by_the_oom_killer_is_told_once_and_by_its_cause() {
    let told = events([What::Oom, sent(9, None), exit(9)]);
    assert_eq!(told, [(Kind::OomKilled, Severity::Critical, "the OOM killer chose it".to_owned())]);
}

#[test]
fn a_core_dump_is_told_beside_the_signal() {
    let kinds: Vec<Kind> = events([sent(11, None), exit(0x8b)]).into_iter().map(|told| told.0).collect();
    assert_eq!(kinds, [Kind::KilledBySignal, Kind::CoreDumped]);
}

fn rename(old: &str) -> What {
    What::Rename { old_comm: Comm::cut(old.as_bytes()) }
}

fn named(at: i64, comm: &str) -> Snapshot {
    row(at, |row| row.comm = Comm::cut(comm.as_bytes()))
}

fn finish(mut detectors: Detectors, loss: &Loss) -> Vec<(Kind, String)> {
    detectors.finish(loss, second(99)).into_iter().map(|anomaly| (anomaly.kind, anomaly.detail)).collect()
}

#[test]
fn a_name_that_the_kernel_never_reported_is_a_drift_once() {
    let mut detectors = detectors();
    detectors.event(&event(1, "claude", What::Oom));
    for at in 2..5 {
        assert_eq!(detectors.snapshot(&named(at, "sh")), [], "its event may be on its way");
    }
    detectors.event(&event(5, "node", rename("claude")));
    let detail = "a row names it sh; the kernel reported claude, node".to_owned();
    assert_eq!(finish(detectors, &Loss::default()), [(Kind::IdentityDrift, detail)]);
}

#[test]
fn a_drift_is_told_at_the_end_also_of_a_process_that_ended_before() {
    let mut detectors = detectors();
    detectors.event(&event(1, "claude", What::Oom));
    detectors.snapshot(&named(2, "sh"));
    detectors.event(&event(3, "claude", exit(0)));
    assert_eq!(finish(detectors, &Loss::default()).len(), 1);
}

#[test]
fn a_row_that_is_ahead_of_its_event_or_behind_it_is_no_drift() {
    let mut detectors = detectors();
    detectors.snapshot(&named(1, "old"));
    detectors.event(&event(1, "old", What::Oom));
    detectors.snapshot(&named(2, "new"));
    detectors.event(&event(2, "new", rename("old")));
    detectors.snapshot(&named(3, "old"));
    detectors.event(&event(3, "new", exit(0)));
    detectors.snapshot(&named(4, "new"));
    assert_eq!(finish(detectors, &Loss::default()), []);
}

#[test]
fn where_names_were_lost_nobody_drifts() {
    let mut detectors = detectors();
    detectors.event(&event(1, "claude", What::Oom));
    detectors.snapshot(&named(2, "sh"));
    let told = finish(detectors, &Loss { rename: 2, exit: 1, ..Loss::default() });
    assert_eq!(told, [(Kind::EventsLost, "3 events are missing: exit 1, rename 2".to_owned())]);
}

#[test]
fn a_process_with_more_names_than_are_kept_is_not_accused() {
    let mut detectors = detectors();
    for number in 0..1000 {
        detectors.event(&event(1, &format!("name {number}"), rename("work")));
    }
    detectors.snapshot(&named(2, "name 999"));
    assert_eq!(finish(detectors, &Loss::default()), []);
}

#[test]
fn no_loss_is_no_anomaly_and_a_threshold_lets_some_pass() {
    let few = Thresholds { events_lost: 3.0, ..Thresholds::default() };
    let finish = |lost| {
        let mut detectors = Detectors::new(few, Clock::new(Timestamp::UNIX_EPOCH, 0));
        detectors.finish(&Loss { gaps: lost, ..Loss::default() }, second(1)).len()
    };
    assert_eq!([0, 2, 3].map(finish), [0, 0, 1]);
}

#[test]
fn an_anomaly_is_a_line_by_the_contract() {
    let mut detectors = detectors();
    let told = detectors.event(&event(2, "a\n", exit(6)));
    assert_eq!(
        serde_json::to_string(&told[0]).unwrap(),
        "{\"kind\":\"KILLED_BY_SIGNAL\",\"severity\":\"critical\",\"captured_at\":\"1970-01-01T00:00:02.000000Z\",\
         \"pid\":7,\"starttime_ticks\":5,\"comm\":\"a\\n\",\"detail\":\"killed by SIGABRT; who sent it was not seen\"}"
    );
}

#[test]
fn who_is_gone_is_forgotten() {
    let mut detectors = detectors();
    for pid in 0..1000 {
        let at = i64::from(pid);
        let mut row = named(at, "work");
        row.id.pid = pid;
        detectors.snapshot(&row);
    }
    assert!(detectors.held() <= 2, "rows alone hold nobody for longer than a round: {}", detectors.held());
}

proptest! {
    #[test]
    fn the_same_recording_gives_the_same_list_and_nothing_panics(
        rows in proptest::collection::vec((0_u32..4, any::<u64>(), any::<u64>(), any::<u8>(), any::<f64>(), 0_i64..300), 0..60)
    ) {
        let list = || {
            let mut detectors = detectors();
            let mut list = Vec::new();
            for (pid, first, second, state, cpu, at) in &rows {
                let mut row = row(*at, |_| {});
                row.id.pid = *pid;
                row.comm = Comm::cut(&first.to_le_bytes());
                row.cpu_percent = Some(*cpu);
                row.values.state = Some(*state);
                (row.values.oom_score, row.values.vm_rss_kb) = (Some(*first), Some(*second));
                (row.values.fd_count, row.values.fd_soft_limit) = (Some(*first), Some(*second));
                list.extend(detectors.snapshot(&row));
                list.extend(detectors.event(&event(*first % 9, "work", if state % 3 == 0 { exit(9) } else { What::Oom })));
            }
            list.extend(detectors.finish(&Loss::default(), Timestamp::UNIX_EPOCH));
            list
        };
        prop_assert_eq!(list(), list());
    }
}
