//! N-grams that read noisy tokens, against the enumerated law.

use glauber_chain::{ChainRng, Seen, SequenceLaw, SitePrior};
use glauber_ngram::{Filter, Ngram, NgramPrior, Parts};
use glauber_schedule::NoiseLaw;
use glauber_tokens::Token;

const VOCAB: usize = 3;
const PASSAGE: usize = 4;

fn parts(count: usize) -> Parts {
    Parts { count, passage: PASSAGE }
}

fn text() -> Vec<Token> {
    let mut rng = ChainRng::new(3, 0);
    (0..400).map(|at| if at % 3 == 0 { 1 } else { rng.below(VOCAB) as Token }).collect()
}

/// `p(next | noisy tokens before)` from the law of every sequence of clean ones.
fn enumerated(ngram: &Ngram, shown: &[Token], levels: &[f64], noise: &[f64]) -> Vec<f64> {
    let mut law = [0.0; VOCAB];
    for state in 0..VOCAB.pow(shown.len() as u32 + 1) {
        let clean: Vec<Token> = (0..=shown.len()).map(|at| (state / VOCAB.pow(at as u32) % VOCAB) as Token).collect();
        let seen = clean.iter().zip(shown).zip(levels).map(|((clean, shown), level)| {
            (1.0 - level) * noise[*shown as usize] + if clean == shown { *level } else { 0.0 }
        });
        law[clean[shown.len()] as usize] += ngram.log_probability(&clean).exp() * seen.product::<f64>();
    }
    let sum: f64 = law.iter().sum();
    law.iter().map(|p| p / sum).collect()
}

#[test]
fn a_filter_that_keeps_every_context_is_exact() {
    let noise = NoiseLaw::unigram(&[1, 2, 3], 0.0).unwrap();
    for order in 0..4 {
        let ngram = Ngram::fit(order, VOCAB, [text()]).unwrap();
        let (shown, levels) = ([2, 0, 1, 1, 0, 2], [0.9, 0.5, 0.0, 1.0, 0.01, 0.7]);
        let (mut exact, mut narrow) = (Filter::new(&ngram, 1000), Filter::new(&ngram, 4));
        let mut distance: f64 = 0.0;
        for at in 0..shown.len() {
            let expected = enumerated(&ngram, &shown[..at], &levels[..at], noise.probabilities());
            let [mut found, mut near] = [[0.0; VOCAB]; 2];
            exact.predict(&mut found);
            narrow.predict(&mut near);
            for token in 0..VOCAB {
                assert!(
                    (found[token] - expected[token]).abs() < 1e-12,
                    "order {order}, site {at}: {found:?}, {expected:?}"
                );
                distance = distance.max((near[token] - expected[token]).abs());
            }
            assert!((near.iter().sum::<f64>() - 1.0).abs() < 1e-12);
            let hidden = noise.probability(shown[at]);
            exact.read(shown[at], levels[at], hidden);
            narrow.read(shown[at], levels[at], hidden);
        }
        assert!(distance < 0.1, "order {order}: {distance}");
    }
}

fn terms(prior: &NgramPrior, part: Option<usize>, tokens: &[Token], levels: &[f32]) -> Vec<f32> {
    let sites: Vec<usize> = (0..tokens.len()).collect();
    let mut out = vec![f32::NAN; 3 * tokens.len() * VOCAB];
    let seen = Seen { tokens, levels };
    prior.write(part, seen, seen, &sites, &mut out);
    assert!(out.iter().all(|value| value.is_finite()));
    out
}

/// The terms of a site, added up.
fn sum(terms: &[f32], len: usize, site: usize) -> [f64; VOCAB] {
    let term = |number: usize, token: usize| f64::from(terms[(number * len + site) * VOCAB + token]);
    std::array::from_fn(|token| (0..3).map(|number| term(number, token)).sum())
}

#[test]
fn where_one_side_is_noise_the_prior_is_the_ngram_of_the_other() {
    let law = NoiseLaw::uniform(VOCAB).unwrap();
    let prior = NgramPrior::fit(2, &text(), &parts(1), &law).unwrap();
    let (tokens, len) = ([0, 1, 2, 0, 1, 1, 0], 7);
    for site in 0..len {
        // Sites up to this one are noise, as when one reverse sweep from the right has come here.
        let levels: Vec<f32> = (0..len).map(|at| if at <= site { 0.0 } else { 1.0 }).collect();
        let found = sum(&terms(&prior, None, &tokens, &levels), len, site);
        let before: Vec<Token> = tokens[site + 1..].iter().rev().copied().collect();
        for token in 0..VOCAB {
            let expected = prior.ngrams(None)[1].probability(&before, token as Token).ln();
            assert!((found[token] - expected).abs() < 1e-5, "site {site}: {found:?}");
        }
    }
}

