//! One scan of a JPEG.

use super::bits::{Bits, Table};
use super::{CORRUPT, Fault, Frame, NO_RESTART, close};

/// The coefficients that a scan is of.
#[derive(Clone, Copy)]
pub(super) enum Part {
    /// All of them.
    All,
    /// The means of the blocks.
    Mean,
    /// One more bit of the means.
    MeanBit,
    /// Some of the others.
    Rest { first: usize, last: usize },
    /// One more bit of some of the others.
    RestBit { first: usize, last: usize },
}

/// A component of a scan, and the tables that it is coded with.
struct Member {
    component: usize,
    coarse: usize,
    fine: usize,
}

/// A scan.
pub(super) struct Scan {
    members: Vec<Member>,
    part: Part,
}

impl Scan {
    /// None for a header that cannot be.
    pub(super) fn read(body: &[u8], frame: &Frame) -> Option<Self> {
        let (&count, rest) = body.split_first()?;
        let (members, rest) = rest.split_at_checked(2 * usize::from(count))?;
        let [first, last, bits, ..] = rest else { return None };
        let member = |bytes: &[u8]| {
            let component = frame.components.iter().position(|component| component.id == bytes[0])?;
            Some(Member { component, coarse: usize::from(bytes[1] >> 4 & 3), fine: usize::from(bytes[1] & 3) })
        };
        let members: Vec<Member> = members.chunks_exact(2).map(member).collect::<Option<_>>()?;
        let (first, last) = (usize::from(*first), usize::from(*last));
        let possible = !frame.progressive || (first <= last && last < 64 && (first == 0 || members.len() == 1));
        let part = match (frame.progressive, first, bits >> 4 > 0) {
            (false, ..) => Part::All,
            (true, 0, false) => Part::Mean,
            (true, 0, true) => Part::MeanBit,
            (true, first, false) => Part::Rest { first, last },
            (true, first, true) => Part::RestBit { first, last },
        };
        (possible && !members.is_empty()).then_some(Self { members, part })
    }

    /// Passes over all blocks of the scan.
    pub(super) fn walk(
        &self,
        frame: &mut Frame,
        [coarse, fine]: [&[Option<Table>; 4]; 2],
        interval: usize,
        bits: &mut Bits<'_>,
    ) -> Result<(), Fault> {
        let [across, down] = frame.factors();
        let (width, height) = (frame.width, frame.height);
        // A scan of one component has the blocks that the picture reaches into, one of several whole units of all of them.
        let (units, each): (usize, Vec<usize>) = match &self.members[..] {
            [member] => {
                let component = &frame.components[member.component];
                let columns = (width * component.across).div_ceil(8 * across);
                let rows = (height * component.down).div_ceil(8 * down);
                (columns * rows, vec![1])
            }
            members => {
                let blocks = |member: &Member| {
                    let component = &frame.components[member.component];
                    component.across * component.down
                };
                let units = width.div_ceil(8 * across) * height.div_ceil(8 * down);
                (units, members.iter().map(blocks).collect())
            }
        };
        let mut coded = Vec::new();
        for (member, blocks) in self.members.iter().zip(each) {
            let component = &mut frame.components[member.component];
            component.seen |= matches!(self.part, Part::All | Part::Mean);
            if matches!(self.part, Part::Rest { .. } | Part::RestBit { .. }) {
                component.nonzero.resize(units, 0);
            }
            coded.push((member, blocks, std::mem::take(&mut component.nonzero)));
        }
        let mut run = 0;
        for unit in 0..units {
            if interval > 0 && unit > 0 && unit % interval == 0 {
                restart(bits, unit / interval - 1)?;
                run = 0;
            }
            for (member, blocks, nonzero) in &mut coded {
                let tables = [&coarse[member.coarse], &fine[member.fine]];
                for _ in 0..*blocks {
                    self.block(tables, bits, nonzero.get_mut(unit), &mut run)?;
                }
            }
        }
        for (member, _, nonzero) in coded {
            frame.components[member.component].nonzero = nonzero;
        }
        Ok(())
    }

