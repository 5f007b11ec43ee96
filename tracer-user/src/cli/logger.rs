//! `log` -> stderr, each line with `tracer: ` before it.

use log::{Level, LevelFilter, Log, Metadata, Record};

use super::words;

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // What libraries have to say about their own work is not for the person who runs a command.
        metadata.level() <= log::max_level() && metadata.target().starts_with("tracer")
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let word = match record.level() {
            Level::Error => "error: ",
            Level::Warn => "warning: ",
            Level::Info => "",
            Level::Debug => "debug: ",
            Level::Trace => "trace: ",
        };
        words::say(format!("tracer: {word}{}\n", record.args()));
    }

    fn flush(&self) {}
}

/// Installs the logger: warnings, and with `-v` and `-vv` more.
pub(super) fn install(level: LevelFilter) {
    static LOGGER: Stderr = Stderr;
    if log::set_logger(&LOGGER).is_ok() {
        log::set_max_level(level);
    }
}
