//! Targets: unnormalised laws on sequences of tokens.

use glauber_chain::{ChainError, ChainRng, SiteConditional, TokenRows};
use glauber_tokens::{Site, Step, Token};

/// An unnormalised law `γ` on all sequences of `L` tokens out of `V`; `π = γ / Z`.
///
/// ```
/// use glauber_energy::{Target, exact};
/// use glauber_tokens::Token;
///
/// /// Six tokens of three on a ring; neighbours like to agree.
/// struct Ring;
///
/// impl Target for Ring {
///     fn vocab(&self) -> usize { 3 }
///     fn len(&self) -> usize { 6 }
///     fn log_density(&self, x: &[Token]) -> f64 {
///         0.8 * (0..6).filter(|&i| x[i] == x[(i + 1) % 6]).count() as f64
///     }
/// }
///
/// let exact = exact::enumerate(&Ring)?;
/// assert!((exact.log_partition() - 8.648_073).abs() < 1e-6);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[allow(clippy::len_without_is_empty)] // `len` is the number of sites of a sequence
pub trait Target: Sync {
    /// Number of tokens `V`.
    fn vocab(&self) -> usize;

    /// Sites of a sequence, `L`.
    fn len(&self) -> usize;

    /// `log γ(x)` of a sequence, shape `[site]`, in nats, up to a constant. `−∞` is a hard constraint.
    fn log_density(&self, tokens: &[Token]) -> f64;

    /// Writes `log γ` of some sequences, shape `[row]`. The default asks for one after the other; a network should evaluate
    /// them together.
    fn log_densities(&self, rows: TokenRows<'_>, out: &mut [f64]) {
        rows.iter().zip(out).for_each(|(tokens, log)| *log = self.log_density(tokens));
    }

    /// Writes `Δ_i(a; x) = log γ(x^{i←a}) − log γ(x)` (E1) for every token `a`, shape `[token]`. The default asks for
    /// the density `V` times; a target of local terms should override it.
    ///
    /// If `γ(x) = 0`, then `Δ` is written up to a constant. In a context where no token is possible, all are `−∞`.
    fn log_ratios(&self, tokens: &[Token], site: Site, out: &mut [f64]) {
        let mut moved = tokens.to_vec();
        for (token, ratio) in out.iter_mut().enumerate() {
            moved[site] = token as Token;
            *ratio = self.log_density(&moved);
        }
        let here = out[tokens[site] as usize];
        if here > f64::NEG_INFINITY {
            out.iter_mut().for_each(|ratio| *ratio -= here);
        }
    }

    /// Sets tokens that a site cannot have to false, shape `[token]`, given the sites that are known, shape `[site]`: those with
    /// which no completion has a positive density. The default excludes none.
    fn exclude(&self, known: &[Option<Token>], site: Site, possible: &mut [bool]) {
        let _ = (known, site, possible);
    }

    /// Whether [`exclude`](Self::exclude) excludes anything: all impossible sequences.
    fn has_constraint(&self) -> bool {
        false
    }

    /// The blocks that a sweep redraws, each site in exactly one. Sites of one block must be independent of each other
    /// given all other sites. The default has a block for each site.
    fn blocks(&self) -> Vec<Vec<Site>> {
        (0..self.len()).map(|site| vec![site]).collect()
    }
}

/// Targets behind pointers.
impl<T: Target + ?Sized> Target for &T {
    fn vocab(&self) -> usize {
        (**self).vocab()
    }

    fn len(&self) -> usize {
        (**self).len()
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        (**self).log_density(tokens)
    }

    fn log_densities(&self, rows: TokenRows<'_>, out: &mut [f64]) {
        (**self).log_densities(rows, out);
    }

    fn log_ratios(&self, tokens: &[Token], site: Site, out: &mut [f64]) {
        (**self).log_ratios(tokens, site, out);
    }

    fn exclude(&self, known: &[Option<Token>], site: Site, possible: &mut [bool]) {
        (**self).exclude(known, site, possible);
    }

    fn has_constraint(&self) -> bool {
        (**self).has_constraint()
    }

    fn blocks(&self) -> Vec<Vec<Site>> {
        (**self).blocks()
    }
}

/// A target that is normalised and can be drawn from: where annealed chains start.
pub trait Base: Target {
    /// Draws a sequence, shape `[site]`.
    fn draw(&self, rng: &mut ChainRng, tokens: &mut [Token]);
}

/// Independent sites: `Π_i q_i(x_i)`.
#[derive(Debug, Clone, PartialEq)]
pub struct ProductLaw {
    vocab: usize,
    /// Shape `[site · token]`.
    logs: Vec<f64>,
}

