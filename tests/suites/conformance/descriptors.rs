//! Descriptors that a command inherits: all of them, under their numbers, and none of tracer's.

use std::io;

use tests::conform::Case;

use crate::given::{close, done, limit, move_to, open, open_as};

#[test]
fn any_of_the_three_streams_may_be_closed() {
    for closed in [&[0][..], &[1], &[2], &[0, 1], &[0, 2], &[1, 2], &[0, 1, 2]] {
        let seen = Case::reveal().given(|| closed.iter().try_for_each(|fd| close(*fd))).assert_unnoticed();
        for fd in 0..3 {
            let is_open = seen.facts.contains_key(&format!("descriptor {fd}"));
            assert_eq!(is_open, !closed.contains(&fd), "{fd} of {closed:?}");
        }
    }
}

#[test]
fn files_keep_their_flags_and_their_position() {
    let case = Case::reveal().file("log", 0o600, "0123456789");
    let seen = case
        .given(|| {
            let fd = open(c"log", libc::O_RDWR | libc::O_APPEND | libc::O_NONBLOCK)?;
            // SAFETY: numbers alone.
            done(unsafe { libc::lseek(fd, 7, libc::SEEK_SET) })?;
            move_to(fd, 5)?;
            open_as(c"/", libc::O_RDONLY | libc::O_DIRECTORY, 6)?;
            open_as(c"/dev/null", libc::O_WRONLY, 7)
        })
        .assert_unnoticed();
    assert!(seen.facts["descriptor 5"].contains("pos:\t7"), "{}", seen.facts["descriptor 5"]);
}

#[test]
fn pipes_sockets_fifos_and_a_file_without_a_name_stay() {
    let seen = Case::reveal()
        .given(|| {
            let mut ends = [0; 2];
            // SAFETY: writes two descriptors to a local.
            done(unsafe { libc::pipe(ends.as_mut_ptr()) })?;
            move_to(ends[0], 20)?;
            move_to(ends[1], 21)?;
            // SAFETY: as before.
            done(unsafe { libc::socketpair(libc::AF_UNIX, libc::SOCK_STREAM, 0, ends.as_mut_ptr()) })?;
            move_to(ends[0], 22)?;
            move_to(ends[1], 23)?;
            // SAFETY: a C string. It may be there from the run before.
            unsafe { libc::mkfifo(c"fifo".as_ptr(), 0o600) };
            open_as(c"fifo", libc::O_RDWR, 24)?;
            // SAFETY: a C string.
            let memory = done(unsafe { libc::memfd_create(c"unnamed".as_ptr(), 0) })?;
            move_to(i32::try_from(memory).map_err(|_| io::ErrorKind::Other)?, 25)
        })
        .assert_unnoticed();
    let kinds: Vec<&str> = (20..26).map(|fd| seen.facts[&format!("descriptor {fd}")].as_str()).collect();
    assert!(kinds[1].starts_with("pipe as 20;") && kinds[3].starts_with("socket as 23;"), "{kinds:#?}");
}

#[test]
fn numbers_up_to_the_limit_stay_and_what_is_closed_at_exec_is_closed() {
    let seen = Case::reveal()
        .given(|| {
            open_as(c"/dev/zero", libc::O_RDONLY, 10)?;
            // SAFETY: numbers alone.
            done(unsafe { libc::fcntl(10, libc::F_SETFD, libc::FD_CLOEXEC) })?;
            limit(libc::RLIMIT_NOFILE, 4096)?;
            open_as(c"/dev/zero", libc::O_RDONLY, 4095)
        })
        .assert_unnoticed();
    let is_open = |fd| seen.facts.contains_key(&format!("descriptor {fd}"));
    assert!(is_open(4095) && !is_open(10));
}
