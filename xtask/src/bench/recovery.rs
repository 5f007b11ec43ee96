//! How long it takes to make sessions of a thousand crashes, and how large a recovery gets among a million foreign files.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::ground::Ground;
use super::report::{Line, Unit};
use super::sample::Sample;
use super::storm::high_water_mark;
use crate::child;

const CRASHES: usize = 1000;
const ROUNDS: usize = 5;
/// Milliseconds.
const BUDGET: f64 = 1000.0;
const FOREIGN: usize = 1_000_000;
/// Mebibytes.
const MEMORY: f64 = 32.0;
/// Below that a pid may be somebody's (PID_MAX_LIMIT).
const NOBODYS: usize = 5_000_000;

/// Ends its tracer, once there are rows of it.
const CRASH: &str =
    "until grep -q captured_at \"$0\"/tracer_trace_$$_*.jsonl 2>/dev/null; do :; done; kill -9 $PPID";

/// Measures a recovery of copies of a real crash, and one of nothing.
pub(crate) fn measure(ground: &Ground) -> Result<Vec<Line>> {
    let crash = Crash::make(ground)?;
    let times: Result<Vec<f64>> =
        (0..ground.repetitions(ROUNDS)).map(|_| crash.recover_all(ground)).collect();
    let measured = Sample::of(times?).context("not one round")?;
    let foreign = ground.repetitions(FOREIGN);
    let (memory, took) = among_foreign(ground, &crash.runtime, foreign)?;
    let [memory, took] = [memory, took].map(|values| Sample::of(values).context("not one round"));
    let line = |what, unit, measured, budget| Line { what, unit, measured, budget, beside: Vec::new() };
    Ok(vec![
        line(format!("recovery of {CRASHES} crashed sessions"), Unit::Milliseconds, measured, Some(BUDGET)),
        line(
            format!("peak resident set among {foreign} foreign files"),
            Unit::Mebibytes,
            memory?,
            Some(MEMORY),
        ),
        line("time for them".to_owned(), Unit::Milliseconds, took?, None),
    ])
}

/// What a killed tracer left.
struct Crash {
    runtime: PathBuf,
    /// Names with their texts, and the pid that is in both.
    files: Vec<(String, String)>,
    pid: String,
}

impl Crash {
    /// Kills a tracer, and takes away what it left.
    fn make(ground: &Ground) -> Result<Self> {
        let runtime = ground.runtime().join("tracer-0");
        // Of a tracer of another row that did not end by itself.
        clear(&runtime)?;
        let words = ["sh", "-c", CRASH].map(Into::into).into_iter().chain([runtime.clone().into_os_string()]);
        let mut run = ground.traced_with(&["--interval", "10ms"], &words.collect::<Vec<_>>());
        let status = run.status().with_context(|| format!("cannot start `{}`", child::line(&run)))?;
        if status.success() {
            bail!("a tracer that was to be killed was not");
        }
        let mut files = Vec::new();
        for entry in fs::read_dir(&runtime).context("the killed tracer left nothing")? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            files.push((name, fs::read_to_string(&path)?));
            fs::remove_file(path)?;
        }
        let name = files.first().context("the killed tracer left no file")?.0.clone();
        let pid = name.split('_').nth(2).context("a file without a pid")?.to_owned();
        Ok(Self { runtime, files, pid })
    }

    /// Milliseconds of a recovery of all copies.
    fn recover_all(&self, ground: &Ground) -> Result<f64> {
        // Of the round before, or of another row.
        clear(&ground.log())?;
        for number in 0..CRASHES {
            let pid = (NOBODYS + number).to_string();
            for (name, text) in &self.files {
                let text = text.replace(&format!("\"pid\":{}", self.pid), &format!("\"pid\":{pid}"));
                let text = text.replace("\"session_id\":\"", &format!("\"session_id\":\"{number}-"));
                let path = self.runtime.join(name.replace(&self.pid, &pid));
                fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
            }
        }
        let mut command = recovery(ground);
        let begin = Instant::now();
        let output = command.output().context("cannot start a recovery")?;
        let took = begin.elapsed();
        let made = count(&ground.log().join("sessions")).unwrap_or(0);
        if !output.status.success() || made != CRASHES || count(&self.runtime)? != 0 {
            let said = String::from_utf8_lossy(&output.stdout);
            let first = said.lines().next().unwrap_or_default();
            bail!("{made} of {CRASHES} crashes became sessions ({}): {first}", output.status);
        }
        Ok(millis(took))
    }
}

/// MiB and milliseconds of each recovery in a directory of files that are not tracer's, and that stay.
fn among_foreign(ground: &Ground, runtime: &Path, count: usize) -> Result<(Vec<f64>, Vec<f64>)> {
    for number in 0..count {
        let name =
            if number % 2 == 0 { format!("tracer_trace_{number}_1.jsonl") } else { format!("file-{number}") };
        fs::File::create(runtime.join(name)).context("cannot make a foreign file")?;
    }
    let (mut peaks, mut times) = (Vec::new(), Vec::new());
    for _ in 0..ground.repetitions(ROUNDS) {
        let (peak, took) = peak_and_time(recovery(ground))?;
        peaks.push(peak);
        times.push(millis(took));
    }
    clear(runtime)?;
    Ok((peaks, times))
}

/// MiB at the most, and how long it took.
fn peak_and_time(mut command: Command) -> Result<(f64, Duration)> {
    let begin = Instant::now();
    let mut running = command.stdout(Stdio::null()).spawn().context("cannot start a recovery")?;
    let mut peak = None;
    // It only grows, and has none once it has ended.
    let status = loop {
        if let Some(status) = running.try_wait()? {
            break status;
        }
        peak = high_water_mark(running.id()).ok().or(peak);
        std::thread::sleep(Duration::from_millis(1));
    };
    let took = begin.elapsed();
    if !status.success() {
        bail!("a recovery among foreign files ended with {status}");
    }
    Ok((peak.context("a recovery was gone before it could be weighed")?, took))
}

fn recovery(ground: &Ground) -> Command {
    let mut command = Command::new(ground.tracer());
    command.args(["recover", "--json", "--min-age", "0s", "--tmpfs-path"]).arg(ground.runtime());
    // Where the sidecars say, and not where the environment does (`cargo xtask readme` has it name another).
    command.env("TRACER_TEST", "1").env_remove("TRACER_LOG_DIR");
    command
}

/// Removes a directory, if there is one.
fn clear(dir: &Path) -> Result<()> {
    match fs::remove_dir_all(dir) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot clear {} away", dir.display()))
        }
        _ => Ok(()),
    }
}

fn count(dir: &Path) -> Result<usize> {
    Ok(fs::read_dir(dir).with_context(|| format!("cannot read {}", dir.display()))?.count())
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_that_fails_has_no_figures() {
        let shell = |script| {
            let mut shell = Command::new("sh");
            shell.args(["-c", script]);
            shell
        };
        assert!(peak_and_time(shell("sleep 0.1; exit 1")).is_err());
        let (peak, took) = peak_and_time(shell("sleep 0.1")).unwrap();
        assert!(peak > 0.0 && took >= Duration::from_millis(100));
    }
}
