//! As much as two processors can do: nothing is lost, order is kept, and tracer's own memory stays as it is.
//!
//! One storm at a time, of our own (`workload storm`) and of stress-ng. How many processes there were, the kernel says by
//! roads that tracer does not take: `wait`, process accounting, and the count of forks in `/proc/stat`.
//!
//! `TRACER_LOAD_SECONDS` is the time for all storms together. `TRACER_LOAD_REPORT` names a file that takes a JSON line of
//! figures from each, for the bench.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test reports by panicking")]

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::Write;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use serde_json::{Value, json};
use tests::truth::accounted;
use tests::{Ledger, Trace};

/// Seconds for all storms together, unless told otherwise.
const SECONDS: u64 = 40;
/// Storms among which they are shared.
const STORMS: u64 = 18;
/// Workers of a storm; more than processors, so that they also get into each other's way.
const WORKERS: &str = "3";
/// How much more memory tracer may have in the second half of a storm than in the first: what waits in the rings while
/// it does not get a processor is in its memory once it does.
const GROWTH_KIB: u64 = 12 << 10;
/// What tracer may take while ten thousand processes live and when they all end at once: 3 KiB for each, and the above.
/// (How much it takes while they stand still is a row of the bench, with a budget.)
const CROWD_KIB: u64 = GROWTH_KIB + 30_000;

/// Storms are not to disturb each other.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Seconds for one storm.
fn share() -> u64 {
    let all = std::env::var("TRACER_LOAD_SECONDS").ok();
    let all = all.map_or(SECONDS, |seconds| seconds.parse().expect("TRACER_LOAD_SECONDS in whole seconds"));
    all.div_ceil(STORMS)
}

/// Runs it, tells the bench, and asserts what holds for every storm.
fn weather(name: &str, trace: Trace) -> Ledger {
    let _alone = alone();
    let begin = Instant::now();
    let ledger = trace.within(10 * share() + 120).count();
    let (early, late) = ledger.outcome.weight.halves();
    report(&json!({
        "storm": name,
        "processes": ledger.processes(),
        "events": ledger.events.values().sum::<u64>(),
        "command_seconds": ledger.summary["elapsed_seconds"],
        "whole_seconds": begin.elapsed().as_secs_f64(),
        "lost": lost(&ledger),
        "memory_kib": [early, late],
    }));
    assert_eq!(ledger.outcome.status.code(), Some(0), "{}", ledger.outcome.stderr);
    assert_eq!((lost(&ledger), &ledger.summary["completeness"]["state"]), (0, &json!("complete")));
    let rows = u64::try_from(ledger.processes()).unwrap();
    assert_eq!((ledger.count("fork"), ledger.count("exit")), (rows, rows), "a fork and an exit for each row");
    assert_eq!(ledger.summary["process_count"], rows);
    ledger
}

/// The same, and tracer's memory stays as it is while processes come and go.
fn steady(name: &str, trace: Trace) -> Ledger {
    let ledger = weather(name, trace);
    let ((early, late), rows) = (ledger.outcome.weight.halves(), ledger.processes());
    assert!(late <= early + GROWTH_KIB, "from {early} to {late} KiB of memory in {rows} processes");
    ledger
}

fn lost(ledger: &Ledger) -> u64 {
    let kinds = ledger.summary["completeness"]["lost"].as_object().unwrap();
    kinds.values().map(|count| count.as_u64().unwrap()).sum()
}

fn report(figures: &Value) {
    if let Some(path) = std::env::var_os("TRACER_LOAD_REPORT") {
        let mut file = OpenOptions::new().append(true).create(true).open(path).unwrap();
        writeln!(file, "{figures}").unwrap();
    }
}

/// A storm of ours: each worker's children, all told by `wait`, and nobody else.
fn own(kind: &str) -> Ledger {
    let seconds = share().to_string();
    let ledger = steady(kind, Trace::case(["storm", kind, &seconds, WORKERS]));
    let made = ledger.notes("made");
    assert_eq!(made.len().to_string(), WORKERS, "each worker tells");
    let sum: i64 = made.iter().map(|note| note.value).sum();
    assert!(sum > 0, "the storm does what it says");
    assert_eq!(i64::try_from(ledger.processes()).unwrap(), 1 + i64::try_from(made.len()).unwrap() + sum);
    for worker in made {
        let seen = ledger.children.get(&worker.pid.into()).copied().unwrap_or(0);
        assert_eq!(i64::try_from(seen).unwrap(), worker.value, "children of worker {}", worker.pid);
    }
    let kernel = ledger.notes("kernel")[0].value;
    assert!(i64::try_from(ledger.processes()).unwrap() <= 1 + kernel, "more than the kernel's own {kernel}");
    ledger
}

fn signals(ledger: &Ledger) -> (u64, i64) {
    (ledger.count("signal"), ledger.notes("signals").iter().map(|note| note.value).sum())
}

#[test]
fn a_storm_of_forks() {
    own("fork");
}

#[test]
fn a_storm_of_vforks() {
    own("vfork");
}

