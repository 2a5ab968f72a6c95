//! Guidance against its formula, and the mixture of Markov chains against enumeration.

use crate::significance::normal_p;
use glauber_chain::oracles::{EnumeratedTable, MarkovMixture, MarkovSource};
use glauber_chain::statistics::Estimate;
use glauber_chain::{ChainError, Guided, HeatBath, ReverseSampler, RowSites, Sampler, SiteConditional, TokenRows};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::{Site, Step};

fn mixture(vocab: usize) -> MarkovMixture {
    let classes = (0..3).map(|seed| MarkovSource::random(vocab, seed, 2.0).unwrap()).collect();
    MarkovMixture::new(vec![0.5, 0.2, 0.3], classes).unwrap()
}

fn schedule(len: usize, law: NoiseLaw, final_level: f64) -> Schedule {
    let order = SiteOrder::permutation(len, 3, 2).unwrap();
    Schedule::new(SignalShape::LogLinear, order, law, final_level, true).unwrap()
}

fn laws(vocab: usize) -> [NoiseLaw; 3] {
    let counts: Vec<u64> = (1..=vocab as u64).collect();
    [
        NoiseLaw::uniform(vocab).unwrap(),
        NoiseLaw::unigram(&counts, 1.0).unwrap(),
        NoiseLaw::absorbing(vocab, 1).unwrap(),
    ]
}

fn enumerated(vocab: usize, len: usize, log_probability: impl Fn(&[u32]) -> f64) -> EnumeratedTable {
    let states = vocab.pow(len as u32);
    let shape = EnumeratedTable::new(vocab, len, vec![1.0; states]).unwrap();
    let weights = (0..states).map(|state| log_probability(&shape.sequence(state)).exp()).collect();
    EnumeratedTable::new(vocab, len, weights).unwrap()
}

#[test]
fn guidance_takes_the_passes_of_both_and_none_of_what_it_does_not_ask() {
    let schedule = schedule(3, NoiseLaw::uniform(2).unwrap(), 1e-3);
    let mixture = mixture(2);
    let own = || mixture.conditional(&schedule).unwrap();
    let passes = |weight| Guided::new(own(), own(), weight).unwrap().passes();
    assert_eq!((own().passes(), passes(0.0), passes(1.5), passes(-1.0)), (1, 1, 2, 2));
    let twice = Guided::new(Guided::new(own(), own(), 1.0).unwrap(), own(), 2.0).unwrap();
    let seen: &dyn SiteConditional = &twice;
    assert_eq!((&seen).passes(), 3);
}

#[test]
fn the_mixture_equals_enumeration() {
    let mut compared = 0;
    for (vocab, len) in [(3usize, 4usize), (2, 6), (5, 2)] {
        let mixture = mixture(vocab);
        let table = enumerated(vocab, len, |tokens| mixture.log_probability(tokens));
        for law in laws(vocab) {
            let schedule = schedule(len, law, 1e-3);
            let (exact, found) = (table.conditional(&schedule).unwrap(), mixture.conditional(&schedule).unwrap());
            let sites: Vec<Site> = (0..len).rev().collect();
            for (t, state) in (0..schedule.horizon()).flat_map(|t| (0..table.states()).map(move |state| (t, state))) {
                let tokens = table.sequence(state);
                let mask: Vec<bool> = (0..len).map(|site| (state + t) >> site & 3 == 3).collect();
                for mask in [None, Some(&mask[..])] {
                    let rows = TokenRows::new(&tokens, len).with_clamped(mask);
                    let mut a = vec![0.0; len * vocab];
                    let mut b = a.clone();
                    exact.conditionals(rows, t, &sites, &mut a).unwrap();
                    found.conditionals(rows, t, &sites, &mut b).unwrap();
                    assert!(a.iter().zip(&b).all(|(a, b)| (a - b).abs() < 1e-12), "{a:?} {b:?}");
                    compared += 1;
                }
            }
        }
    }
    assert!(compared > 5000, "{compared}");
}

