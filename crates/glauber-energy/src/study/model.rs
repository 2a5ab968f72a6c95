//! Targets with what is known and what is measured of them.

use std::sync::Arc;

use glauber_chain::ChainRng;
use glauber_chain::oracles::{Ising, Lattice, Potts, kaufman_energy, kaufman_log_partition};
use glauber_schedule::Boundary;
use glauber_tokens::{Site, Token};

use crate::dag::{
    Bge, CachedScores, DagTarget, DataTable, LocalScores, UniformDags, pair_of, structure_steps, sum_over_dags,
};
use crate::exact::{eliminate, elimination_entries, enumerate};
use crate::target::draw;
use crate::{
    Base, EnergyError, FactorGraph, Hypergrid, ProductLaw, Result, SwendsenWang, Target, correlation, edwards_anderson,
    ising_graph, potts_graph,
};

/// An exact value, and what it comes from.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize)]
pub struct Exact {
    /// The value.
    pub value: f64,
    /// Its source.
    pub by: &'static str,
}

/// A function of tokens, shape `[site]`.
pub type Measure = Box<dyn Fn(&[Token]) -> f64 + Send + Sync>;

/// A function of a sequence that is averaged.
pub struct Observable {
    /// What it is called.
    pub name: String,
    /// The function.
    pub measure: Measure,
    /// Its exact mean, where it is known.
    pub exact: Option<f64>,
}

impl Observable {
    fn new(name: impl Into<String>, measure: impl Fn(&[Token]) -> f64 + Send + Sync + 'static) -> Self {
        Self { name: name.into(), measure: Box::new(measure), exact: None }
    }
}

/// An update of a chain, which keeps the target: its row, its tokens of shape `[site]`, its random numbers.
pub type Update = Box<dyn Fn(usize, &mut [Token], &mut ChainRng) -> Result<()> + Send + Sync>;

/// How a token of a site is written; empty for one that is left out.
pub type Show = Box<dyn Fn(Site, Token) -> String + Send + Sync>;

/// How a chain in equilibrium moves.
pub struct Moves {
    /// What an update is called, in the plural.
    pub name: &'static str,
    /// One update.
    pub update: Update,
}

impl Moves {
    fn clusters(clusters: SwendsenWang) -> Self {
        let update = move |_: usize, tokens: &mut [Token], rng: &mut ChainRng| {
            clusters.update(tokens, rng);
            Ok(())
        };
        Self { name: "cluster updates", update: Box::new(update) }
    }
}

/// A target, where its annealing starts, and what is measured of it.
pub struct Model {
    /// What it is.
    pub name: String,
    /// The target.
    pub target: Box<dyn Target + Send>,
    /// The start of an annealing.
    pub base: Box<dyn Base + Send>,
    /// What is averaged in equilibrium.
    pub observables: Vec<Observable>,
    /// The same target for multi-spin coding, if it is an Ising torus with even sides.
    pub bits: Option<Ising>,
    /// How chains in equilibrium move, if not by heat-bath sweeps.
    pub moves: Option<Moves>,
    /// The exact `log Z`, if a formula has it.
    pub formula: Option<Exact>,
    /// Rows and columns of a lattice.
    pub grid: Option<[usize; 2]>,
    /// The names of the nodes, where sequences are graphs: site `i` is the edge of [`pair_of`](crate::dag::pair_of).
    pub nodes: Vec<String>,
    /// How tokens are written.
    pub show: Show,
    /// The same target as a factor graph, from which exact values come by elimination.
    graph: Option<FactorGraph>,
    /// Sites in the order of a sweep.
    order: Vec<Site>,
}

/// A posterior of graphs with a uniform prior that sums to one.
struct Evidence<S> {
    target: Arc<DagTarget<S>>,
    log_count: f64,
}

impl<S: LocalScores + Send> Target for Evidence<S> {
    fn vocab(&self) -> usize {
        self.target.vocab()
    }

    fn len(&self) -> usize {
        self.target.len()
    }

    fn log_density(&self, tokens: &[Token]) -> f64 {
        self.target.log_density(tokens) - self.log_count
    }

    fn log_ratios(&self, tokens: &[Token], site: Site, out: &mut [f64]) {
        self.target.log_ratios(tokens, site, out);
    }

