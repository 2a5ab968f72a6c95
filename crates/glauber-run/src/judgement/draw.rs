//! Samples of a run.

use glauber_chain::{ChainRng, StepDiagnostics};
use glauber_tokens::Token;

use super::settings::JudgementSettings;
use crate::Advance;
use crate::drawer::Drawer;
use crate::error::{Result, ensure};
use crate::sampling::Sampling;
use crate::trained::Trained;

/// Maximal numbers per evaluation of conditionals, if all sites are requested.
const MOST_NUMBERS: usize = 1 << 24;
/// Maximal number of chains that run at once.
const MOST_CHAINS: usize = 256;

/// Samples of a run.
pub struct Drawn {
    /// Token grids, shape `[sample][site]`.
    pub grids: Vec<Vec<Token>>,
    /// The class of each sample, shape `[sample]`.
    pub classes: Vec<Option<usize>>,
    /// Network passes of sequences, for all samples.
    pub evaluations: u64,
}

/// The number of samples per class, equal up to one. A run without classes has one group.
fn groups(classes: usize, count: usize) -> Vec<(Option<usize>, usize)> {
    match classes {
        0 => vec![(None, count)],
        _ => (0..classes).map(|class| (Some(class), count / classes + usize::from(class < count % classes))).collect(),
    }
}

/// Draws samples class by class, sample `i` with stream `i` of the seed. `progress` receives the number of finished
/// samples.
///
/// # Errors
/// If the settings do not fit the run.
pub fn draw(
    trained: &Trained,
    sampling: &Sampling,
    settings: &JudgementSettings,
    progress: Advance<'_>,
) -> Result<Drawn> {
    let classes = trained.config.model.classes;
    ensure!(
        settings.guidance.is_none() || classes > 0,
        "`--guidance`: {} was trained without classes",
        trained.path().display()
    );
    let schedule = sampling.schedule();
    let at_once = (MOST_NUMBERS / (schedule.len() * trained.vocabulary.size)).clamp(1, MOST_CHAINS);
    let (mut grids, mut asked): (Vec<Vec<Token>>, Vec<Option<usize>>) = Default::default();
    let mut done = StepDiagnostics::default();
    for (class, count) in groups(classes, settings.count) {
        let drawer = Drawer::of(trained, sampling, (class, settings.guidance), settings.place)?;
        let end = grids.len() + count;
        while grids.len() < end {
            let first = grids.len();
            let streams = first as u64..end.min(first + at_once) as u64;
            let rngs = streams.map(|stream| ChainRng::new(settings.seed, stream)).collect();
            let mut chains = sampling.start_with(rngs);
            done += sampling.run(&drawer, &mut chains, &mut |_| {})?;
            grids.extend(chains.tokens().iter().map(<[Token]>::to_vec));
            asked.resize(grids.len(), class);
            progress(grids.len());
        }
    }
    Ok(Drawn { grids, classes: asked, evaluations: done.evaluations })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_share_the_samples() {
        assert_eq!(groups(0, 7), [(None, 7)]);
        assert_eq!(groups(3, 7), [(Some(0), 3), (Some(1), 2), (Some(2), 2)]);
        assert_eq!(groups(3, 2), [(Some(0), 1), (Some(1), 1), (Some(2), 0)]);
    }
}
