//! Medians, ratios and the table.

use super::machine::Machine;
use super::settings::Setting;

use statrs::statistics::{Data, Median};

/// Seconds a step, block after block.
pub struct Times {
    /// Ours, then the others.
    pub sides: Vec<String>,
    /// `[round, side]`.
    pub blocks: Vec<Vec<f64>>,
}

/// A shape, measured on our side and in some settings of PyTorch: a row for each.
pub struct Measured {
    pub shape: String,
    pub parameters: u64,
    pub sizes: String,
    pub times: Times,
    /// Settings of the sides after ours.
    pub settings: Vec<Setting>,
    /// Settings that do not run here, and why.
    pub failed: Vec<(Setting, String)>,
    /// Finished sequences that a step is worth.
    pub sequences: f64,
    /// Floating-point operations of a step, part by part.
    pub flops: Vec<f64>,
    /// Floating-point operations a second that either side reaches in a matrix product.
    pub rates: Vec<f64>,
}

/// The value in the middle, or the mean of the two there; NaN of nothing.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    Data::new(values.collect::<Vec<f64>>()).median()
}

impl Times {
    /// The median of each side, seconds a step.
    pub fn medians(&self) -> impl Iterator<Item = f64> {
        (0..self.sides.len()).map(|side| median(self.blocks.iter().map(|block| block[side])))
    }

    /// Another side's seconds over ours in each round: the median, the least and the greatest. `None` without such a side.
    fn ratio(&self, other: usize) -> Option<[f64; 3]> {
        let ratios = || self.blocks.iter().filter_map(move |block| Some(block.get(other)? / block.first()?));
        ratios().next()?;
        let (least, most) = ratios().fold((f64::INFINITY, 0.0), |(a, b), ratio| (ratio.min(a), ratio.max(b)));
        Some([median(ratios()), least, most])
    }
}

/// One cell with a value for each side.
pub fn each(values: impl Iterator<Item = String>) -> String {
    values.collect::<Vec<_>>().join(" / ")
}

/// Three significant digits.
pub fn short(value: f64) -> String {
    let decimals = if value > 0.0 { (2.0 - value.log10().floor()).clamp(0.0, 6.0) as usize } else { 0 };
    format!("{value:.decimals$}")
}

/// Columns of the table.
const COLUMNS: usize = 9;

impl Measured {
    /// The side after ours that takes the least time.
    fn best(&self) -> Option<usize> {
        let medians: Vec<f64> = self.times.medians().collect();
        (1..medians.len()).min_by(|&a, &b| medians[a].total_cmp(&medians[b]))
    }

    fn rows(&self) -> Vec<[String; COLUMNS]> {
        let measured = (1..self.times.sides.len()).map(|side| self.cells(side));
        let failed = self.failed.iter().map(|(setting, reason)| self.failure(*setting, reason));
        let rows: Vec<_> = measured.chain(failed).collect();
        if rows.is_empty() { vec![self.cells(1)] } else { rows }
    }

    /// Ours beside another side, or alone where there is no such side.
    fn cells(&self, other: usize) -> [String; COLUMNS] {
        // What the machine can do is what the faster side does.
        let machine = self.rates.iter().copied().fold(0.0, f64::max);
        let flops: f64 = self.flops.iter().sum();
        let medians: Vec<f64> = self.times.medians().collect();
        let both = |shown: &dyn Fn(f64) -> String| {
            each([Some(&medians[0]), medians.get(other)].into_iter().flatten().map(|&seconds| shown(seconds)))
        };
        let setting = self.settings.get(other - 1).map_or("–", |setting| setting.title());
        let ratio = self.times.ratio(other).map(|[middle, least, most]| (middle, format!("({least:.2}–{most:.2})")));
        let [setting, ratio] = match (ratio, self.best() == Some(other)) {
            (None, _) => [setting.into(), "–".into()],
            (Some((middle, range)), false) => [setting.into(), format!("{middle:.2} {range}")],
            (Some((middle, range)), true) => [format!("**{setting}** (best)"), format!("**{middle:.2}** {range}")],
        };
        [
            self.shape.clone(),
            self.parameters.to_string(),
            self.sizes.clone(),
            setting,
            both(&|seconds| short(1e3 * seconds)),
            ratio,
            both(&|seconds| short(self.sequences / seconds)),
            self.flops.iter().map(|flops| short(flops / 1e9)).collect::<Vec<_>>().join(" + "),
            format!(
                "{} of {}",
                both(&|seconds| format!("{:.0} %", 100.0 * flops / seconds / machine)),
                short(machine / 1e9)
            ),
        ]
    }

