//! Products of tables.

use glauber_tokens::{Site, Token};

use crate::{EnergyError, ProductLaw, Result, Target};

/// A term of `log γ` that depends on some sites.
#[derive(Debug, Clone, PartialEq)]
pub struct Factor {
    /// The sites.
    pub sites: Vec<Site>,
    /// The logarithms, shape `[token of the first site · … · token of the last]`, the last varying fastest. `−∞` forbids.
    pub logs: Vec<f64>,
}

impl Factor {
    /// A factor of some sites.
    pub fn new(sites: Vec<Site>, logs: Vec<f64>) -> Self {
        Self { sites, logs }
    }
}

/// `log γ(x)` as a sum of tables of single sites, pairs, or more: fields on chains and trees, Ising and Potts models of
/// any couplings, glasses, a user's own.
///
/// ```
/// use glauber_energy::{Factor, FactorGraph, exact};
///
/// // Rain makes the grass wet, and so does the sprinkler, which seldom runs when it rains.
/// let rain = Factor::new(vec![0], vec![0.8f64.ln(), 0.2f64.ln()]);
/// let sprinkler = Factor::new(vec![0, 1], [0.6, 0.4, 0.99, 0.01].map(f64::ln).to_vec());
/// let wet = Factor::new(vec![0, 1, 2], [0.99, 0.01, 0.1, 0.9, 0.2, 0.8, 0.01, 0.99].map(f64::ln).to_vec());
/// let graph = FactorGraph::new(2, 3, vec![rain, sprinkler, wet])?;
/// assert!(exact::eliminate(&graph)?.abs() < 1e-12); // these tables are conditional laws: Z = 1
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct FactorGraph {
    vocab: usize,
    factors: Vec<Factor>,
    /// Shape `[site]`: factors that have the site, and its place in them.
    around: Vec<Vec<(usize, usize)>>,
    blocks: Vec<Vec<Site>>,
    names: Option<Names>,
}

/// What sites and tokens are called.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Names {
    /// Shape `[site]`.
    pub sites: Vec<String>,
    /// Shape `[site][token]`; a site may have fewer tokens than the vocabulary.
    pub tokens: Vec<Vec<String>>,
}

impl FactorGraph {
    /// A graph over `len` sites of `vocab` tokens.
    ///
    /// # Errors
    /// When there is no site or token, or a factor names a site twice or one that does not exist. When a table has another
    /// number of entries than its sites have states, or an entry is NaN or `+∞`.
    pub fn new(vocab: usize, len: usize, factors: Vec<Factor>) -> Result<Self> {
        let refuse = |text: String| Err(EnergyError::Graph(text));
        if vocab == 0 || len == 0 {
            return refuse(format!("found {len} sites of {vocab} tokens, expected at least one of each"));
        }
        let mut around = vec![Vec::new(); len];
        for (at, factor) in factors.iter().enumerate() {
            for (place, &site) in factor.sites.iter().enumerate() {
                if site >= len || factor.sites[..place].contains(&site) {
                    return refuse(format!(
                        "factor {at} has sites {:?}, expected distinct ones below {len}",
                        factor.sites
                    ));
                }
                around[site].push((at, place));
            }
            let states = u32::try_from(factor.sites.len()).ok().and_then(|sites| vocab.checked_pow(sites));
            if states != Some(factor.logs.len()) {
                let (found, sites) = (factor.logs.len(), factor.sites.len());
                return refuse(format!("factor {at} has {found} entries, expected {vocab}^{sites}"));
            }
            if let Some(wrong) = factor.logs.iter().find(|log| log.is_nan() || **log == f64::INFINITY) {
                return refuse(format!("factor {at} has the entry {wrong}, expected numbers or minus infinity"));
            }
        }
        let blocks = coloured(len, &factors, &around);
        Ok(Self { vocab, factors, around, blocks, names: None })
    }

