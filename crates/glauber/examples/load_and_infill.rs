//! A finished run on text, loaded; gaps filled, the best alternatives first:
//! `cargo run --release -p glauber --features full --example load_and_infill -- runs/mine "It is a ____ that"`

use std::error::Error;
use std::path::Path;

use burn::tensor::Device;
use glauber::run::{DrawPlace, Infill, Sampling, Trained};
use glauber::text::Template;

/// Texts with their scores, nats a generated token.
pub(crate) fn infill(run: &Path, text: &str) -> Result<Vec<(f64, String)>, Box<dyn Error>> {
    let trained = Trained::load(run, &Device::flex())?;
    let layout = Template::parse(text, trained.codec()?)?.layout(4, trained.schedule.len(), trained.codec()?)?;
    let sampling = Sampling::heat_bath(&trained.schedule);
    let infill = Infill::of(&trained, &sampling, (None, None), DrawPlace::Host)?;
    let (best_first, _) = infill.alternatives(&layout, 16, 42, &mut |_| {})?; // 16 chains, seed 42
    Ok(best_first.into_iter().map(|alternative| (alternative.score, alternative.text)).collect())
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [run, text] = &arguments[..] else { return Err("usage: load_and_infill RUN TEXT".into()) };
    for (score, text) in infill(run.as_ref(), text)? {
        println!("{score:.3} {text}");
    }
    Ok(())
}
