//! Generators draw the laws that they say, and their bounds are those of what they draw.

use crate::significance::{chi_square_p, normal_p};
use glauber_chain::oracles::{EnumeratedTable, MarkovMixture, MarkovSource};
use glauber_chain::statistics::{ChiSquare, Estimate};
use glauber_chain::{
    BoundSampling, ChainGenerator, ChangesPerEvaluation, DrawControls, ExactGenerator, Generator, HeatBath, Lazy,
    LikelihoodBound, ReverseKernel, ReverseSampler, Sampler, SequenceLaw, SkipAhead, SkipAheadSampler,
};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::TokenBatch;

const VOCAB: usize = 3;
const LEN: usize = 4;

fn source() -> MarkovSource {
    MarkovSource::random(VOCAB, 9, 1.0).unwrap()
}

fn schedule() -> Schedule {
    let order = SiteOrder::round_robin(LEN, 4).unwrap();
    Schedule::new(SignalShape::Linear, order, NoiseLaw::uniform(VOCAB).unwrap(), 1e-6, false).unwrap()
}

/// That draws have the probabilities of a law.
fn check_draws(generator: &dyn Generator, law: &dyn SequenceLaw) {
    assert_eq!((generator.vocab(), generator.len()), (law.vocab(), LEN));
    let shape = EnumeratedTable::new(VOCAB, LEN, vec![1.0; VOCAB.pow(LEN as u32)]).unwrap();
    let states = 0..VOCAB.pow(LEN as u32);
    let expected: Vec<f64> = states.map(|state| law.log_probability(&shape.sequence(state)).exp()).collect();
    let mut counts = vec![0; expected.len()];
    for row in generator.draw(40_000, 11).unwrap().iter() {
        counts[shape.state(row)] += 1;
    }
    let test = ChiSquare::goodness_of_fit(&counts, &expected).unwrap();
    assert!(chi_square_p(test) > 1e-3, "{}: {test:?}", generator.name());
    let more = generator.draw(7, 3).unwrap();
    assert_eq!(generator.draw(4, 3).unwrap().as_slice(), &more.as_slice()[..4 * LEN], "rows do not depend on others");
    assert_ne!(generator.draw(7, 4).unwrap(), more);
}

#[test]
fn exact_sources_draw_their_laws() {
    let mixture = MarkovMixture::new(vec![0.3, 0.7], vec![source(), MarkovSource::random(3, 1, 2.0).unwrap()]).unwrap();
    let laws: [&dyn SequenceLaw; 2] = [&source(), &mixture];
    for law in laws {
        let generator = ExactGenerator::new(law, LEN);
        check_draws(&generator, law);
        let data = generator.draw(20, 1).unwrap();
        let bound = generator.bound(&data, 0).unwrap().unwrap();
        for (nats, row) in bound.totals().iter().zip(data.iter()) {
            assert_eq!(*nats, -law.log_probability(row));
        }
        let other_length = TokenBatch::filled(1, LEN + 1, 0);
        assert!(generator.bound(&other_length, 0).unwrap().is_err());
        assert!(generator.bound(&TokenBatch::filled(1, LEN, 3), 0).unwrap().is_err());
    }
}

#[test]
fn chains_of_exact_conditionals_draw_the_law_of_the_source() {
    let (source, schedule) = (source(), schedule());
    // A window of 2 steps loses nothing: skipping is exact.
    let skip = SkipAhead::new(ChangesPerEvaluation::Fixed(1), Some(2), DrawControls::default()).unwrap();
    let samplers: [(&str, Box<dyn Sampler>); 3] = [
        ("heat bath", Box::new(ReverseSampler::new(schedule.clone(), HeatBath::default()))),
        ("lazy", Box::new(ReverseSampler::new(schedule.clone(), Lazy::default()))),
        ("skip-ahead", Box::new(SkipAheadSampler::new(schedule.clone(), skip))),
    ];
    for (name, sampler) in samplers {
        let conditional = source.conditional(&schedule).unwrap();
        let generator = ChainGenerator::new(name, Box::new(conditional), sampler);
        check_draws(&generator, &source);
        assert!(generator.bound(&TokenBatch::filled(1, LEN, 0), 0).is_none());
    }
}

#[test]
fn the_bound_of_a_lazy_chain_of_exact_conditionals_is_the_entropy() {
    let (source, schedule) = (source(), schedule());
    let chain = |kernel: Box<dyn ReverseKernel>| {
        let conditional = Box::new(source.conditional(&schedule).unwrap());
        let sampler = Box::new(ReverseSampler::new(&schedule, HeatBath::default()));
        let sampling = BoundSampling { draws: 32, ..BoundSampling::default() };
        ChainGenerator::new("chain", conditional, sampler).bounded_by(LikelihoodBound::new(&schedule, kernel), sampling)
    };
    let data = ExactGenerator::new(&source, LEN).draw(4000, 2).unwrap();
    let bound = |kernel| chain(kernel).bound(&data, 5).unwrap().unwrap();
    // The same sequences, so what differs is the noise alone.
    let lazy = bound(Box::<Lazy>::default());
    let slack: Vec<f64> =
        lazy.totals().iter().zip(data.iter()).map(|(nats, row)| nats + source.log_probability(row)).collect();
    let slack = Estimate::independent(&slack);
    assert!(normal_p(slack.deviation_from(0.0)) > 1e-3, "{slack:?}");
    assert!(slack.standard_error < 0.05, "{slack:?}");
    let heat_bath = bound(Box::<HeatBath>::default());
    assert!(heat_bath.nats_per_sequence().mean > lazy.nats_per_sequence().mean + 1.0, "it pays for what it forgets");
    assert_eq!(bound(Box::<Lazy>::default()), lazy, "the seed decides");
}