#[test]
fn a_sites_own_token_does_not_matter_to_its_prior() {
    let law = NoiseLaw::uniform(VOCAB).unwrap();
    let prior = NgramPrior::fit(3, &text(), &parts(2), &law).unwrap();
    let (tokens, levels) = (vec![0, 1, 2, 0, 1], [0.9, 0.3, 1.0, 0.6, 0.0]);
    let all = terms(&prior, None, &tokens, &levels);
    for site in 0..tokens.len() {
        let (mut other, mut known) = (tokens.clone(), levels);
        (other[site], known[site]) = ((tokens[site] + 1) % VOCAB as Token, 1.0);
        let changed = terms(&prior, None, &other, &known);
        for number in 0..3 {
            let here = (number * tokens.len() + site) * VOCAB;
            assert_eq!(all[here..here + VOCAB], changed[here..here + VOCAB], "site {site}");
        }
        assert_ne!(all, changed);
    }
    // Some sites alone: the same numbers.
    let mut two = vec![0.0; 3 * 2 * VOCAB];
    let seen = Seen { tokens: &tokens, levels: &levels };
    prior.write(None, seen, seen, &[3, 1], &mut two);
    assert_eq!(two[..VOCAB], all[3 * VOCAB..4 * VOCAB]);
    assert_eq!(two[3 * VOCAB..4 * VOCAB], all[(tokens.len() + 1) * VOCAB..][..VOCAB]);
}

#[test]
fn of_a_part_the_prior_speaks_as_if_it_had_not_seen_it() {
    let law = NoiseLaw::uniform(VOCAB).unwrap();
    let text = text();
    let prior = NgramPrior::fit(2, &text, &parts(4), &law).unwrap();
    let (a, b) = (text.len() / 4, text.len() / 2 + PASSAGE - 1);
    let expected = Ngram::fit(2, VOCAB, [&text[..a], &text[b..]]).unwrap();
    assert_eq!(prior.ngrams(Some(1))[0], expected);
    let backward = |text: &[Token]| text.iter().rev().copied().collect::<Vec<_>>();
    let expected = Ngram::fit(2, VOCAB, [backward(&text[..a]), backward(&text[b..])]).unwrap();
    assert_eq!(prior.ngrams(Some(1))[1], expected);
    assert_ne!(prior.ngrams(Some(0)), prior.ngrams(None));
    let other = NoiseLaw::uniform(VOCAB + 1).unwrap();
    assert!(NgramPrior::new(prior.ngrams(None).clone(), &other).is_err());
}

#[test]
fn no_token_of_a_passage_is_counted_in_the_prior_of_its_part() {
    // Every token stands once: one that was not seen has the least probability.
    for (len, parts) in [
        (20_000, Parts { count: 2, passage: 100 }),
        (12_345, Parts { count: 3, passage: 5_000 }),
        (50, Parts { count: 4, passage: 30 }),
    ] {
        let text: Vec<Token> = (0..len as Token).collect();
        let prior = NgramPrior::fit(0, &text, &parts, &NoiseLaw::uniform(len).unwrap()).unwrap();
        for part in 0..parts.count {
            let ngram = &prior.ngrams(Some(part))[0];
            let seen: Vec<bool> = text.iter().map(|&token| ngram.probability(&[], token) > 0.9 / len as f64).collect();
            let passages = (0..len).filter(|&start| parts.of(start, len) == Some(part));
            for start in passages {
                let passage = start..(start + parts.passage).min(len);
                assert!(seen[passage].iter().all(|seen| !seen), "part {part} of {len}, passage at {start}");
            }
            // The longest stretches that are hidden: those of the part, and what their passages reach into.
            let hidden = seen.iter().filter(|seen| !*seen).count();
            assert!(hidden < len / parts.count + (2 * parts.passage).min(len), "{hidden} of {len}");
        }
        assert_eq!(parts.of(len, len), None);
    }
}
