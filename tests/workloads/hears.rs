//! A program that counts how often it hears a signal; a shell would take two at once for one.

use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

static HEARD: AtomicU32 = AtomicU32::new(0);

/// `hears SIGNAL`: writes its process id to `pid`, says `go`, and `heard` each time, and `settled` at SIGRTMAX; once there is a file `done`, or its directory is gone, says how often it has heard the signal, and exits with 9.
pub(crate) fn hears(args: &[String]) -> i32 {
    extern "C" fn handler(_signal: i32) {
        HEARD.fetch_add(1, Ordering::Relaxed);
        // SAFETY: write(2) may be called in a handler, on bytes that are there for ever.
        unsafe { libc::write(1, b"heard\n".as_ptr().cast(), 6) };
    }
    extern "C" fn settled(_signal: i32) {
        // SAFETY: as above.
        unsafe { libc::write(1, b"settled\n".as_ptr().cast(), 8) };
    }
    let signal = args[0].parse().unwrap();
    // SAFETY: the handler does only what it may.
    unsafe { libc::signal(signal, handler as *const () as libc::sighandler_t) };
    // SAFETY: as before.
    unsafe { libc::signal(libc::SIGRTMAX(), settled as *const () as libc::sighandler_t) };
    std::fs::write("pid", std::process::id().to_string()).unwrap();
    println!("go");
    while !Path::new("done").exists() && Path::new("../cwd").exists() {
        std::thread::yield_now();
    }
    println!("heard {}", HEARD.load(Ordering::Relaxed));
    9
}
