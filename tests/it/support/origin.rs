//! An API played by the test, which writes down every request it receives.
//! Never answers anything that the test did not tell it to.

use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use super::peer::{Peer, values};

/// An API that writes down all it receives.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
}

/// One request as the API received it.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    /// From the request line to the empty line.
    pub(crate) head: String,
    /// The body as it came, chunks and all.
    pub(crate) body: Vec<u8>,
}

impl Seen {
    /// All values of a header, in order.
    pub(crate) fn values(&self, name: &str) -> Vec<&str> {
        values(&self.head, name)
    }

    pub(crate) fn line(&self) -> &str {
        self.head.lines().next().unwrap()
    }
}

impl Origin {
    /// Answers every request with 200 and `ok`.
    pub(crate) fn new() -> Self {
        Self::answering("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    }

    /// Answers every request with these bytes.
    pub(crate) fn answering(answer: &'static str) -> Self {
        Self::played(move |peer| {
            while peer.request().is_some() {
                if !peer.try_say(answer) {
                    return;
                }
            }
        })
    }

    /// As [`Origin::new`], at this address.
    pub(crate) fn at(address: SocketAddr) -> Self {
        Self::listening(TcpListener::bind(address).unwrap(), |peer| {
            while peer.request().is_some() && peer.try_say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") {
            }
        })
    }

    /// Each connection is played by hand. What [`Player::request`] reads is written down.
    pub(crate) fn played(play: impl Fn(&mut Player) + Send + Sync + 'static) -> Self {
        Self::listening(TcpListener::bind("127.0.0.1:0").unwrap(), play)
    }

    fn listening(listener: TcpListener, play: impl Fn(&mut Player) + Send + Sync + 'static) -> Self {
        let address = listener.local_addr().unwrap();
        let (seen, connections) = (Arc::<Mutex<Vec<Seen>>>::default(), Arc::<AtomicUsize>::default());
        let (play, log, count) = (Arc::new(play), Arc::clone(&seen), Arc::clone(&connections));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                count.fetch_add(1, Ordering::SeqCst);
                let (play, log) = (Arc::clone(&play), Arc::clone(&log));
                std::thread::spawn(move || play(&mut Player { peer: Peer::new(stream.unwrap()), log }));
            }
        });
        Self { address, seen, connections }
    }

    /// What was received so far: complete once the answer to it was read.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    /// The one request that was received.
    #[track_caller]
    pub(crate) fn only(&self) -> Seen {
        let seen = self.seen();
        assert_eq!(seen.len(), 1, "{seen:#?}");
        seen[0].clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }

    #[track_caller]
    pub(crate) fn is_untouched(&self) {
        assert_eq!((self.connections(), self.seen().len()), (0, 0), "{:#?}", self.seen());
    }
}

/// The API's end of one connection.
pub(crate) struct Player {
    pub(crate) peer: Peer,
    log: Arc<Mutex<Vec<Seen>>>,
}

impl Player {
    /// The next request, head and body; none once the connection is closed.
    pub(crate) fn request(&mut self) -> Option<Seen> {
        let head = self.head()?;
        let is_chunked = values(&head, "transfer-encoding").iter().any(|value| value.contains("chunked"));
        let length = values(&head, "content-length").first().map_or(0, |length| length.parse().unwrap());
        let body = if is_chunked { self.peer.chunks()? } else { self.peer.bytes(length)? };
        let seen = Seen { head, body };
        self.log.lock().unwrap().push(seen.clone());
        Some(seen)
    }

    /// The next head alone; the body is the test's business.
    pub(crate) fn head(&mut self) -> Option<String> {
        self.peer.until(b"\r\n\r\n").map(|head| String::from_utf8_lossy(&head).into_owned())
    }

    pub(crate) fn say(&mut self, text: impl AsRef<[u8]>) {
        self.peer.say(text);
    }

    pub(crate) fn try_say(&mut self, text: impl AsRef<[u8]>) -> bool {
        self.peer.try_say(text)
    }
}
