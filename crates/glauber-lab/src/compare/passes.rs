//! Sample quality against network passes.

use glauber_run::{Curve, PALETTE, Panel, Scale};

use super::report::{Judged, Mean, Row};

/// How far the entropy of samples may be from that of held-out text, bits a character, where they are not those of a search.
const SAME_ENTROPY: f64 = 0.1;

/// Held-out text and n-grams are broken lines of these greys.
const BESIDE: [(&str, u8); 3] = [("held-out text", 0), ("order-3 n-gram", 170), ("order-5 n-gram", 110)];

/// Judge gap, a classifier's accuracy, entropy and spelling of the samples of every model by its best sampler, with and without
/// repair: means over seeds with 95 % bands.
pub fn panels(rows: &[Row], held_out: f64) -> Vec<Panel> {
    let best = best_samplers(rows);
    let gap = |judged: &Judged| Mean { mean: judged.bits.mean - held_out, ..judged.bits };
    let panel = |y_label: &str, value: &dyn Fn(&Judged) -> Mean| panel(rows, &best, y_label, value);
    vec![
        panel("judge gap, bits a character", &gap),
        panel("C2ST accuracy, share", &|judged| judged.accuracy),
        panel("entropy, bits a character", &|judged| judged.entropy),
        panel("words spelled right, share", &|judged| judged.spelling),
    ]
}

/// The sampler of a row, without its passes, sweeps or repair.
fn sampler(row: &Row) -> String {
    let name = row.sampler.as_deref().unwrap_or_default();
    name.split(", ")
        .filter(|part| !part.ends_with(" sweeps") && !part.starts_with("repair "))
        .collect::<Vec<_>>()
        .join(", ")
}

/// The best sampler of each model: the nearest to held-out text, among those of similar entropy if any. The entropy
/// excludes searches for probable texts.
fn best_samplers(rows: &[Row]) -> Vec<(&str, String)> {
    let entropy = rows.iter().find_map(|row| row.judged.as_ref()).map_or(0.0, |judged| judged.entropy.mean);
    let rank = |row: &Row| {
        let judged = row.judged.as_ref()?;
        row.passes?;
        Some(((judged.entropy.mean - entropy).abs() > SAME_ENTROPY, judged.bits.mean))
    };
    let mut names: Vec<&str> = rows.iter().filter(|row| row.steps.is_some()).map(|row| row.name.as_str()).collect();
    let mut seen = Vec::new();
    names.retain(|name| {
        !seen.contains(name) && {
            seen.push(*name);
            true
        }
    });
    let best = |name: &&str| {
        let ranked = rows.iter().filter(|row| row.name == **name).filter_map(|row| Some((rank(row)?, row)));
        let (_, row) = ranked.min_by(|((a, x), _), ((b, y), _)| a.cmp(b).then(x.total_cmp(y)))?;
        Some((row.name.as_str(), sampler(row)))
    };
    names.iter().filter_map(best).collect()
}

fn panel(rows: &[Row], best: &[(&str, String)], y_label: &str, value: &dyn Fn(&Judged) -> Mean) -> Panel {
    let passes = || rows.iter().filter(|row| row.steps.is_some()).filter_map(|row| row.passes);
    let ends = [f64::min, f64::max].map(|of| passes().reduce(of).unwrap_or(1.0));
    let level = |&(name, grey): &(&str, u8)| {
        let level = value(rows.iter().find(|row| row.name == name)?.judged.as_ref()?).mean;
        let points = ends.map(|passes| (passes, level)).to_vec();
        Some(Curve { name: name.into(), colour: [grey; 3], dashed: true, points, ..Curve::default() })
    };
    // Black and grey are those of held-out text and n-grams.
    let colours = &PALETTE[2..];
    let of_model = |(at, (name, best)): (usize, &(&str, String))| {
        let same = rows.iter().filter(|row| row.name == *name && sampler(row) == *best);
        let points = mean_by_passes(same.filter_map(|row| Some((row.passes?, value(row.judged.as_ref()?)))).collect());
        Curve {
            name: format!("{name}, {best}"),
            colour: colours[at % colours.len()],
            // More models than colours: the second round is of broken lines.
            dashed: at >= colours.len(),
            band: points.iter().map(|(_, mean)| mean.reach()).collect(),
            points: points.iter().map(|(passes, mean)| (*passes, mean.mean)).collect(),
        }
    };
    Panel {
        title: "samples".into(),
        x_label: "passes of the network a sample".into(),
        y_label: y_label.into(),
        x_scale: Scale::Logarithmic,
        scale: Scale::Fitted,
        curves: BESIDE.iter().filter_map(level).chain(best.iter().enumerate().map(of_model)).collect(),
    }
}

