//! N-grams as bytes: whole again, or refused.

use glauber_ngram::{Ngram, from_bytes, to_bytes};

fn ngrams() -> [Ngram; 2] {
    let fit = |order, rows: [&[u32]; 2]| Ngram::fit(order, 3, rows).unwrap();
    [fit(3, [&[0, 1, 0, 0, 1, 1, 0, 1, 0, 2, 2], &[1, 0]]), fit(0, [&[2], &[]])]
}

#[test]
fn ngrams_are_read_as_they_were_written() {
    let [first, second] = ngrams();
    let bytes = to_bytes(&[&first, &second]).unwrap();
    assert_eq!(from_bytes(&bytes).unwrap(), [first, second]);
    let nothing = Ngram::fit(2, 3, [[0u32; 0]]).unwrap();
    assert_eq!(from_bytes(&to_bytes(&[&nothing]).unwrap()).unwrap(), [nothing]);
}

#[test]
fn damaged_bytes_never_panic() {
    let [first, second] = ngrams();
    let bytes = to_bytes(&[&first, &second]).unwrap();
    for end in 0..bytes.len() {
        assert!(from_bytes(&bytes[..end]).is_err(), "cut at {end}");
    }
    let mut refused = 0;
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x55;
        refused += usize::from(from_bytes(&damaged).map(|found| found[0].probability(&[0, 1], 2)).is_err());
    }
    assert!(refused * 10 > bytes.len() * 9, "{refused} of {}", bytes.len());
}
