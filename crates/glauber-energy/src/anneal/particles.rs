//! Annealed chains of any target, one particle at a time.

use glauber_chain::ChainRng;
use glauber_tokens::{Site, Token, TokenBatch};
use rayon::prelude::*;

use super::{Increment, LevelStep, Population};
use crate::target::{Base, Target, draw, joint_blocks, log_sum_exp, mix};
use crate::{EnergyError, PathWeight, Result};

/// Site updates below which waking another thread costs more than it saves.
const UPDATES_WORTH_A_THREAD: usize = 1 << 12;

/// Particles between a base law `p_0` and a target `γ`, on the geometric path
/// `log γ_b = b log γ + (1 − b) log p_0` (E3).
pub struct Particles<'a, T: ?Sized, B: ?Sized> {
    path: Path<'a, T, B>,
    particles: Vec<Particle>,
}

/// The geometric path.
struct Path<'a, T: ?Sized, B: ?Sized> {
    target: &'a T,
    base: &'a B,
    blocks: Vec<Vec<Site>>,
}

struct Particle {
    row: usize,
    tokens: Vec<Token>,
    /// `log γ` and `log p_0` of the tokens, kept up with every change.
    target: f64,
    base: f64,
    weight: PathWeight,
    rng: ChainRng,
    scratch: Scratch,
}

/// Buffers of shape `[token]`.
#[derive(Clone)]
struct Scratch {
    target: Vec<f64>,
    base: Vec<f64>,
    mixed: Vec<f64>,
}

impl Particle {
    fn ratios<T: Target + ?Sized, B: Base + ?Sized>(&mut self, path: &Path<'_, T, B>, site: Site) {
        path.target.log_ratios(&self.tokens, site, &mut self.scratch.target);
        path.base.log_ratios(&self.tokens, site, &mut self.scratch.base);
    }

    fn mix(&mut self, level: f64) {
        let Scratch { target, base, mixed } = &mut self.scratch;
        for ((out, &target), &base) in mixed.iter_mut().zip(&*target).zip(&*base) {
            *out = mix(level, target, base);
        }
    }

    /// Refuses a base that forbids a token which the target allows: no path would reach it, and `E w` would not be `Z`.
    fn check_base(&self, site: Site) -> Result<()> {
        let Scratch { target, base, .. } = &self.scratch;
        let missed = |token: usize| base[token] == f64::NEG_INFINITY && target[token].is_finite();
        match (0..base.len()).find(|&token| missed(token)) {
            Some(token) => Err(EnergyError::NotCovered { row: self.row, site, token: token as Token }),
            None => Ok(()),
        }
    }

    fn no_law(&self, site: Site, level: f64, mass: f64) -> EnergyError {
        EnergyError::NoLaw { row: self.row, site, level, mass }
    }

    /// Whether the path went through a state that the target forbids: its weight is 0 for good.
    fn is_dead(&self) -> bool {
        self.weight.log() == f64::NEG_INFINITY
    }

    /// `log γ_b(x)`.
    fn log_density(&self, level: f64) -> f64 {
        mix(level, self.target, self.base)
    }

    fn weigh<T: Target + ?Sized, B: Base + ?Sized>(
        &mut self,
        path: &Path<'_, T, B>,
        step: LevelStep,
        increment: Increment,
    ) -> Result<()> {
        if self.is_dead() {
            return Ok(());
        }
        let gain = match increment {
            Increment::Annealed => self.log_density(step.to) - self.log_density(step.from),
            Increment::RaoBlackwell => self.summed_gain(path, step)?,
        };
        if gain.is_nan() || gain == f64::INFINITY {
            return Err(EnergyError::NotANumber { what: "particle", at: self.row, found: self.target });
        }
        self.weight.gain(gain);
        Ok(())
    }