/// Points of the same number of passes joined to their mean over seeds, the fewest passes first. Its error is that of the texts and, of
/// several seeds, that between them.
fn mean_by_passes(mut points: Vec<(f64, Mean)>) -> Vec<(f64, Mean)> {
    points.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mean = |same: &[(f64, Mean)]| {
        let count = same.len() as f64;
        let between = Mean::of(&same.iter().map(|(_, mean)| mean.mean).collect::<Vec<_>>());
        let within = same.iter().map(|(_, mean)| mean.error.powi(2)).sum::<f64>().sqrt() / count;
        let error = if same.len() > 1 { within.hypot(between.error) } else { within };
        (same[0].0, Mean { mean: between.mean, error })
    };
    points.chunk_by(|a, b| a.0 == b.0).map(mean).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(name: &str, sampler: &str, passes: f64, [bits, entropy]: [f64; 2]) -> Row {
        let of = |mean: f64| Mean { mean, error: 0.1 };
        let judged = Judged { bits: of(bits), entropy: of(entropy), spelling: of(0.5), accuracy: of(0.5) };
        Row {
            sampler: Some(sampler.into()),
            passes: Some(passes),
            steps: (name != "held-out text").then_some(1),
            judged: Some(judged),
            ..Row::named(name)
        }
    }

    #[test]
    fn repair_is_a_point_of_the_same_curve() {
        let rows = [
            row("held-out text", "", 1.0, [1.5, 3.8]),
            row("dial", "heat-bath", 64.0, [2.0, 3.8]),
            row("dial", "heat-bath, repair 1", 128.0, [1.8, 3.8]),
        ];
        let drawn = panels(&rows, 1.5);
        let curve = &drawn[0].curves[1];
        assert_eq!(curve.name, "dial, heat-bath");
        assert_eq!(curve.points.iter().map(|point| point.0).collect::<Vec<_>>(), [64.0, 128.0]);
        assert!(drawn.iter().all(|panel| panel.curves.len() == 2) && drawn[1].y_label.contains("C2ST"));
    }

    #[test]
    fn a_model_is_drawn_by_the_sampler_that_is_no_search() {
        let rows = [
            row("held-out text", "", 1.0, [1.5, 3.8]),
            row("masks", "lazy", 4.0, [4.0, 3.8]),
            row("masks", "lazy", 16.0, [3.0, 3.75]),
            row("masks", "lazy", 16.0, [3.2, 3.75]),
            row("masks", "remask", 16.0, [3.5, 3.8]),
            row("masks", "confidence", 16.0, [1.6, 3.2]),
            row("blocks", "lazy, 2 sweeps", 8.0, [5.0, 3.8]),
            row("blocks", "lazy, 8 sweeps", 32.0, [4.0, 3.8]),
        ];
        let drawn = panels(&rows, 1.5);
        let curves: Vec<_> = drawn[0].curves.iter().map(|curve| (curve.name.as_str(), curve.points.len())).collect();
        assert_eq!(curves, [("held-out text", 2), ("masks, lazy", 2), ("blocks, lazy", 2)]);
        let masks = &drawn[0].curves[1];
        assert!((masks.points[1].1 - 1.6).abs() < 1e-12, "{masks:?}");
        // Of two seeds: 0.1 / √2 within, and 0.1 between.
        let expected = 1.96 * (0.005f64 + 0.01).sqrt();
        assert!((masks.band[1] - expected).abs() < 2e-3 && (masks.band[0] - 0.196).abs() < 1e-3, "{masks:?}");
    }
}
