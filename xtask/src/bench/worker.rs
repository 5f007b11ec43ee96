//! A program that does a block of work each time that it is asked (`workload on-demand`), bare or under a tracer.
//!
//! It times itself. What a tracer needs to start and to end is therefore not in the figures, and once a worker has
//! answered, whatever stands before it in the command is at work.

use std::io::{self, BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::child;

/// A running worker. Dropped before [`Worker::finish`], it sees its stdin closed and ends by itself.
pub(crate) struct Worker {
    line: String,
    process: Child,
    asks: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Worker {
    /// Starts `command`, with a worker at its end.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let line = child::line(&command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = command.spawn().with_context(|| format!("cannot start `{line}`"))?;
        let (asks, answers) = (process.stdin.take(), process.stdout.take());
        let (Some(asks), Some(answers)) = (asks, answers) else { bail!("`{line}` has no streams") };
        Ok(Self { line, process, asks, answers: BufReader::new(answers) })
    }

    /// What was started: the tracer, if there is one.
    pub(crate) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Has the work done once. Returns how long it took.
    pub(crate) fn ask(&mut self) -> Result<Duration> {
        let mut answer = String::new();
        let asked = self.asks.write_all(b"\n").and_then(|()| self.answers.read_line(&mut answer));
        asked.with_context(|| format!("`{}` does not answer", self.line))?;
        let nanoseconds = answer.trim().parse();
        let nanoseconds = nanoseconds.with_context(|| format!("`{}` answered {answer:?}", self.line))?;
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Lets it end, which must go well.
    pub(crate) fn finish(self) -> Result<()> {
        let Self { line, mut process, asks, mut answers } = self;
        drop(asks);
        // Whoever has something to say at its end is not to die of it.
        io::copy(&mut answers, &mut io::sink()).with_context(|| format!("cannot read what `{line}` says"))?;
        let status = process.wait().with_context(|| format!("cannot wait for `{line}`"))?;
        if !status.success() {
            bail!("`{line}` failed ({status})");
        }
        Ok(())
    }
}

/// One block of work by a fresh worker.
pub(crate) fn once(command: Command) -> Result<Duration> {
    let mut worker = Worker::start(command)?;
    let took = worker.ask()?;
    worker.finish()?;
    Ok(took)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Worker {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        Worker::start(command).unwrap()
    }

    #[test]
    fn a_worker_answers_each_time_and_ends_with_its_stdin() {
        let mut worker = shell("while read -r line; do echo 1500; done");
        assert_eq!(worker.ask().unwrap(), Duration::from_nanos(1500));
        assert_eq!(worker.ask().unwrap(), Duration::from_nanos(1500));
        worker.finish().unwrap();
    }

    #[test]
    fn what_a_worker_says_at_its_end_is_taken() {
        let mut worker =
            shell("read -r line; echo 1500; read -r line; head -c 200000 /dev/zero; echo; exit 0");
        assert_eq!(worker.ask().unwrap(), Duration::from_nanos(1500));
        worker.finish().unwrap();
    }

    #[test]
    fn a_worker_that_dies_is_named() {
        let error = shell("read -r line").ask().unwrap_err();
        assert!(error.to_string().contains("sh -c read -r line"), "{error}");
        assert!(shell("exit 3").finish().unwrap_err().to_string().contains("exit status: 3"));
    }
}
