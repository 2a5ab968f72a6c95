//! The machine that is measured, as its own system describes it.

use std::collections::BTreeSet;
use std::fs;

/// Instruction sets that a matrix product depends on: their names in `/proc/cpuinfo`, and those of their makers.
const INSTRUCTIONS: [(&str, &str); 7] = [
    ("avx2", "AVX2"),
    ("avx512f", "AVX-512"),
    ("avx512_bf16", "AVX-512 BF16"),
    ("avx512_fp16", "AVX-512 FP16"),
    ("amx_tile", "AMX"),
    ("amx_bf16", "AMX BF16"),
    ("asimd", "NEON"),
];

/// Where the figures come from.
pub struct Machine {
    /// Model, cores and instruction sets.
    pub processor: String,
    pub threads: usize,
    pub command: String,
}

impl Machine {
    /// This machine, and the command that runs.
    pub fn here(threads: usize) -> Self {
        let arguments: Vec<String> = std::env::args().skip(1).collect();
        Self {
            processor: describe(&fs::read_to_string("/proc/cpuinfo").unwrap_or_default()),
            threads,
            command: format!("cargo xtask {}", arguments.join(" ")),
        }
    }
}

/// The processor of a `/proc/cpuinfo`: model, logical processors and cores, instruction sets.
fn describe(cpuinfo: &str) -> String {
    let values = |key: &'static str| {
        let pairs = cpuinfo.lines().filter_map(|line| line.split_once(':'));
        pairs.filter(move |(name, _)| name.trim() == key).map(|(_, value)| value.trim())
    };
    let Some(model) = values("model name").next() else { return std::env::consts::ARCH.to_owned() };
    let (logical, packages) =
        (values("processor").count(), values("physical id").collect::<BTreeSet<_>>().len().max(1));
    let cores = values("cpu cores").next().and_then(|count| count.parse::<usize>().ok());
    let cores = match cores.map(|cores| cores * packages) {
        None => String::new(),
        Some(1) => ", 1 core".to_owned(),
        Some(cores) => format!(", {cores} cores"),
    };
    let flags: BTreeSet<&str> = values("flags").next().unwrap_or_default().split_whitespace().collect();
    let known = INSTRUCTIONS.iter().filter(|(flag, _)| flags.contains(flag)).map(|&(_, name)| name);
    let instructions = known.collect::<Vec<_>>().join(", ");
    format!("{model} ({logical} logical processors{cores}; {instructions})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_processor_has_cores_and_instruction_sets() {
        let logical = |number: usize| {
            format!(
                "processor\t: {number}\nmodel name\t: Some Core\nphysical id\t: 0\ncpu cores\t: 1\n\
                 flags\t\t: fpu avx2 avx512f amx_tile\n\n"
            )
        };
        let text = logical(0) + &logical(1);
        assert_eq!(describe(&text), "Some Core (2 logical processors, 1 core; AVX2, AVX-512, AMX)");
        assert_eq!(describe(""), std::env::consts::ARCH);
    }
}
