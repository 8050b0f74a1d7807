//! What the supervisor and a worker say to each other: JSON behind its length, strictly in turns.
//! Never knows what a script is; texts and arguments pass through.
//!
//! The supervisor begins with [`Limits`](super::Limits), then sends one [`Job`] at a time. The worker answers with a
//! [`Turn`]: the end of the job, or what it asks for. Each turn that asks is followed by exactly one [`Answer`], so
//! neither side ever writes while the other does, and no pipe can fill up on both sides.

use std::io::{self, Read, Write};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::limits::Limit;

/// One run of a script.
#[derive(Serialize, Deserialize)]
pub(super) struct Job {
    /// What its places are named by.
    pub(super) file: String,
    pub(super) source: String,
    /// The function that is called: the default export, or the one of this name.
    pub(super) method: String,
    /// Its argument as JSON. Without one the script is loaded, and nothing is called.
    pub(super) argument: Option<Zeroizing<String>>,
    pub(super) offers_api_client: bool,
}

/// What a worker says when it can do no more by itself.
#[derive(Serialize, Deserialize)]
pub(super) enum Turn {
    /// These are asked, and earlier ones are still open.
    Asks(Vec<Ask>),
    Done(Done),
}

#[derive(Serialize, Deserialize)]
pub(super) struct Ask {
    pub(super) id: u32,
    pub(super) what: Asked,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Asked {
    Sleep {
        milliseconds: u64,
    },
    Http {
        through_connection: bool,
        method: String,
        url: String,
        headers: Vec<(String, Zeroizing<String>)>,
        body: Option<Bytes>,
    },
}

/// The answer to one [`Ask`].
#[derive(Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) id: u32,
    pub(super) outcome: Result<Answered, Problem>,
}

#[derive(Serialize, Deserialize)]
pub(super) enum Answered {
    Slept,
    Http { status: u16, headers: Vec<(String, String)>, body: Bytes },
}

/// Why an [`Ask`] failed, as the script sees it.
#[derive(Serialize, Deserialize)]
pub(super) struct Problem {
    pub(super) message: String,
    pub(super) key: Option<String>,
    pub(super) status: Option<u16>,
}

/// How a job ended.
#[derive(Serialize, Deserialize)]
pub(super) struct Done {
    /// What the function gave, as JSON; nothing for undefined.
    pub(super) outcome: Result<Option<Zeroizing<String>>, Failure>,
    pub(super) log: Zeroizing<String>,
    /// Whether it asked for nothing, and looked neither at the clock nor at chance.
    pub(super) is_pure: bool,
}

/// Why a job gave nothing.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) enum Failure {
    Limit(Limit),
    Thrown {
        name: String,
        message: String,
        /// Line and column in the script, both from 1.
        place: Option<(u32, u32)>,
        key: Option<String>,
        status: Option<u16>,
    },
    /// It is no JavaScript.
    Syntax {
        message: String,
        place: Option<(u32, u32)>,
    },
    /// It imports or requires a module that there is not.
    Import {
        name: String,
        place: Option<(u32, u32)>,
    },
    /// It exports no function.
    NoExport,
    /// Its promise waits for something that will never happen.
    Unsettled,
}

/// Bytes, in base64 on the way.
#[derive(Default)]
pub(super) struct Bytes(pub(super) Zeroizing<Vec<u8>>);

impl Serialize for Bytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&Zeroizing::new(STANDARD.encode(&*self.0)))
    }
}

impl<'de> Deserialize<'de> for Bytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Zeroizing::new(String::deserialize(deserializer)?);
        STANDARD.decode(&*text).map(|bytes| Self(Zeroizing::new(bytes))).map_err(serde::de::Error::custom)
    }
}

/// How many bytes of a message's length stand in front of it.
pub(super) const HEAD: usize = 4;

/// A message as it is written, its length in front.
pub(super) fn encode(message: &impl Serialize) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut frame = Zeroizing::new(vec![0; HEAD]);
    serde_json::to_writer(&mut *frame, message)?;
    let length = u32::try_from(frame.len() - HEAD).map_err(io::Error::other)?;
    frame[..HEAD].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

/// The length that `head` announces, if it is at most `most`.
pub(super) fn length(head: [u8; HEAD], most: u64) -> io::Result<usize> {
    let length = u32::from_le_bytes(head);
    if u64::from(length) > most {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message longer than any may be"));
    }
    usize::try_from(length).map_err(io::Error::other)
}

pub(super) fn decode<T: DeserializeOwned>(body: &[u8]) -> io::Result<T> {
    Ok(serde_json::from_slice(body)?)
}

pub(super) fn write(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    to.write_all(&encode(message)?)?;
    to.flush()
}

/// The next message, or `None` where the other side has ended.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read, most: u64) -> io::Result<Option<T>> {
    let mut head = [0; HEAD];
    match from.read_exact(&mut head) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut body = Zeroizing::new(vec![0; length(head, most)?]);
    from.read_exact(&mut body)?;
    decode(&body).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_that_are_no_text_arrive_as_they_were() {
        let sent = Bytes(Zeroizing::new((0..=255).collect()));
        let mut pipe = Vec::new();
        write(&mut pipe, &sent).unwrap();
        let seen: Bytes = read(&mut pipe.as_slice(), 1 << 20).unwrap().unwrap();
        assert_eq!(*seen.0, *sent.0);
    }

    #[test]
    fn an_end_between_messages_is_none_and_one_within_is_an_error() {
        let mut pipe = Vec::new();
        write(&mut pipe, &"text").unwrap();
        assert_eq!(read::<String>(&mut io::empty(), 1 << 20).unwrap(), None);
        assert!(read::<String>(&mut &pipe[..pipe.len() - 1], 1 << 20).is_err());
    }

    #[test]
    fn a_length_that_no_message_has_is_refused_before_anything_is_read() {
        let announced = [0xff, 0xff, 0xff, 0x7f, b'"'];
        let error = read::<String>(&mut announced.as_slice(), 1 << 20).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
