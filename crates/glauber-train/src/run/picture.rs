//! Curves as pictures.

use std::path::Path;

use plotters::prelude::*;

use crate::TrainError;

/// A named curve.
pub(crate) struct Curve {
    pub name: &'static str,
    pub colour: RGBColor,
    /// Optimiser step, value.
    pub points: Vec<(f64, f64)>,
}

/// Draws curves over the optimiser steps, from zero up, as SVG text.
pub(crate) fn curves(path: &Path, title: &str, unit: &str, curves: &[Curve]) -> Result<String, TrainError> {
    let mut svg = String::new();
    draw(&mut svg, title, unit, curves)
        .map_err(|error| TrainError::Picture { path: path.into(), reason: error.to_string() })?;
    Ok(svg)
}

fn draw(svg: &mut String, title: &str, unit: &str, curves: &[Curve]) -> Result<(), Box<dyn std::error::Error>> {
    let area = SVGBackend::with_string(svg, (860, 480)).into_drawing_area();
    area.fill(&WHITE)?;
    let points = || curves.iter().flat_map(|curve| &curve.points);
    let steps = points().map(|point| point.0).fold(1.0, f64::max);
    let high = points().map(|point| point.1).fold(1e-6, f64::max);
    let mut chart = ChartBuilder::on(&area)
        .caption(title, ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(42)
        .y_label_area_size(58)
        .build_cartesian_2d(0.0..steps, 0.0..high * 1.05)?;
    chart
        .configure_mesh()
        .x_desc("optimiser steps")
        .y_desc(unit)
        .x_label_formatter(&|step| format!("{step:.0}"))
        .draw()?;
    for curve in curves {
        let style = curve.colour.stroke_width(2);
        chart
            .draw_series(LineSeries::new(curve.points.iter().copied(), style))?
            .label(curve.name)
            .legend(move |(x, y)| PathElement::new([(x, y), (x + 18, y)], style));
    }
    chart.configure_series_labels().background_style(WHITE.mix(0.8)).border_style(BLACK).draw()?;
    area.present()?;
    Ok(())
}
