//! Factor graphs in JSON.

use serde_json::Value;

use super::factor_graph::Names;
use super::{Factor, FactorGraph};
use crate::exact::{MAX_ENTRIES, states};
use crate::{EnergyError, Result};

/// The file. Objects keep no order, so sites are a list.
#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object with the lists `sites` and `factors`")]
struct File {
    sites: Vec<NamedSite>,
    factors: Vec<NamedFactor>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a site, an object with `name` and `tokens`")]
struct NamedSite {
    name: String,
    tokens: Vec<String>,
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields, expecting = "a factor, an object with `sites` and `weights` or `logs`")]
struct NamedFactor {
    sites: Vec<String>,
    /// Non-negative weights, nested lists.
    #[serde(default)]
    weights: Option<Value>,
    /// Their logarithms in nats instead; `null` is `−∞`.
    #[serde(default)]
    logs: Option<Value>,
}

impl FactorGraph {
    /// Reads a graph from JSON: sites with their tokens, and factors with nested tables of `weights` (not negative) or of
    /// `logs` (nats; `null` forbids). Sites may have different numbers of tokens.
    ///
    /// ```
    /// use glauber_energy::{FactorGraph, exact};
    ///
    /// let graph = FactorGraph::from_json(r#"{
    ///     "sites": [{"name": "rain", "tokens": ["no", "yes"]}, {"name": "grass", "tokens": ["dry", "wet"]}],
    ///     "factors": [
    ///         {"sites": ["rain"], "weights": [0.8, 0.2]},
    ///         {"sites": ["rain", "grass"], "weights": [[0.7, 0.3], [0.1, 0.9]]}
    ///     ]
    /// }"#)?;
    /// let marginals = exact::marginals(&graph)?;
    /// assert!((marginals[1][1] - 0.42).abs() < 1e-12); // P(grass = wet)
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the text is not such JSON, or a name is unknown or given twice. When a table has another shape than its sites,
    /// or more entries than [`exact::MAX_ENTRIES`](crate::exact::MAX_ENTRIES).
    pub fn from_json(text: &str) -> Result<Self> {
        let file: File = serde_json::from_str(text).map_err(|error| EnergyError::Graph(error.to_string()))?;
        let refuse = |text: String| EnergyError::Graph(text);
        let names: Vec<&str> = file.sites.iter().map(|site| site.name.as_str()).collect();
        if let Some(twice) = names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)) {
            return Err(refuse(format!("site \"{}\" is given twice", twice.1)));
        }
        if let Some(empty) = file.sites.iter().find(|site| site.tokens.is_empty()) {
            return Err(refuse(format!("site \"{}\" has no tokens, expected at least one", empty.name)));
        }
        for site in &file.sites {
            if let Some(twice) = site.tokens.iter().enumerate().find(|(at, token)| site.tokens[..*at].contains(token)) {
                return Err(refuse(format!("site \"{}\" has the token \"{}\" twice", site.name, twice.1)));
            }
        }
        let sizes: Vec<usize> = file.sites.iter().map(|site| site.tokens.len()).collect();
        let vocab = sizes.iter().copied().max().unwrap_or(0);
        let mut factors = Vec::new();
        for (at, factor) in file.factors.iter().enumerate() {
            let find = |name: &String| {
                let place = names.iter().position(|known| known == name);
                place.ok_or_else(|| {
                    refuse(format!("factor {at} names \"{name}\", expected one of {}", names.join(", ")))
                })
            };
            let sites = factor.sites.iter().map(find).collect::<Result<Vec<_>>>()?;
            if let Some(twice) = (1..sites.len()).find(|&place| sites[..place].contains(&sites[place])) {
                return Err(refuse(format!("factor {at} has the site \"{}\" twice", factor.sites[twice])));
            }
            let (table, logs) = match (&factor.weights, &factor.logs) {
                (Some(table), None) => (table, false),
                (None, Some(table)) => (table, true),
                _ => return Err(refuse(format!("factor {at} needs either weights or logs"))),
            };
            let shape: Vec<usize> = sites.iter().map(|&site| sizes[site]).collect();
            let states = states(vocab, sites.len()).map_err(|_| {
                let (found, most) = ((vocab as f64).powf(sites.len() as f64), MAX_ENTRIES);
                refuse(format!(
                    "factor {at} is stored with {vocab} tokens for each of its sites, as the largest site has: found \
                     {found:.1e} entries, expected at most {most}"
                ))
            })?;
            let mut entries = vec![f64::NEG_INFINITY; states];
            fill(table, &shape, vocab, 0, &mut |place, value| {
                entries[place] = entry(value, logs).ok_or(())?;
                Ok(())
            })
            .map_err(|found| {
                let expected = if logs { "numbers or null" } else { "numbers of at least 0" };
                refuse(format!(
                    "factor {at} has {found} in its table, expected {expected} in nested lists of shape {shape:?}"
                ))
            })?;
            factors.push(Factor::new(sites, entries));
        }
        // Tokens that a site lacks are forbidden there.
        for (site, &size) in sizes.iter().enumerate().filter(|(_, size)| **size < vocab) {
            let log = |token| if token < size { 0.0 } else { f64::NEG_INFINITY };
            factors.push(Factor::new(vec![site], (0..vocab).map(log).collect()));
        }
        let names = Names {
            sites: file.sites.iter().map(|site| site.name.clone()).collect(),
            tokens: file.sites.into_iter().map(|site| site.tokens).collect(),
        };
        Ok(Self::new(vocab, names.sites.len(), factors)?.named(names))
    }
}

fn entry(value: &Value, logs: bool) -> Option<f64> {
    match (value, logs) {
        (Value::Null, true) => Some(f64::NEG_INFINITY),
        (value, true) => value.as_f64(),
        (value, false) => value.as_f64().filter(|weight| *weight >= 0.0).map(f64::ln),
    }
}

/// Walks nested lists of a shape; the error is what was found in the wrong place.
fn fill(
    value: &Value,
    shape: &[usize],
    vocab: usize,
    place: usize,
    write: &mut dyn FnMut(usize, &Value) -> Result<(), ()>,
) -> Result<(), String> {
    let Some((&size, rest)) = shape.split_first() else {
        return write(place, value).map_err(|()| value.to_string());
    };
    let list = value.as_array().filter(|list| list.len() == size).ok_or_else(|| value.to_string())?;
    for (token, item) in list.iter().enumerate() {
        fill(item, rest, vocab, place * vocab + token, write)?;
    }
    Ok(())
}