    /// `log Σ γ_k − log Σ γ_{k−1}` over the sites of the block (E25).
    fn summed_gain<T: Target + ?Sized, B: Base + ?Sized>(
        &mut self,
        path: &Path<'_, T, B>,
        step: LevelStep,
    ) -> Result<f64> {
        let block = &path.blocks[step.block];
        // The sums do not depend on the block's tokens: a state that the target forbids is read at the best of them.
        let shown = (self.target == f64::NEG_INFINITY).then(|| (self.tokens.clone(), self.target, self.base));
        if shown.is_some() {
            for &site in block {
                self.ratios(path, site);
                let Scratch { target, base, .. } = &self.scratch;
                let both = target.iter().zip(base).map(|(target, base)| target + base);
                let best = both.enumerate().max_by(|(_, a), (_, b)| a.total_cmp(b));
                self.tokens[site] = best.map_or(0, |(token, _)| token as Token);
            }
            self.refresh(path);
        }
        let mut gain = self.log_density(step.to) - self.log_density(step.from);
        if gain > f64::NEG_INFINITY {
            for &site in block {
                self.ratios(path, site);
                for (level, sign) in [(step.to, 1.0), (step.from, -1.0)] {
                    self.mix(level);
                    let sum = log_sum_exp(&self.scratch.mixed);
                    if sum.is_nan() || sum == f64::INFINITY {
                        return Err(self.no_law(site, level, sum.exp()));
                    }
                    gain += sign * sum;
                }
            }
        }
        if let Some((tokens, target, base)) = shown {
            (self.tokens, self.target, self.base) = (tokens, target, base);
        }
        Ok(gain)
    }

    fn redraw<T: Target + ?Sized, B: Base + ?Sized>(&mut self, path: &Path<'_, T, B>, step: LevelStep) -> Result<()> {
        // Sites of a block are independent given the rest: their ratios add up, and may be read after each other's redraw.
        for &site in &path.blocks[step.block] {
            self.ratios(path, site);
            self.check_base(site)?;
            self.mix(step.to);
            let uniform = self.rng.uniform();
            let token = match draw(&mut self.scratch.mixed, uniform) {
                Ok((token, _)) => token,
                Err(0.0) if self.is_dead() => continue,
                Err(mass) => return Err(self.no_law(site, step.to, mass)),
            };
            self.tokens[site] = token;
            self.target += self.scratch.target[token as usize];
            self.base += self.scratch.base[token as usize];
        }
        if self.target == f64::NEG_INFINITY || self.base == f64::NEG_INFINITY {
            // Ratios to a forbidden state are known up to a constant alone.
            self.refresh(path);
        }
        Ok(())
    }

    /// Takes rounding out of the running densities.
    fn refresh<T: Target + ?Sized, B: Base + ?Sized>(&mut self, path: &Path<'_, T, B>) {
        self.target = path.target.log_density(&self.tokens);
        self.base = path.base.log_density(&self.tokens);
    }
}

impl<'a, T: Target + ?Sized, B: Base + ?Sized> Particles<'a, T, B> {
    /// Particles drawn from the base, particle `i` with stream `i` of the seed. The base must allow every sequence that the
    /// target allows: else no path reaches it, and `E w` is less than `Z`. Where a redraw meets such a token, it fails.
    ///
    /// # Errors
    /// When base and target have other sizes, or the target is NaN or `+∞` at a start.
    pub fn new(target: &'a T, base: &'a B, count: usize, seed: u64) -> Result<Self> {
        let draw = |rng: &mut ChainRng, tokens: &mut [Token]| base.draw(rng, tokens);
        Self::starting(target, base, count, seed, draw)
    }

    /// Particles at given states, shape `[particle, site]`: the start of a reversed annealing.
    ///
    /// # Errors
    /// As [`new`](Self::new), and when a row has another number of sites.
    pub fn at(target: &'a T, base: &'a B, states: &TokenBatch, seed: u64) -> Result<Self> {
        EnergyError::unless_equal("sites of the states", states.len(), target.len())?;
        let mut rows = states.iter();
        let draw = |_: &mut ChainRng, tokens: &mut [Token]| tokens.copy_from_slice(rows.next().expect("a row"));
        Self::starting(target, base, states.rows(), seed, draw)
    }

    fn starting(
        target: &'a T,
        base: &'a B,
        count: usize,
        seed: u64,
        mut draw: impl FnMut(&mut ChainRng, &mut [Token]),
    ) -> Result<Self> {
        EnergyError::unless_in_range(count > 0, "particles", 0.0, "at least 1")?;
        EnergyError::unless_equal("tokens of the base", base.vocab(), target.vocab())?;
        EnergyError::unless_equal("sites of the base", base.len(), target.len())?;
        let law = vec![0.0; target.vocab()];
        let scratch = Scratch { target: law.clone(), base: law.clone(), mixed: law };
        let mut particles = Vec::with_capacity(count);
        for row in 0..count {
            let mut rng = ChainRng::new(seed, row as u64);
            let mut tokens = vec![0; target.len()];
            draw(&mut rng, &mut tokens);
            let (log_target, log_base) = (target.log_density(&tokens), base.log_density(&tokens));
            if log_target.is_nan() || log_target == f64::INFINITY {
                return Err(EnergyError::NotANumber { what: "particle", at: row, found: log_target });
            }
            let (weight, scratch) = (PathWeight::default(), scratch.clone());
            particles.push(Particle { row, tokens, target: log_target, base: log_base, weight, rng, scratch });
        }
        Ok(Self { path: Path { target, base, blocks: joint_blocks(target, base) }, particles })
    }