    fn failure(&self, setting: Setting, reason: &str) -> [String; COLUMNS] {
        let mut cells = [const { String::new() }; COLUMNS];
        cells[0].clone_from(&self.shape);
        cells[3] = setting.title().into();
        // A bar would end the cell.
        cells[4] = format!("failed: {}", reason.replace('|', "\\|"));
        cells
    }
}

/// The table, with the settings to reproduce it.
pub fn markdown(heading: &str, machine: &Machine, rows: &[Measured]) -> String {
    let sides = rows.first().map_or(&[][..], |row| &row.times.sides);
    let rounds = rows.first().map_or(0, |row| row.times.blocks.len());
    let Machine { processor, threads, command } = machine;
    let mut versions = sides.to_vec();
    versions.dedup();
    let mut text = format!(
        "## {heading}\n\n```sh\n{command}\n```\n\n{processor}, {threads} threads; {}. Medians of {rounds} blocks of each side \
         in turn; the ratio is theirs over ours within a round, its least and greatest in brackets, so above 1 we are faster. \
         The best of PyTorch's settings is bold. \
         Utilisation is the operations counted in a step, over the seconds of the step, over the faster side's rate in the \
         largest matrix product of a training step (GFLOP/s).\n\n",
        versions.join(" / "),
    );
    let operations = match rows.first().map_or(1, |row| row.flops.len()) {
        1 => "GFLOP",
        _ => "GFLOP, network + optimiser",
    };
    let heads =
        ["shape", "parameters", "sequences", "PyTorch", "ms a step", "ratio", "sequences/s", operations, "utilisation"];
    text += &format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for row in rows.iter().flat_map(Measured::rows) {
        text += &format!("| {} |\n", row.join(" | "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0].into_iter()), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0].into_iter()), 2.5);
        assert!(median(std::iter::empty()).is_nan());
    }

    #[test]
    fn digits_are_three() {
        let shown = [1234.0, 45.67, 1.2345, 0.012345, 0.0].map(short);
        assert_eq!(shown, ["1234", "45.7", "1.23", "0.0123", "0"]);
    }

    fn row(blocks: Vec<Vec<f64>>) -> Measured {
        let sides =
            ["glauber 1", "PyTorch 2", "PyTorch 2"][..blocks[0].len()].iter().map(ToString::to_string).collect();
        Measured {
            shape: "tiny".into(),
            parameters: 12,
            sizes: "32 × 64, V = 5".into(),
            settings: [Setting::Eager, Setting::Compile][..blocks[0].len() - 1].to_vec(),
            failed: Vec::new(),
            times: Times { sides, blocks },
            sequences: 32.0,
            flops: vec![3e9, 1e9],
            rates: vec![40e9, 80e9],
        }
    }

    fn machine() -> Machine {
        Machine { processor: "cpu".into(), threads: 2, command: "cargo xtask bench train".into() }
    }

    #[test]
    fn rows_have_ratios_rates_and_utilisation() {
        // Ours 0.1 s, theirs 0.2 s in the middle; ratios 2, 4, 1.
        let both = row(vec![vec![0.1, 0.2], vec![0.1, 0.4], vec![0.2, 0.2]]);
        let text = markdown("A step", &machine(), &[both]);
        let last = text.lines().last().unwrap();
        // 4 GFLOP in 0.1 s are 40 GFLOP/s, half of what the faster side reaches.
        let expected = "| tiny | 12 | 32 × 64, V = 5 | **eager** (best) | 100 / 200 | **2.00** (1.00–4.00) | 320 / 160 | 3.00 + 1.00 | \
                        50 % / 25 % of 80.0 |";
        assert_eq!(last, expected);
        let alone = markdown("A step", &machine(), &[row(vec![vec![0.1], vec![0.1]])]);
        assert!(alone.lines().last().unwrap().contains("| – | 100 | – | 320 |"), "{alone}");
    }

    #[test]
    fn every_setting_is_a_row_and_the_best_is_marked() {
        let mut measured = row(vec![vec![0.1, 0.3, 0.15]]);
        measured.failed.push((Setting::Both, "no compiler | none".into()));
        let text = markdown("A step", &machine(), &[measured]);
        assert!(text.contains("2 threads; glauber 1 / PyTorch 2. Medians"), "{text}");
        let rows: Vec<&str> = text.lines().rev().take(3).collect();
        assert!(rows[2].contains("| eager | 100 / 300 | 3.00 (3.00–3.00) |"), "{text}");
        assert!(rows[1].contains("| **`torch.compile`** (best) | 100 / 150 | **1.50** (1.50–1.50) |"), "{text}");
        assert_eq!(rows[0], "| tiny |  |  | both | failed: no compiler \\| none |  |  |  |  |");
    }
}
