//! Plots of curves.

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::*;
use plotters::series::DashedLineSeries;

use crate::RunError;

/// Width and height of a panel in pixels.
const PANEL: (u32, u32) = (860, 480);

/// Maximal number of names in a legend over the curves; a longer legend is placed beside them.
const SHORT_LEGEND: usize = 4;

/// Distinct colours, for curves in order.
pub const PALETTE: [[u8; 3]; 10] = [
    [20, 20, 20],
    [140, 140, 140],
    [31, 119, 180],
    [214, 39, 40],
    [44, 160, 44],
    [230, 120, 20],
    [148, 103, 189],
    [23, 190, 207],
    [188, 189, 34],
    [140, 86, 75],
];

/// Maximal number of marked points per curve.
const MARKED: usize = 12;

/// A named curve; short curves have marked points.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    /// The name in the legend.
    pub name: String,
    /// Red, green, blue.
    pub colour: [u8; 3],
    /// Whether the line is dashed.
    pub dashed: bool,
    /// The points: `x`, value.
    pub points: Vec<(f64, f64)>,
    /// Half-height of a pale band around each point; empty for no band.
    pub band: Vec<f64>,
}

/// The scale of an axis of a [`Panel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scale {
    /// From zero to the highest value.
    FromZero,
    /// From the lowest value to the highest.
    Fitted,
    /// Logarithmic, from the lowest to the highest value; values that are not positive are omitted.
    Logarithmic,
}

impl Scale {
    /// The position of a value.
    fn at(self, value: f64) -> f64 {
        if self == Self::Logarithmic { value.log10() } else { value }
    }

    /// The value at a position.
    fn value(self, at: f64) -> f64 {
        if self == Self::Logarithmic { 10f64.powf(at) } else { at }
    }
}

/// Curves over one pair of axes.
#[derive(Debug, Clone, PartialEq)]
pub struct Panel {
    /// The title.
    pub title: String,
    /// The label of `x`, with its unit.
    pub x_label: String,
    /// The label of the values, with their unit.
    pub y_label: String,
    /// The scale of `x`.
    pub x_scale: Scale,
    /// The scale of the values.
    pub scale: Scale,
    /// The curves, first drawn first.
    pub curves: Vec<Curve>,
}

impl Panel {
    /// The drawn points of a curve.
    fn drawn(&self, curve: &Curve) -> Vec<(f64, f64)> {
        let points = curve.points.iter().map(|&(x, value)| (self.x_scale.at(x), self.scale.at(value)));
        points.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    }

    /// The outline of its band.
    fn outline(&self, curve: &Curve) -> Vec<(f64, f64)> {
        let reaches = curve.points.iter().zip(&curve.band);
        let there = reaches.clone().map(|(point, reach)| (point.0, point.1 + reach));
        let back = reaches.rev().map(|(point, reach)| (point.0, point.1 - reach));
        let drawn = there.chain(back).map(|(x, value)| (self.x_scale.at(x), self.scale.at(value)));
        drawn.filter(|(x, y)| x.is_finite() && y.is_finite()).collect()
    }

    /// The ranges of both axes, with a margin above.
    fn ranges(&self) -> [(f64, f64); 2] {
        let points = || self.curves.iter().flat_map(|curve| [self.drawn(curve), self.outline(curve)].concat());
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
        };
        let (mut x, mut y) = (range(&mut points().map(|point| point.0)), range(&mut points().map(|point| point.1)));
        for (range, scale) in [(&mut x, self.x_scale), (&mut y, self.scale)] {
            if scale == Scale::FromZero {
                range.0 = 0.0;
            }
        }
        let below = |scale| if scale == Scale::FromZero { 0.0 } else { 0.05 };
        [(x, below(self.x_scale)), (y, below(self.scale))].map(|((low, high), below)| match low < high {
            true => (low - below * (high - low), high + 0.05 * (high - low)),
            false if high.is_finite() => (high.min(0.0), high.max(0.0) + 1e-6),
            false => (0.0, 1.0),
        })
    }

    fn draw<DB: DrawingBackend>(
        &self,
        area: &DrawingArea<DB, Shift>,
    ) -> Result<(), DrawingAreaErrorKind<DB::ErrorType>> {
        let [mut x, y] = self.ranges();
        if self.curves.len() > SHORT_LEGEND {
            x.1 += 0.45 * (x.1 - x.0);
        }
        let mut chart = ChartBuilder::on(area)
            .caption(&self.title, ("sans-serif", 18))
            .margin(12)
            .x_label_area_size(42)
            .y_label_area_size(66)
            .build_cartesian_2d(x.0..x.1, y.0..y.1)?;
        chart
            .configure_mesh()
            .x_desc(&self.x_label)
            .y_desc(&self.y_label)
            .x_label_formatter(&|&x| short(self.x_scale.value(x)))
            .y_label_formatter(&|&y| short(self.scale.value(y)))
            .draw()?;
        for curve in &self.curves {
            let [red, green, blue] = curve.colour;
            let style = RGBColor(red, green, blue).stroke_width(2);
            let outline = self.outline(curve);
            if outline.len() > 2 {
                chart.draw_series([Polygon::new(outline, RGBColor(red, green, blue).mix(0.15))])?;
            }
            let drawn = match curve.dashed {
                true => chart.draw_series(DashedLineSeries::new(self.drawn(curve), 6, 4, style))?,
                false => chart.draw_series(LineSeries::new(self.drawn(curve), style))?,
            };
            let marked = if curve.points.len() <= MARKED { curve.points.len() } else { 0 };
            let gap = if curve.dashed { 3 } else { 0 };
            drawn.label(&curve.name).legend(move |(x, y)| {
                let dash = |from: i32, to: i32| PathElement::new([(x + from, y), (x + to, y)], style);
                EmptyElement::at((0, 0)) + dash(0, 9 - gap) + dash(9 + gap, 18)
            });
            let marks = self.drawn(curve).into_iter().take(marked);
            chart.draw_series(marks.map(|point| Circle::new(point, 4, style.filled())))?;
        }
        let place = if self.scale == Scale::FromZero {
            SeriesLabelPosition::MiddleRight
        } else {
            SeriesLabelPosition::UpperRight
        };
        chart.configure_series_labels().position(place).background_style(WHITE.mix(0.8)).border_style(BLACK).draw()
    }
}

