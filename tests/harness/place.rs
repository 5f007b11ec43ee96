//! Where things are: a directory for each run, and the two binaries.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// One run's own ground, removed when dropped. Other users may pass through it, since some workloads change user.
#[derive(Debug)]
pub(crate) struct Place {
    dir: TempDir,
}

impl Place {
    /// Makes the directory, with `cwd` and an empty truth file inside.
    pub(crate) fn new() -> Self {
        let base = scratch();
        fs::create_dir_all(&base).unwrap();
        let place = Self { dir: tempfile::Builder::new().prefix("t-").tempdir_in(base).unwrap() };
        fs::create_dir(place.cwd()).unwrap();
        fs::create_dir(place.runtime()).unwrap();
        fs::write(place.truth(), "").unwrap();
        open_to_all(place.dir.path(), 0o755);
        open_to_all(&place.cwd(), 0o755);
        open_to_all(&place.truth(), 0o666);
        place
    }

    /// `--log-dir`.
    pub(crate) fn log(&self) -> PathBuf {
        self.dir.path().join("log")
    }

    /// `--tmpfs-path`.
    pub(crate) fn runtime(&self) -> PathBuf {
        self.dir.path().join("run")
    }

    /// Working directory of tracer and so of the command.
    pub(crate) fn cwd(&self) -> PathBuf {
        self.dir.path().join("cwd")
    }

    /// Where the workloads write the ground truth.
    pub(crate) fn truth(&self) -> PathBuf {
        self.dir.path().join("truth.jsonl")
    }

    /// Gives everything to another user, for a tracer that runs as that user.
    pub(crate) fn give_to(&self, uid: u32) {
        for path in [self.dir.path(), &self.cwd(), &self.runtime(), &self.truth()] {
            std::os::unix::fs::chown(path, Some(uid), Some(uid)).unwrap();
        }
    }
}

/// Where tests may put files of their own.
pub(crate) fn scratch() -> PathBuf {
    profile_dir().join("live")
}

pub(crate) fn open_to_all(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// `target/<profile>`: a test's own binary is in `deps` below it.
fn profile_dir() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    test.parent().and_then(Path::parent).expect("a test binary is in target/<profile>/deps").to_owned()
}

/// The multi-call binary of misbehaving programs, which cargo builds before any test.
#[must_use]
pub fn workload() -> PathBuf {
    built(profile_dir().join("workload"), "cargo build -p tests")
}

/// The program that tells what it was given, which cargo builds before any test.
#[must_use]
pub fn reveal() -> PathBuf {
    built(profile_dir().join("reveal"), "cargo build -p tests")
}

/// The tracer under test: `$TRACER_BIN`, or the one beside the tests.
#[must_use]
pub fn tracer() -> PathBuf {
    let beside = || profile_dir().join("tracer");
    let release = if profile_dir().ends_with("release") { " --release" } else { "" };
    let command = format!("cargo build --package tracer{release}");
    built(std::env::var_os("TRACER_BIN").map_or_else(beside, PathBuf::from), &command)
}

fn built(path: PathBuf, command: &str) -> PathBuf {
    assert!(path.is_file(), "{} is missing; build it with: {command}", path.display());
    path
}
