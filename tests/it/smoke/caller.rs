//! A hostile caller: sends case after case, and looks at what comes back on its own connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::mutations::{self, Case};
use super::oracle::{LAST, Oracle};
use crate::support::PATIENCE;

/// Ends a connection once everything before it was read; a body that never ends swallows it.
const GOODBYE: &[u8] = b"GET /public/last HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n";
/// After so long without a word, a caller that meant to go on says goodbye all the same: its request had no end.
const SILENCE: Duration = Duration::from_millis(100);
/// After so long without a word, the goodbye was swallowed by a body without end: the caller closes its side.
const LONG_SILENCE: Duration = Duration::from_millis(500);

pub(super) struct Caller {
    pub(super) gate: SocketAddr,
    pub(super) seed: u64,
    pub(super) cases: u32,
    pub(super) next: Arc<AtomicU32>,
    pub(super) oracle: Arc<Oracle>,
}

impl Caller {
    /// Takes cases until there are none left.
    pub(super) async fn run(self) {
        let mut kept: Option<TcpStream> = None;
        loop {
            let number = self.next.fetch_add(1, Ordering::Relaxed);
            if number >= self.cases {
                return;
            }
            let case = mutations::case(self.seed, number);
            let mut stream = match kept.take() {
                Some(stream) => stream,
                None => TcpStream::connect(self.gate).await.unwrap(),
            };
            let (answers, is_open) = ask(&mut stream, &case).await;
            self.judge(number, &case, &answers);
            kept = is_open.then_some(stream);
        }
    }

    /// Whatever came from the API was an answer to this connection's own requests, each once and in order.
    fn judge(&self, number: u32, case: &Case, answers: &[u8]) {
        let text = String::from_utf8_lossy(answers);
        let lines = text
            .lines()
            .filter_map(|line| line.strip_prefix("x-marker: ").or(line.strip_prefix("X-Marker: ")));
        let markers: Vec<&str> = lines.filter(|marker| *marker != LAST).collect();
        for line in text.lines() {
            if let Some(code) = line.strip_prefix("x-sidegate-rejection: ") {
                self.oracle.count_refusal(code);
            }
        }
        let mut expected: Vec<String> =
            (0..case.requests.len()).map(|place| format!("{number}.{place}")).collect();
        expected.retain(|marker| markers.contains(&&**marker));
        if markers != expected {
            let sent = case.bytes().escape_ascii().to_string();
            self.oracle.violated(&format!("{number} ({}) was answered {markers:?}: {sent}", case.family));
        }
        if !markers.is_empty() && !self.oracle.has_seen(number) {
            self.oracle.violated(&format!("{number} was answered before it was seen"));
        }
    }
}

/// All that was answered, and whether the connection takes another case.
async fn ask(stream: &mut TcpStream, case: &Case) -> (Vec<u8>, bool) {
    let mut bytes = case.bytes();
    let is_head = bytes.starts_with(b"HEAD ");
    if case.is_last {
        bytes.extend(GOODBYE);
    }
    // A refused request may close the connection while its body is still being sent: such an error is no news.
    let _ = stream.write_all(&bytes).await;
    let mut answers = Vec::new();
    let mut goodbyes = u32::from(case.is_last);
    loop {
        let patience = [SILENCE, LONG_SILENCE, PATIENCE][goodbyes as usize];
        match timeout(patience, stream.read_buf(&mut answers)).await {
            Ok(Ok(0) | Err(_)) => return (answers, false),
            Ok(Ok(_)) if goodbyes == 0 && is_whole(&answers, is_head) => {
                let goes_on = stays_open(&answers);
                return (answers, goes_on);
            }
            Ok(Ok(_)) => {}
            Err(_) => {
                match goodbyes {
                    0 => drop(stream.write_all(GOODBYE).await),
                    1 => drop(stream.shutdown().await),
                    _ => panic!("a connection stays open: {}", bytes.escape_ascii()),
                }
                goodbyes += 1;
            }
        }
    }
}

/// Whether the connection goes on after this answer: hyper's own refusals close it and do not say so.
fn stays_open(answer: &[u8]) -> bool {
    let answer = String::from_utf8_lossy(answer).to_ascii_lowercase();
    !answer.contains("connection: close")
        && (answer.contains("x-marker: ") || answer.contains("x-sidegate-rejection: "))
}

/// Whether one answer with a Content-Length is complete.
fn is_whole(answers: &[u8], is_head: bool) -> bool {
    let Some(end) = answers.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let head = String::from_utf8_lossy(&answers[..end]).to_ascii_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
    let is_complete = |length: usize| is_head || answers.len() >= end + 4 + length;
    length.and_then(|length| length.parse().ok()).is_some_and(is_complete)
}