/// A label of an axis with at most three digits.
fn short(value: f64) -> String {
    let size = value.abs();
    // An axis comes to its zero by adding up steps.
    if size < 1e-9 {
        return "0".into();
    }
    if size < 0.01 {
        return format!("{value:.1e}");
    }
    let decimals = (2.0 - size.log10().floor()).clamp(0.0, 3.0) as usize;
    let text = format!("{value:.decimals$}");
    match decimals {
        0 => text,
        _ => text.trim_end_matches('0').trim_end_matches('.').into(),
    }
}

/// Draws panels side by side as SVG text; `path` is the output file, for error messages.
///
/// # Errors
/// When it cannot be drawn.
pub fn picture(path: &Path, panels: &[Panel]) -> Result<String, RunError> {
    let mut svg = String::new();
    draw(&mut svg, panels).map_err(|error| RunError::Refused(format!("drawing {}: {error}", path.display())))?;
    Ok(svg)
}

fn draw(svg: &mut String, panels: &[Panel]) -> Result<(), Box<dyn std::error::Error>> {
    let size = (PANEL.0 * panels.len().max(1) as u32, PANEL.1);
    let area = SVGBackend::with_string(svg, size).into_drawing_area();
    area.fill(&WHITE)?;
    for (panel, part) in panels.iter().zip(area.split_evenly((1, panels.len().max(1)))) {
        panel.draw(&part)?;
    }
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn panel(scale: Scale, values: &[f64]) -> Panel {
        let points = values.iter().enumerate().map(|(x, &y)| (x as f64, y)).collect();
        let curve = Curve { name: "a <curve>".into(), colour: [200, 60, 30], dashed: true, points, ..Curve::default() };
        Panel {
            title: "t".into(),
            x_label: "x".into(),
            y_label: "y".into(),
            x_scale: Scale::FromZero,
            scale,
            curves: vec![curve],
        }
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        assert_eq!(panel(Scale::Logarithmic, &[0.0, 10.0, f64::NAN, 1000.0]).ranges()[1], (0.9, 3.1));
        assert_eq!(panel(Scale::FromZero, &[2.0, 4.0]).ranges()[1], (0.0, 4.2));
        for scale in [Scale::FromZero, Scale::Fitted, Scale::Logarithmic] {
            for values in [&[][..], &[0.0], &[-1.0, -1.0], &[f64::NAN], &[1.0, 2.0]] {
                let [x, y] = panel(scale, values).ranges();
                assert!(x.0 < x.1 && y.0 < y.1, "{scale:?}, {values:?}: {x:?}, {y:?}");
                let svg =
                    picture(Path::new("p.svg"), &[panel(scale, values), panel(scale, values)]).expect("a picture");
                assert!(svg.starts_with("<svg") && svg.matches("a &lt;curve&gt;").count() == 2, "{svg}");
            }
        }
    }

    #[test]
    fn a_band_is_drawn_around_its_points() {
        let mut panel = panel(Scale::Fitted, &[1.0, 2.0]);
        let without = picture(Path::new("p.svg"), &[panel.clone()]).expect("a picture");
        panel.curves[0].band = vec![0.5, 0.25];
        assert_eq!(panel.outline(&panel.curves[0]), [(0.0, 1.5), (1.0, 2.25), (1.0, 1.75), (0.0, 0.5)]);
        assert!(panel.ranges()[1].0 < 0.5 && panel.ranges()[1].1 > 2.25);
        let with = picture(Path::new("p.svg"), &[panel]).expect("a picture");
        assert_eq!((without.matches("<polygon").count(), with.matches("<polygon").count()), (0, 1));
    }

    #[test]
    fn labels_have_three_figures() {
        let labels = [0.0, 0.00123, 0.5, 1.25, 99.999, 1234.5].map(short);
        assert_eq!(labels, ["0", "1.2e-3", "0.5", "1.25", "100", "1234"]);
    }
}
