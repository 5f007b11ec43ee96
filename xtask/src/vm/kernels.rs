//! The kernels: Debian's cloud packages, found by series when asked for, kept in `target/kernels/SERIES/`.
//!
//! A mirror keeps only the latest point releases, so no version is written down anywhere. One that was found stays for a
//! day; where the mirror can't be reached, for as long as it has to.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::apt::Apt;
use super::series::Series;
use crate::child;
use crate::ebpf::sources::sha256;
use crate::workspace::Workspace;

/// How long a kernel is taken for the newest of its series.
const FRESH: Duration = Duration::from_hours(24);

/// Names of packages that have a kernel of the cloud flavour in them.
const PATTERN: &str = "^linux-(image|binary)-[0-9]+\\.[0-9]+[^ ]*-cloud-amd64$";

/// What was found, as it is kept beside the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Found {
    pub(super) package: String,
    /// The package's version: `6.1.170-1`.
    pub(super) version: String,
    sha256: String,
}

/// A kernel to boot.
#[derive(Clone, Debug)]
pub(super) struct Kernel {
    pub(super) series: Series,
    pub(super) found: Found,
    pub(super) vmlinuz: PathBuf,
}

/// The kernel of a series.
pub(super) fn find(workspace: &Workspace, series: Series) -> Result<Kernel> {
    let dir = workspace.target().join("kernels").join(series.to_string());
    let vmlinuz = dir.join("vmlinuz");
    let kept =
        kept(&dir).inspect_err(|error| eprintln!("xtask: {error:#}: fetching it anew")).unwrap_or(None);
    if let Some((found, true)) = kept {
        return Ok(Kernel { series, found, vmlinuz });
    }
    match (fetch(series, &dir), kept) {
        (Ok(found), _) => Ok(Kernel { series, found, vmlinuz }),
        (Err(error), Some((found, _))) => {
            eprintln!("xtask: {error:#}; taking {} {} from earlier", found.package, found.version);
            Ok(Kernel { series, found, vmlinuz })
        }
        (Err(error), None) => Err(error.context(format!("there is no kernel {series} to be had"))),
    }
}

/// What lies there from earlier, and whether it is fresh. One that is not whole is an error.
fn kept(dir: &Path) -> Result<Option<(Found, bool)>> {
    let path = dir.join("found.json");
    let Ok(text) = fs::read(&path) else { return Ok(None) };
    let found: Found =
        serde_json::from_slice(&text).with_context(|| format!("{} does not parse", path.display()))?;
    let vmlinuz = dir.join("vmlinuz");
    let image = fs::read(&vmlinuz).with_context(|| format!("cannot read {}", vmlinuz.display()))?;
    if sha256(&image) != found.sha256 {
        bail!("{} is not what was downloaded", vmlinuz.display());
    }
    let age = path.metadata().and_then(|meta| meta.modified()).map(|at| SystemTime::now().duration_since(at));
    let is_fresh = matches!(age, Ok(Ok(age)) if age < FRESH);
    Ok(Some((found, is_fresh)))
}

fn fetch(series: Series, dir: &Path) -> Result<Found> {
    let apt = Apt::of(&dir.join("apt"), series.suites())?;
    let names = apt.names(PATTERN)?;
    let package = newest(series, &names)
        .with_context(|| format!("no suite of {} has a cloud kernel of it", series.suites().join(", ")))?;
    let scratch = tempfile::tempdir_in(dir).context("cannot make a scratch directory")?;
    let (version, deb) = apt.download(package, scratch.path())?;
    child::run(Command::new("dpkg-deb").arg("--extract").arg(&deb).arg(scratch.path()))?;
    let image = image_in(scratch.path()).with_context(|| format!("{package} has no kernel in it"))?;
    let bytes = fs::read(&image).with_context(|| format!("cannot read {}", image.display()))?;
    let found = Found { package: package.to_owned(), version, sha256: sha256(&bytes) };
    let text = serde_json::to_vec_pretty(&found).context("cannot write JSON")?;
    fs::rename(&image, dir.join("vmlinuz"))
        .with_context(|| format!("cannot keep the kernel in {}", dir.display()))?;
    fs::write(dir.join("found.json"), text).with_context(|| format!("cannot write to {}", dir.display()))?;
    Ok(found)
}

/// The kernel's image: `boot/vmlinuz-…`, or `usr/lib/modules/…/vmlinuz` where the package is split.
fn image_in(dir: &Path) -> Option<PathBuf> {
    let entries = fs::read_dir(dir).ok()?.flatten().map(|entry| entry.path());
    let (dirs, files): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir() && !path.is_symlink());
    let is_image =
        |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz"));
    files.into_iter().find(is_image).or_else(|| dirs.iter().find_map(|dir| image_in(dir)))
}

/// The newest of a series among these names. From 6.19 on the kernel itself is in `linux-binary-…`, and `linux-image-…` is
/// empty.
fn newest(series: Series, names: &[String]) -> Option<&str> {
    let kernels = names.iter().filter_map(|name| {
        let numbers = numbers(name)?;
        series.takes(&numbers).then(|| (numbers, name.starts_with("linux-binary"), name.as_str()))
    });
    kernels.max().map(|(_, _, name)| name)
}

/// `[6, 1, 0, 37]` of `linux-image-6.1.0-37-cloud-amd64`; what comes after a plus is the suite's.
fn numbers(name: &str) -> Option<Vec<u32>> {
    let version = name.splitn(3, '-').nth(2)?.strip_suffix("-cloud-amd64")?;
    let version = version.split(['+', '~']).next()?;
    version.split(['.', '-']).filter(|part| !part.starts_with("rc")).map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn newest_of(series: Series, names: &[&str]) -> Option<String> {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        newest(series, &names).map(str::to_owned)
    }

    #[test]
    fn the_newest_is_that_of_the_largest_numbers() {
        let names = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-37-cloud-amd64",
            "linux-image-6.12.9+bpo-cloud-amd64",
        ];
        assert_eq!(newest_of(Series::Of(6, 1), &names).as_deref(), Some(names[1]));
        assert_eq!(newest_of(Series::Newest, &names).as_deref(), Some(names[2]));
        assert_eq!(newest_of(Series::Of(6, 2), &names), None);
    }

    #[test]
    fn of_a_kernel_in_two_packages_the_one_that_holds_it_is_taken() {
        let names = [
            "linux-binary-7.2.9+deb13-cloud-amd64",
            "linux-binary-7.2.13+deb14-cloud-amd64",
            "linux-image-7.2.13+deb14-cloud-amd64",
        ];
        assert_eq!(newest_of(Series::Of(7, 2), &names).as_deref(), Some(names[1]));
    }
}
