//! A token endpoint for tests: counts what it is sent and answers as badly as it is told to.
//! Raw bytes over TCP, so that it can break HTTP too; knows nothing of OAuth.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

/// What is sent back.
#[derive(Clone)]
pub(crate) enum Answer {
    /// These bytes, then the connection closes.
    Bytes(Vec<u8>),
    /// These bytes as soon as the semaphore permits.
    When(Arc<Semaphore>, Vec<u8>),
    /// These bytes, then silence on an open connection.
    Hang(Vec<u8>),
    /// These bytes, one at a time with a pause after each.
    Drip(Vec<u8>),
}

/// A reply with this status line, content type and body.
pub(crate) fn reply(status: &str, content_type: &str, body: &str) -> Answer {
    let length = body.len();
    Answer::Bytes(
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
        .into_bytes(),
    )
}

/// 200 with this JSON.
pub(crate) fn json(body: &str) -> Answer {
    reply("200 OK", "application/json", body)
}

/// The same answer, not before the semaphore permits.
pub(crate) fn when(permitted: &Arc<Semaphore>, answer: Answer) -> Answer {
    let (Answer::Bytes(bytes) | Answer::When(_, bytes) | Answer::Hang(bytes) | Answer::Drip(bytes)) = answer;
    Answer::When(Arc::clone(permitted), bytes)
}

/// One request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Received {
    /// The value of a header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (found, value) = line.split_once(": ")?;
            (found.to_ascii_lowercase() == name).then_some(value)
        })
    }
}

pub(crate) struct HostileServer {
    pub(crate) address: SocketAddr,
    /// What asked for something, and what asked only whether anybody is there.
    received: Arc<Mutex<(Vec<Received>, usize)>>,
    answer: Arc<Mutex<Answer>>,
    count: watch::Receiver<usize>,
}

impl HostileServer {
    pub(crate) async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (counted, count) = watch::channel(0);
        let server = Self { address, received: Arc::default(), answer: Arc::new(Mutex::new(answer)), count };
        let (received, answer) = (Arc::clone(&server.received), Arc::clone(&server.answer));
        let counted = Arc::new(counted);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (received, answer) = (Arc::clone(&received), Arc::clone(&answer));
                tokio::spawn(serve(stream, received, answer, Arc::clone(&counted)));
            }
        });
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// From now on this is the answer.
    pub(crate) fn answer(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    /// How many requests came.
    pub(crate) fn requests(&self) -> usize {
        self.received.lock().unwrap().0.len()
    }

    /// How often it was asked whether it is there.
    pub(crate) fn probes(&self) -> usize {
        self.received.lock().unwrap().1
    }

    pub(crate) fn last(&self) -> Received {
        self.received.lock().unwrap().0.last().expect("a request came").clone()
    }

    /// Waits until this many requests have come.
    pub(crate) async fn came(&self, requests: usize) {
        self.count.clone().wait_for(|count| *count >= requests).await.unwrap();
    }
}

async fn serve(
    mut stream: TcpStream,
    received: Arc<Mutex<(Vec<Received>, usize)>>,
    answer: Arc<Mutex<Answer>>,
    counted: Arc<watch::Sender<usize>>,
) {
    let Some(request) = read(&mut stream).await else { return };
    if request.head.starts_with("HEAD ") {
        received.lock().unwrap().1 += 1;
    } else {
        received.lock().unwrap().0.push(request);
        counted.send_modify(|count| *count += 1);
    }
    let answer = answer.lock().unwrap().clone();
    match answer {
        Answer::Bytes(bytes) => drop(stream.write_all(&bytes).await),
        Answer::When(permitted, bytes) => {
            permitted.acquire().await.unwrap().forget();
            drop(stream.write_all(&bytes).await);
        }
        Answer::Drip(bytes) => {
            for byte in bytes {
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        }
        Answer::Hang(bytes) => {
            drop(stream.write_all(&bytes).await);
            drop(stream.read(&mut [0]).await);
        }
    }
}

async fn read(stream: &mut TcpStream) -> Option<Received> {
    let mut bytes = Vec::new();
    loop {
        if stream.read_buf(&mut bytes).await.ok()? == 0 {
            return None;
        }
        if !bytes[0].is_ascii_uppercase() {
            return None; // TLS, which it does not speak
        }
        let text = String::from_utf8_lossy(&bytes);
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let request = Received { head: head.to_owned(), body: body.to_owned() };
        let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
        if request.body.len() >= length {
            return Some(request);
        }
    }
}
