//! The frames of HTTP/2 as they pass: where each begins, and whether it brings anything (RFC 9113 section 4).
//! Never decodes what is in them; h2 does, and ends connections that break the protocol.

use super::super::preface::PREFACE;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;
const SETTINGS: u8 = 4;
const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// Length, type, flags and stream of a frame.
const HEAD: usize = 9;

/// Where in the stream of frames the client is.
pub(super) struct Frames {
    head: [u8; HEAD],
    head_length: usize,
    /// Bytes of the current frame, or of the preface, that are still to come.
    rest: usize,
    kind: u8,
    is_within_a_head: bool,
    /// The current frame is the last of its header block.
    ends_head: bool,
    is_first: bool,
}

/// What some bytes brought.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Read {
    /// Frames that bring nothing: neither a head nor a byte of a body.
    pub(super) idle_frames: i64,
    /// Whether bytes of a body or of a head came.
    pub(super) has_content: bool,
    /// Whether the first frame began and is SETTINGS, as it must be (RFC 9113 section 3.4).
    pub(super) is_met: bool,
    /// Whether the first frame began and is another.
    pub(super) is_strange: bool,
}

impl Default for Frames {
    fn default() -> Self {
        Self {
            head: [0; HEAD],
            head_length: 0,
            rest: PREFACE.len(),
            kind: SETTINGS,
            is_within_a_head: false,
            ends_head: false,
            is_first: true,
        }
    }
}

impl Frames {
    /// Follows the frames through these bytes.
    pub(super) fn read(&mut self, mut bytes: &[u8]) -> Read {
        let mut read = Read::default();
        while !bytes.is_empty() {
            if self.rest > 0 {
                let length = self.rest.min(bytes.len());
                bytes = &bytes[length..];
                self.rest -= length;
                read.has_content |= self.kind == DATA;
            } else {
                let length = (HEAD - self.head_length).min(bytes.len());
                self.head[self.head_length..][..length].copy_from_slice(&bytes[..length]);
                bytes = &bytes[length..];
                self.head_length += length;
                if self.head_length == HEAD {
                    self.head_length = 0;
                    self.begin(&mut read);
                }
            }
            if self.rest == 0 && self.ends_head {
                self.is_within_a_head = false;
            }
        }
        read
    }

    /// Whether a header block has begun and its last byte has not come.
    pub(super) fn is_within_a_head(&self) -> bool {
        self.is_within_a_head
    }

    fn begin(&mut self, read: &mut Read) {
        let [high, middle, low, kind, flags, ..] = self.head;
        self.rest = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        self.kind = kind;
        self.ends_head = false;
        if std::mem::take(&mut self.is_first) {
            (read.is_met, read.is_strange) = (kind == SETTINGS, kind != SETTINGS);
        }
        match kind {
            HEADERS | CONTINUATION => {
                read.idle_frames += i64::from(kind == CONTINUATION);
                self.is_within_a_head = true;
                self.ends_head = flags & END_HEADERS != 0;
            }
            DATA if self.rest > 0 || flags & END_STREAM != 0 => {}
            _ => read.idle_frames += 1,
        }
        read.has_content |= kind == HEADERS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = u8::try_from(payload.len()).unwrap();
        let mut frame = vec![0, 0, length, kind, flags, 0, 0, 0, 1];
        frame.extend_from_slice(payload);
        frame
    }

    /// What a client says, read in pieces of this size: the sum of it all.
    fn read(said: &[u8], piece: usize) -> (Read, Frames) {
        let (mut frames, mut sum) = (Frames::default(), Read::default());
        for bytes in said.chunks(piece) {
            let read = frames.read(bytes);
            sum.idle_frames += read.idle_frames;
            sum.has_content |= read.has_content;
            sum.is_met |= read.is_met;
            sum.is_strange |= read.is_strange;
        }
        (sum, frames)
    }

    #[test]
    fn frames_are_counted_wherever_they_are_cut() {
        let mut said = PREFACE.to_vec();
        said.extend(frame(SETTINGS, 0, &[0; 6]));
        said.extend(frame(HEADERS, END_HEADERS, b"head"));
        said.extend(frame(DATA, 0, b"body"));
        said.extend(frame(DATA, 0, b""));
        said.extend(frame(6, 0, &[0; 8]));
        said.extend(frame(DATA, END_STREAM, b""));
        for piece in 1..said.len() {
            let (sum, frames) = read(&said, piece);
            assert_eq!(
                sum,
                Read { idle_frames: 3, has_content: true, is_met: true, is_strange: false },
                "{piece}"
            );
            assert!(!frames.is_within_a_head());
        }
    }

    #[test]
    fn a_head_lasts_from_its_first_frame_to_the_end_of_its_last() {
        let mut said = PREFACE.to_vec();
        said.extend(frame(HEADERS, 0, b"he"));
        said.extend(frame(CONTINUATION, 0, b""));
        said.extend(frame(CONTINUATION, END_HEADERS, b"ad"));
        for end in PREFACE.len() + HEAD..said.len() {
            assert!(read(&said[..end], 7).1.is_within_a_head(), "{end}");
        }
        assert!(!read(&said, 7).1.is_within_a_head());
        assert_eq!(
            read(&said, 7).0,
            Read { idle_frames: 2, has_content: true, is_met: false, is_strange: true }
        );
    }
}
