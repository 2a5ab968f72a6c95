//! A picture of edge marginals.

use std::fmt::Write;

use crate::{EnergyError, Result};

/// Side of a cell and height of a letter, in pixels.
const CELL: f64 = 44.0;
const LETTER: f64 = 13.0;

/// The matrix of edge marginals as SVG: a row for each source, a column for each sink, darker for
/// more probable edges. `marginals` has shape `[source · sink]`; names may hold any text.
///
/// # Errors
/// When there is no name, the marginals have another shape, or one is not between 0 and 1.
pub fn edge_picture(names: &[String], marginals: &[f64]) -> Result<String> {
    let nodes = names.len();
    EnergyError::unless_in_range(nodes > 0, "names", 0.0, "at least 1")?;
    EnergyError::unless_equal("edge marginals", marginals.len(), nodes * nodes)?;
    // Sums of weights may pass 1 by rounding.
    if let Some(&wrong) = marginals.iter().find(|p| !(-1e-9..=1.0 + 1e-9).contains(*p)) {
        EnergyError::unless_in_range(false, "edge marginal", wrong, "0 to 1")?;
    }
    let longest = names.iter().map(|name| name.chars().count()).max().unwrap_or(0).min(SHOWN);
    let margin = 24.0 + 0.62 * LETTER * longest as f64;
    let side = margin + CELL * nodes as f64 + 12.0;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side:.0} {side:.0}\" width=\"{side:.0}\" \
         height=\"{side:.0}\" font-family=\"sans-serif\" font-size=\"{LETTER}\">\n\
         <title>Probability of each edge, from row to column</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n"
    );
    let middle = |at: usize| margin + CELL * (at as f64 + 0.5);
    for (at, name) in names.iter().enumerate() {
        let (name, x, y) = (escaped(name), middle(at), margin - 8.0);
        put(&mut svg, format_args!("<text x=\"{y:.1}\" y=\"{:.1}\" text-anchor=\"end\">{name}</text>", x + 4.5));
        let turned = format!("transform=\"translate({:.1} {y:.1}) rotate(-90)\"", x + 4.5);
        put(&mut svg, format_args!("<text {turned}>{name}</text>"));
    }
    for (at, p) in marginals.iter().map(|p| p.clamp(0.0, 1.0)).enumerate() {
        let (source, sink) = (at / nodes, at % nodes);
        let (x, y) = (margin + CELL * sink as f64, margin + CELL * source as f64);
        let square = format!("<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{CELL}\" height=\"{CELL}\" stroke=\"#cccccc\"");
        if source == sink {
            put(&mut svg, format_args!("{square} fill=\"#eeeeee\"/>"));
            continue;
        }
        // From white to a dark blue.
        let mix = |end: f64| (255.0 + (end - 255.0) * p).round() as u8;
        let fill = format!("#{:02x}{:02x}{:02x}", mix(8.0), mix(48.0), mix(107.0));
        let label = format!("{} → {}: {p:.3}", escaped(&names[source]), escaped(&names[sink]));
        put(&mut svg, format_args!("{square} fill=\"{fill}\"><title>{label}</title></rect>"));
        let ink = if p > 0.5 { "#ffffff" } else { "#000000" };
        let place = format!("x=\"{:.1}\" y=\"{:.1}\"", middle(sink), middle(source) + 4.5);
        put(&mut svg, format_args!("<text {place} text-anchor=\"middle\" fill=\"{ink}\">{p:.2}</text>"));
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

/// Letters of a name that are shown.
const SHOWN: usize = 24;

fn put(svg: &mut String, line: std::fmt::Arguments<'_>) {
    // Writing to a string does not fail.
    let _ = writeln!(svg, "{line}");
}

/// A name as XML text: cut to 24 letters, control characters left out.
fn escaped(name: &str) -> String {
    let mut text = String::new();
    let cut = name.chars().count() > SHOWN;
    for letter in name.chars().filter(|letter| !letter.is_control()).take(if cut { SHOWN - 1 } else { SHOWN }) {
        match letter {
            '&' => text.push_str("&amp;"),
            '<' => text.push_str("&lt;"),
            '>' => text.push_str("&gt;"),
            '"' => text.push_str("&quot;"),
            '\'' => text.push_str("&#39;"),
            // No characters of XML 1.0.
            '\u{fffe}' | '\u{ffff}' => {}
            other => text.push(other),
        }
    }
    if cut {
        text.push('…');
    }
    text
}
