//! Responses: bytes of an upstream through a whole Sidegate, to a caller who reads them strictly.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use sidegate::app;
use sidegate::clock::SystemClock;
use sidegate::http::listener::Address;

use super::settings::load;

/// What the upstream says next.
static SAID: Mutex<Vec<u8>> = Mutex::new(Vec::new());
/// One exchange at a time: there is one upstream.
static TURN: Mutex<()> = Mutex::new(());

static GATE: LazyLock<SocketAddr> = LazyLock::new(|| {
    let upstream = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = upstream.local_addr().unwrap();
    std::thread::spawn(move || upstream.incoming().flatten().for_each(say));
    let rules = "rules: [{path: /*, allow: public}]";
    let text = format!(
        "workers: 1\naccessLog: {{to: off}}\nupstreams: {{api: {{upstream: 'http://{at}', {rules}}}}}\n"
    );
    let running = app::start(load(text.as_bytes()).unwrap(), Arc::new(SystemClock)).unwrap();
    let address = running.addresses().iter().find_map(|(name, address)| match address {
        Address::Tcp(address) if *name == "inbound" => Some(*address),
        _ => None,
    });
    // It serves for as long as the process lives.
    std::mem::forget(running);
    address.unwrap()
});

/// Reads one request's head, says what is to be said, and closes.
fn say(mut stream: TcpStream) {
    let mut read = Vec::new();
    let mut buffer = [0; 4096];
    while !read.ends_with(b"\r\n\r\n") {
        match stream.read(&mut buffer) {
            Ok(length @ 1..) => read.extend(&buffer[..length]),
            _ => return,
        }
    }
    let said = SAID.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let _ = stream.write_all(&said);
}

/// Any bytes as an upstream's response: the caller gets one response that can be read in one way, and its body is what
/// the upstream's framing says, or it is broken off.
pub fn answer(bytes: &[u8]) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let Some((first, said)) = bytes.split_first() else { return };
    said.clone_into(&mut SAID.lock().unwrap_or_else(PoisonError::into_inner));
    let method = if first % 4 == 0 { "HEAD" } else { "GET" };
    let got = ask(method);
    let Some((status, body)) = read(&got, method == "HEAD", Reading::Strict) else {
        panic!("the caller was answered {}", got.escape_ascii());
    };
    if status == 502 || body.is_none() {
        return;
    }
    let meant = read(said, method == "HEAD", Reading::Lax);
    assert_eq!(Some((status, body)), meant, "the upstream said {}", said.escape_ascii());
}

fn ask(method: &str) -> Vec<u8> {
    let mut stream = TcpStream::connect(*GATE).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    write!(stream, "{method} / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n").unwrap();
    let mut got = Vec::new();
    if let Err(error) = stream.read_to_end(&mut got) {
        assert!(error.kind() != std::io::ErrorKind::WouldBlock, "silence after {}", got.escape_ascii());
    }
    got
}

/// How a response is read.
#[derive(Clone, Copy, PartialEq)]
enum Reading {
    /// One response, and not a byte more.
    Strict,
    /// The last of several, if the others are interim ones.
    Lax,
}

/// The status, and the body if it is whole; none if it is no response.
fn read(bytes: &[u8], is_head: bool, reading: Reading) -> Option<(u16, Option<Vec<u8>>)> {
    let end = bytes.windows(4).position(|window| window == b"\r\n\r\n")?;
    let (head, rest) = (&bytes[..end], &bytes[end + 4..]);
    let head = String::from_utf8_lossy(head).into_owned();
    let mut lines = head.split("\r\n");
    let status: u16 = lines.next()?.strip_prefix("HTTP/1.")?.get(2..5)?.parse().ok()?;
    let fields: Vec<(String, &str)> = lines
        .map(|line| line.split_once(':').map(|(name, value)| (name.to_ascii_lowercase(), value.trim())))
        .collect::<Option<_>>()?;
    if reading == Reading::Strict && head.replace("\r\n", "").contains(['\r', '\n', '\0']) {
        return None;
    }
    if (100..200).contains(&status) && status != 101 && reading == Reading::Lax {
        return read(rest, is_head, reading);
    }
    let all = |wanted: &str| {
        fields.iter().filter(|(name, _)| name == wanted).map(|(_, value)| *value).collect::<Vec<_>>()
    };
    let has_none = is_head || matches!(status, 100..=199 | 204 | 304);
    let (body, left) = match (&all("transfer-encoding")[..], &all("content-length")[..]) {
        _ if has_none => (Some(Vec::new()), rest),
        ([], []) => (Some(rest.to_vec()), &b""[..]),
        ([], [length]) => {
            let length = length.parse().ok()?;
            if rest.len() < length {
                (None, &b""[..])
            } else {
                (Some(rest[..length].to_vec()), &rest[length..])
            }
        }
        ([coding], []) if coding.eq_ignore_ascii_case("chunked") => match chunks(rest) {
            Some((body, left)) => (Some(body), left),
            None => (None, &b""[..]),
        },
        _ => return None,
    };
    (reading == Reading::Lax || left.is_empty()).then_some((status, body))
}

/// The data of a chunked body, and what follows it.
fn chunks(mut rest: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        // An extension may hold any bytes but line ends: nobody looks at them, and none is sent on.
        let size = std::str::from_utf8(rest[..end].split(|byte| *byte == b';').next()?).ok()?;
        let size = usize::from_str_radix(size.trim_end(), 16).ok()?;
        rest = &rest[end + 2..];
        if size == 0 {
            break;
        }
        body.extend(rest.get(..size)?);
        rest = rest.get(size..)?.strip_prefix(b"\r\n")?;
    }
    loop {
        let end = rest.windows(2).position(|window| window == b"\r\n")?;
        let line = &rest[..end];
        rest = &rest[end + 2..];
        if line.is_empty() {
            return Some((body, rest));
        }
    }
}