    fn exclude(&self, known: &[Option<Token>], site: Site, possible: &mut [bool]) {
        self.target.exclude(known, site, possible);
    }

    fn has_constraint(&self) -> bool {
        self.target.has_constraint()
    }
}

/// The most nodes whose graphs are summed exactly: half a second.
const EXACT_NODES: usize = 12;

/// Entries of the tables of an elimination that a study waits for: some seconds.
const PATIENCE: f64 = (1 << 28) as f64;

/// The most sequences that are listed.
const MOST_STATES: f64 = (1 << 20) as f64;

/// The most rows or columns of a lattice that is looked at for an elimination.
const MOST_ROWS: usize = 24;

impl Model {
    /// Any target, annealed from uniform tokens.
    pub fn new(name: impl Into<String>, target: impl Target + Send + 'static) -> Self {
        let base = ProductLaw::uniform(target.vocab(), target.len());
        Self {
            name: name.into(),
            order: target.blocks().concat(),
            target: Box::new(target),
            base: Box::new(base),
            observables: Vec::new(),
            bits: None,
            moves: None,
            formula: None,
            grid: None,
            nodes: Vec::new(),
            show: Box::new(|_, token| token.to_string()),
            graph: None,
        }
    }

    /// A sequence as text, shape `[site]`: the rows of a lattice, or its tokens in a line.
    pub fn render(&self, tokens: &[Token]) -> String {
        let shown = tokens.iter().enumerate().map(|(site, &token)| (self.show)(site, token));
        let shown: Vec<String> = shown.filter(|text| !text.is_empty()).collect();
        match self.grid {
            Some([_, columns]) => shown.chunks(columns).map(<[String]>::concat).collect::<Vec<_>>().join("\n"),
            None => shown.join(" "),
        }
    }

    /// Moves a chain of equilibrium once, tokens of shape `[site]`: by its [moves](Self::moves), else by a heat-bath sweep. The row
    /// is for errors.
    ///
    /// # Errors
    /// When the target has no law somewhere.
    pub fn update(&self, row: usize, tokens: &mut [Token], rng: &mut ChainRng) -> Result<()> {
        if let Some(moves) = &self.moves {
            return (moves.update)(row, tokens, rng);
        }
        let mut law = vec![0.0; self.target.vocab()];
        for &site in &self.order {
            self.target.log_ratios(tokens, site, &mut law);
            let drawn = draw(&mut law, rng.uniform());
            tokens[site] = drawn.map_err(|mass| EnergyError::NoLaw { row, site, level: 1.0, mass })?.0;
        }
        Ok(())
    }

    /// An Ising model: energy a site, magnetisation and its square.
    ///
    /// # Errors
    /// When the coupling or the field is out of range.
    pub fn ising(lattice: Lattice, coupling: f64, field: f64) -> Result<Self> {
        let ising = Ising::new(lattice.clone(), coupling, field)?;
        let (height, width, sites) = (lattice.height(), lattice.width(), lattice.sites() as f64);
        let torus = lattice.boundary() == Boundary::Torus;
        let mut model =
            Self::new(format!("Ising model, {}, coupling {coupling}, field {field}", shape(&lattice)), ising.clone());
        let [a, b, c] = [ising.clone(), ising.clone(), ising.clone()];
        model.observables = vec![
            Observable::new("energy per site", move |x| a.bond_energy(x) / sites),
            Observable::new("|magnetisation|", move |x| b.magnetisation(x).abs()),
            Observable::new("magnetisation²", move |x| c.magnetisation(x).powi(2)),
        ];
        if torus {
            let far = move |x: &[Token]| correlation(&lattice, x, width / 2);
            model.observables.push(Observable::new("correlation across half", far));
        }
        // Turning every other spin over turns the sign of the coupling, where both sides are even.
        let bipartite = height % 2 == 0 && width % 2 == 0;
        if torus && field == 0.0 && coupling != 0.0 && (coupling > 0.0 || bipartite) {
            let value = kaufman_log_partition(height, width, coupling.abs())?;
            model.formula = Some(Exact { value, by: "Kaufman" });
            // Below, rounding eats its digits.
            let energy = coupling.signum() * kaufman_energy(height, width, coupling.abs())?;
            model.observables[0].exact = (coupling.abs() > 1e-6).then_some(energy);
        }
        model.bits = (torus && bipartite).then(|| ising.clone());
        (model.grid, model.show) = (Some([height, width]), Box::new(spin));
        model.moves = SwendsenWang::ising(&ising).ok().map(Moves::clusters);
        model.graph = if height.min(width) <= MOST_ROWS { Some(ising_graph(&ising)?) } else { None };
        Ok(model)
    }

