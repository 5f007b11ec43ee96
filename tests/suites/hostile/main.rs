//! Directories in which somebody else has been: nothing outside is read, written or removed, nothing blocks, nothing grows.
//!
//! `runtime`: recovery in the runtime directory (G7). `log`: runs and recoveries in the log directory (W8). `way`: how
//! root comes to it (W8).

#![expect(clippy::unwrap_used, reason = "a test reports by panicking")]

mod log;
mod runtime;
mod way;

use std::fs;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// A file that nobody who works in a directory of tracer's has anything to do with.
struct Outside {
    path: PathBuf,
    before: [i64; 8],
}

const THEIRS: &str = "{\"theirs\":true}\n";

impl Outside {
    fn new(path: PathBuf) -> Self {
        fs::write(&path, THEIRS).unwrap();
        // Older than its last change, so that a reader would move its access time (relatime, mount(8)).
        let file = fs::File::options().append(true).open(&path).unwrap();
        let old = std::time::SystemTime::now() - std::time::Duration::from_hours(48);
        file.set_times(fs::FileTimes::new().set_accessed(old)).unwrap();
        let before = stat(&path);
        Self { path, before }
    }

    /// It was not read, written, linked, renamed or handed over.
    #[track_caller]
    fn assert_untouched(&self) {
        assert_eq!(stat(&self.path), self.before, "{}", self.path.display());
        // Without a trace of our own.
        let file = fs::File::options().read(true).custom_flags(libc::O_NOATIME).open(&self.path).unwrap();
        assert_eq!(std::io::read_to_string(file).unwrap(), THEIRS);
    }
}

fn stat(path: &Path) -> [i64; 8] {
    let found = fs::symlink_metadata(path).unwrap();
    [
        found.ino().cast_signed(),
        found.mode().into(),
        found.uid().into(),
        found.size().cast_signed(),
        found.atime(),
        found.mtime(),
        found.mtime_nsec(),
        found.ctime_nsec(),
    ]
}
