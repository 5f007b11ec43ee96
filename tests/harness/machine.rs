//! The machine that the tests run on: its kernel, and how slow it is.

use std::io::Write;
use std::time::Duration;

use serde_json::Value;

/// Whether the running kernel is Linux `major.minor` or newer.
#[must_use]
pub fn is_linux(major: u32, minor: u32) -> bool {
    series() >= (major, minor)
}

/// The running kernel's series: `(6, 1)` of `6.1.0-37-amd64`.
///
/// # Panics
/// If its release does not begin with two numbers.
#[must_use]
pub fn series() -> (u32, u32) {
    let release = rustix::system::uname().release().to_string_lossy().into_owned();
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor),
        _ => panic!("the release {release} begins with two numbers"),
    }
}

/// How many times longer things may take than on real hardware: `$TRACER_TEST_SLOWNESS`, set where the processor is emulated.
///
/// # Panics
/// If that is no number.
#[must_use]
pub fn slowness() -> u32 {
    std::env::var("TRACER_TEST_SLOWNESS")
        .map_or(1, |text| text.parse().expect("TRACER_TEST_SLOWNESS is a number"))
}

/// So many processes as make a test what it is, or a fifth of them where each takes its time.
#[must_use]
pub fn fewer(count: usize) -> usize {
    if slowness() > 1 { count / 5 } else { count }
}

/// A time on real hardware, as it is here.
#[must_use]
pub fn slowed(time: Duration) -> Duration {
    time * slowness()
}

/// Tells whoever runs the suites something about this kernel, if they asked (`$TRACER_TEST_TELLS`): a line of its own,
/// beside libtest's.
///
/// # Panics
/// If stdout is closed.
pub fn tell(word: &str, what: &Value) {
    if std::env::var_os("TRACER_TEST_TELLS").is_some() {
        writeln!(std::io::stdout(), "\n@@{word} {what}").expect("stdout is open");
    }
}
