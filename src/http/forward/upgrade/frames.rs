//! Where the frames of a WebSocket end (RFC 6455 section 5.2), counted as they pass.
//! Never looks into a frame, never changes one.

/// The longest head of a frame: two bytes, a length of eight, a mask of four.
const MAX_HEAD: usize = 14;

/// One direction of a WebSocket, from its first byte on.
#[derive(Debug, Default)]
pub(super) struct Frames {
    head: [u8; MAX_HEAD],
    /// How much of a head has passed.
    known: usize,
    /// How much of the payload has not.
    left: u64,
}

impl Frames {
    /// Notes bytes that passed.
    pub(super) fn pass(&mut self, mut bytes: &[u8]) {
        while let Some((first, rest)) = bytes.split_first() {
            if self.left > 0 {
                let skipped = usize::try_from(self.left).unwrap_or(usize::MAX).min(bytes.len());
                self.left -= skipped as u64;
                bytes = &bytes[skipped..];
                continue;
            }
            self.head[self.known] = *first;
            self.known += 1;
            bytes = rest;
            if let Some(payload) = self.payload() {
                (self.known, self.left) = (0, payload);
            }
        }
    }

    /// Whether nothing of a frame is under way.
    pub(super) fn is_between(&self) -> bool {
        self.known == 0 && self.left == 0
    }

    /// The length of the payload, once the head is complete.
    fn payload(&self) -> Option<u64> {
        let [_, second, length @ ..] = self.head.get(..self.known)? else { return None };
        let mask = if second & 0x80 == 0 { 0 } else { 4 };
        let width = match second & 0x7f {
            126 => 2,
            127 => 8,
            _ => 0,
        };
        if length.len() < width + mask {
            return None;
        }
        Some(match width {
            0 => u64::from(second & 0x7f),
            _ => length.iter().take(width).fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(length: usize, mask: bool) -> Vec<u8> {
        let flag = if mask { 0x80 } else { 0 };
        let mut frame = vec![0x82];
        match length {
            0..=125 => frame.push(flag | u8::try_from(length).unwrap()),
            126..=0xffff => {
                frame.push(flag | 126);
                frame.extend(u16::try_from(length).unwrap().to_be_bytes());
            }
            _ => {
                frame.push(flag | 127);
                frame.extend((length as u64).to_be_bytes());
            }
        }
        frame.extend(vec![0xff; if mask { 4 } else { 0 } + length]);
        frame
    }

    #[test]
    fn every_frame_ends_where_it_says_however_it_is_cut() {
        for length in [0, 1, 125, 126, 65_535, 65_536, 100_000] {
            for mask in [false, true] {
                let frame = frame(length, mask);
                for cut in [1, 2, 3, 7, 1000, frame.len()] {
                    let mut frames = Frames::default();
                    assert!(frames.is_between());
                    for _ in 0..2 {
                        let (last, before) = frame.split_last().unwrap();
                        before.chunks(cut).for_each(|bytes| frames.pass(bytes));
                        assert!(!frames.is_between(), "{length} {mask} {cut}");
                        frames.pass(&[*last]);
                        assert!(frames.is_between(), "{length} {mask} {cut}");
                    }
                }
            }
        }
    }
}
