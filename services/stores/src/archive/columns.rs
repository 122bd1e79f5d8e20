//! Taking reports apart so that what repeats lies together, and putting them together again.
//!
//! Consecutive reports of a probe say nearly the same, but every fact carries the moment it was seen and every sample a
//! number, so the text that repeats is cut into pieces of some 30 bytes. Taken out of the text, the moments (most of which
//! occur many times in one report) and the numbers leave bodies that are 95 % alike.
//!
//! A moment is the 14 bytes after `AF 01`: Scope's msgpack writes a time as a string of 15 bytes, of which the first is the
//! version 1 of Go's `time.Time` encoding. A number is the 8 bytes after `CB`, msgpack's mark of a 64-bit float. Where those
//! bytes mean something else, nothing is lost: what is taken out is put back at the same places, whatever it is.

use super::block::Damage;

/// Bytes of a moment after its mark.
const MOMENT: usize = 14;
/// Bytes of a number after its mark.
const NUMBER: usize = 8;
pub(super) type Moment = [u8; MOMENT];
pub(super) type Number = [u8; NUMBER];
/// Places in the table of a report's recent moments; a power of two. One that is pushed out is written once more.
const RECENT: usize = 4096;

/// Reports taken apart.
#[derive(Debug, Default)]
pub(super) struct Columns {
    /// The bodies without moments and numbers.
    pub(super) text: Vec<u8>,
    /// For each moment in the text: 0 for the next of `moments`, else how many moments of this report back it is. LEB128.
    pub(super) places: Vec<u8>,
    pub(super) moments: Vec<Moment>,
    pub(super) numbers: Vec<Number>,
}

/// Where a report's recent moments are.
#[derive(Debug)]
pub(super) struct Recent(Vec<(Moment, u32)>);

impl Default for Recent {
    fn default() -> Self {
        Recent(vec![([0; MOMENT], 0); RECENT])
    }
}

impl Recent {
    /// The place of this moment, in a table that starts anew with every report: numbers up to `before` are of others.
    fn find(&mut self, moment: Moment, before: u32, next: u32) -> Option<u32> {
        let slot = &mut self.0[slot(&moment)];
        if slot.1 > before && slot.0 == moment {
            return Some(slot.1);
        }
        *slot = (moment, next);
        None
    }
}

fn slot(moment: &Moment) -> usize {
    let part = |range: std::ops::Range<usize>| {
        let bytes = moment[range].try_into().unwrap_or_default();
        u64::from_le_bytes(bytes)
    };
    // The low bits of seconds and all of the nanoseconds, by Fibonacci hashing.
    let mixed = part(4..12) ^ part(0..8).rotate_left(17);
    (mixed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 52) as usize % RECENT
}

impl Columns {
    /// Adds a body.
    pub(super) fn take_apart(&mut self, mut body: &[u8], recent: &mut Recent) {
        // Numbered from 1 over the frame.
        let before = self.moments.len() as u32;
        while let Some(at) = memchr::memchr2(0xAF, 0xCB, body) {
            let (run, rest) = body.split_at(at + 1);
            self.text.extend_from_slice(run);
            body = rest;
            if run[at] == 0xCB {
                let Some((number, rest)) = body.split_first_chunk() else {
                    continue;
                };
                self.numbers.push(*number);
                body = rest;
            } else if body.first() == Some(&1) {
                self.text.push(1);
                body = &body[1..];
                let Some((moment, rest)) = body.split_first_chunk() else {
                    continue;
                };
                let next = self.moments.len() as u32 + 1;
                match recent.find(*moment, before, next) {
                    Some(known) => write_place(&mut self.places, next - known),
                    None => {
                        write_place(&mut self.places, 0);
                        self.moments.push(*moment);
                    }
                }
                body = rest;
            }
        }
        self.text.extend_from_slice(body);
    }

    pub(super) fn clear(&mut self) {
        self.text.clear();
        self.places.clear();
        self.moments.clear();
        self.numbers.clear();
    }
}

/// What is left of columns that are being put together.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    pub(super) text: &'a [u8],
    pub(super) places: &'a [u8],
    pub(super) moments: &'a [Moment],
    pub(super) numbers: &'a [Number],
    pub(super) next_moment: usize,
    pub(super) next_number: usize,
}