    /// A field on a chain: `log γ(x) = Σ_i h_i(x_i) + Σ_i J_i(x_i, x_{i+1})`, whose exact values are those of a transfer
    /// matrix. `fields` has shape `[site][token]`, `couplings` shape `[site − 1][token · token of the next]`.
    ///
    /// ```
    /// use glauber_energy::{FactorGraph, exact};
    ///
    /// // Words of four letters a and b, in which no two b stand side by side: 8 of 16.
    /// let apart = vec![0.0, 0.0, 0.0, f64::NEG_INFINITY];
    /// let words = FactorGraph::chain(&vec![vec![0.0; 2]; 4], &vec![apart; 3])?;
    /// assert!((exact::eliminate(&words)? - 8f64.ln()).abs() < 1e-12);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When there are not as many couplings as neighbours on the chain, and as [`FactorGraph::new`].
    pub fn chain(fields: &[Vec<f64>], couplings: &[Vec<f64>]) -> Result<Self> {
        let len = fields.len();
        EnergyError::unless_equal("couplings of a chain", couplings.len(), len.saturating_sub(1))?;
        let fields_of = fields.iter().enumerate().map(|(site, logs)| Factor::new(vec![site], logs.clone()));
        let pairs = couplings.iter().enumerate().map(|(at, logs)| Factor::new(vec![at, at + 1], logs.clone()));
        Self::new(fields.first().map_or(0, Vec::len), len, fields_of.chain(pairs).collect())
    }

    pub(super) fn named(self, names: Names) -> Self {
        Self { names: Some(names), ..self }
    }

    /// The factors.
    pub fn factors(&self) -> &[Factor] {
        &self.factors
    }

    /// What a site is called: its name in the file, or its number.
    pub fn site_name(&self, site: Site) -> String {
        self.names.as_ref().map_or_else(|| site.to_string(), |names| names.sites[site].clone())
    }

    /// What a token of a site is called.
    pub fn token_name(&self, site: Site, token: Token) -> String {
        let name = self.names.as_ref().and_then(|names| names.tokens[site].get(token as usize).cloned());
        name.unwrap_or_else(|| token.to_string())
    }

    /// Tokens of a site: a file may give some sites fewer than the vocabulary.
    pub fn tokens_of(&self, site: Site) -> usize {
        self.names.as_ref().map_or(self.vocab, |names| names.tokens[site].len())
    }

    /// Every token of a site as likely as any other that it has: the start of an annealing.
    pub fn uniform_base(&self) -> ProductLaw {
        let law = |site| (0..self.vocab).map(|token| f64::from(token < self.tokens_of(site))).collect();
        ProductLaw::new(&(0..self.len()).map(law).collect::<Vec<_>>())
    }

    /// The index of a sequence in a factor's table, with the place of one site left at 0, and that place's stride.
    fn entry(&self, factor: &Factor, place: usize, tokens: &[Token]) -> (usize, usize) {
        let (mut index, mut stride) = (0, 0);
        for (at, &site) in factor.sites.iter().enumerate() {
            index *= self.vocab;
            stride *= self.vocab;
            if at == place {
                stride = 1;
            } else {
                index += tokens[site] as usize;
            }
        }
        (index, stride)
    }
}

impl Target for FactorGraph {
    fn vocab(&self) -> usize {
        self.vocab
    }

    fn len(&self) -> usize {
        self.around.len()
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        self.factors.iter().map(|factor| factor.logs[self.entry(factor, usize::MAX, tokens).0]).sum()
    }

    fn log_ratios(&self, tokens: &[Token], site: Site, out: &mut [f64]) {
        out.fill(0.0);
        for &(factor, place) in &self.around[site] {
            let factor = &self.factors[factor];
            let (start, stride) = self.entry(factor, place, tokens);
            for (token, ratio) in out.iter_mut().enumerate() {
                *ratio += factor.logs[start + token * stride];
            }
        }
        let here = out[tokens[site] as usize];
        if here > f64::NEG_INFINITY {
            out.iter_mut().for_each(|ratio| *ratio -= here);
        }
    }

    fn blocks(&self) -> Vec<Vec<Site>> {
        self.blocks.clone()
    }
}

/// Colour classes, greedily: no two sites of one share a factor.
fn coloured(len: usize, factors: &[Factor], around: &[Vec<(usize, usize)>]) -> Vec<Vec<Site>> {
    let mut colours = vec![usize::MAX; len];
    let mut blocks: Vec<Vec<Site>> = Vec::new();
    for site in 0..len {
        let others = around[site].iter().flat_map(|&(factor, _)| &factors[factor].sites);
        let taken: Vec<usize> = others.map(|&other| colours[other]).collect();
        let colour = (0..).find(|colour| !taken.contains(colour)).expect("one is free");
        colours[site] = colour;
        if colour == blocks.len() {
            blocks.push(Vec::new());
        }
        blocks[colour].push(site);
    }
    blocks
}