    /// A Potts model: energy a site, and the order parameter `(V max − 1) / (V − 1)` of the largest colour's share.
    ///
    /// # Errors
    /// When there is no colour, or the coupling is out of range.
    pub fn potts(lattice: Lattice, colours: usize, coupling: f64) -> Result<Self> {
        EnergyError::unless_in_range((2..=4096).contains(&colours), "colours", colours as f64, "2 to 4096")?;
        let potts = Potts::new(lattice.clone(), colours, coupling)?;
        let sites = lattice.sites() as f64;
        let name = format!("Potts model of {colours} colours, {}, coupling {coupling}", shape(&lattice));
        let mut model = Self::new(name, potts.clone());
        model.grid = Some([lattice.height(), lattice.width()]);
        let energy = potts.clone();
        model.observables = vec![
            Observable::new("energy per site", move |x| energy.bond_energy(x) / sites),
            Observable::new("order parameter", move |x| {
                let share = |colour| x.iter().filter(|&&token| token as usize == colour).count() as f64 / sites;
                let most = (0..colours).map(share).fold(0.0, f64::max);
                (colours as f64 * most - 1.0) / (colours as f64 - 1.0)
            }),
        ];
        model.moves = SwendsenWang::potts(&potts).ok().map(Moves::clusters);
        // A table has the square of the colours for each bond.
        let small = colours <= 16 && lattice.height().min(lattice.width()) <= MOST_ROWS;
        model.graph = if small { Some(potts_graph(&potts)?) } else { None };
        Ok(model)
    }

    /// An Edwards–Anderson glass: energy a site.
    ///
    /// # Errors
    /// When the coupling is not finite.
    pub fn glass(lattice: Lattice, coupling: f64, gaussian: bool, seed: u64) -> Result<Self> {
        let good = coupling.is_finite() && coupling != 0.0;
        EnergyError::unless_in_range(good, "coupling", coupling, "a finite number other than 0")?;
        let graph = edwards_anderson(&lattice, coupling, gaussian, seed)?;
        let law = if gaussian { "N(0, 1)" } else { "±1" };
        let name =
            format!("Edwards-Anderson glass, {}, couplings {law} by seed {seed}, coupling {coupling}", shape(&lattice));
        let (bonds, sites) = (graph.clone(), lattice.sites() as f64);
        let mut model = Self::new(name, graph.clone());
        (model.grid, model.show) = (Some([lattice.height(), lattice.width()]), Box::new(spin));
        model.observables = vec![Observable::new("energy per site", move |x| -bonds.log_density(x) / coupling / sites)];
        model.graph = Some(graph);
        Ok(model)
    }

    /// A hypergrid: the share of sequences in the modes, where both regions meet.
    ///
    /// # Errors
    /// As [`Hypergrid::new`].
    pub fn hypergrid(side: usize, dimensions: usize, rewards: [f64; 3]) -> Result<Self> {
        let grid = Hypergrid::new(side, dimensions, rewards)?;
        let mut model = Self::new(format!("hypergrid of {side}^{dimensions} cells, rewards {rewards:?}"), grid);
        model.formula = Some(Exact { value: grid.log_partition(), by: "closed form" });
        let best = rewards.iter().sum::<f64>().ln();
        let mut modes = Observable::new("in a mode", move |x| f64::from(grid.log_density(x) > best - 1e-9));
        modes.exact = grid.mode_share();
        model.observables = vec![modes];
        Ok(model)
    }

