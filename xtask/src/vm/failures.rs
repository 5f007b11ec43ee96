//! What went wrong on which kernel, told once all of them have run: each with the command that repeats it.

use super::lane::Report;

/// A kernel on which not all is well.
#[derive(Debug)]
pub(crate) struct Failure {
    kernel: String,
    why: Vec<String>,
    repeat: String,
}

impl Failure {
    /// Of a lane; none if it was good.
    pub(crate) fn of(report: &Report) -> Option<Self> {
        let failed = (report.tally.failed > 0).then(|| format!("{} tests failed", report.tally.failed));
        let mut why: Vec<String> = failed.into_iter().chain(report.complaints.iter().cloned()).collect();
        if why.is_empty() {
            why.push("no test passed".to_owned());
        }
        (!report.is_good()).then(|| Self::on(report, why))
    }

    /// Of a lane that was good, and what is wrong with it all the same.
    pub(crate) fn beside(report: &Report, why: String) -> Self {
        Self::on(report, vec![why])
    }

    fn on(report: &Report, why: Vec<String>) -> Self {
        Self { kernel: report.series.to_string(), why, repeat: report.repeat() }
    }
}

/// All of them, of so many kernels. None: all is well.
pub(crate) fn told(failures: &[Failure], kernels: usize) -> Option<String> {
    if failures.is_empty() {
        return None;
    }
    let mut text = format!("{} of {kernels} kernels failed", failures.len());
    for Failure { kernel, why, repeat } in failures {
        text.push_str(&format!("\n{kernel}: {}; to repeat: {repeat}", why.join("; ")));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::super::series::Series;
    use super::*;
    use crate::suite::Tally;

    fn report(series: Series, failed: &[&str], complaints: &[&str]) -> Report {
        let owned = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>();
        let mut report = Report::new(series, &owned(&["exec"]));
        report.tally = Tally { passed: 7, failed: failed.len() as u64, ..Tally::default() };
        report.failed = owned(failed);
        report.complaints = owned(complaints);
        report
    }

    #[test]
    fn each_kernel_that_failed_is_told_with_the_command_that_repeats_it() {
        let reports = [
            report(Series::Of(5, 10), &[], &["there is no kernel 5.10 to be had: no mirror"]),
            report(Series::Of(6, 1), &[], &[]),
            report(Series::Newest, &["execs::one", "execs::two"], &["the machine died"]),
        ];
        let failures: Vec<Failure> = reports.iter().filter_map(Failure::of).collect();
        let text = "\
2 of 3 kernels failed
5.10: there is no kernel 5.10 to be had: no mirror; to repeat: cargo xtask test --kernel 5.10 -- exec
newest: 2 tests failed; the machine died; to repeat: cargo xtask test --kernel newest -- execs::one execs::two";
        assert_eq!(told(&failures, 3).as_deref(), Some(text));
    }

    #[test]
    fn kernels_that_are_all_good_leave_nothing_to_tell_and_one_that_ran_nothing_is_not_good() {
        let good = report(Series::Of(6, 1), &[], &[]);
        assert_eq!(told(&Failure::of(&good).into_iter().collect::<Vec<_>>(), 1), None);
        let mut idle = report(Series::Of(6, 1), &[], &[]);
        idle.tally.passed = 0;
        assert_eq!(Failure::of(&idle).unwrap().why, ["no test passed"]);
    }

    #[test]
    fn a_good_lane_that_is_not_as_on_record_is_a_failure_of_its_kernel() {
        let failure = Failure::beside(&report(Series::Newest, &[], &[]), "other facts".to_owned());
        let text =
            "1 of 1 kernels failed\nnewest: other facts; to repeat: cargo xtask test --kernel newest -- exec";
        assert_eq!(told(&[failure], 1).as_deref(), Some(text));
    }
}
