//! Which HTTP a client without ALPN speaks, by its first bytes (RFC 9113 section 3.3).
//! Never consumes what it has read: whoever serves the connection reads it again.

use std::future::poll_fn;
use std::io;

use bytes::Bytes;
use tokio::io::AsyncRead;

use crate::http::http1::Intake;

/// What a client that knows beforehand that we speak HTTP/2 says first.
pub(super) const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// How requests are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Protocol {
    Http1,
    Http2,
}

/// Reads until it is clear, which for HTTP/1.1 is at the first byte that the preface does not have.
pub(super) async fn read<S: AsyncRead + Unpin>(stream: &mut S) -> io::Result<(Protocol, Bytes)> {
    let mut intake = Intake::new(Bytes::new());
    loop {
        let length = poll_fn(|cx| intake.poll_fill(stream, cx)).await?;
        let early = &intake.bytes;
        let seen = early.len().min(PREFACE.len());
        if length == 0 || early[..seen] != PREFACE[..seen] {
            return Ok((Protocol::Http1, intake.bytes.freeze()));
        }
        if seen == PREFACE.len() {
            return Ok((Protocol::Http2, intake.bytes.freeze()));
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncWriteExt as _;

    use super::*;

    /// What is found when these pieces come one after another.
    async fn found(pieces: &[&[u8]]) -> (Protocol, Bytes) {
        let (mut client, mut server) = tokio::io::duplex(64);
        let said: Vec<Vec<u8>> = pieces.iter().map(|piece| piece.to_vec()).collect();
        tokio::spawn(async move {
            for piece in said {
                client.write_all(&piece).await.unwrap();
                tokio::task::yield_now().await;
            }
        });
        read(&mut server).await.unwrap()
    }

    #[tokio::test]
    async fn the_preface_is_told_from_a_request_wherever_it_is_cut() {
        for cut in 0..PREFACE.len() {
            let (head, tail) = PREFACE.split_at(cut);
            assert_eq!(found(&[head, tail]).await, (Protocol::Http2, Bytes::from_static(PREFACE)));
        }
        let (protocol, early) = found(&[b"PROPFIND / HTTP/1.1\r\n"]).await;
        assert_eq!((protocol, &early[..]), (Protocol::Http1, &b"PROPFIND / HTTP/1.1\r\n"[..]));
        for other in [&b"PRI * HTTP/2.0\r\n\r\nSM\r\n\rX"[..], b"PRI * HTTP/1.1\r\n", b"G", b"PR", b""] {
            assert_eq!(found(&[other]).await, (Protocol::Http1, Bytes::copy_from_slice(other)));
        }
    }
}