    /// Runs all particles. A call of few updates stays on this thread.
    fn each(
        &mut self,
        updates: usize,
        act: impl Fn(&Path<'a, T, B>, &mut Particle) -> Result<()> + Sync,
    ) -> Result<()> {
        let Self { path, particles } = self;
        // Without blocks, a site's ratios are likely to cost a look at the whole sequence.
        let sites_read = if path.blocks.len() == path.target.len() { path.target.len() } else { 1 };
        if updates * particles.len() * sites_read < UPDATES_WORTH_A_THREAD {
            return particles.iter_mut().try_for_each(|particle| act(path, particle));
        }
        // The first particle's error, whichever thread is faster.
        let failed = particles.par_iter_mut().filter_map(|particle| {
            let error = act(path, particle).err()?;
            Some((particle.row, error))
        });
        failed.min_by_key(|(row, _)| *row).map_or(Ok(()), |(_, error)| Err(error))
    }

    /// Redraws a block at a level, then adds what a step from `step.from` to `step.to` gains there with its sign turned:
    /// a step of the reversed chain.
    pub(super) fn back(&mut self, step: LevelStep, increment: Increment) -> Result<()> {
        // The backward kernel draws at the level whose conditional it is: γ_k for (E23), γ_{k−1} for (E25).
        let to = if increment == Increment::Annealed { step.to } else { step.from };
        self.each(self.path.blocks[step.block].len(), |path, particle| {
            particle.redraw(path, LevelStep { to, ..step })?;
            particle.weigh(path, step, increment)
        })
    }
}

impl<T: Target + ?Sized, B: Base + ?Sized> Population for Particles<'_, T, B> {
    fn particles(&self) -> usize {
        self.particles.len()
    }

    fn blocks(&self) -> usize {
        self.path.blocks.len()
    }

    fn weigh(&mut self, step: LevelStep, increment: Increment) -> Result<()> {
        self.each(self.path.blocks[step.block].len(), |path, particle| particle.weigh(path, step, increment))
    }

    fn redraw(&mut self, step: LevelStep) -> Result<()> {
        let last = step.block + 1 == self.path.blocks.len();
        self.each(self.path.blocks[step.block].len(), |path, particle| {
            particle.redraw(path, step)?;
            if last {
                particle.refresh(path);
            }
            Ok(())
        })
    }

    fn run(&mut self, steps: &[LevelStep], increment: Increment) -> Result<()> {
        let updates = steps.iter().map(|step| self.path.blocks[step.block].len()).sum();
        self.each(updates, |path, particle| {
            for &step in steps {
                particle.weigh(path, step, increment)?;
                particle.redraw(path, step)?;
                if step.block + 1 == path.blocks.len() {
                    particle.refresh(path);
                }
            }
            Ok(())
        })
    }

    fn slopes(&self) -> Vec<f64> {
        self.particles.iter().map(|particle| particle.target - particle.base).collect()
    }

    fn log_weights(&self) -> Vec<f64> {
        self.particles.iter().map(|particle| particle.weight.log()).collect()
    }

    fn resample(&mut self, ancestors: &[usize]) {
        let states: Vec<_> = self.particles.iter().map(|p| (p.tokens.clone(), p.target, p.base)).collect();
        for (particle, &ancestor) in self.particles.iter_mut().zip(ancestors) {
            particle.tokens.copy_from_slice(&states[ancestor].0);
            (particle.target, particle.base) = (states[ancestor].1, states[ancestor].2);
            particle.weight = PathWeight::default();
        }
    }

    fn tokens(&self) -> TokenBatch {
        let mut tokens = TokenBatch::filled(self.particles.len(), self.path.target.len(), 0);
        for (row, particle) in self.particles.iter().enumerate() {
            tokens.row_mut(row).copy_from_slice(&particle.tokens);
        }
        tokens
    }
}
