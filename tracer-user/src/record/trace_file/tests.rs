//! Rows that are written, move, and come back, whoever removes what meanwhile.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{Room, TraceFile};
use crate::record::log_place::LogPlace;
use crate::record::older::{self, Older};
use crate::record::way;

const LIMIT: u64 = 64 << 10;
const LINE: usize = 1000;

fn line(number: usize) -> String {
    format!("{number:0width$}\n", width = LINE - 1)
}

fn trace(dir: &Path) -> TraceFile {
    let place = LogPlace::made(&dir.join("log")).unwrap();
    let older = Older { place, name: "older".to_owned() };
    let entry = way::existing(dir).unwrap().entry("trace");
    TraceFile::create(entry, Room { limit: LIMIT, older }).unwrap()
}

fn write(trace: &mut TraceFile, lines: std::ops::Range<usize>) {
    lines.for_each(|number| trace.write(line(number).as_bytes()).unwrap());
}

fn text(trace: &mut TraceFile) -> String {
    let mut text = String::new();
    trace.rows().unwrap().read_to_string(&mut text).unwrap();
    text
}

fn file(dir: &Path, name: &str) -> File {
    File::options().read(true).write(true).open(dir.join(name)).unwrap()
}

/// As whoever comes after a kill finds it.
fn left(dir: &Path) -> TraceFile {
    TraceFile::left(file(dir, "trace"), Some(file(dir, "log/sessions/older"))).unwrap()
}

/// Something else has the log directory's name.
fn without_log_dir(dir: &Path) {
    std::fs::remove_dir_all(dir.join("log")).unwrap();
    std::fs::write(dir.join("log"), "").unwrap();
}

fn all(lines: std::ops::Range<usize>) -> String {
    lines.map(line).collect()
}

#[test]
fn it_never_takes_more_than_its_room_and_keeps_every_line_in_order() {
    let dir = crate::scratch();
    let mut trace = trace(dir.path());
    for number in 0..1000 {
        write(&mut trace, number..number + 1);
        assert!(trace.held() < LIMIT + LINE as u64);
    }
    assert_eq!(text(&mut trace), all(0..1000));
    assert!(trace.moved > 900 << 10, "{} bytes were moved", trace.moved);
    trace.remove().unwrap();
    assert_eq!(std::fs::read_dir(dir.path().join("log/sessions")).unwrap().count(), 0);
    assert!(!dir.path().join("trace").exists());
}

#[test]
fn what_is_small_stays_where_it_is() {
    let dir = crate::scratch();
    let mut trace = trace(dir.path());
    write(&mut trace, 0..30);
    assert_eq!((text(&mut trace), trace.moved), (all(0..30), 0));
    assert!(!dir.path().join("log/sessions/older").exists());
}

#[test]
fn where_older_rows_have_no_place_they_stay_and_later_ones_come_too() {
    let dir = crate::scratch();
    let mut trace = trace(dir.path());
    without_log_dir(dir.path());
    write(&mut trace, 0..500);
    assert_eq!((trace.held(), trace.moved), (500 * LINE as u64, 0));
    assert_eq!(text(&mut trace), all(0..500));
}

#[test]
fn a_disk_that_has_room_again_gets_them() {
    let dir = crate::scratch();
    let mut trace = trace(dir.path());
    without_log_dir(dir.path());
    write(&mut trace, 0..100);
    assert_eq!(trace.moved, 0);
    std::fs::remove_file(dir.path().join("log")).unwrap();
    write(&mut trace, 100..400);
    assert_eq!(text(&mut trace), all(0..400));
    assert!(trace.held() < LIMIT + LINE as u64 && trace.moved > 0);
}

#[test]
fn rows_that_were_moved_are_there_again_after_somebody_removed_them() {
    for removed in ["log", "log/sessions", "log/sessions/older"] {
        let dir = crate::scratch();
        let mut trace = trace(dir.path());
        write(&mut trace, 0..200);
        trace.rest();
        let (before, path) = (trace.moved, dir.path().join(removed));
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
        trace.moving.as_mut().unwrap().patience = LIMIT / 2;
        write(&mut trace, 200..400);
        assert_eq!(text(&mut trace), all(0..400), "{removed}");
        assert!(before > 0 && trace.moved > before && trace.held() < LIMIT + LINE as u64);
        let mut left = left(dir.path());
        assert_eq!(text(&mut left), all(0..400), "{removed}");
        trace.remove().unwrap();
        assert_eq!(std::fs::read_dir(dir.path().join("log/sessions")).unwrap().count(), 0, "{removed}");
    }
}

#[test]
fn it_is_made_again_after_somebody_removed_it_and_goes_on() {
    let dir = crate::scratch();
    let mut trace = trace(dir.path());
    write(&mut trace, 0..200);
    std::fs::remove_file(dir.path().join("trace")).unwrap();
    assert!(!trace.is_there());
    trace.make_again(&way::existing(dir.path()).unwrap()).unwrap();
    assert!(trace.is_there() && trace.moved > 0);
    write(&mut trace, 200..400);
    assert_eq!(text(&mut trace), all(0..400));
    let mut left = left(dir.path());
    assert_eq!((text(&mut left), left.moved), (all(0..400), trace.moved));
    trace.remove().unwrap();
    assert!(!dir.path().join("trace").exists());
}

#[test]
fn rows_whose_file_was_removed_and_cannot_be_made_again_stay_readable_and_no_more_go_there() {
    let dir = crate::scratch();
    let mut trace = trace(dir.path());
    write(&mut trace, 0..200);
    trace.rest();
    let before = trace.moved;
    without_log_dir(dir.path());
    trace.moving.as_mut().unwrap().patience = LIMIT / 2;
    write(&mut trace, 200..400);
    assert_eq!(text(&mut trace), all(0..400));
    assert_eq!(trace.moved, before);
}

#[test]
fn what_is_left_of_it_has_each_line_once_wherever_it_was_cut_off() {
    let dir = crate::scratch();
    let mut whole = trace(dir.path());
    write(&mut whole, 0..200);
    assert_eq!(text(&mut whole), all(0..200));
    let at = |name: &str| file(dir.path(), name);
    let left = || text(&mut left(dir.path()));
    assert_eq!(left(), all(0..200));
    // Copied, but not yet given back; then so in part only, torn in the middle of a line.
    let (moved, written) = (whole.moved, 200 * LINE as u64);
    older::copy(&at("trace"), &at("log/sessions/older"), moved, written).unwrap();
    assert_eq!(left(), all(0..200));
    at("log/sessions/older").set_len(moved + 1234).unwrap();
    assert_eq!(left(), all(0..200));
    // Moved to the last byte.
    older::copy(&at("trace"), &at("log/sessions/older"), moved, written).unwrap();
    older::give_back(&at("trace"), written).unwrap();
    assert_eq!(left(), all(0..200));
}

#[test]
fn where_older_rows_are_gone_the_others_are_whole() {
    let dir = crate::scratch();
    let mut whole = trace(dir.path());
    write(&mut whole, 0..200);
    whole.rest();
    let first = usize::try_from(whole.moved).unwrap() / LINE;
    let open = || File::open(dir.path().join("trace")).unwrap();
    assert_eq!(text(&mut TraceFile::left(open(), None).unwrap()), format!("\n{}", all(first..200)));
}