impl ProductLaw {
    /// Every token as likely as any other.
    pub fn uniform(vocab: usize, len: usize) -> Self {
        Self { vocab, logs: vec![-(vocab as f64).ln(); vocab * len] }
    }

    /// From weights, shape `[site][token]`, which need not sum to one.
    ///
    /// # Panics
    /// When there is no site, the sites have different numbers of tokens, or a site has no positive finite mass.
    pub fn new(weights: &[Vec<f64>]) -> Self {
        let vocab = weights[0].len();
        let mut logs = Vec::with_capacity(vocab * weights.len());
        for site in weights {
            let mass: f64 = site.iter().sum();
            let fits = site.len() == vocab && site.iter().all(|&w| w >= 0.0) && mass > 0.0 && mass.is_finite();
            assert!(fits, "weights {site:?} of a site with {vocab} tokens");
            logs.extend(site.iter().map(|w| (w / mass).ln()));
        }
        Self { vocab, logs }
    }
}

impl Target for ProductLaw {
    fn vocab(&self) -> usize {
        self.vocab
    }

    fn len(&self) -> usize {
        self.logs.len() / self.vocab
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        let sites = self.logs.chunks_exact(self.vocab);
        tokens.iter().zip(sites).map(|(&token, logs)| logs[token as usize]).sum()
    }

    fn log_ratios(&self, tokens: &[Token], site: Site, out: &mut [f64]) {
        out.copy_from_slice(&self.logs[site * self.vocab..][..self.vocab]);
        let here = out[tokens[site] as usize];
        if here > f64::NEG_INFINITY {
            out.iter_mut().for_each(|ratio| *ratio -= here);
        }
    }

    fn blocks(&self) -> Vec<Vec<Site>> {
        vec![(0..self.len()).collect()]
    }
}

impl Base for ProductLaw {
    fn draw(&self, rng: &mut ChainRng, tokens: &mut [Token]) {
        let mut law = vec![0.0; self.vocab];
        for (token, logs) in tokens.iter_mut().zip(self.logs.chunks_exact(self.vocab)) {
            law.copy_from_slice(logs);
            *token = draw(&mut law, rng.uniform()).expect("a law of positive mass").0;
        }
    }
}

/// A target at an inverse temperature: `log γ_β = β log γ`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tempered<T> {
    /// The target at `β = 1`.
    pub target: T,
    /// `β`. Infinite terms stay what they are, also at 0.
    pub inverse_temperature: f64,
}

/// A target on the geometric path from a base (E3): `log γ_b = b log γ + (1 − b) log p_0`.
///
/// ```
/// use glauber_energy::{AnnealedTarget, ProductLaw, Table, Target, exact};
///
/// let (table, base) = (Table::random(3, 4, 2.0, 1)?, ProductLaw::uniform(3, 4));
/// let halfway = AnnealedTarget { target: &table, base: &base, level: 0.5 };
/// let expected = 0.5 * table.log_density(&[0, 2, 1, 1]) + 0.5 * base.log_density(&[0, 2, 1, 1]);
/// assert!((halfway.log_density(&[0, 2, 1, 1]) - expected).abs() < 1e-12);
/// let start = AnnealedTarget { level: 0.0, ..halfway };
/// assert!(exact::enumerate(&start)?.log_partition().abs() < 1e-12); // the base is normalised
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AnnealedTarget<T, B> {
    /// The target, at level 1.
    pub target: T,
    /// The base, at level 0.
    pub base: B,
    /// `b`, from 0 to 1.
    pub level: f64,
}

/// `b t + (1 − b) p`, where an infinite term of weight 0 counts nothing.
pub(crate) fn mix(level: f64, target: f64, base: f64) -> f64 {
    if level == 0.0 {
        base
    } else if level == 1.0 {
        target
    } else {
        level * target + (1.0 - level) * base
    }
}

impl<T: Target> Target for Tempered<T> {
    fn vocab(&self) -> usize {
        self.target.vocab()
    }

    fn len(&self) -> usize {
        self.target.len()
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        tempered(self.inverse_temperature, self.target.log_density(tokens))
    }

    fn log_ratios(&self, tokens: &[Token], site: Site, out: &mut [f64]) {
        self.target.log_ratios(tokens, site, out);
        out.iter_mut().for_each(|ratio| *ratio = tempered(self.inverse_temperature, *ratio));
    }

    fn exclude(&self, known: &[Option<Token>], site: Site, possible: &mut [bool]) {
        self.target.exclude(known, site, possible);
    }

    fn has_constraint(&self) -> bool {
        self.target.has_constraint()
    }

    fn blocks(&self) -> Vec<Vec<Site>> {
        self.target.blocks()
    }
}

