//! `glauber-lab picture`: two chains as they denoise, text and images side by side.

use std::fmt::Write;
use std::path::PathBuf;

use anyhow::{Context, ensure};
use clap::Args;
use glauber_chain::ChainRng;
use glauber_files::write_whole;
use glauber_pixels::Image;
use glauber_program::device::device;
use glauber_program::progress::say;
use glauber_run::{DrawPlace, Drawer, SamplerSettings, Sampling, Trained, check_count};
use glauber_tokens::{Codec, Token, TokenBatch};

/// Number of grey levels in the picture.
const GREYS: usize = 8;
/// Sizes in units of the picture: a stage, a letter, an image, and the margin.
const ROW: usize = 40;
const LETTER: f64 = 8.4;
const IMAGE: usize = 32;
const MARGIN: usize = 16;

/// Whose chains are drawn.
#[derive(Debug, Args)]
pub struct PictureFlags {
    /// A run on text
    #[arg(long, value_name = "DIR")]
    text: PathBuf,
    /// A run on images
    #[arg(long, value_name = "DIR")]
    images: PathBuf,
    /// Images in a row
    #[arg(short = 'n', long, default_value_t = 8)]
    count: usize,
    /// Rows between noise and the sample
    #[arg(long, default_value_t = 8)]
    stages: usize,
    /// Seed of the chains
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// The picture, an SVG file
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

/// Draws both chains and writes the picture.
pub fn picture(flags: &PictureFlags) -> anyhow::Result<()> {
    check_count("--count", flags.count)?;
    ensure!(flags.stages > 0, "`--stages` is 0, expected at least 1");
    let device = device("cpu")?;
    let [text, images] = [&flags.text, &flags.images].map(|run| Trained::load(run, &device));
    let (text, images) = (text?, images?);
    let codec =
        images.pictures().with_context(|| format!("`--images {}` is no run on images", flags.images.display()))?;
    let special = text.codec().context("`--text`")?.special();
    let piece = |&token: &Token| if special.contains(&token) { Ok("¤".to_owned()) } else { text.render(&[token]) };
    let lines = stages(&text, 1, flags)?;
    let lines = lines.iter().map(|tokens| tokens.row(0).iter().map(piece).collect());
    let lines = lines.collect::<Result<Vec<Vec<String>>, _>>()?;
    let grids = stages(&images, flags.count, flags)?;
    let grids = grids.iter().map(|tokens| codec.decode_all(tokens)).collect::<Result<Vec<_>, _>>()?;
    write_whole(&flags.out, drawn(&lines, &grids)?).with_context(|| flags.out.display().to_string())?;
    say(&format!("picture: {}", flags.out.display()));
    Ok(())
}

/// Chains at noise, after each stage, and at the end.
fn stages(trained: &Trained, count: usize, flags: &PictureFlags) -> anyhow::Result<Vec<TokenBatch>> {
    let sampling = Sampling::of(trained, &SamplerSettings::default())?;
    let drawer = Drawer::of(trained, &sampling, (None, None), DrawPlace::Host)?;
    let mut chains = sampling.start_with(ChainRng::streams(flags.seed, count));
    let mut seen = Vec::new();
    sampling.run_watched(&drawer, &mut chains, flags.stages, &mut |chains| seen.push(chains.tokens().clone()))?;
    Ok(seen)
}

/// The picture: a stage a row, noise on top. Tokens that the sample keeps are black.
fn drawn(lines: &[Vec<String>], grids: &[Vec<Image>]) -> anyhow::Result<String> {
    let sample = lines.last().context("a chain has an end")?;
    let letters = |line: &[String]| line.iter().map(|piece| piece.chars().count()).sum::<usize>() as f64;
    let longest = lines.iter().map(|line| letters(line)).fold(0.0, f64::max);
    let left = (longest * LETTER) as usize + 2 * MARGIN;
    let [width, height] =
        [left + grids[0].len() * (IMAGE + 4) + MARGIN, lines.len().max(grids.len()) * ROW + 2 * MARGIN];
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>A heat-bath chain denoises a line of text and a row of images</title>\n\
         <rect width=\"{width}\" height=\"{height}\" fill=\"#fff\"/>\n\
         <g font-family=\"ui-monospace, Menlo, Consolas, monospace\" font-size=\"14\" xml:space=\"preserve\">\n"
    );
    for (row, line) in lines.iter().enumerate() {
        let (baseline, length) = (MARGIN + row * ROW + ROW / 2 + 5, letters(line) * LETTER);
        write!(svg, "<text x=\"{MARGIN}\" y=\"{baseline}\" textLength=\"{length:.1}\">")?;
        for (piece, kept) in line.iter().zip(sample) {
            let colour = if piece == kept { "#111" } else { "#b55" };
            let shown: String = piece.chars().map(|letter| if letter.is_whitespace() { ' ' } else { letter }).collect();
            let shown = shown.replace('&', "&amp;").replace('<', "&lt;");
            write!(svg, "<tspan fill=\"{colour}\">{shown}</tspan>")?;
        }
        svg += "</text>\n";
    }
    svg += "</g>\n";
    for (row, images) in grids.iter().enumerate() {
        for (column, image) in images.iter().enumerate() {
            let [x, y] = [left + column * (IMAGE + 4), MARGIN + row * ROW + (ROW - IMAGE) / 2];
            let scale = IMAGE as f64 / image.extent().height().max(image.extent().width()) as f64;
            writeln!(svg, "<g transform=\"translate({x} {y}) scale({scale:.4})\">{}</g>", pixels(image)?)?;
        }
    }
    Ok(svg + "</svg>\n")
}

