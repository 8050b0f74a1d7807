//! A token endpoint that rotates refresh tokens, takes a second use of one for a theft, and can kill who asks at a point of
//! its answer. On threads of its own, so that it lives while the process that asks dies.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use rustix::process::{Pid, Signal, kill_process};

/// Where it kills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Point {
    /// Somebody has connected; nothing is read.
    Connected,
    /// The request is read, nothing is done.
    Asked,
    /// The token is spent, nothing is answered.
    Spent,
    /// A half of the answer is written.
    HalfAnswered,
    /// The answer is written.
    Answered,
}

impl Point {
    pub(super) const ALL: [Self; 5] =
        [Self::Connected, Self::Asked, Self::Spent, Self::HalfAnswered, Self::Answered];
}

#[derive(Default)]
struct State {
    /// The generation of the refresh token that is good: `r1` at first.
    current: u32,
    /// The generations that were presented.
    presented: Vec<u32>,
    dead: bool,
    victim: Option<(Point, Pid)>,
}

/// Whether a token that was just spent is good once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grace {
    Yes,
    No,
}

pub(super) struct RotatingServer {
    url: String,
    grace: Grace,
    state: Mutex<State>,
}

impl RotatingServer {
    pub(super) fn start(grace: Grace) -> Arc<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/token", listener.local_addr().unwrap());
        let state = Mutex::new(State { current: 1, ..State::default() });
        let server = Arc::new(Self { url, grace, state });
        let serving = Arc::clone(&server);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // Who was killed does not read.
                let _ = serving.serve(&mut stream.unwrap());
            }
        });
        server
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// Kills this process at this point of its next request.
    pub(super) fn kill_at(&self, point: Point, process: u32) {
        let victim = Pid::from_raw(process.try_into().unwrap()).unwrap();
        self.state.lock().unwrap().victim = Some((point, victim));
    }

    /// The generations of the tokens that were presented so far.
    pub(super) fn presented(&self) -> Vec<u32> {
        self.state.lock().unwrap().presented.clone()
    }

    /// Whether the grant lives, and these are its tokens.
    pub(super) fn takes(&self, access: &str, refresh: &str) -> bool {
        let state = self.state.lock().unwrap();
        !state.dead && access == format!("a{}", state.current) && refresh == format!("r{}", state.current)
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.state.lock().unwrap().dead
    }

    fn reached(&self, point: Point) {
        let victim = self.state.lock().unwrap().victim.take_if(|(where_to, _)| *where_to == point);
        if let Some((_, victim)) = victim {
            kill_process(victim, Signal::KILL).unwrap();
        }
    }

    fn serve(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        self.reached(Point::Connected);
        let request = read(stream)?;
        self.reached(Point::Asked);
        let answer = self.answer(&request);
        self.reached(Point::Spent);
        let (first, second) = answer.split_at(answer.len() / 2);
        stream.write_all(first.as_bytes())?;
        self.reached(Point::HalfAnswered);
        stream.write_all(second.as_bytes())?;
        self.reached(Point::Answered);
        Ok(())
    }

    fn answer(&self, request: &str) -> String {
        let (_, token) = request.split_once("refresh_token=r").unwrap();
        let presented: u32 =
            token.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap();
        let mut state = self.state.lock().unwrap();
        state.presented.push(presented);
        let again = self.grace == Grace::Yes && presented + 1 == state.current;
        state.dead |= presented != state.current && !again;
        if state.dead {
            return http("400 Bad Request", r#"{"error":"invalid_grant"}"#);
        }
        state.current += 1;
        let new = state.current;
        http("200 OK", &format!(r#"{{"access_token":"a{new}","refresh_token":"r{new}","expires_in":3600}}"#))
    }
}

fn http(status: &str, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
}

/// The request up to the end of its body, which is the last thing that is sent.
fn read(stream: &mut TcpStream) -> std::io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 1024];
        let read = stream.read(&mut piece)?;
        bytes.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&bytes);
        if text.contains("client_secret=") || read == 0 {
            return Ok(text.into_owned());
        }
    }
}
