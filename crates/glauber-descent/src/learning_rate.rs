//! The learning-rate schedule.

/// Linear warm-up, then cosine decay.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LearningRateSchedule {
    /// The highest rate.
    pub peak: f64,
    /// Steps of the warm-up from 0.
    pub warmup_steps: usize,
    /// Total number of steps; later steps use the lowest rate.
    pub steps: usize,
    /// The lowest rate, as a fraction of the peak.
    pub minimum: f64,
}

impl LearningRateSchedule {
    /// The learning rate of a step, counted from 0.
    pub fn rate(&self, step: usize) -> f64 {
        if step < self.warmup_steps {
            return self.peak * (step + 1) as f64 / self.warmup_steps as f64;
        }
        let span = self.steps.saturating_sub(self.warmup_steps).max(1) as f64;
        let progress = ((step - self.warmup_steps) as f64 / span).min(1.0);
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        self.peak * (self.minimum + (1.0 - self.minimum) * cosine)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_rise_and_fall() {
        let course = LearningRateSchedule { peak: 1.0, steps: 110, warmup_steps: 10, minimum: 0.1 };
        let at = |step| course.rate(step);
        assert_eq!((at(0), at(4), at(9), at(10)), (0.1, 0.5, 1.0, 1.0));
        assert!((at(60) - 0.55).abs() < 1e-12 && (at(110) - 0.1).abs() < 1e-12 && (at(500) - 0.1).abs() < 1e-12);
        let constant = LearningRateSchedule { warmup_steps: 0, minimum: 1.0, ..course };
        assert!([0, 50, 200].iter().all(|&step| constant.rate(step) == 1.0));
    }
}