    /// Passes over a block. `run`: how many more blocks have nothing but what refines them.
    fn block(
        &self,
        [coarse, fine]: [&Option<Table>; 2],
        bits: &mut Bits<'_>,
        nonzero: Option<&mut u64>,
        run: &mut u64,
    ) -> Result<(), Fault> {
        match self.part {
            Part::All => {
                mean(coarse, bits)?;
                let mut run = 0;
                let zeros = rest(fine, bits, [1, 63], &mut 0, &mut run)?;
                // Only blocks of a progressive picture can end together, and no picture has a block that zeros make.
                if run > 0 || zeros == 63 { Err(CORRUPT) } else { Ok(()) }
            }
            Part::Mean => mean(coarse, bits),
            Part::MeanBit => bits.take(1).map(drop),
            Part::Rest { .. } if *run > 0 => {
                *run -= 1;
                Ok(())
            }
            Part::Rest { first, last } => rest(fine, bits, [first, last], nonzero.ok_or(CORRUPT)?, run).map(drop),
            Part::RestBit { first, last } => refined(fine, bits, [first, last], nonzero.ok_or(CORRUPT)?, run),
        }
    }
}

/// Passes over a restart marker, the one after `before` others.
fn restart(bits: &mut Bits<'_>, before: usize) -> Result<(), Fault> {
    let whole = std::mem::replace(bits, Bits::new(&[], 0));
    let bytes = whole.bytes();
    let (place, marker) = close(whole)?;
    if usize::from(marker) != 0xD0 + before % 8 {
        return Err(NO_RESTART);
    }
    *bits = Bits::new(bytes, place + 2);
    Ok(())
}

/// The mean of a block.
fn mean(table: &Option<Table>, bits: &mut Bits<'_>) -> Result<(), Fault> {
    let size = bits.symbol(table.as_ref().ok_or(CORRUPT)?)?;
    if size > 16 { Err(CORRUPT) } else { bits.take(size.into()).map(drop) }
}

/// Coefficients of a block. `run`: how many more blocks of a progressive picture end with this one. Gives how many coefficients, one after
/// the other, are of the same size and have no bit but zeros.
fn rest(
    table: &Option<Table>,
    bits: &mut Bits<'_>,
    [first, last]: [usize; 2],
    nonzero: &mut u64,
    run: &mut u64,
) -> Result<usize, Fault> {
    let table = table.as_ref().ok_or(CORRUPT)?;
    let (mut at, mut alike, mut before) = (first, 0, 0);
    while at <= last {
        let symbol = bits.symbol(table)?;
        let (zeros, size) = (usize::from(symbol >> 4), u32::from(symbol & 15));
        match (zeros, size) {
            (15, 0) => at += 16,
            (zeros, 0) => {
                *run = (1 << zeros) - 1 + bits.take(zeros as u32)?;
                return Ok(0);
            }
            (zeros, size) => {
                let number = bits.take(size)?;
                alike = if number == 0 && zeros == 0 && (at == first || size == before) { alike + 1 } else { 0 };
                before = size;
                at += zeros + 1;
                *nonzero |= 1u64.checked_shl(at as u32 - 1).unwrap_or(0);
            }
        }
    }
    if at > last + 1 { Err(CORRUPT) } else { Ok(alike) }
}

/// One more bit of the coefficients of a block: of each that is not zero, and of those that are from now on.
fn refined(
    table: &Option<Table>,
    bits: &mut Bits<'_>,
    [first, last]: [usize; 2],
    nonzero: &mut u64,
    run: &mut u64,
) -> Result<(), Fault> {
    let table = table.as_ref().ok_or(CORRUPT)?;
    let mut at = first;
    while at <= last && *run == 0 {
        let symbol = bits.symbol(table)?;
        let (mut zeros, size) = (usize::from(symbol >> 4), symbol & 15);
        if size == 0 && zeros < 15 {
            *run = (1 << zeros) + bits.take(zeros as u32)?;
            break;
        }
        if size > 0 {
            bits.take(1)?;
        }
        while at <= last {
            if *nonzero >> at & 1 == 1 {
                bits.take(1)?;
            } else if zeros == 0 {
                break;
            } else {
                zeros -= 1;
            }
            at += 1;
        }
        if size > 0 {
            if at > last {
                return Err(CORRUPT);
            }
            *nonzero |= 1 << at;
        }
        at += 1;
    }
    if *run > 0 {
        for at in at..=last {
            if *nonzero >> at & 1 == 1 {
                bits.take(1)?;
            }
        }
        *run -= 1;
    }
    Ok(())
}
