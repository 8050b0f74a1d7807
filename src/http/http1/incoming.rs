//! A body as it comes in: how much of it is left, taken from what was read.
//! Never takes a byte that stands behind it.

use bytes::{Bytes, BytesMut};
use http::HeaderMap;
use hyper::body::SizeHint;

use super::Malformed;
use super::chunked::{Decoder, Piece};

/// How much of a body is left.
pub(in crate::http) enum Left {
    /// So many bytes.
    Length(u64),
    /// Chunks.
    Chunked(Decoder),
    /// Everything that comes until the connection ends.
    Close,
}

/// What stood in the bytes that are here.
pub(in crate::http) enum Step {
    /// A part of the body.
    Data(Bytes),
    /// The end, with fields behind it.
    Trailers(HeaderMap),
    /// The end.
    End,
    /// Nothing yet: more must be read.
    More,
}

impl Left {
    /// Chunks from the first on.
    pub(in crate::http) fn chunked() -> Self {
        Self::Chunked(Decoder::new())
    }

    /// Takes the next step from what was read.
    pub(in crate::http) fn step(&mut self, read: &mut BytesMut) -> Result<Step, Malformed> {
        match self {
            Self::Length(0) => Ok(Step::End),
            _ if read.is_empty() => Ok(Step::More),
            Self::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(read.len());
                *left -= length as u64;
                Ok(Step::Data(read.split_to(length).freeze()))
            }
            Self::Chunked(decoder) => Ok(match decoder.next(read)? {
                Piece::Data(data) => Step::Data(data),
                Piece::End(trailers) if trailers.is_empty() => Step::End,
                Piece::End(trailers) => Step::Trailers(trailers),
                Piece::More => Step::More,
            }),
            Self::Close => Ok(Step::Data(read.split().freeze())),
        }
    }

    /// Whether nothing can follow, which of chunks nobody knows before the last.
    pub(in crate::http) fn is_at_its_end(&self) -> bool {
        matches!(self, Self::Length(0))
    }

    /// How long what is left is, where that is known.
    pub(in crate::http) fn size_hint(&self) -> SizeHint {
        match self {
            Self::Length(left) => SizeHint::with_exact(*left),
            Self::Chunked(_) | Self::Close => SizeHint::default(),
        }
    }
}