#[test]
fn a_storm_of_execs() {
    let ledger = own("exec");
    let rows = u64::try_from(ledger.processes()).unwrap();
    assert_eq!(ledger.count("exec"), rows - 3, "all but the workers, which only fork");
}

#[test]
fn a_storm_of_children_with_threads() {
    let ledger = own("clone");
    let threads = 4 * ledger.notes("made").iter().map(|note| note.value).sum::<i64>();
    assert!(ledger.notes("kernel")[0].value >= threads, "the kernel counts threads, and tracer does not");
}

#[test]
fn a_storm_of_children_that_their_makers_parent_waits_for() {
    let ledger = own("clone-parent");
    let sum: i64 = ledger.notes("made").iter().map(|note| note.value).sum();
    assert_eq!(ledger.notes("adopted")[0].value, sum, "that one waited for all of them");
}

#[test]
fn a_storm_of_exits_at_once() {
    own("burst");
}

#[test]
fn a_storm_of_zombies() {
    own("zombies");
}

#[test]
fn a_storm_of_kills() {
    let ledger = own("kill");
    let (seen, sent) = signals(&ledger);
    assert_eq!(i64::try_from(seen).unwrap(), sent, "signals seen and sent");
    let killed: usize = ledger.ends.iter().filter(|((_, status, _), _)| *status == 9).map(|(_, n)| n).sum();
    assert_eq!(i64::try_from(killed).unwrap(), sent, "each of them ended its target");
}

#[test]
fn a_storm_of_signals_that_are_handled() {
    let (seen, sent) = signals(&own("handled"));
    assert_eq!(i64::try_from(seen).unwrap(), sent, "signals seen and answered");
}

#[test]
fn a_flood_of_signals_beyond_what_anybody_can_write_down_costs_no_process_and_is_counted_to_the_last() {
    let _alone = alone();
    let seconds = share().to_string();
    let ledger = Trace::case(["storm", "flood", &seconds, WORKERS]).within(10 * share() + 120).count();
    let (told, sent) = signals(&ledger);
    let lost = &ledger.summary["completeness"]["lost"];
    let sum = told + lost["signal"].as_u64().unwrap();
    assert_eq!(i64::try_from(sum).unwrap(), sent, "signals told and lost, and those that arrived");
    assert_eq!(lost["signal"], self::lost(&ledger), "nothing else is: {lost}");
    let rows = u64::try_from(ledger.processes()).unwrap();
    assert_eq!((ledger.count("fork"), ledger.count("exec"), ledger.count("exit")), (rows, 1, rows));
}

#[test]
fn ten_thousand_processes_live_at_the_same_time() {
    let ledger = weather("10,000 alive", Trace::case(["burst", "10000"]));
    assert_eq!(ledger.processes(), 1 + 10_000);
    let (early, late) = ledger.outcome.weight.halves();
    assert!(early.max(late) <= CROWD_KIB, "{} KiB of memory", early.max(late));
}

#[test]
fn two_thousand_processes_end_by_one_event() {
    let ledger = weather("2,000 exits at once", Trace::case(["burst", "2000"]));
    assert_eq!(ledger.processes(), 1 + 2_000);
}

/// A storm of stress-ng's, as nobody, in a pid namespace whose ends the kernel writes down.
fn stress(words: &[&str]) {
    let trace = Trace::case(["accounted"]).after("chmod 777 .");
    let records = trace.file("acct");
    let nobody = ["/usr/bin/setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"];
    let seconds = share().to_string();
    let trace = trace.args([&records]).args(nobody).args(["stress-ng", "--quiet", "--timeout", &seconds]);
    let ledger = steady(&format!("stress-ng {}", words[0]), trace.args(words));
    let mut seen: BTreeMap<(u64, u32), usize> = BTreeMap::new();
    for ((pid, status, namespace), count) in &ledger.ends {
        if *namespace != ledger.outside {
            *seen.entry((*pid, *status)).or_default() += count;
        }
    }
    let counted = accounted(&std::fs::read(ledger.outcome.file("acct")).unwrap());
    assert!(seen.values().sum::<usize>() > 2, "stress-ng itself and its workers: {seen:?}");
    let differ = |(end, count): &(&(u64, u32), &usize)| counted.get(*end) != Some(*count);
    let more: Vec<_> = seen.iter().filter(differ).collect();
    assert_eq!(seen.len(), counted.len(), "as many different ends as the kernel wrote down");
    assert!(more.is_empty(), "pid and status, as tracer and not as the kernel counted them: {more:?}");
}

macro_rules! stress {
    ($($test:ident: $($word:literal)+;)+) => {$(
        #[test]
        fn $test() {
            stress(&[$($word),+]);
        }
    )+};
}

stress! {
    stress_ng_forks: "--fork" "3";
    stress_ng_vforks: "--vfork" "3";
    stress_ng_execs: "--exec" "3";
    stress_ng_clones: "--clone" "2" "--clone-max" "256";
    stress_ng_leaves_zombies: "--zombie" "2" "--zombie-max" "2048";
    stress_ng_makes_daemons: "--daemon" "2";
    stress_ng_kills: "--kill" "2";
    stress_ng_queues_signals: "--sigq" "2";
}