/// A class that cannot produce the context drops out; if none can, that is an error.
#[test]
fn impossible_classes_drop_out() {
    let alternating = MarkovSource::new(vec![0.5, 0.5], vec![0., 1., 1., 0.]).unwrap();
    let constant = MarkovSource::new(vec![0.5, 0.5], vec![1., 0., 0., 1.]).unwrap();
    let mixture = MarkovMixture::new(vec![0.4, 0.6], vec![alternating, constant]).unwrap();
    let schedule = schedule(4, NoiseLaw::uniform(2).unwrap(), 1e-3);
    let conditional = mixture.conditional(&schedule).unwrap();
    let rates = |tokens: &[u32]| {
        let mut out = [0.0; 2];
        conditional.conditionals(TokenRows::new(tokens, 4), 0, &[3], &mut out).map(|()| out)
    };
    assert_eq!(rates(&[0, 1, 0, 0]).unwrap(), [0.0, 1.0]);
    assert_eq!(rates(&[0, 0, 0, 1]).unwrap(), [1.0, 0.0]);
    assert!(matches!(rates(&[0, 0, 1, 1]), Err(ChainError::Impossible { .. })));
    assert!(mixture.class_conditional(&schedule, 2).is_err());
}

#[test]
fn guidance_equals_its_formula() {
    let (vocab, len) = (3, 3);
    let mixture = mixture(vocab);
    let class = enumerated(vocab, len, |tokens| mixture.classes()[1].log_probability(tokens));
    let all = enumerated(vocab, len, |tokens| mixture.log_probability(tokens));
    for law in laws(vocab) {
        let schedule = schedule(len, law, 1e-3);
        let (conditional, unconditional) = (class.conditional(&schedule).unwrap(), all.conditional(&schedule).unwrap());
        for (t, weight) in (0..schedule.horizon()).flat_map(|t| [0.0, 0.7, 3.0, -0.4].map(|w| (t, w))) {
            let guided = Guided::new(&conditional, &unconditional, weight).unwrap();
            let (class_law, all_law) = (class.law_at(&schedule, t), all.law_at(&schedule, t));
            for site in 0..len {
                let (r_class, r_all) = (class.conditionals(&class_law, site), all.conditionals(&all_law, site));
                for state in 0..class.states() {
                    let tokens = class.sequence(state);
                    let mut found = vec![0.0; vocab];
                    guided.conditionals(TokenRows::new(&tokens, len), t, &[site], &mut found).unwrap();
                    let row = state * vocab..(state + 1) * vocab;
                    let (c, u) = (&r_class[row.clone()], &r_all[row]);
                    let ratio = |(c, u): (&f64, &f64)| if *c > 0.0 { c * (c / u).powf(weight) } else { 0.0 };
                    let expected: Vec<f64> = c.iter().zip(u).map(ratio).collect();
                    let sum: f64 = expected.iter().sum();
                    assert!(found.iter().zip(&expected).all(|(f, e)| (f - e / sum).abs() < 1e-12));
                }
            }
        }
    }
}

#[test]
fn a_weight_of_zero_is_the_conditional_bit_for_bit() {
    let mixture = mixture(5);
    let schedule = schedule(8, NoiseLaw::uniform(5).unwrap(), 1e-3);
    let class = mixture.class_conditional(&schedule, 2).unwrap();
    let guided = Guided::new(class, mixture.conditional(&schedule).unwrap(), 0.0).unwrap();
    let sampler = ReverseSampler::new(&schedule, HeatBath::default());
    let (mut a, mut b) = (sampler.start(20, 1), sampler.start(20, 1));
    sampler.sample(&class, &mut a).unwrap();
    sampler.sample(&guided, &mut b).unwrap();
    assert_eq!(a, b);
}

#[test]
fn rows_at_steps_of_their_own_equal_rows_alone() {
    let mixture = mixture(5);
    let schedule = schedule(6, NoiseLaw::uniform(5).unwrap(), 1e-3);
    let class = mixture.class_conditional(&schedule, 0).unwrap();
    let guided = Guided::new(class, mixture.conditional(&schedule).unwrap(), 1.5).unwrap();
    let chains = ReverseSampler::new(&schedule, HeatBath::default()).start(4, 1);
    let rows = TokenRows::from(chains.tokens());
    let (steps, each): ([Step; 4], [Site; 4]) = ([0, 7, 3, 17], [2, 5, 0, 2]);
    let mut all = vec![0.0; 4 * 6 * 5];
    guided.log_conditionals_at(rows, &steps, RowSites::All, &mut all).unwrap();
    let mut some = vec![0.0; 4 * 5];
    guided.log_conditionals_at(rows, &steps, RowSites::Each(&each), &mut some).unwrap();
    for row in 0..4 {
        let mut alone = vec![0.0; 5];
        let row_alone = rows.slice(row..row + 1);
        guided.log_conditionals(row_alone, steps[row], &[each[row]], &mut alone).unwrap();
        assert_eq!(alone, some[row * 5..][..5]);
        assert_eq!(alone, all[(row * 6 + each[row]) * 5..][..5]);
    }
}

