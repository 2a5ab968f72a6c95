//! Packs passages, with an end of text between different documents.

use glauber_shards::{ShardError, SplitWriter};
use glauber_tokens::Token;

use crate::Passage;

/// Packs the passages of a split into a stream.
pub(super) struct Packing {
    end_of_text: Token,
    /// Index in the corpus of the last written passage.
    last: Option<u64>,
}

impl Packing {
    pub(super) fn new(end_of_text: Token) -> Self {
        Self { end_of_text, last: None }
    }

    /// Appends a passage, after an end of text unless it continues the previous one. Returns whether an end of text was
    /// written.
    pub(super) fn push(
        &mut self,
        out: &mut SplitWriter,
        place: u64,
        passage: &Passage,
        tokens: &[Token],
    ) -> Result<bool, ShardError> {
        out.count_text(&passage.text);
        if tokens.is_empty() {
            return Ok(false);
        }
        let adjacent = passage.continues && self.last.is_some_and(|last| last + 1 == place);
        let separated = !adjacent && out.tokens() > 0;
        if separated {
            out.write(&[self.end_of_text])?;
        }
        if !adjacent {
            out.begin_document()?;
        }
        self.last = Some(place);
        out.write(tokens)?;
        Ok(separated)
    }
}

#[cfg(test)]
mod tests {
    use glauber_shards::{Split, TokenData, TokenWriter};

    use super::*;

    fn packed(passages: &[(u64, Passage, Vec<Token>)]) -> (TokenData, Vec<bool>) {
        let folder = tempfile::tempdir().unwrap();
        let mut writer = TokenWriter::new(folder.path(), 10, "");
        let mut packing = Packing::new(9);
        let mut push = |(place, passage, tokens): &(u64, Passage, Vec<Token>)| {
            packing.push(writer.split(Split::Training), *place, passage, tokens).unwrap()
        };
        let separated = passages.iter().map(&mut push).collect();
        writer.finish().unwrap();
        (TokenData::open(folder.path()).unwrap(), separated)
    }

    #[test]
    fn a_passage_that_goes_on_is_not_separated() {
        let places = [(0, false), (1, true), (3, true), (4, false)];
        let passage = |(place, continues)| (place, Passage { text: "x".to_owned(), continues }, vec![place as Token]);
        let (data, separated) = packed(&places.map(passage));
        assert_eq!(separated, [false, false, true, true]);
        let mut out = vec![0; data.train().tokens()];
        data.train().window(0, &mut out);
        assert_eq!(out, [0, 1, 9, 3, 9, 4]);
        assert_eq!(data.train().documents(), 3);
    }

    #[test]
    fn the_text_is_counted() {
        let passage = |length: u64| {
            let text = "é".repeat(length as usize);
            (length, Passage { text, continues: false }, vec![1; length as usize])
        };
        let (data, _) = packed(&(0..=9).map(passage).collect::<Vec<_>>());
        let stream = data.train();
        assert_eq!((stream.documents(), stream.characters(), stream.bytes()), (9, 45, 90));
    }
}
