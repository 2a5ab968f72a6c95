//! The table in Markdown and the curves.

use std::f64::consts::LN_2;
use std::path::Path;

use anyhow::Context;
use glauber_files::write_whole;
use glauber_run::{Curve, Panel, Scale, picture};

use super::contest::{Contestant, Run};
use super::curves::{Axis, Point, Value, mean_curve};
use super::source::Source;

/// The runs of one contestant on one source.
pub struct Entry {
    pub contestant: Contestant,
    pub runs: Vec<Run>,
}

/// Everything measured on one source.
pub struct Section {
    pub source: Source,
    pub entries: Vec<Entry>,
}

/// A column of the table.
struct Column {
    heading: String,
    cell: Box<dyn Fn(&Entry) -> String>,
}

impl Section {
    fn all_runs(&self) -> impl Iterator<Item = &Run> {
        self.entries.iter().flat_map(|entry| &entry.runs)
    }

    /// The section of the report; `seconds` is what each run was given.
    pub fn markdown(&self, seconds: f64) -> String {
        let time = Axis::Seconds.common(self.all_runs()).min(seconds);
        let tokens = Axis::Tokens.common(self.all_runs());
        let columns = self.columns(time, tokens);
        let mut text = format!("## {}\n\n{}\n\n", self.source.title, self.legend(time, tokens));
        let headings: Vec<&str> = columns.iter().map(|column| column.heading.as_str()).collect();
        text += &line(&headings);
        text += &line(&vec!["---"; columns.len()]);
        for entry in &self.entries {
            let cells: Vec<String> = columns.iter().map(|column| (column.cell)(entry)).collect();
            text += &line(&cells.iter().map(String::as_str).collect::<Vec<_>>());
        }
        text
    }

    fn legend(&self, time: f64, tokens: f64) -> String {
        let seeds = self.entries.iter().map(|entry| entry.runs.len()).max().unwrap_or(0);
        let mut text = format!(
            "Mean ± standard deviation over {seeds} seeds. \"Time\" is after {time:.1} s of training, \"tokens\" after {:.2} M \
             tokens: the most that every run reached. Linear between evaluations, moving average of the weights. ",
            tokens / 1e6
        );
        text += match self.source.is_markov() {
            true => {
                "Excess: above the Bayes loss, nats per site; own: of the objective's loss; step: KL(r ‖ r_θ), the same quantity \
                 for every objective under one noise law. Bound: (N), nats per site, at the end of the run, and its distance to the entropy."
            }
            false => {
                "Step cross-entropy: −log r_θ(X_t), nats per site, the same quantity for every objective under one noise law. Bound: (N), \
                 bits per character, at the end of the run."
            }
        };
        if self.entries.iter().any(|entry| entry.contestant.is_masked()) {
            text += " Under absorbing noise losses and excesses are other quantities, a bidirectional network's over masked sites alone: only bounds compare.";
        }
        if self.late(time) {
            text += " *: first evaluated later than that.";
        }
        text
    }

    fn late(&self, time: f64) -> bool {
        let loss: Value = |line| Some(line.loss);
        let late = |entry: &Entry| Point::at(&entry.runs, Axis::Seconds, time, loss).is_some_and(|point| point.late);
        self.entries.iter().any(late)
    }