/// A path for each grey but the darkest, which is the ground: runs of pixels in a row.
fn pixels(image: &Image) -> Result<String, std::fmt::Error> {
    let grey = |row, column| {
        let channels = image.pixel(row, column);
        let mean = channels.iter().sum::<f32>() / channels.len() as f32;
        (mean * (GREYS - 1) as f32).round() as usize
    };
    let mut out = format!("<path d=\"M0 0h{}v{}H0z\"/>", image.extent().width(), image.extent().height());
    for level in 1..GREYS {
        let mut path = String::new();
        for row in 0..image.extent().height() {
            let mut column = 0;
            while column < image.extent().width() {
                let end = (column..image.extent().width())
                    .find(|&at| grey(row, at) != level)
                    .unwrap_or(image.extent().width());
                if end > column {
                    write!(path, "M{column} {row}h{length}v1h-{length}z", length = end - column)?;
                }
                column = end.max(column + 1);
            }
        }
        if !path.is_empty() {
            let share = level * 255 / (GREYS - 1);
            write!(out, "<path fill=\"#{share:02x}{share:02x}{share:02x}\" d=\"{path}\"/>")?;
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use glauber_pixels::{Colours, Extent};

    use super::*;

    #[test]
    fn tokens_of_the_sample_are_black_from_the_stage_that_finds_them() {
        let image = Image::new(Extent::new(1, 2).unwrap(), Colours::Grey, vec![0.0, 1.0]).unwrap();
        let lines = [["x", "b", "<"], ["a", "b", "&"]].map(|line| line.map(str::to_owned).to_vec());
        let svg = drawn(&lines, &[vec![image.clone()], vec![image]]).unwrap();
        let texts: Vec<&str> = svg.lines().filter(|line| line.starts_with("<text")).collect();
        let red = texts[0].matches("#b55").count();
        assert!(red == 2 && texts[0].contains("\"#111\">b<") && texts[0].contains(">&lt;<"), "{}", texts[0]);
        assert!(!texts[1].contains("#b55") && texts[1].contains(">&amp;<"), "{}", texts[1]);
        assert_eq!(svg.matches("<path fill=\"#ffffff\" d=\"M1 0h1v1h-1z\"/>").count(), 2);
    }
}
