//! Training of byte-pair merges.
//!
//! The merges equal those of the trainer in the `tokenizers` crate, in the same order. That trainer shifts the rest of
//! a word at each merge, which takes minutes for a word of a megabyte (a genome on one line). Here a merge is one pass
//! over the word.

use std::cmp::{Ordering, Reverse};
use std::collections::{BinaryHeap, HashMap};

use rayon::prelude::*;

type Pair = (u32, u32);

/// Words per thread and batch.
const SHARE: usize = 256;

/// The merges of a vocabulary.
pub(super) struct Merges {
    /// The tokens, shape `[id]`: the alphabet, then what was joined.
    pub(super) names: Vec<String>,
    /// The pairs in the order in which they are joined.
    pub(super) pairs: Vec<Pair>,
}

/// A queued pair with its frequency, and the words in which it appeared since it was last processed.
struct Candidate {
    count: u64,
    pair: Pair,
    words: Vec<u32>,
}

impl Candidate {
    /// The more frequent first; of equally frequent ones that of the older tokens.
    fn rank(&self) -> (u64, Reverse<Pair>) {
        (self.count, Reverse(self.pair))
    }
}

impl PartialEq for Candidate {
    fn eq(&self, other: &Self) -> bool {
        self.rank() == other.rank()
    }
}

impl Eq for Candidate {}

impl PartialOrd for Candidate {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Candidate {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

/// Trains at most `size` tokens on words over `alphabet`; pairs seen less than `least` times are not merged.
pub(super) fn learn(words: HashMap<String, u64>, mut alphabet: Vec<char>, size: usize, least: u64) -> Merges {
    alphabet.sort_unstable();
    let letters: HashMap<char, u32> = (0..).zip(&alphabet).map(|(id, &letter)| (letter, id)).collect();
    let mut names: Vec<String> = alphabet.iter().map(char::to_string).collect();
    let mut ids: HashMap<String, u32> = names.iter().cloned().zip(0..).collect();
    let (mut words, counts): (Vec<Vec<u32>>, Vec<i32>) = words
        .into_iter()
        .map(|(word, count)| (word.chars().map(|letter| letters[&letter]).collect::<Vec<_>>(), count as i32))
        .unzip();

    let mut totals: HashMap<Pair, i32> = HashMap::new();
    let mut places: HashMap<Pair, Vec<u32>> = HashMap::new();
    for (at, (word, &count)) in (0..).zip(words.iter().zip(&counts)) {
        for pair in word.windows(2).map(|pair| (pair[0], pair[1])) {
            *totals.entry(pair).or_default() += count;
            note(&mut places, pair, at);
        }
    }
    let mut queue = BinaryHeap::new();
    let mut pairs = Vec::new();
    loop {
        for (pair, words) in places.drain() {
            if let Ok(count @ 1..) = u64::try_from(totals[&pair]) {
                queue.push(Candidate { count, pair, words });
            }
        }
        if names.len() >= size {
            break;
        }
        let Some(mut top) = queue.pop() else { break };
        let count = totals[&top.pair] as u64;
        if top.count != count {
            top.count = count;
            queue.push(top);
            continue;
        }
        if count < least.max(1) {
            break;
        }
        let name = format!("{}{}", names[top.pair.0 as usize], names[top.pair.1 as usize]);
        let joined = *ids.entry(name).or_insert_with_key(|name| {
            names.push(name.clone());
            names.len() as u32 - 1
        });
        pairs.push(top.pair);
        let taken: Vec<(u32, Vec<u32>)> =
            top.words.iter().map(|&at| (at, std::mem::take(&mut words[at as usize]))).collect();
        let changed: Vec<_> = taken
            .into_par_iter()
            .with_min_len(SHARE)
            .map(|(at, mut word)| {
                let changes = join(&mut word, top.pair, joined);
                (at, word, changes)
            })
            .collect();
        for (at, word, changes) in changed {
            words[at as usize] = word;
            for (pair, change) in changes {
                *totals.entry(pair).or_default() += change * counts[at as usize];
                if change > 0 {
                    note(&mut places, pair, at);
                }
            }
        }
    }
    Merges { names, pairs }
}

/// Notes a word for a pair; the pairs of one word come one after another.
fn note(places: &mut HashMap<Pair, Vec<u32>>, pair: Pair, word: u32) {
    let words = places.entry(pair).or_default();
    if words.last() != Some(&word) {
        words.push(word);
    }
}

/// Merges a pair at all places in a word, from the left; returns the removed and added pairs.
fn join(word: &mut Vec<u32>, pair: Pair, joined: u32) -> Vec<(Pair, i32)> {
    let mut changes = Vec::new();
    let (mut from, mut to) = (0, 0);
    while from < word.len() {
        if word[from] == pair.0 && word.get(from + 1) == Some(&pair.1) {
            if to > 0 {
                changes.extend([((word[to - 1], pair.0), -1), ((word[to - 1], joined), 1)]);
            }
            from += 2;
            if let Some(&next) = word.get(from) {
                changes.extend([((pair.1, next), -1), ((joined, next), 1)]);
            }
            word[to] = joined;
        } else {
            word[to] = word[from];
            from += 1;
        }
        to += 1;
    }
    word.truncate(to);
    changes
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokenizers::Trainer;
    use tokenizers::models::bpe::{BPE, BpeTrainer};
    use tokenizers::pre_tokenizers::byte_level::ByteLevel;

    use super::*;

    /// The tokens and the merges of the library, as names.
    fn library(words: &HashMap<String, u64>, size: usize) -> (Vec<String>, Vec<(String, String)>) {
        let mut trainer = BpeTrainer::builder()
            .show_progress(false)
            .vocab_size(size)
            .min_frequency(2)
            .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
            .build();
        let all: Vec<&String> =
            words.iter().flat_map(|(word, &count)| std::iter::repeat_n(word, count as usize)).collect();
        trainer.feed(all.iter(), |word| Ok(vec![word.to_owned()])).unwrap();
        let mut model = BPE::default();
        trainer.train(&mut model).unwrap();
        let json = serde_json::to_value(&model).unwrap();
        let mut names: Vec<(String, u64)> =
            serde_json::from_value::<HashMap<String, u64>>(json["vocab"].clone()).unwrap().into_iter().collect();
        names.sort_by_key(|name| name.1);
        let merges = serde_json::from_value(json["merges"].clone()).unwrap();
        (names.into_iter().map(|name| name.0).collect(), merges)
    }

    fn agree(words: HashMap<String, u64>, size: usize) {
        let expected = library(&words, size);
        let found = learn(words, ByteLevel::alphabet().into_iter().collect(), size, 2);
        let name = |id: u32| found.names[id as usize].clone();
        let mut merges: Vec<(String, String)> =
            found.pairs.iter().map(|&(left, right)| (name(left), name(right))).collect();
        // A pair that comes up again keeps its last place: files list it once.
        let mut seen = std::collections::HashSet::new();
        merges.reverse();
        merges.retain(|merge| seen.insert(merge.clone()));
        merges.reverse();
        assert_eq!((&found.names, merges), (&expected.0, expected.1));
    }

    proptest! {
        #[test]
        fn the_library_finds_the_same_merges(
            words in prop::collection::hash_map("[ab]{1,24}|[abc]{1,9}|a{1,30}|[a-zé]{1,6}", 1u64..9, 1..40),
            more in 0usize..60,
        ) {
            agree(words, 256 + more);
        }
    }
}
