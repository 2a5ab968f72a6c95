//! Steps that touch all sites at once, by every kernel: exact laws on the table of `docs/math.md`, §7, against figures computed
//! independently of this code.

use glauber_chain::oracles::EnumeratedTable;
use glauber_chain::{
    AfterStep, Blend, DrawControls, Flow, HeatBath, Lazy, LikelihoodBound, MaximalCoupling, Plan, PlannedSampler,
    Refusal, Remask, Remasking, Result, ReverseKernel, ReverseSampler, RowSites, Sampler, SiteConditional, TokenRows,
    Touch, level_term,
};
use glauber_schedule::{NoiseLaw, Schedule, SignalShape, SiteOrder};
use glauber_tokens::{Site, Step, Token};

const DATA: usize = 3;
const LEN: usize = 4;
const MASK: Token = 3;
const PASSES: [usize; 5] = [4, 8, 16, 32, 64];

/// `π(x) ∝ exp Σ_{i<j} sin(1 + i + 2j + 3 x_i + 5 x_j)`, and no mask.
pub fn table(vocab: usize) -> EnumeratedTable {
    let any = EnumeratedTable::new(vocab, LEN, vec![1.0; vocab.pow(LEN as u32)]).unwrap();
    let weight = |state: usize| {
        let x: Vec<f64> = any.sequence(state).into_iter().map(f64::from).collect();
        let pair = |i: usize, j: usize| (1.0 + i as f64 + 2.0 * j as f64 + 3.0 * x[i] + 5.0 * x[j]).sin();
        let energy: f64 = (0..LEN).flat_map(|i| (i + 1..LEN).map(move |j| (i, j))).map(|(i, j)| pair(i, j)).sum();
        if x.contains(&f64::from(MASK)) { 0.0 } else { energy.exp() }
    };
    EnumeratedTable::new(vocab, LEN, (0..any.states()).map(weight).collect()).unwrap()
}

fn uniform() -> NoiseLaw {
    NoiseLaw::uniform(DATA).unwrap()
}

fn absorbing() -> NoiseLaw {
    NoiseLaw::absorbing(DATA + 1, MASK).unwrap()
}

/// `passes` steps of all sites, levels `1 − k/K`.
fn schedule(law: &NoiseLaw, passes: usize) -> Schedule {
    let order = SiteOrder::strided(LEN, LEN, passes).unwrap();
    Schedule::new(SignalShape::Linear, order, law.clone(), 1e-9, false).unwrap()
}

/// The total variation between π and the law of `passes` steps of all sites from noise.
fn distance(law: &NoiseLaw, kernel: &dyn ReverseKernel, passes: usize) -> f64 {
    let schedule = schedule(law, passes);
    let exact = table(law.vocab()).conditional(&schedule).unwrap();
    distance_down(&schedule, &AfterStep::new(exact, &schedule), kernel)
}

/// The same of the steps of a schedule, by the sum over all paths.
pub fn distance_down(schedule: &Schedule, conditional: &dyn SiteConditional, kernel: &dyn ReverseKernel) -> f64 {
    let (law, table) = (schedule.law(), table(schedule.law().vocab()));
    let (states, vocab) = (table.states(), table.vocab());
    let sequences: Vec<Vec<Token>> = (0..states).map(|state| table.sequence(state)).collect();
    let noise = |x: &Vec<Token>| x.iter().map(|&token| law.probability(token)).product::<f64>();
    let mut now: Vec<f64> = sequences.iter().map(noise).collect();
    for step in (0..schedule.horizon()).rev() {
        let (sites, mut before) = (schedule.sites(step), vec![0.0; states]);
        for (x, mass) in sequences.iter().zip(&now).filter(|(_, mass)| **mass > 0.0) {
            let mut laws = vec![0.0; sites.len() * vocab];
            conditional.log_conditionals(TokenRows::new(x, LEN), step, sites, &mut laws).unwrap();
            for (&site, law) in sites.iter().zip(laws.chunks_exact_mut(vocab)) {
                kernel.log_probabilities(&Touch::new(schedule, step, site, x[site]), law).unwrap();
            }
            let stays = |y: &[Token]| (0..LEN).all(|site| sites.contains(&site) || x[site] == y[site]);
            for (y, before) in sequences.iter().zip(&mut before).filter(|(y, _)| stays(y)) {
                let logs = sites.iter().zip(laws.chunks_exact(vocab)).map(|(&site, law)| law[y[site] as usize]);
                *before += mass * logs.sum::<f64>().exp();
            }
        }
        now = before;
    }
    now.iter().zip(table.probabilities()).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0
}

