//! Huffman-coded bits.

use super::{CORRUPT, Fault, SHORT};

/// Maximal code length in bits for table look-up.
const LOOKED_UP: u32 = 8;

/// A Huffman table.
pub(super) struct Table {
    /// Length and symbol of the code that begins with these bits; length 0 where it is longer.
    short: [(u8, u8); 1 << LOOKED_UP],
    /// The first 16 bits behind the last code of each length.
    limits: [u32; 17],
    /// What is added to a code of each length for the place of its symbol.
    offsets: [i32; 17],
    symbols: Vec<u8>,
}

impl Table {
    /// Reads the tables of a segment; one that cannot be is left to the decoder.
    pub(super) fn read_all(mut body: &[u8], coarse: &mut [Option<Self>; 4], fine: &mut [Option<Self>; 4]) {
        while let Some((head, counts)) = body.split_first_chunk::<17>().map(|(head, _)| (head[0], &body[1..17])) {
            let total: usize = counts.iter().map(|&count| usize::from(count)).sum();
            let Some(symbols) = body.get(17..17 + total) else { return };
            let tables = if head >> 4 == 0 { &mut *coarse } else { &mut *fine };
            tables[usize::from(head & 3)] = Self::new(counts, symbols);
            body = &body[17 + total..];
        }
    }

    fn new(counts: &[u8], symbols: &[u8]) -> Option<Self> {
        let mut table =
            Self { short: [(0, 0); 1 << LOOKED_UP], limits: [0; 17], offsets: [0; 17], symbols: symbols.to_vec() };
        let (mut code, mut place) = (0u32, 0usize);
        for length in 1..=16u32 {
            table.offsets[length as usize] = place as i32 - code as i32;
            for _ in 0..counts[length as usize - 1] {
                if code >= 1 << length {
                    return None;
                }
                if length <= LOOKED_UP {
                    let shift = LOOKED_UP - length;
                    let all = (code << shift) as usize..((code + 1) << shift) as usize;
                    table.short[all].fill((length as u8, symbols[place]));
                }
                (code, place) = (code + 1, place + 1);
            }
            table.limits[length as usize] = code << (16 - length);
            code <<= 1;
        }
        Some(table)
    }

    /// Length and symbol of the code at the head of 16 bits.
    fn find(&self, head: u32) -> Result<(u32, u8), Fault> {
        let (length, symbol) = self.short[(head >> (16 - LOOKED_UP)) as usize];
        if length > 0 {
            return Ok((length.into(), symbol));
        }
        let length = (LOOKED_UP + 1..=16).find(|&length| head < self.limits[length as usize]).ok_or(CORRUPT)?;
        let place = (head >> (16 - length)) as i32 + self.offsets[length as usize];
        let symbol = usize::try_from(place).ok().and_then(|place| self.symbols.get(place)).ok_or(CORRUPT)?;
        Ok((length, *symbol))
    }
}

/// The bits of a scan up to the next marker.
pub(super) struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    /// Bits that are read ahead, the next one at the top.
    ahead: u64,
    count: u32,
}

impl<'a> Bits<'a> {
    pub(super) fn new(bytes: &'a [u8], at: usize) -> Self {
        Self { bytes, at, ahead: 0, count: 0 }
    }

    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Whole bytes that were read ahead, and the place behind them.
    pub(super) fn rest(&self) -> (usize, usize) {
        (self.count as usize / 8, self.at)
    }

    /// Reads ahead what there is, up to 8 bytes.
    fn fill(&mut self) {
        while self.count <= 56 {
            let Some(&byte) = self.bytes.get(self.at) else { return };
            if byte == 0xFF {
                match self.bytes.get(self.at + 1) {
                    Some(0) => self.at += 1,
                    _ => return,
                }
            }
            self.at += 1;
            self.ahead |= u64::from(byte) << (56 - self.count);
            self.count += 8;
        }
    }

    /// Passes over some bits, up to 32 of them; gives their number.
    pub(super) fn take(&mut self, count: u32) -> Result<u64, Fault> {
        if self.count < count {
            self.fill();
        }
        if self.count < count {
            return Err(SHORT);
        }
        let number = if count == 0 { 0 } else { self.ahead >> (64 - count) };
        self.ahead <<= count;
        self.count -= count;
        Ok(number)
    }

    /// The next symbol.
    pub(super) fn symbol(&mut self, table: &Table) -> Result<u8, Fault> {
        if self.count < 16 {
            self.fill();
        }
        let (length, symbol) = table.find((self.ahead >> 48) as u32)?;
        self.take(length)?;
        Ok(symbol)
    }
}
