//! Medians, ratios and the table.

use std::fs;

use statrs::statistics::{Data, Median};

/// Seconds a step, block after block.
pub struct Times {
    /// Ours, then the other where there is one.
    pub sides: Vec<String>,
    /// `[round, side]`.
    pub blocks: Vec<Vec<f64>>,
}

/// A row of the table.
pub struct Measured {
    pub shape: String,
    pub parameters: u64,
    pub sizes: String,
    pub times: Times,
    /// Finished sequences that a step is worth.
    pub sequences: f64,
    /// Floating-point operations of a step, part by part.
    pub flops: Vec<f64>,
    /// Floating-point operations a second that either side reaches in a matrix product.
    pub rates: Vec<f64>,
}

/// Where the figures come from.
pub struct Machine {
    pub processor: String,
    threads: usize,
    pub command: String,
}

impl Machine {
    /// This machine, and the command that runs.
    pub fn here(threads: usize) -> Self {
        let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = text.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Self {
            processor: model.map_or(std::env::consts::ARCH, |(_, model)| model.trim()).to_owned(),
            threads,
            command: format!("cargo xtask {}", arguments.join(" ")),
        }
    }
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

    /// The other side's seconds over ours in each round: the median, the least and the greatest. `None` without another side.
    fn ratio(&self) -> Option<[f64; 3]> {
        let ratios = || self.blocks.iter().filter_map(|block| Some(block.get(1)? / block.first()?));
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

impl Measured {
    fn cells(&self) -> [String; 8] {
        // What the machine can do is what the faster side does.
        let machine = self.rates.iter().copied().fold(0.0, f64::max);
        let flops: f64 = self.flops.iter().sum();
        let medians = || self.times.medians();
        [
            self.shape.clone(),
            self.parameters.to_string(),
            self.sizes.clone(),
            each(medians().map(|seconds| short(1e3 * seconds))),
            self.times
                .ratio()
                .map_or("–".into(), |[middle, least, most]| format!("{middle:.2} ({least:.2}–{most:.2})")),
            each(medians().map(|seconds| short(self.sequences / seconds))),
            self.flops.iter().map(|flops| short(flops / 1e9)).collect::<Vec<_>>().join(" + "),
            format!(
                "{} of {}",
                each(medians().map(|seconds| format!("{:.0} %", 100.0 * flops / seconds / machine))),
                short(machine / 1e9)
            ),
        ]
    }
}

/// The table, with the settings to reproduce it.
pub fn markdown(heading: &str, machine: &Machine, rows: &[Measured]) -> String {
    let sides = rows.first().map_or(&[][..], |row| &row.times.sides);
    let rounds = rows.first().map_or(0, |row| row.times.blocks.len());
    let Machine { processor, threads, command } = machine;
    let mut text = format!(
        "## {heading}\n\n```sh\n{command}\n```\n\n{processor}, {threads} threads; {}. Medians of {rounds} blocks of either side \
         in turn; the ratio is theirs over ours within a round, its least and greatest in brackets, so above 1 we are faster. \
         Utilisation is the operations counted in a step, over the seconds of the step, over the faster side's rate in the \
         largest matrix product of a training step (GFLOP/s).\n\n",
        sides.join(" / "),
    );
    let operations = match rows.first().map_or(1, |row| row.flops.len()) {
        1 => "GFLOP",
        _ => "GFLOP, network + optimiser",
    };
    let heads = ["shape", "parameters", "sequences", "ms a step", "ratio", "sequences/s", operations, "utilisation"];
    text += &format!("| {} |\n|{}\n", heads.join(" | "), "---|".repeat(heads.len()));
    for row in rows {
        text += &format!("| {} |\n", row.cells().join(" | "));
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
        let sides = ["glauber 1", "PyTorch 2"][..blocks[0].len()].iter().map(ToString::to_string).collect();
        Measured {
            shape: "tiny".into(),
            parameters: 12,
            sizes: "32 × 64, V = 5".into(),
            times: Times { sides, blocks },
            sequences: 32.0,
            flops: vec![3e9, 1e9],
            rates: vec![40e9, 80e9],
        }
    }

    #[test]
    fn rows_have_ratios_rates_and_utilisation() {
        let machine = Machine { processor: "cpu".into(), threads: 2, command: "cargo xtask bench train".into() };
        // Ours 0.1 s, theirs 0.2 s in the middle; ratios 2, 4, 1.
        let both = row(vec![vec![0.1, 0.2], vec![0.1, 0.4], vec![0.2, 0.2]]);
        let text = markdown("A step", &machine, &[both]);
        let last = text.lines().last().unwrap();
        // 4 GFLOP in 0.1 s are 40 GFLOP/s, half of what the faster side reaches.
        let expected = "| tiny | 12 | 32 × 64, V = 5 | 100 / 200 | 2.00 (1.00–4.00) | 320 / 160 | 3.00 + 1.00 | 50 % / 25 % of 80.0 |";
        assert_eq!(last, expected);
        let alone = markdown("A step", &machine, &[row(vec![vec![0.1], vec![0.1]])]);
        assert!(alone.lines().last().unwrap().contains("| 100 | – | 320 |"), "{alone}");
    }
}
