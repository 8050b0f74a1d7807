//! A hostile caller that speaks HTTP/2 by prior knowledge, frame by frame.
//! Never uses a library: none would send what is to be sent.

use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::caller::Caller;
use super::mutations::streams::{FIRST_STREAM, Stream, stream};
use crate::dice::Dice;
use crate::support::PATIENCE;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const END_STREAM: u8 = 1;
const ACK: u8 = 1;
const END_HEADERS: u8 = 4;
/// Streams of one connection; then it is left.
const STREAMS: u32 = 200;

/// One connection and the number of its next stream.
struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
    next: u32,
}

/// What became of a stream.
enum Outcome {
    /// It was answered with this body.
    Answered(Vec<u8>),
    Reset,
    /// The connection is over.
    Gone,
}

impl Caller {
    /// Takes cases until there are none left.
    pub(super) async fn run_streams(self) {
        let mut kept: Option<Connection> = None;
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.cases {
                return;
            }
            let number = FIRST_STREAM + number;
            let mut connection = match kept.take() {
                Some(connection) => connection,
                None => Connection::open(self.gate).await,
            };
            let stream = stream(&mut Dice::new(self.seed, number), number);
            match connection.ask(&stream).await {
                Outcome::Answered(body) => {
                    let text = String::from_utf8_lossy(&body);
                    // The API answers with the marker, Sidegate with JSON.
                    let is_own = text.is_empty() || text.starts_with('{') || text == format!("{number}.0");
                    if !is_own {
                        self.oracle.violated(&format!("stream {number} was answered {text}"));
                    }
                    kept = (connection.next < 2 * STREAMS).then_some(connection);
                }
                Outcome::Reset => kept = Some(connection),
                Outcome::Gone => {}
            }
        }
    }
}

impl Connection {
    async fn open(gate: std::net::SocketAddr) -> Self {
        let mut stream = TcpStream::connect(gate).await.unwrap();
        let preface = [b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &frame(SETTINGS, 0, 0, b"")[..]].concat();
        stream.write_all(&preface).await.unwrap();
        Self { stream, read: Vec::new(), next: 1 }
    }

    async fn ask(&mut self, sent: &Stream) -> Outcome {
        let id = self.next;
        self.next += 2;
        let is_all = sent.body.is_none() && sent.trailers.is_none();
        let mut bytes = frame(HEADERS, END_HEADERS | u8::from(is_all), id, &block(&sent.head));
        if let Some(body) = &sent.body {
            bytes.extend(frame(DATA, u8::from(sent.trailers.is_none()), id, body));
        }
        if let Some(trailers) = &sent.trailers {
            bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, id, &block(trailers)));
        }
        if self.stream.write_all(&bytes).await.is_err() {
            return Outcome::Gone;
        }
        let mut body = Vec::new();
        loop {
            let Some((kind, flags, of, payload)) = self.frame().await else { return Outcome::Gone };
            match kind {
                SETTINGS if flags & ACK == 0 => {
                    drop(self.stream.write_all(&frame(SETTINGS, ACK, 0, b"")).await);
                }
                PING if flags & ACK == 0 => drop(self.stream.write_all(&frame(PING, ACK, 0, &payload)).await),
                GOAWAY => return Outcome::Gone,
                RST_STREAM if of == id => return Outcome::Reset,
                DATA if of == id => body.extend(payload),
                _ => {}
            }
            if of == id && matches!(kind, DATA | HEADERS) && flags & END_STREAM != 0 {
                return Outcome::Answered(body);
            }
        }
    }

    /// The next frame; none once the connection is closed.
    async fn frame(&mut self) -> Option<(u8, u8, u32, Vec<u8>)> {
        loop {
            if let [a, b, c, kind, flags, id @ ..] = &self.read[..]
                && let Some((id, rest)) = id.split_first_chunk::<4>()
            {
                let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
                if rest.len() >= length {
                    let frame = (*kind, *flags, u32::from_be_bytes(*id), rest[..length].to_vec());
                    self.read.drain(..9 + length);
                    return Some(frame);
                }
            }
            let read = timeout(PATIENCE, self.stream.read_buf(&mut self.read)).await;
            match read.expect("a stream is answered, reset, or its connection closed") {
                Ok(1..) => {}
                Ok(0) | Err(_) => return None,
            }
        }
    }
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

/// HPACK without its compression: each field as a literal that is not remembered (RFC 7541 section 6.2.2).
fn block(fields: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            // Seven bits of length, and the rest in groups of seven.
            if text.len() < 127 {
                block.push(u8::try_from(text.len()).unwrap());
            } else {
                block.push(127);
                let mut rest = text.len() - 127;
                while rest >= 128 {
                    block.push(u8::try_from(rest % 128).unwrap() | 128);
                    rest /= 128;
                }
                block.push(u8::try_from(rest).unwrap());
            }
            block.extend(text);
        }
    }
    block
}
