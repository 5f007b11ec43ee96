//! Repeated measurements of one thing.

use serde::{Deserialize, Serialize};

/// The middle of some measurements, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    pub(crate) median: f64,
    pub(crate) lower_quartile: f64,
    pub(crate) upper_quartile: f64,
    pub(crate) min: f64,
    pub(crate) count: usize,
}

impl Sample {
    /// Of at least one value; without any there is nothing to tell.
    pub(crate) fn of(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let min = *values.first()?;
        Some(Self {
            median: quantile(&values, 0.5),
            lower_quartile: quantile(&values, 0.25),
            upper_quartile: quantile(&values, 0.75),
            min,
            count: values.len(),
        })
    }

    /// Of something that is counted once and exactly.
    pub(crate) fn exact(value: f64) -> Self {
        Self { median: value, lower_quartile: value, upper_quartile: value, min: value, count: 1 }
    }
}

/// Each of `these` against that of the same round in `those`.
pub(crate) fn pairwise(these: &[f64], those: &[f64], compare: fn(f64, f64) -> f64) -> Vec<f64> {
    these.iter().zip(those).map(|(this, that)| compare(*this, *that)).collect()
}

/// The value below which this part of the sorted, non-empty values lies, straight between neighbours.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a position among few values, never negative"
)]
pub(crate) fn quantile(sorted: &[f64], part: f64) -> f64 {
    let place = part * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wild_value_moves_neither_the_median_nor_the_quartiles_far() {
        let sample = Sample::of(vec![3.0, 1.0, 1000.0, 2.0, 4.0]).unwrap();
        let Sample { median, lower_quartile, upper_quartile, min, count } = sample;
        assert_eq!((min, lower_quartile, median, upper_quartile, count), (1.0, 2.0, 3.0, 4.0, 5));
    }

    #[test]
    fn between_two_values_lies_their_middle() {
        assert_eq!(Sample::of(vec![1.0, 2.0]).unwrap().median, 1.5);
        assert_eq!(Sample::of(vec![7.0]), Some(Sample::exact(7.0)));
        assert_eq!(Sample::of(vec![]), None);
    }

    #[test]
    fn rounds_are_compared_with_themselves_before_anything_is_averaged() {
        // Twice as slow in each round, although the machine is three times slower in the second.
        assert_eq!(pairwise(&[2.0, 6.0], &[1.0, 3.0], |a, b| a / b), [2.0, 2.0]);
        assert_eq!(pairwise(&[2.0, 6.0], &[1.0, 3.0], |a, b| a - b), [1.0, 3.0]);
    }
}
