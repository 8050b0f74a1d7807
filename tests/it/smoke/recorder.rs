//! The API: reads requests with the strictest of parsers, and calls everything else a violation.
//! Answers with the marker of what it read, so that an answer that reaches the wrong caller shows.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

use super::oracle::Oracle;

/// One request as the API received it.
#[derive(Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names as they came.
    pub(crate) fields: Vec<(String, Vec<u8>)>,
}

impl fmt::Display for Seen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.target)?;
        self.fields.iter().try_for_each(|(name, value)| write!(f, " | {name}: {}", value.escape_ascii()))
    }
}

/// Listens; every connection is read until it ends.
pub(super) async fn start(oracle: Arc<Oracle>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let mut connection = Connection { stream, read: Vec::new(), oracle: Arc::clone(&oracle) };
            tokio::spawn(async move {
                if let Err(Ended::Violation(what)) = connection.requests().await {
                    connection.oracle.violated(&what);
                }
            });
        }
    });
    address
}

enum Ended {
    Closed,
    Violation(String),
}

impl From<io::Error> for Ended {
    fn from(_: io::Error) -> Self {
        Self::Closed
    }
}

struct Connection {
    stream: TcpStream,
    read: Vec<u8>,
    oracle: Arc<Oracle>,
}

impl Connection {
    async fn requests(&mut self) -> Result<(), Ended> {
        loop {
            let head = self.until(b"\r\n\r\n").await?;
            let (seen, framing) = strictly(&head)
                .map_err(|problem| Ended::Violation(format!("{problem}: {}", head.escape_ascii())))?;
            // Before the body: what is cut off on its way has been seen all the same.
            let marker = self.oracle.judge(&seen);
            match framing {
                Framing::Length(length) => drop(self.bytes(length).await?),
                Framing::Chunked => self.chunks().await?,
            }
            let body = if seen.method == "HEAD" { "" } else { marker.as_str() };
            let answer = format!(
                "HTTP/1.1 200 OK\r\nX-Marker: {marker}\r\nContent-Length: {}\r\n\r\n{body}",
                marker.len()
            );
            self.stream.write_all(answer.as_bytes()).await?;
        }
    }

    async fn until(&mut self, end: &[u8]) -> Result<Vec<u8>, Ended> {
        loop {
            if let Some(at) = self.read.windows(end.len()).position(|window| window == end) {
                return Ok(self.read.drain(..at + end.len()).collect());
            }
            self.more().await?;
        }
    }

    async fn bytes(&mut self, length: usize) -> Result<Vec<u8>, Ended> {
        while self.read.len() < length {
            self.more().await?;
        }
        Ok(self.read.drain(..length).collect())
    }

    async fn more(&mut self) -> Result<(), Ended> {
        if self.stream.read_buf(&mut self.read).await? == 0 { Err(Ended::Closed) } else { Ok(()) }
    }

    async fn chunks(&mut self) -> Result<(), Ended> {
        loop {
            let line = self.until(b"\r\n").await?;
            let size = chunk_size(&line)
                .ok_or_else(|| Ended::Violation(format!("a chunk size: {}", line.escape_ascii())))?;
            if size == 0 {
                break;
            }
            if !self.bytes(size + 2).await?.ends_with(b"\r\n") {
                return Err(Ended::Violation("a chunk without its end".into()));
            }
        }
        loop {
            let line = self.until(b"\r\n").await?;
            if line == b"\r\n" {
                return Ok(());
            }
            let trailer = field(&line[..line.len() - 2]).map_err(Ended::Violation)?;
            self.oracle.judge_trailer(&trailer);
        }
    }
}

enum Framing {
    Length(usize),
    Chunked,
}

fn chunk_size(line: &[u8]) -> Option<usize> {
    let digits = std::str::from_utf8(line.strip_suffix(b"\r\n")?).ok()?;
    let is_plain = (1..=8).contains(&digits.len()) && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    is_plain.then(|| usize::from_str_radix(digits, 16).ok()).flatten()
}

/// A head that no parser could read in two ways.
fn strictly(head: &[u8]) -> Result<(Seen, Framing), String> {
    let lines: Vec<&[u8]> = head[..head.len() - 4].split(|byte| *byte == b'\n').collect();
    let (last, others) = lines.split_last().unwrap();
    let others = others.iter().map(|line| line.strip_suffix(b"\r").ok_or("a bare line feed"));
    let lines: Vec<&[u8]> = others.chain([Ok(*last)]).collect::<Result<_, _>>()?;
    let (first, rest) = lines.split_first().unwrap();
    let first = std::str::from_utf8(first).map_err(|_| "a request line that is not ASCII")?;
    let [method, target, "HTTP/1.1"] = first.split(' ').collect::<Vec<_>>()[..] else {
        return Err("a request line that is not three words".into());
    };
    if !first.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ') {
        return Err("an odd byte in the request line".into());
    }
    let fields = rest.iter().map(|line| field(line)).collect::<Result<Vec<_>, _>>()?;
    let framing = framing(&fields)?;
    if fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case("host")).count() != 1 {
        return Err("not exactly one Host".into());
    }
    Ok((Seen { method: method.into(), target: target.into(), fields }, framing))
}

fn field(line: &[u8]) -> Result<(String, Vec<u8>), String> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or("a line without a colon")?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    let is_token = |byte: &u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte);
    if name.is_empty() || !name.iter().all(is_token) {
        return Err("a header name that is no token".into());
    }
    if value.iter().any(|byte| matches!(byte, 0..=8 | 10..=31 | 127)) {
        return Err("a control character in a header".into());
    }
    Ok((String::from_utf8(name.to_vec()).unwrap(), value.to_vec()))
}

/// One Content-Length or one `chunked`, and nothing that a lax parser could take for another.
fn framing(fields: &[(String, Vec<u8>)]) -> Result<Framing, String> {
    let like = |wanted: &str| -> Vec<&(String, Vec<u8>)> {
        fields.iter().filter(|(name, _)| super::oracle::folded(name) == wanted).collect()
    };
    match (&like("content-length")[..], &like("transfer-encoding")[..]) {
        ([], []) => Ok(Framing::Length(0)),
        ([(name, value)], []) if name.eq_ignore_ascii_case("content-length") => {
            let text = std::str::from_utf8(value).unwrap_or_default();
            let length: usize = text.parse().map_err(|_| "an odd Content-Length")?;
            if length.to_string() == text {
                Ok(Framing::Length(length))
            } else {
                Err("an odd Content-Length".into())
            }
        }
        ([], [(name, value)]) if name.eq_ignore_ascii_case("transfer-encoding") && value == b"chunked" => {
            Ok(Framing::Chunked)
        }
        _ => Err("more than one framing".into()),
    }
}