/// Level 1e-3 for the class's own statistics at weight 0; guidance then makes the class clearer, by far more than the errors.
#[test]
fn guidance_makes_the_class_clearer() {
    let (len, class) = (12, 1);
    // Classes so alike that a sequence leaves doubt about its own.
    let classes = (0..3).map(|seed| MarkovSource::random(6, seed, 0.4).unwrap()).collect();
    let mixture = MarkovMixture::new(vec![0.5, 0.2, 0.3], classes).unwrap();
    let schedule = schedule(len, NoiseLaw::uniform(6).unwrap(), 1e-6);
    let sampler = ReverseSampler::new(&schedule, HeatBath::default());
    let sample = |weight| {
        let conditional = mixture.class_conditional(&schedule, class).unwrap();
        let guided = Guided::new(conditional, mixture.conditional(&schedule).unwrap(), weight).unwrap();
        let mut chains = sampler.start(2000, 5);
        sampler.sample_parallel(&guided, &mut chains).unwrap();
        let rows = chains.tokens().iter();
        let own: Vec<f64> = rows.clone().map(|row| mixture.classes()[class].log_probability(row)).collect();
        let posterior: Vec<f64> = rows.map(|row| mixture.class_posterior(row)[class]).collect();
        (Estimate::independent(&own), Estimate::independent(&posterior))
    };
    let (own, plain) = sample(0.0);
    assert!(normal_p(own.deviation_from(-mixture.classes()[class].entropy(len))) > 1e-3);
    let (_, guided) = sample(1.0);
    let error = plain.standard_error.hypot(guided.standard_error);
    assert!(plain.mean < 0.9, "{plain:?} leaves no doubt");
    assert!(guided.mean - plain.mean > 6.0 * error, "{plain:?} {guided:?}");
}

/// Uniform over the tokens whose bit is set.
#[derive(Clone, Copy)]
struct Allowed(u32, usize);

impl SiteConditional for Allowed {
    fn vocab(&self) -> usize {
        3
    }

    fn len(&self) -> usize {
        self.1
    }

    fn log_conditionals(&self, _: TokenRows<'_>, _: Step, _: &[Site], out: &mut [f64]) -> Result<(), ChainError> {
        for row in out.chunks_exact_mut(3) {
            for (a, log) in row.iter_mut().enumerate() {
                let count = f64::from(self.0.count_ones());
                *log = if self.0 >> a & 1 == 1 { -count.ln() } else { f64::NEG_INFINITY };
            }
        }
        Ok(())
    }
}

#[test]
fn impossible_tokens_stay_impossible() {
    let rates = |conditional, unconditional, weight| {
        let guided = Guided::new(Allowed(conditional, 2), Allowed(unconditional, 2), weight).unwrap();
        let mut out = [0.0; 3];
        guided.conditionals(TokenRows::new(&[0, 0], 2), 4, &[1], &mut out).map(|()| out)
    };
    assert_eq!(rates(0b011, 0b111, 2.0).unwrap(), [0.5, 0.5, 0.0]);
    assert_eq!(rates(0b011, 0b011, 2.0).unwrap(), [0.5, 0.5, 0.0]);
    assert_eq!(rates(0b011, 0b101, -0.5).unwrap(), [1.0, 0.0, 0.0]);
    let error = rates(0b011, 0b101, 2.0).unwrap_err();
    assert!(matches!(error, ChainError::NoMass { row: 0, site: 1, step: 4, mass: f64::INFINITY }), "{error}");
    assert!(rates(0b001, 0b110, -0.5).is_err());

    for weight in [-1.5, f64::NAN, f64::INFINITY] {
        assert!(Guided::new(Allowed(1, 2), Allowed(1, 2), weight).is_err());
    }
    assert!(Guided::new(Allowed(1, 2), Allowed(1, 3), 1.0).is_err());
}
