//! Loss curves as a picture.

use std::path::Path;

use plotters::prelude::*;

use crate::{MetricLine, TrainError};

/// Draws training and held-out loss against the step, as SVG text.
pub(crate) fn loss_curves(path: &Path, title: &str, lines: &[MetricLine]) -> Result<String, TrainError> {
    let mut svg = String::new();
    draw(&mut svg, title, lines)
        .map_err(|error| TrainError::Picture { path: path.into(), reason: error.to_string() })?;
    Ok(svg)
}

fn draw(svg: &mut String, title: &str, lines: &[MetricLine]) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, (860, 480)).into_drawing_area();
    area.fill(&WHITE)?;
    let steps = lines.last().map_or(1, |line| line.step.max(1)) as f64;
    let values = || lines.iter().flat_map(|line| [line.train_loss, line.loss]);
    let low = values().fold(f64::INFINITY, f64::min).min(0.0);
    let high = values().fold(low, f64::max).max(low + 1e-6);
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..steps, low..high * 1.05)?;
    chart
        .configure_mesh()
        .x_desc("optimiser steps")
        .y_desc("loss, nats per site")
        .x_label_formatter(&|step| format!("{step:.0}"))
        .draw()?;
    let curves: [(&str, RGBColor, fn(&MetricLine) -> f64); 2] = [
        ("training", RGBColor(150, 150, 150), |line| line.train_loss),
        ("held out, averaged weights", RGBColor(200, 60, 30), |line| line.loss),
    ];
    for (name, colour, value) in curves {
        let points = lines.iter().map(|line| (line.step as f64, value(line)));
        chart
            .draw_series(LineSeries::new(points, colour.stroke_width(2)))?
            .label(name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], colour.stroke_width(2)));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}