fn tempered(inverse_temperature: f64, log: f64) -> f64 {
    if log.is_infinite() { log } else { inverse_temperature * log }
}

impl<T: Target, B: Target> Target for AnnealedTarget<T, B> {
    fn vocab(&self) -> usize {
        self.target.vocab()
    }

    fn len(&self) -> usize {
        self.target.len()
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        mix(self.level, self.target.log_density(tokens), self.base.log_density(tokens))
    }

    fn log_ratios(&self, tokens: &[Token], site: Site, out: &mut [f64]) {
        let mut base = vec![0.0; out.len()];
        self.base.log_ratios(tokens, site, &mut base);
        self.target.log_ratios(tokens, site, out);
        out.iter_mut().zip(base).for_each(|(ratio, base)| *ratio = mix(self.level, *ratio, base));
    }

    fn blocks(&self) -> Vec<Vec<Site>> {
        joint_blocks(&self.target, &self.base)
    }
}

/// Blocks whose sites are independent under both targets.
pub(crate) fn joint_blocks<T: Target + ?Sized, B: Target + ?Sized>(target: &T, base: &B) -> Vec<Vec<Site>> {
    let (blocks, others) = (target.blocks(), base.blocks());
    match others.len() {
        1 => blocks,
        _ if blocks.len() == 1 || blocks == others => others,
        _ => (0..target.len()).map(|site| vec![site]).collect(),
    }
}

/// The conditionals of a target (E2), as any chain takes them: [`HeatBath`](glauber_chain::HeatBath) on them is Glauber
/// dynamics of the target.
///
/// ```
/// use glauber_chain::{Chains, HeatBath, ReverseKernel};
/// use glauber_energy::{Gibbs, Hypergrid, Target};
/// use glauber_schedule::SiteOrder;
/// use glauber_tokens::TokenBatch;
///
/// let grid = Hypergrid::new(8, 2, [0.1, 0.5, 2.0])?; // torchgfn's, 8 × 8
/// let mut chains = Chains::seeded(TokenBatch::filled(1000, 2, 0), 1); // 1000 chains, seed 1
/// let order = SiteOrder::round_robin(2, 50)?; // 50 sweeps
/// HeatBath::default().run_parallel(&Gibbs(&grid), &mut chains, &order, 0..order.horizon())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Gibbs<T>(pub T);

impl<T: Target> SiteConditional for Gibbs<T> {
    fn vocab(&self) -> usize {
        self.0.vocab()
    }

    fn len(&self) -> usize {
        self.0.len()
    }

    fn log_conditionals(
        &self,
        tokens: TokenRows<'_>,
        step: Step,
        sites: &[Site],
        out: &mut [f64],
    ) -> glauber_chain::Result<()> {
        let asked =
            tokens.iter().enumerate().flat_map(|(row, shown)| sites.iter().map(move |&site| (row, shown, site)));
        for ((row, shown, site), law) in asked.zip(out.chunks_exact_mut(self.0.vocab())) {
            self.0.log_ratios(shown, site, law);
            let mass = log_sum_exp(law);
            if mass.is_nan() {
                return Err(ChainError::NotANumber { row, site, step });
            }
            if mass.is_infinite() {
                return Err(ChainError::NoMass { row, site, step, mass: mass.exp() });
            }
            law.iter_mut().for_each(|log| *log -= mass);
        }
        Ok(())
    }
}

/// `ln Σ exp`. NaN if a term is; `+∞` if one is.
pub fn log_sum_exp(logs: &[f64]) -> f64 {
    if logs.iter().any(|log| log.is_nan()) {
        return f64::NAN;
    }
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top.is_infinite() {
        return top;
    }
    top + logs.iter().map(|log| (log - top).exp()).sum::<f64>().ln()
}

/// Draws a token from log-weights, shape `[token]`, by a uniform number; also `ln Σ exp` of them, which is what an
/// annealed weight needs. The error is the mass, if it is 0, infinite or NaN. Overwrites the log-weights.
pub(crate) fn draw(logs: &mut [f64], uniform: f64) -> std::result::Result<(Token, f64), f64> {
    let top = logs.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    if top == f64::NEG_INFINITY {
        return Err(log_sum_exp(logs).exp());
    }
    let mut mass = 0.0;
    for log in logs.iter_mut() {
        *log = (*log - top).exp();
        mass += *log;
    }
    if !mass.is_finite() {
        return Err(if top == f64::INFINITY { top } else { mass });
    }
    let mut left = uniform * mass;
    let mut found = None;
    for (token, &weight) in logs.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
        found = Some(token as Token);
        if left < weight {
            break;
        }
        left -= weight;
    }
    found.map(|token| (token, top + mass.ln())).ok_or(mass)
}