/// What a network that is shown the site and trained to say the clean token gives when it is taken for `μ`.
#[derive(Debug)]
struct Plugged;

impl ReverseKernel for Plugged {
    fn log_probabilities(&self, touch: &Touch<'_>, rates: &mut [f64]) -> Result<(), Refusal> {
        let (level, noise) = (touch.signal_level(), 1.0 / rates.len() as f64);
        let after = touch.keep * level;
        for (b, rate) in rates.iter_mut().enumerate() {
            let shown = if b == touch.shown as usize { after } else { 0.0 };
            *rate = (rate.exp() - (1.0 - level) * noise).max(0.0) * (shown + (1.0 - after) * noise);
        }
        let mass: f64 = rates.iter().sum();
        rates.iter_mut().for_each(|rate| *rate = (level * *rate / mass + (1.0 - level) * noise).ln());
        Lazy::default().log_probabilities(touch, rates)
    }
}

/// What a kernel comes to under a noise law after each number of passes, and the rounding of the figures.
type Line<'a> = (&'a str, NoiseLaw, &'a dyn ReverseKernel, [f64; 5], f64);

/// `docs/math.md`, §7, has the table.
#[test]
fn passes_of_all_sites_come_as_near_to_the_data_as_was_computed_elsewhere() {
    let half = NoiseLaw::mixture(&[(0.5, absorbing()), (0.5, NoiseLaw::unigram(&[1, 1, 1, 0], 0.0).unwrap())]).unwrap();
    let controls = DrawControls::default();
    let remask = |remasking| Remask::new(&absorbing(), remasking, controls).unwrap();
    let psi = Blend::new(0.5, HeatBath::default(), Lazy::default()).unwrap();
    let lazy = Lazy::default();
    let coarse = 6e-4; // figures of three decimals
    let rows: [Line<'_>; 10] = [
        ("absorbing, ancestral", absorbing(), &lazy, [0.1126, 0.0576, 0.0291, 0.0146, 0.0073], 1e-4),
        ("uniform, ancestral", uniform(), &lazy, [0.1373, 0.0661, 0.0316, 0.0153, 0.0075], 1e-4),
        ("uniform, F for μ", uniform(), &Plugged, [0.305, 0.308, 0.311, 0.313, 0.314], coarse),
        ("half masks, ancestral", half, &lazy, [0.1158, 0.0552, 0.0266, 0.0130, 0.0064], 1e-4),
        ("uniform, flow", uniform(), &Flow::default(), [0.1316, 0.0622, 0.0295, 0.0143, 0.0070], 1e-4),
        ("uniform, coupling", uniform(), &MaximalCoupling::default(), [0.0978, 0.0468, 0.0228, 0.0112, 0.0056], 1e-4),
        ("uniform, heat bath", uniform(), &HeatBath::default(), [0.358, 0.348, 0.347, 0.353, 0.364], coarse),
        ("uniform, Ψ at 1/2", uniform(), &psi, [0.227, 0.170, 0.136, 0.118, 0.107], coarse),
        ("remasking, cap", absorbing(), &remask(Remasking::Cap(0.05)), [0.112, 0.058, 0.031, 0.018, 0.013], coarse),
        (
            "remasking, rescaled",
            absorbing(),
            &remask(Remasking::Rescale(0.5)),
            [0.124, 0.078, 0.049, 0.032, 0.021],
            coarse,
        ),
    ];
    let mut wrong = Vec::new();
    for (name, law, kernel, figures, tolerance) in rows {
        let found = PASSES.map(|passes| distance(&law, kernel, passes));
        if found.iter().zip(figures).any(|(found, figure)| (found - figure).abs() > tolerance) {
            wrong.push(format!("{name}: {found:.4?}, expected {figures:?}"));
        }
        // Those that converge halve their distance with the step; those that do not stay away.
        let converges = figures[4] < 0.0076;
        assert_eq!(converges, (found[4] / found[3] - 0.5).abs() < 0.025, "{name}: {found:?}");
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Arriola et al. 2025: blocks of one site are autoregression, exact in a pass each; larger blocks halve their distance with the step.
#[test]
fn blocks_one_after_the_other_lie_between_autoregression_and_all_sites() {
    let of = |block: usize, passes: usize| {
        let order = SiteOrder::block_by_block(LEN, block, passes).unwrap();
        let schedule = Schedule::new(SignalShape::Linear, order, absorbing(), 1e-9, false).unwrap();
        let exact = table(DATA + 1).conditional(&schedule).unwrap();
        distance_down(&schedule, &AfterStep::where_several(exact, &schedule), &Lazy::default())
    };
    assert!(of(1, 1) < 1e-7, "{}", of(1, 1));
    let (two, all) = ([4, 8, 16].map(|passes| of(2, passes)), [4, 8, 16].map(|passes| of(LEN, passes)));
    assert!(
        all.iter()
            .zip(PASSES)
            .all(|(all, passes)| (all - distance(&absorbing(), &Lazy::default(), passes)).abs() < 1e-6)
    );
    for at in 0..3 {
        assert!(two[at] < 0.7 * all[at] && two[at] > 1e-3, "{two:?}, {all:?}");
    }
    assert!((two[1] / two[0] - 0.5).abs() < 0.03 && (two[2] / two[1] - 0.5).abs() < 0.03, "{two:?}");
}

/// The bound of D3PM (Austin et al. 2021): what `K` passes of all sites cost above the entropy falls as `1/K`.
#[test]
fn the_bound_of_all_sites_exceeds_the_entropy_by_what_was_computed_elsewhere() {
    const ENTROPY: f64 = 3.546_810_171_772;
    for (law, figures) in
        [(absorbing(), [0.13138, 0.03231, 0.00804, 0.00201]), (uniform(), [0.17892, 0.04523, 0.01129, 0.00282])]
    {
        let table = table(law.vocab());
        let terms = table.probabilities().iter().filter(|p| **p > 0.0).map(|p| -p * p.ln());
        assert!((terms.sum::<f64>() - ENTROPY).abs() < 1e-10);
        for (passes, figure) in [4, 16, 64, 256].into_iter().zip(figures) {
            let schedule = schedule(&law, passes);
            let conditional = AfterStep::new(table.conditional(&schedule).unwrap(), &schedule);
            // Nothing of the data is left at the start.
            let data = vec![1.0 / law.vocab() as f64; law.vocab()];
            let bound = LikelihoodBound::new(&schedule, Lazy::default()).with_signal_law(&data).unwrap();
            let excess = bound.exact_mean(&table, &conditional).unwrap().total() - ENTROPY;
            assert!((excess - figure).abs() < 1e-5, "{passes} passes: {excess}");
        }
    }
}

/// The bound in continuous time, by a sum over many levels, has the entropy for its mean, whatever the noise.
#[test]
fn the_bound_over_all_levels_is_the_entropy() {
    const ENTROPY: f64 = 3.546_810_171_772;
    const STEPS: usize = 400;
    let skewed = NoiseLaw::unigram(&[1, 2, 3], 0.0).unwrap();
    let half = NoiseLaw::mixture(&[(0.5, absorbing()), (0.5, NoiseLaw::unigram(&[1, 1, 1, 0], 0.0).unwrap())]).unwrap();
    for law in [uniform(), skewed, absorbing(), half] {
        let (table, schedule) = (table(law.vocab()), schedule(&law, STEPS));
        let exact = table.conditional(&schedule).unwrap();
        let mut total = 0.0;
        // Midpoints: levels of odd steps.
        for step in (1..STEPS).step_by(2) {
            let level = schedule.signal_level(0, step);
            total += mean_term(&table, &schedule, &exact, step) / level * 2.0 / STEPS as f64;
        }
        assert!((total - ENTROPY).abs() < 5e-3, "{law:?}: {total}");
    }
}

/// `E Σ_i` of the term of a level, over clean and noisy sequences.
pub fn mean_term(table: &EnumeratedTable, schedule: &Schedule, exact: &dyn SiteConditional, step: usize) -> f64 {
    let (law, level, vocab) = (schedule.law_of_levels(), schedule.signal_level(0, step), table.vocab());
    let shows = |x: Token, y: Token| (1.0 - level) * law.probability_at(level, x) + if x == y { level } else { 0.0 };
    let sequences: Vec<Vec<Token>> = (0..table.states()).map(|state| table.sequence(state)).collect();
    let clean: Vec<(&Vec<Token>, f64)> =
        sequences.iter().zip(table.probabilities().iter().copied()).filter(|(_, p)| *p > 0.0).collect();
    let mut sum = 0.0;
    for x in &sequences {
        let mut laws = vec![0.0; LEN * vocab];
        if exact.log_conditionals(TokenRows::new(x, LEN), step, &[0, 1, 2, 3], &mut laws).is_err() {
            continue; // a context that cannot be
        }
        // From `r` to `ln μ`.
        for row in laws.chunks_exact_mut(vocab) {
            for (b, value) in row.iter_mut().enumerate() {
                *value = ((value.exp() - (1.0 - level) * law.probability_at(level, b as Token)).max(0.0) / level).ln();
            }
        }
        for (clean, mass) in &clean {
            let likelihood: f64 = x.iter().zip(clean.iter()).map(|(&x, &clean)| shows(x, clean)).product();
            if likelihood > 0.0 {
                let terms = (0..LEN).map(|i| level_term(law, level, x[i], clean[i], &laws[i * vocab..][..vocab]));
                sum += mass * likelihood * terms.sum::<f64>();
            }
        }
    }
    sum
}

/// Site by site masks may come back as often as they like: the law is that of the data.
#[test]
fn remasking_is_exact_site_by_site() {
    let order = SiteOrder::permutation(LEN, 5, 2).unwrap();
    let schedule = Schedule::new(SignalShape::Cosine, order, absorbing(), 1e-9, false).unwrap();
    let exact = table(DATA + 1).conditional(&schedule).unwrap();
    for remasking in [Remasking::Cap(0.1), Remasking::Rescale(0.7), Remasking::Rescale(1.0)] {
        let kernel = Remask::new(&absorbing(), remasking, DrawControls::default()).unwrap();
        assert!(distance_down(&schedule, &exact, &kernel) < 1e-7, "{remasking:?}");
    }
    let cold = HeatBath::new(DrawControls { temperature: 0.9, ..Default::default() }).unwrap();
    assert!(distance_down(&schedule, &exact, &cold) > 0.01, "another law shows");
}

/// Chains of a sampler, how far their law is from π, and its entropy in nats. Of so many draws of 81 states the sampling error is 0.015.
fn sampled(sampler: &dyn Sampler, conditional: &(dyn SiteConditional + Sync)) -> (f64, f64) {
    let (found, evaluations) = drawn(sampler, conditional);
    assert_eq!(evaluations, sampler.schedule().horizon() as f64);
    found
}

/// The same, of any number of evaluations, and that of a chain.
pub fn drawn(sampler: &dyn Sampler, conditional: &(dyn SiteConditional + Sync)) -> ((f64, f64), f64) {
    let (rows, table) = (40_000, table(conditional.vocab()));
    let mut counts = vec![0.0; table.states()];
    let mut chains = sampler.start(rows, 9);
    let done = sampler.sample_parallel(conditional, &mut chains).unwrap();
    chains.tokens().iter().for_each(|row| counts[table.state(row)] += 1.0 / rows as f64);
    let distance = counts.iter().zip(table.probabilities()).map(|(a, b)| (a - b).abs()).sum::<f64>() / 2.0;
    let entropy = counts.iter().filter(|p| **p > 0.0).map(|p| -p * p.ln()).sum();
    ((distance, entropy), done.evaluations as f64 / rows as f64)
}

/// The sampler draws what the laws say.
#[test]
fn the_sampler_of_all_sites_draws_the_law_of_its_kernel() {
    let schedule = schedule(&uniform(), 4);
    let conditional = AfterStep::new(table(DATA).conditional(&schedule).unwrap(), &schedule);
    let (found, _) = sampled(&ReverseSampler::new(&schedule, Flow::default()), &conditional);
    assert!((found - 0.1316).abs() < 0.02, "{found}");
}

/// Conditionals that are to be asked for masks alone, and for all of them where a step touches every site.
struct Masked<C>(C, bool);

impl<C: SiteConditional> SiteConditional for Masked<C> {
    fn vocab(&self) -> usize {
        self.0.vocab()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn log_conditionals(&self, tokens: TokenRows<'_>, step: Step, sites: &[Site], out: &mut [f64]) -> Result<()> {
        let masked = |row: &[Token]| sites.iter().all(|&site| row[site] == MASK);
        assert!(tokens.iter().all(masked), "tokens that stay are asked for");
        self.0.log_conditionals(tokens, step, sites, out)
    }

    fn log_conditionals_at(
        &self,
        tokens: TokenRows<'_>,
        steps: &[Step],
        sites: RowSites<'_>,
        out: &mut [f64],
    ) -> Result<()> {
        let RowSites::Marked(marked) = sites else { panic!("all sites are asked for") };
        let masks: Vec<bool> = tokens.as_slice().iter().map(|&token| token == MASK).collect();
        assert!(marked.iter().zip(&masks).all(|(marked, mask)| mask | !marked), "tokens that stay are asked for");
        assert!(!self.1 || marked == masks);
        self.0.log_conditionals_at(tokens, steps, RowSites::All, out)?;
        // What is not asked for may be anything.
        let unasked = out.chunks_exact_mut(self.0.vocab()).zip(masks).filter(|(_, mask)| !mask);
        unasked.for_each(|(law, _)| law.fill(f64::NEG_INFINITY));
        Ok(())
    }
}

#[test]
fn tokens_that_stay_whatever_the_conditional_says_are_not_asked_for() {
    let schedule = schedule(&absorbing(), 4);
    let conditional = Masked(AfterStep::new(table(DATA + 1).conditional(&schedule).unwrap(), &schedule), true);
    let remask = Remask::new(&absorbing(), Remasking::Cap(0.05), DrawControls::default()).unwrap();
    for (kernel, figure) in [(&Lazy::default() as &dyn ReverseKernel, 0.1126), (&remask, 0.112)] {
        let (found, _) = sampled(&ReverseSampler::new(&schedule, kernel), &conditional);
        assert!((found - figure).abs() < 0.02, "{kernel:?}: {found}");
    }
    let order = SiteOrder::block_by_block(LEN, 2, 4).unwrap();
    let blocks = Schedule::new(SignalShape::Linear, order, absorbing(), 1e-9, false).unwrap();
    let of_blocks = Masked(AfterStep::new(table(DATA + 1).conditional(&blocks).unwrap(), &blocks), false);
    let (found, _) = sampled(&ReverseSampler::new(&blocks, Lazy::default()), &of_blocks);
    let figure = distance_down(&blocks, &of_blocks.0, &Lazy::default());
    assert!((found - figure).abs() < 0.02, "{found}, {figure}");
    let clean = glauber_tokens::TokenBatch::from_rows([[0, 1, 2, 0], [1, 1, 1, 1]]).unwrap();
    let signal = [0.25, 0.25, 0.25, 0.25];
    let bound = LikelihoodBound::new(&schedule, Lazy::default()).with_signal_law(&signal).unwrap();
    let bound_of = |conditional: &dyn SiteConditional| {
        let mut rngs = glauber_chain::ChainRng::streams(3, 2);
        bound.estimate(conditional, &clean, &mut rngs, glauber_chain::BoundSampling::default()).unwrap().totals()
    };
    assert_eq!(bound_of(&conditional), bound_of(&conditional.0));
}

/// Zheng et al. 2024: one mask a pass is exact whichever is written, unless what was drawn decides.
#[test]
fn plans_that_do_not_look_at_what_was_drawn_are_exact() {
    let schedule = schedule(&absorbing(), LEN);
    let conditional = Masked(AfterStep::new(table(DATA + 1).conditional(&schedule).unwrap(), &schedule), true);
    let of = |plan| sampled(&PlannedSampler::new(&schedule, plan, DrawControls::default()).unwrap(), &conditional);
    for plan in [Plan::Random, Plan::InOrder, Plan::Entropy] {
        let (distance, entropy) = of(plan);
        assert!(distance < 0.025 && (entropy - 3.547).abs() < 0.02, "{plan:?}: {distance} {entropy}");
    }
    // Figures computed independently of this code.
    let (distance, entropy) = of(Plan::Confidence);
    assert!((distance - 0.52).abs() < 0.02 && (entropy - 1.96).abs() < 0.03, "{distance} {entropy}");
}

/// Ben-Hamu et al. 2025: without a bound one site a pass, and exact; with a high one all in one pass, as if they were independent.
#[test]
fn an_entropy_bound_trades_passes_for_the_law() {
    let schedule = schedule(&absorbing(), LEN);
    let conditional = AfterStep::new(table(DATA + 1).conditional(&schedule).unwrap(), &schedule);
    let of = |bound| PlannedSampler::new(&schedule, Plan::EntropyBound(bound), DrawControls::default()).unwrap();
    let (exact, _) = sampled(&of(0.0), &conditional);
    assert!(exact < 0.025, "{exact}");
    let once = self::schedule(&absorbing(), 1);
    let one_pass = AfterStep::new(table(DATA + 1).conditional(&once).unwrap(), &once);
    let random = PlannedSampler::new(&once, Plan::Random, DrawControls::default()).unwrap();
    let ((independent, _), ((all, _), passes)) = (sampled(&random, &one_pass), drawn(&of(1e3), &conditional));
    assert_eq!(passes, 1.0);
    assert!(all > 0.1 && (all - independent).abs() < 0.02, "{all}, {independent}");
    let passes = |bound| of(bound).sample(&conditional, &mut of(bound).start(100, 3)).unwrap().evaluations;
    assert_eq!((passes(0.0), passes(1e3)), (400, 100));
    assert!((101..400).contains(&passes(1.0)), "{}", passes(1.0));
}

/// Peng et al. 2025: a planner that never masks again keeps the most confident draws.
#[test]
fn a_path_that_is_never_taken_back_is_confidence() {
    let schedule = schedule(&absorbing(), LEN);
    let conditional = AfterStep::new(table(DATA + 1).conditional(&schedule).unwrap(), &schedule);
    let of = |times| PlannedSampler::new(&schedule, Plan::Path(times), DrawControls::default()).unwrap();
    let (distance, entropy) = sampled(&of(0.0), &conditional);
    assert!((distance - 0.52).abs() < 0.02 && (entropy - 1.96).abs() < 0.03, "{distance} {entropy}");
    // The readier it masks again, the nearer it comes.
    let (revised, higher) = sampled(&of(4.0), &conditional);
    assert!(revised < distance - 0.1 && higher > entropy + 0.5, "{revised} {higher}");
    // Half of the passes leave half of the masks.
    let mut chains = of(2.0).start(10, 3);
    of(2.0).run(&conditional, &mut chains, 4, 2, &mut |_| std::ops::ControlFlow::Continue(())).unwrap();
    assert!(chains.tokens().iter().all(|row| row.iter().filter(|&&token| token == MASK).count() == 2));
}

#[test]
fn kernels_refuse_what_makes_no_sense() {
    assert!(Blend::new(1.5, HeatBath::default(), Lazy::default()).is_err());
    assert!(Remask::new(&uniform(), Remasking::Cap(0.1), DrawControls::default()).is_err());
    assert!(Remask::new(&absorbing(), Remasking::Rescale(-0.1), DrawControls::default()).is_err());
    let hot = DrawControls { temperature: -1.0, ..Default::default() };
    let schedule = schedule(&uniform(), 4);
    assert!(PlannedSampler::new(&schedule, Plan::Random, DrawControls::default()).is_err());
    let masks = self::schedule(&absorbing(), 4);
    for plan in [Plan::EntropyBound(-0.1), Plan::Path(f64::NAN)] {
        assert!(PlannedSampler::new(&masks, plan, DrawControls::default()).is_err());
    }
    assert!(Flow::new(hot).is_err() && MaximalCoupling::new(hot).is_err());
}
