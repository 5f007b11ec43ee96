//! Packages of Debian suites that the host does not use, from the mirrors that it does.
//!
//! apt runs with lists and a cache of its own below the build directory, so nothing of the host changes. What it
//! downloads it verifies: a package against the lists, the lists against the archive's signature.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::child;

/// Whose signatures the lists must have.
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// What the host has apt do after each update, as to empty its cache in a container's image, is for its own updates.
const OWN: &str = "#clear APT::Update::Pre-Invoke;\n#clear APT::Update::Post-Invoke;\n#clear APT::Update::Post-Invoke-Success;\n";

/// apt, as it sees some suites.
pub(super) struct Apt {
    dir: PathBuf,
}

impl Apt {
    /// Fetches the lists of `suites` into `dir`.
    pub(super) fn of(dir: &Path, suites: &[&str]) -> Result<Self> {
        if child::find("apt-get").is_none() || !Path::new(KEYRING).exists() {
            bail!(
                "kernels come as Debian's packages: this needs apt-get, and {KEYRING} (debian-archive-keyring)"
            );
        }
        for part in ["lists/partial", "cache/archives/partial"] {
            let part = dir.join(part);
            fs::create_dir_all(&part).with_context(|| format!("cannot make {}", part.display()))?;
        }
        let hosts = host_sources();
        let mut list = String::new();
        for suite in suites {
            let archive = if suite.ends_with("-security") { "debian-security" } else { "debian" };
            let uri = mirror(&hosts, archive).with_context(|| {
                format!("apt's sources on this host name no mirror of {archive}: add one to /etc/apt/sources.list.d")
            })?;
            list.push_str(&format!("deb [arch=amd64 signed-by={KEYRING}] {uri} {suite} main\n"));
        }
        let apt = Self { dir: dir.to_owned() };
        let own = apt.own();
        fs::write(&own, OWN).with_context(|| format!("cannot write {}", own.display()))?;
        let sources = dir.join("sources.list");
        fs::write(&sources, list).with_context(|| format!("cannot write {}", sources.display()))?;
        child::run(apt.command("apt-get").args(["--quiet=2", "--error-on=any", "update"]))?;
        Ok(apt)
    }

    /// The names that match an extended regular expression.
    pub(super) fn names(&self, pattern: &str) -> Result<Vec<String>> {
        let found = child::output(self.command("apt-cache").args(["search", "--names-only", pattern]))?;
        Ok(found.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect())
    }

    /// Downloads a package into `to`, and returns its version and its file.
    pub(super) fn download(&self, name: &str, to: &Path) -> Result<(String, PathBuf)> {
        let shown = child::output(self.command("apt-cache").args(["show", "--no-all-versions", name]))?;
        let version = shown.lines().find_map(|line| line.strip_prefix("Version: "));
        let version = version.with_context(|| format!("apt knows no version of {name}"))?.to_owned();
        child::run(self.command("apt-get").current_dir(to).args(["--quiet=2", "download", name]))?;
        let files = fs::read_dir(to).with_context(|| format!("cannot list {}", to.display()))?;
        let deb = files
            .flatten()
            .map(|entry| entry.path())
            .find(|path| path.extension().is_some_and(|e| e == "deb"));
        Ok((version, deb.with_context(|| format!("apt-get downloaded no file of {name}"))?))
    }

    /// The file of [`OWN`].
    fn own(&self) -> PathBuf {
        self.dir.join("apt.conf")
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.arg("-c").arg(self.own());
        let at = |key: &str, path: PathBuf| format!("{key}={}", path.display());
        for option in [
            at("Dir::Etc::sourcelist", self.dir.join("sources.list")),
            at("Dir::State::Lists", self.dir.join("lists")),
            at("Dir::Cache", self.dir.join("cache")),
            "Dir::Etc::sourceparts=-".to_owned(),
            // Whoever builds owns the build directory, and _apt has no way into it.
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Languages=none".to_owned(),
            "Acquire::Retries=3".to_owned(),
        ] {
            command.arg("-o").arg(option);
        }
        command
    }
}

/// All of apt's sources on this host, in either of its formats.
fn host_sources() -> String {
    let parts =
        fs::read_dir("/etc/apt/sources.list.d").into_iter().flatten().flatten().map(|entry| entry.path());
    let all = parts.chain([PathBuf::from("/etc/apt/sources.list")]);
    all.filter_map(|path| fs::read_to_string(path).ok()).collect::<Vec<_>>().join("\n")
}

/// Where an archive is, `debian` or `debian-security`: the first address in the sources that ends so.
fn mirror<'s>(sources: &'s str, archive: &str) -> Option<&'s str> {
    let lines = sources.lines().filter(|line| !line.trim_start().starts_with('#'));
    let mut words = lines.flat_map(str::split_whitespace);
    words.find(|word| {
        let path = word.trim_end_matches('/');
        path.contains("://") && path.rsplit('/').next() == Some(archive)
    })
}

#[cfg(test)]
mod tests {
    use super::mirror;

    #[test]
    fn mirrors_are_the_hosts_own_in_either_format() {
        let new = "Types: deb\n# http://old.example/debian\nURIs: http://a.example/debian/\nSuites: x\n\
            Types: deb\nURIs: http://a.example/debian-security\n";
        assert_eq!(mirror(new, "debian"), Some("http://a.example/debian/"));
        assert_eq!(mirror(new, "debian-security"), Some("http://a.example/debian-security"));
        assert_eq!(
            mirror("deb [arch=amd64] https://b.example/debian x main", "debian"),
            Some("https://b.example/debian")
        );
        assert_eq!(mirror("deb https://b.example/ubuntu x main", "debian"), None);
    }
}