    fn columns(&self, time: f64, tokens: f64) -> Vec<Column> {
        let at = |name: &str, axis: Axis, x: f64, value: Value, digits: usize| Column {
            heading: format!("{name}, {}", if axis == Axis::Seconds { "time" } else { "tokens" }),
            cell: Box::new(move |entry| show(Point::at(&entry.runs, axis, x, value), digits)),
        };
        let mut columns = vec![
            column("objective", |entry| entry.contestant.objective.name().into()),
            column("network", |entry| entry.contestant.network.clone()),
            column("parameters", |entry| entry.runs.first().map_or(0, |run| run.outcome.parameters).to_string()),
        ];
        let excess: Value = |line| line.excess;
        let step_excess: Value = |line| line.step_excess;
        let cross_entropy: Value = |line| Some(line.step_cross_entropy);
        let measures: &[(&str, Value)] = match self.source.is_markov() {
            true => &[("own excess", excess), ("step excess", step_excess)],
            false => &[("step cross-entropy", cross_entropy)],
        };
        for (axis, x) in [(Axis::Seconds, time), (Axis::Tokens, tokens)] {
            columns.extend(measures.iter().map(|&(name, value)| at(name, axis, x, value, 5)));
        }
        match self.source.entropy() {
            Some(entropy) => {
                columns.push(column("bound", |entry| bound(entry, |nats| nats)));
                columns.push(Column {
                    heading: "bound above entropy".into(),
                    cell: Box::new(move |entry| bound(entry, |nats| nats - entropy)),
                });
            }
            None => columns.push(column("bound, bits per character", |entry| bound(entry, |nats| nats / LN_2))),
        }
        columns.push(column("M tokens at the end", |entry| {
            let last: Vec<f64> =
                entry.runs.iter().filter_map(|run| run.lines.last()).map(|line| line.tokens as f64 / 1e6).collect();
            show(Point::over_seeds(&last, false), 2)
        }));
        columns
    }

    fn panel(&self) -> Panel {
        let (value, scale, y_label): (Value, _, _) = match self.source.is_markov() {
            true => (|line| line.step_excess, Scale::Logarithmic, "step excess over Bayes, nats per site"),
            false => (|line| Some(line.step_cross_entropy), Scale::Fitted, "step cross-entropy, nats per site"),
        };
        // Under absorbing noise the same words name another quantity, not for the same axes.
        let comparable = self.entries.iter().filter(|entry| !entry.contestant.is_masked());
        let curve = |entry: &Entry| Curve {
            name: format!("{}, {}", entry.contestant.objective.name(), entry.contestant.network),
            colour: entry.contestant.colour,
            dashed: entry.contestant.dashed,
            points: mean_curve(&entry.runs, value),
            ..Curve::default()
        };
        Panel {
            title: self.source.title.clone(),
            x_label: "seconds of training".into(),
            y_label: y_label.into(),
            x_scale: Scale::FromZero,
            scale,
            curves: comparable.map(curve).collect(),
        }
    }
}

/// Writes `NAME.md` and `NAME.svg`; gives the text.
pub fn write(name: &str, out: &Path, heading: &str, sections: &[Section], seconds: f64) -> anyhow::Result<String> {
    let parts: Vec<String> = sections.iter().map(|section| section.markdown(seconds)).collect();
    let text = format!("# {heading}\n\n{}", parts.join("\n"));
    let (table, path) = (out.join(format!("{name}.md")), out.join(format!("{name}.svg")));
    write_whole(&table, &text).with_context(|| table.display().to_string())?;
    let panels: Vec<Panel> = sections.iter().map(Section::panel).collect();
    write_whole(&path, picture(&path, &panels)?).with_context(|| path.display().to_string())?;
    Ok(text)
}

fn column(heading: &str, cell: impl Fn(&Entry) -> String + 'static) -> Column {
    Column { heading: heading.into(), cell: Box::new(cell) }
}

fn bound(entry: &Entry, convert: impl Fn(f64) -> f64) -> String {
    let bounds: Vec<f64> = entry.runs.iter().map(|run| convert(run.outcome.bound)).collect();
    show(Point::over_seeds(&bounds, false), 4)
}

fn show(point: Option<Point>, digits: usize) -> String {
    let Some(Point { mean, deviation, late }) = point else { return "—".into() };
    let deviation = deviation.map_or(String::new(), |deviation| format!(" ± {deviation:.digits$}"));
    format!("{mean:.digits$}{deviation}{}", if late { " *" } else { "" })
}

fn line(cells: &[&str]) -> String {
    format!("| {} |\n", cells.join(" | "))
}