    /// A factor graph: the marginal of the last token of every site, of at most 20 sites.
    pub fn graph(name: impl Into<String>, graph: FactorGraph) -> Self {
        let mut model = Self::new(name, graph.clone());
        let shown: Vec<Site> = (0..graph.len().min(20)).collect();
        // An elimination for each token of each of these sites.
        let work = elimination_entries(&graph).map(|entries| entries * (shown.len() * graph.vocab()) as f64);
        let marginals =
            work.filter(|work| *work <= PATIENCE).and_then(|_| crate::exact::marginals_of(&graph, &shown).ok());
        let observable = |site: usize| {
            let last = graph.tokens_of(site) - 1;
            let name = format!("{} = {}", graph.site_name(site), graph.token_name(site, last as Token));
            let mut observable = Observable::new(name, move |x| f64::from(x[site] as usize == last));
            observable.exact = marginals.as_ref().map(|all| all[site][last]);
            observable
        };
        model.observables = shown.into_iter().map(observable).collect();
        model.base = Box::new(graph.uniform_base());
        let names = graph.clone();
        model.show = Box::new(move |site, token| {
            let known = (token as usize) < names.tokens_of(site);
            let token = if known { names.token_name(site, token).to_owned() } else { "-".into() };
            format!("{}={token}", names.site_name(site))
        });
        model.graph = Some(graph);
        model
    }

    /// The posterior of acyclic graphs given a table of data, by the BGe score and a uniform prior: `Z` is the evidence, and
    /// every edge is measured. Chains move by structure MCMC, `d²` steps an update. The score expects
    /// [standardised](DataTable::standardised) columns.
    ///
    /// # Errors
    /// When the table has fewer than 2 columns or more than 64, or fewer rows than the score needs.
    pub fn dag(table: &DataTable) -> Result<Self> {
        let target = DagTarget::new(CachedScores::new(Bge::new(table)?))?;
        let nodes = target.nodes();
        let base = UniformDags::new(nodes)?;
        let exact = if nodes <= EXACT_NODES { Some(sum_over_dags(target.scores())?) } else { None };
        let target = Arc::new(target);
        let name = format!("posterior of acyclic graphs, {nodes} nodes, {} rows, BGe score", table.rows());
        let mut model = Self::new(name, Evidence { target: Arc::clone(&target), log_count: base.log_count() });
        model.base = Box::new(base);
        model.formula = exact.as_ref().map(|sum| Exact { value: sum.log_evidence(), by: "the sum over all graphs" });
        let edge = |site: usize| {
            let (source, sink) = pair_of(nodes, site);
            let name = format!("{} → {}", table.names()[source], table.names()[sink]);
            let mut edge = Observable::new(name, move |x| f64::from(x[site]));
            edge.exact = exact.as_ref().map(|sum| sum.edge_marginal(source, sink));
            edge
        };
        model.observables = (0..nodes * (nodes - 1)).map(edge).collect();
        let update = move |row: usize, tokens: &mut [Token], rng: &mut ChainRng| {
            structure_steps(&target, nodes * nodes, row, tokens, rng)
        };
        model.moves = Some(Moves { name: "updates of structure MCMC", update: Box::new(update) });
        model.nodes = table.names().to_vec();
        let names = model.nodes.clone();
        model.show = Box::new(move |site, token| match (token, pair_of(nodes, site)) {
            (1, (source, sink)) => format!("{}→{}", names[source], names[sink]),
            _ => String::new(),
        });
        Ok(model)
    }

    pub(super) fn tokens_differ(&self) -> bool {
        let graph = self.graph.as_ref();
        graph.is_some_and(|graph| (0..graph.len()).any(|site| graph.tokens_of(site) < graph.vocab()))
    }

    /// The exact `log Z`, where one exists: by formula, enumeration or elimination.
    ///
    /// # Errors
    /// When a density is not a number.
    pub fn exact(&self) -> Result<Option<Exact>> {
        if self.formula.is_some() {
            return Ok(self.formula);
        }
        let (vocab, len) = (self.target.vocab() as f64, self.target.len() as f64);
        let patient = |graph: &&FactorGraph| elimination_entries(graph).is_some_and(|entries| entries <= PATIENCE);
        if let Some(graph) = self.graph.as_ref().filter(patient) {
            return Ok(Some(Exact { value: eliminate(graph)?, by: "elimination" }));
        }
        if vocab.powf(len) <= MOST_STATES {
            return Ok(Some(Exact { value: enumerate(&*self.target)?.log_partition(), by: "enumeration" }));
        }
        Ok(None)
    }
}

fn spin(_: Site, token: Token) -> String {
    if token == 1 { "#".into() } else { ".".into() }
}

fn shape(lattice: &Lattice) -> String {
    let boundary = if lattice.boundary() == Boundary::Torus { "torus" } else { "open lattice" };
    format!("{} x {} {boundary}", lattice.height(), lattice.width())
}
