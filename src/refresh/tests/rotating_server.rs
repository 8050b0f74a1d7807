//! A token endpoint that rotates refresh tokens, takes a second use of one for a theft, and can kill who asks at a point of
//! its answer. On threads of its own, so that it lives while the process that asks dies.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::OwnedFd;
use std::process::Child;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

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
    victim: Option<Victim>,
    stopped: bool,
}

/// A process to be killed, this long after this point.
struct Victim {
    point: Point,
    later: Duration,
    process: OwnedFd,
}

/// Whether a token that was just spent is good once more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Grace {
    Yes,
    No,
}

pub(super) struct RotatingServer {
    address: SocketAddr,
    served: Arc<Served>,
}

struct Served {
    grace: Grace,
    state: Mutex<State>,
}

impl RotatingServer {
    pub(super) fn start(grace: Grace) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Mutex::new(State { current: 1, ..State::default() });
        let served = Arc::new(Served { grace, state });
        let serving = Arc::clone(&served);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if serving.state.lock().unwrap().stopped {
                    return;
                }
                // Who was killed does not read.
                let _ = serving.serve(&mut stream.unwrap());
            }
        });
        Self { address, served }
    }

    pub(super) fn url(&self) -> String {
        format!("http://{}/token", self.address)
    }

    /// Kills this process this long after this point of its next request.
    pub(super) fn kill_at(&self, point: Point, later: Duration, process: &Child) {
        let process = pidfd_open(Pid::from_child(process), PidfdFlags::empty()).unwrap();
        self.state().victim = Some(Victim { point, later, process });
    }

    /// The generations of the tokens that were presented so far.
    pub(super) fn presented(&self) -> Vec<u32> {
        self.state().presented.clone()
    }

    /// Whether the grant lives, and these are its tokens.
    pub(super) fn takes(&self, access: &str, refresh: &str) -> bool {
        let state = self.state();
        !state.dead && access == format!("a{}", state.current) && refresh == format!("r{}", state.current)
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.state().dead
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.served.state.lock().unwrap()
    }
}

impl Drop for RotatingServer {
    fn drop(&mut self) {
        self.state().stopped = true;
        // It looks at that when somebody comes.
        drop(TcpStream::connect(self.address));
    }
}

impl Served {
    fn reached(&self, point: Point) {
        let victim = self.state.lock().unwrap().victim.take_if(|victim| victim.point == point);
        let Some(Victim { later, process, .. }) = victim else { return };
        if later.is_zero() {
            return pidfd_send_signal(process, Signal::KILL).unwrap();
        }
        std::thread::spawn(move || {
            std::thread::sleep(later);
            // It may have come to its end before.
            let _ = pidfd_send_signal(process, Signal::KILL);
        });
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
        if text.contains("client_secret=") {
            return Ok(text.into_owned());
        }
        if read == 0 {
            // Whoever asked was killed in the middle.
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
    }
}