impl Reader<'_> {
    /// Appends the next body, of this many bytes.
    pub(super) fn put_together(&mut self, bytes: usize, out: &mut Vec<u8>) -> Result<(), Damage> {
        let end = out.len() + bytes;
        loop {
            let left = end - out.len();
            let window = &self.text[..left.min(self.text.len())];
            let Some(at) = memchr::memchr2(0xAF, 0xCB, window) else {
                if window.len() < left {
                    return Err(Damage::Columns);
                }
                out.extend_from_slice(window);
                self.text = &self.text[left..];
                return Ok(());
            };
            let (run, rest) = self.text.split_at(at + 1);
            out.extend_from_slice(run);
            self.text = rest;
            let left = end - out.len();
            if run[at] == 0xCB {
                if left < NUMBER {
                    continue;
                }
                let number = self.numbers.get(self.next_number).ok_or(Damage::Columns)?;
                self.next_number += 1;
                out.extend_from_slice(number);
            } else if left > 0 && self.text.first() == Some(&1) {
                out.push(1);
                self.text = &self.text[1..];
                if left > MOMENT {
                    out.extend_from_slice(self.moment()?);
                }
            }
        }
    }

    fn moment(&mut self) -> Result<&Moment, Damage> {
        let back = read_place(&mut self.places).ok_or(Damage::Columns)? as usize;
        let at = if back == 0 {
            self.next_moment += 1;
            self.next_moment - 1
        } else {
            self.next_moment.checked_sub(back).ok_or(Damage::Columns)?
        };
        self.moments.get(at).ok_or(Damage::Columns)
    }

    /// Whether nothing is left.
    pub(super) fn is_spent(&self) -> bool {
        self.text.is_empty()
            && self.places.is_empty()
            && self.next_moment == self.moments.len()
            && self.next_number == self.numbers.len()
    }
}

fn write_place(out: &mut Vec<u8>, mut n: u32) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

fn read_place(from: &mut &[u8]) -> Option<u32> {
    let mut n = 0;
    for shift in (0..35).step_by(7) {
        let (byte, rest) = from.split_first()?;
        *from = rest;
        n |= u32::from(byte & 0x7f).checked_shl(shift)?;
        if *byte < 0x80 {
            return Some(n);
        }
    }
    None
}

/// The first bytes of all items, then the second ones, and so on: bytes of like meaning compress better side by side.
pub(super) fn planes<const N: usize>(items: &[[u8; N]], out: &mut Vec<u8>) {
    for plane in 0..N {
        out.extend(items.iter().map(|item| item[plane]));
    }
}

/// The items again; none if the planes are not of one length.
pub(super) fn from_planes<const N: usize>(planes: &[u8], items: &mut Vec<[u8; N]>) -> Option<()> {
    items.clear();
    if !planes.len().is_multiple_of(N) {
        return None;
    }
    let count = planes.len() / N;
    items.resize(count, [0; N]);
    for (plane, bytes) in planes.chunks_exact(count.max(1)).enumerate() {
        for (item, byte) in items.iter_mut().zip(bytes) {
            item[plane] = *byte;
        }
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(bodies: &[Vec<u8>]) {
        let mut columns = Columns::default();
        let mut recent = Recent::default();
        for body in bodies {
            columns.take_apart(body, &mut recent);
        }
        let mut reader = Reader {
            text: &columns.text,
            places: &columns.places,
            moments: &columns.moments,
            numbers: &columns.numbers,
            next_moment: 0,
            next_number: 0,
        };
        for body in bodies {
            let mut out = Vec::new();
            reader.put_together(body.len(), &mut out).expect("whole");
            assert_eq!(&out, body);
        }
        assert!(reader.is_spent());
    }

    #[test]
    fn bodies_that_end_within_a_mark_come_back() {
        let moment = [&[0xAF, 1][..], &[7; 14]].concat();
        for end in 0..moment.len() {
            check(&[
                moment[..end].to_vec(),
                moment.clone(),
                moment[..end].to_vec(),
            ]);
        }
        for end in 0..9 {
            check(&[[0xCB; 9][..end].to_vec(), vec![0xAF, 0xAF, 1, 0xCB]]);
        }
    }

    proptest! {
        #[test]
        fn any_bodies_come_back(
            bodies in prop::collection::vec(
                prop::collection::vec(prop_oneof![Just(0xAF), Just(0xCB), Just(1), 0..4u8], 0..400), 0..6)
        ) {
            check(&bodies);
        }

        #[test]
        fn planes_come_back(items in prop::collection::vec(any::<[u8; 8]>(), 0..50)) {
            let mut out = Vec::new();
            planes(&items, &mut out);
            let mut back = Vec::new();
            prop_assert_eq!(from_planes::<8>(&out, &mut back), Some(()));
            prop_assert_eq!(back, items);
        }
    }
}
