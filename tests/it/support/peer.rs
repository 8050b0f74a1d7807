//! One end of a connection, byte for byte.
//! Never hides what was said: HTTP is parsed only as far as to tell where a message ends.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};

use super::PATIENCE;

/// One end of a connection.
pub(crate) struct Peer {
    pub(crate) stream: TcpStream,
    read: Vec<u8>,
}

impl Peer {
    pub(crate) fn to(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).unwrap())
    }

    pub(super) fn new(stream: TcpStream) -> Self {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Self { stream, read: Vec::new() }
    }

    pub(crate) fn say(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).unwrap();
    }

    pub(crate) fn try_say(&mut self, bytes: impl AsRef<[u8]>) -> bool {
        self.stream.write_all(bytes.as_ref()).is_ok()
    }

    /// The next answer: 1xx ones count.
    #[track_caller]
    pub(crate) fn answer(&mut self) -> Answer {
        let head = self.until(b"\r\n\r\n").expect("an answer comes");
        let head = String::from_utf8_lossy(&head).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let body = if matches!(status, 100..=199 | 204 | 304) {
            Vec::new()
        } else if values(&head, "transfer-encoding") == ["chunked"] {
            self.chunks().expect("the last chunk comes")
        } else if let [length] = values(&head, "content-length")[..] {
            self.bytes(length.parse().unwrap()).expect("the whole body comes")
        } else {
            self.rest()
        };
        Answer { status, head, body }
    }

    /// The next answer to a HEAD request.
    #[track_caller]
    pub(crate) fn answer_without_body(&mut self) -> Answer {
        let head = String::from_utf8(self.until(b"\r\n\r\n").expect("an answer comes")).unwrap();
        Answer { status: head.split(' ').nth(1).unwrap().parse().unwrap(), head, body: Vec::new() }
    }

    /// Everything until the other end closes.
    pub(crate) fn rest(&mut self) -> Vec<u8> {
        while self.more() {}
        std::mem::take(&mut self.read)
    }

    /// Everything up to and with `end`; none if the connection closes before.
    pub(crate) fn until(&mut self, end: &[u8]) -> Option<Vec<u8>> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                let rest = self.read.split_off(at + end.len());
                return Some(std::mem::replace(&mut self.read, rest));
            }
            if !self.more() {
                return None;
            }
        }
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Option<Vec<u8>> {
        while self.read.len() < length {
            if !self.more() {
                return None;
            }
        }
        let rest = self.read.split_off(length);
        Some(std::mem::replace(&mut self.read, rest))
    }

    /// A chunked body as it came, to its end, trailers included.
    pub(super) fn chunks(&mut self) -> Option<Vec<u8>> {
        let mut all = Vec::new();
        loop {
            let line = self.until(b"\r\n")?;
            let size = String::from_utf8_lossy(&line);
            let size = usize::from_str_radix(size.trim().split(';').next().unwrap(), 16).ok()?;
            all.extend_from_slice(&line);
            if size == 0 {
                break;
            }
            all.extend(self.bytes(size + 2)?);
        }
        loop {
            let line = self.until(b"\r\n")?;
            all.extend_from_slice(&line);
            if line == b"\r\n" {
                return Some(all);
            }
        }
    }

    /// Waits for more; nothing comes once the other end has closed. Silence beyond patience fails the test.
    fn more(&mut self) -> bool {
        let mut buffer = vec![0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(length) => {
                self.read.extend_from_slice(&buffer[..length]);
                length > 0
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                panic!("nothing came after {:?}", String::from_utf8_lossy(&self.read))
            }
            Err(_) => false,
        }
    }

    /// Nothing more will be said; answers are still read.
    pub(crate) fn finish(&self) {
        // The other end may have closed already, which says the same.
        let _ = self.stream.shutdown(Shutdown::Write);
    }
}

/// What a caller was answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        values(&self.head, name)
    }

    /// The code of a rejection of ours; empty for the API's own answers.
    pub(crate) fn code(&self) -> &str {
        self.values("x-sidegate-rejection").first().copied().unwrap_or_default()
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(super) fn values<'h>(head: &'h str, name: &str) -> Vec<&'h str> {
    let fields = head.lines().skip(1).filter_map(|line| line.split_once(':'));
    fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
}
