//! One end of an HTTP/2 connection, frame by frame: whatever is wrong with a frame can be said.
//! Never decodes more of an answer than its status.

use std::net::SocketAddr;

use super::Peer;

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const PRIORITY: u8 = 2;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const PUSH_PROMISE: u8 = 5;
pub(crate) const PING: u8 = 6;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const WINDOW_UPDATE: u8 = 8;
pub(crate) const CONTINUATION: u8 = 9;

/// Of SETTINGS and PING.
pub(crate) const ACK: u8 = 0x1;
pub(crate) const END_STREAM: u8 = 0x1;
pub(crate) const END_HEADERS: u8 = 0x4;
pub(crate) const PADDED: u8 = 0x8;

pub(crate) const PROTOCOL_ERROR: u32 = 1;
pub(crate) const FLOW_CONTROL_ERROR: u32 = 3;
pub(crate) const STREAM_CLOSED: u32 = 5;
pub(crate) const FRAME_SIZE_ERROR: u32 = 6;
pub(crate) const REFUSED_STREAM: u32 = 7;
pub(crate) const CANCEL: u32 = 8;
pub(crate) const COMPRESSION_ERROR: u32 = 9;
pub(crate) const ENHANCE_YOUR_CALM: u32 = 11;

pub(crate) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// A frame as it came.
#[derive(Debug)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

/// What became of a request, or of the whole connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was answered with this status.
    Answered(u16),
    /// It was reset for this reason.
    Reset(u32),
    /// The connection was ended for this reason.
    Ended(u32),
    /// The connection was closed without a word.
    Closed,
}

/// A client that says frames.
pub(crate) struct Client {
    pub(crate) peer: Peer,
}

impl Client {
    /// One that has said its preface and settings: no dynamic table, so that every answer can be read by itself.
    pub(crate) fn to(address: SocketAddr) -> Self {
        let mut client = Self { peer: Peer::to(address) };
        client.peer.say(PREFACE);
        client.say(frame(SETTINGS, 0, 0, [0, 1, 0, 0, 0, 0]));
        client
    }

    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.peer.say(bytes);
    }

    /// Whether the other end still takes it.
    pub(crate) fn try_say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.peer.try_say(bytes)
    }

    /// The next frame; none once the connection is closed.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let head = self.peer.bytes(9)?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let stream = u32::from_be_bytes([head[5], head[6], head[7], head[8]]);
        let payload = self.peer.bytes(length as usize)?;
        Some(Frame { kind: head[3], stream, payload })
    }

    /// The next frame for which this holds.
    pub(crate) fn find(&mut self, is_it: impl Fn(&Frame) -> bool) -> Option<Frame> {
        loop {
            let frame = self.next()?;
            if is_it(&frame) {
                return Some(frame);
            }
        }
    }

    /// What becomes of a stream: of the connection if that ends first.
    pub(crate) fn outcome(&mut self, stream: u32) -> Outcome {
        let reason = |payload: &[u8]| u32::from_be_bytes(payload[..4].try_into().unwrap());
        while let Some(frame) = self.next() {
            match frame.kind {
                HEADERS if frame.stream == stream => return Outcome::Answered(status(&frame.payload)),
                RST_STREAM if frame.stream == stream => return Outcome::Reset(reason(&frame.payload)),
                GOAWAY if reason(&frame.payload[4..]) != 0 => {
                    return Outcome::Ended(reason(&frame.payload[4..]));
                }
                _ => {}
            }
        }
        Outcome::Closed
    }

    /// The error that a stream, or the connection, ends with.
    pub(crate) fn fault(&mut self, stream: u32) -> Outcome {
        loop {
            let outcome = self.outcome(stream);
            if !matches!(outcome, Outcome::Answered(_)) {
                return outcome;
            }
        }
    }

    /// Whether the connection is alive: a ping is answered.
    pub(crate) fn is_alive(&mut self) -> bool {
        self.try_say(frame(PING, 0, 0, *b"alive???"))
            && self.find(|frame| frame.kind == PING && frame.payload == *b"alive???").is_some()
    }
}

/// A frame. What its payload is, and whether its length is right, is the caller's business.
pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: impl AsRef<[u8]>) -> Vec<u8> {
    let payload = payload.as_ref();
    let mut frame = u32::try_from(payload.len()).unwrap().to_be_bytes()[1..].to_vec();
    frame.extend([kind, flags]);
    frame.extend(stream.to_be_bytes());
    frame.extend(payload);
    frame
}

/// Fields as HPACK literals without indexing or Huffman: any bytes can be said.
pub(crate) fn block<N: AsRef<[u8]>, V: AsRef<[u8]>>(fields: &[(N, V)]) -> Vec<u8> {
    fn text(block: &mut Vec<u8>, text: &[u8]) {
        // An integer of 7 bits, or 127 and the rest in groups of 7 (RFC 7541 section 5.1).
        let Some(mut rest) = text.len().checked_sub(127) else {
            block.push(u8::try_from(text.len()).unwrap());
            return block.extend(text);
        };
        block.push(127);
        while rest >= 128 {
            block.push(u8::try_from(rest % 128).unwrap() | 128);
            rest /= 128;
        }
        block.push(u8::try_from(rest).unwrap());
        block.extend(text);
    }
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        text(&mut block, name.as_ref());
        text(&mut block, value.as_ref());
    }
    block
}

/// The fields of a GET of `/` with these behind them.
pub(crate) fn get<'f>(more: &[(&'f str, &'f str)]) -> Vec<u8> {
    let mut fields =
        vec![(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "api.test")];
    fields.extend(more);
    block(&fields)
}

/// `:status`, which comes first: a static index, or a literal with the name's index (RFC 7541 appendix A).
fn status(block: &[u8]) -> u16 {
    // Before it the size of the dynamic table may be said.
    let block = &block[block.iter().take_while(|byte| **byte & 0xe0 == 0x20).count()..];
    match block {
        [index @ 0x88..=0x8e, ..] => [200, 204, 206, 304, 400, 404, 500][usize::from(index - 0x88)],
        [_, length, text @ ..] if length & 0x80 == 0 => {
            std::str::from_utf8(&text[..usize::from(*length)]).unwrap().parse().unwrap()
        }
        [_, length, text @ ..] => digits(&text[..usize::from(length & 0x7f)]),
        _ => panic!("no status in {block:?}"),
    }
}

/// Three digits in the Huffman code: 0 to 2 in five bits, 3 to 9 in six (RFC 7541 appendix B).
fn digits(text: &[u8]) -> u16 {
    let mut bits = text.iter().flat_map(|byte| (0..8).rev().map(move |bit| u16::from(byte >> bit & 1)));
    let mut digit = || {
        let five = (0..5).fold(0, |code, _| code << 1 | bits.next().unwrap());
        if five < 3 { five } else { (five << 1 | bits.next().unwrap()) - 0x16 }
    };
    (0..3).fold(0, |status, _| status * 10 + digit())
}
