//! Tokenisation in bytes per second.

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use glauber_text::{TextCodec, TokenizerConfig};
use glauber_tokens::Codec;

/// Text that needs no download: the project's own mathematics.
const TEXT: &str = include_str!("../../docs/math.md");

fn tokenise(criterion: &mut Criterion) {
    let bpe = TokenizerConfig::Bpe { vocab_size: 1024 };
    let codecs = [
        ("bytes", TextCodec::bytes()),
        ("bpe, V = 1024", TextCodec::train(&bpe, [Ok(TEXT.to_owned())]).expect("text to learn from")),
    ];
    let mut group = criterion.benchmark_group("tokenise");
    group.throughput(Throughput::Bytes(TEXT.len() as u64));
    for (name, codec) in &codecs {
        group.bench_function(*name, |bencher| bencher.iter(|| codec.encode(TEXT).expect("text")));
    }
}

criterion_group!(benches, tokenise);
criterion_main!(benches);
