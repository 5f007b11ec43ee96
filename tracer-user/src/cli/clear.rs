//! `tracer clear`.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use super::ground::default_log_dir;
use super::report;
use crate::record::log_place::existing_log;
use crate::run::outcome::FAILED;
use crate::session::clock::Time;
use crate::session::fence::Fence;

/// Leave all that ended up to now out of listings and totals; nothing is deleted
#[derive(Debug, Args)]
pub(super) struct Clear {
    /// Sessions are in DIR [default: /var/log/tracer, or ~/.local/state/tracer]
    #[arg(long, value_name = "DIR", env = "TRACER_LOG_DIR")]
    log_dir: Option<PathBuf>,
}

impl Clear {
    pub(super) fn main(self) -> u8 {
        match self.clear() {
            Ok(told) => {
                report::say(&told);
                0
            }
            Err(message) => {
                report::say(&message);
                FAILED
            }
        }
    }

    fn clear(self) -> Result<String, String> {
        let log_dir = self.log_dir.map_or_else(default_log_dir, Ok)?;
        let now = Timestamp::now();
        let put = existing_log(&log_dir).and_then(|dir| Fence::put(&dir, now));
        put.map_err(|error| format!("{}/.cleared_at can't be written ({error})", log_dir.display()))?;
        Ok(format!(
            "what ended before {} is left out from now on; remove .cleared_at to undo that",
            Time(now)
        ))
    }
}
