//! Evaluations over time and tokens, and their interpolation at one point.

use glauber_chain::statistics::Estimate;
use glauber_run::MetricLine;

use super::contest::Run;

/// What a curve is drawn over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Axis {
    /// Seconds of training.
    Seconds,
    /// Tokens processed.
    Tokens,
}

impl Axis {
    pub fn of(self, line: &MetricLine) -> f64 {
        match self {
            Self::Seconds => line.seconds,
            Self::Tokens => line.tokens as f64,
        }
    }

    /// The largest value that every run reached.
    pub fn common<'a>(self, runs: impl Iterator<Item = &'a Run>) -> f64 {
        let last = |run: &Run| run.lines.last().map_or(0.0, |line| self.of(line));
        runs.map(last).fold(f64::INFINITY, f64::min)
    }
}

/// A number of an evaluation.
pub type Value = fn(&MetricLine) -> Option<f64>;

/// The mean over seeds at one point of an axis.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub mean: f64,
    /// Standard deviation over the seeds; none of one seed.
    pub deviation: Option<f64>,
    /// Whether some run was first evaluated after the point, and counts with that evaluation.
    pub late: bool,
}

impl Point {
    /// Mean and deviation of one value a run.
    pub fn over_seeds(values: &[f64], late: bool) -> Option<Self> {
        let estimate = (!values.is_empty()).then(|| Estimate::independent(values))?;
        // The error of the mean, times the root of the number of seeds.
        let deviation = (values.len() > 1).then(|| estimate.standard_error * (values.len() as f64).sqrt());
        Some(Self { mean: estimate.mean, deviation, late })
    }

    /// Values of runs at a point, linear between evaluations.
    pub fn at(runs: &[Run], axis: Axis, at: f64, value: Value) -> Option<Self> {
        let all = runs.iter().map(|run| interpolated(&run.lines, axis, at, value)).collect::<Option<Vec<_>>>()?;
        let values: Vec<f64> = all.iter().map(|(value, _)| *value).collect();
        Self::over_seeds(&values, all.iter().any(|(_, late)| *late))
    }
}

/// The value at a point of the axis, and whether the first evaluation came later.
fn interpolated(lines: &[MetricLine], axis: Axis, at: f64, value: Value) -> Option<(f64, bool)> {
    let points: Vec<(f64, f64)> = lines.iter().filter_map(|line| Some((axis.of(line), value(line)?))).collect();
    let after = points.partition_point(|(x, _)| *x < at);
    let (&first, &last) = (points.first()?, points.last()?);
    if after == 0 {
        return Some((first.1, first.0 > at));
    }
    let Some(&(x1, y1)) = points.get(after) else { return Some((last.1, false)) };
    let (x0, y0) = points[after - 1];
    Some((y0 + (y1 - y0) * (at - x0) / (x1 - x0), false))
}

/// The mean over seeds of every evaluation that all of them reached: seconds, value.
pub fn mean_curve(runs: &[Run], value: Value) -> Vec<(f64, f64)> {
    let shortest = runs.iter().map(|run| run.lines.len()).min().unwrap_or(0);
    let mean = |of: &dyn Fn(&MetricLine) -> Option<f64>, at: usize| {
        let values = runs.iter().map(|run| of(&run.lines[at])).collect::<Option<Vec<_>>>()?;
        Some(values.iter().sum::<f64>() / values.len() as f64)
    };
    (0..shortest).filter_map(|at| Some((mean(&|line| Some(line.seconds), at)?, mean(&value, at)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(seconds: f64, tokens: u64, loss: f64) -> MetricLine {
        MetricLine { seconds, tokens, loss, ..MetricLine::default() }
    }

    #[test]
    fn values_are_read_between_evaluations() {
        let lines = [line(1.0, 100, 4.0), line(2.0, 200, 2.0), line(4.0, 300, 1.0)];
        let loss: Value = |line| Some(line.loss);
        let at = |axis, x| interpolated(&lines, axis, x, loss).unwrap();
        assert_eq!(at(Axis::Seconds, 3.0), (1.5, false));
        assert_eq!(at(Axis::Seconds, 2.0), (2.0, false));
        assert_eq!(at(Axis::Tokens, 150.0), (3.0, false));
        assert_eq!(at(Axis::Seconds, 4.0), (1.0, false));
        assert_eq!(at(Axis::Seconds, 0.5), (4.0, true));
        assert_eq!(interpolated(&lines, Axis::Seconds, 1.0, |line| line.excess), None);
    }

    #[test]
    fn seeds_have_a_mean_and_a_deviation() {
        let point = Point::over_seeds(&[1.0, 2.0, 3.0], false).unwrap();
        assert_eq!(point.mean, 2.0);
        assert!((point.deviation.unwrap() - 1.0).abs() < 1e-12);
        assert_eq!(Point::over_seeds(&[1.0], false).unwrap().deviation, None);
        assert_eq!(Point::over_seeds(&[], false), None);
    }
}
