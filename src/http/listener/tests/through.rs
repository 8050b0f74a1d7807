//! Listener and pool together: a caller, us, an upstream.

use super::*;

/// Sends everything on to an upstream.
struct Through(Pool);

impl Handler for Through {
    async fn handle(&self, request: Request<Body>, _: Arrival) -> Response<Body> {
        forward(&self.0, request).await.expect("the upstream answers")
    }
}

#[tokio::test]
async fn a_request_goes_through_and_framing_is_written_anew() {
    let upstream = Upstream::new().await;
    let bound = bind(&config(), false).unwrap();
    let Address::Tcp(address) = bound.address() else { panic!("it listens on a port") };
    let stop = CancellationToken::new();
    let handler = Arc::new(Through(Pool::new(upstream.origin(), settings())));
    tokio::spawn(bound.serve(handler, stop.clone(), CancellationToken::new()));
    let mut caller = Peer::new(TcpStream::connect(address).await.unwrap());

    caller
        .say("POST /a HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: chunked\r\n\r\n03;ext=1\r\nabc\r\n0\r\n\r\n")
        .await;
    let mut peer = upstream.accept().await;
    assert!(peer.head().await.contains("transfer-encoding: chunked\r\n"));
    assert_eq!(peer.until("0\r\n\r\n").await, "3\r\nabc\r\n0\r\n\r\n");
    peer.say("HTTP/1.1 200 OK\r\nContent-Length: 7\r\nkeep-alive: x\r\n\r\nanswer!").await;
    let head = caller.head().await;
    assert_eq!(head.matches("content-length: 7\r\n").count(), 1, "{head}");
    assert!(!head.contains("keep-alive"), "{head}");
    assert_eq!(caller.bytes(7).await, b"answer!");

    for (method, answer) in [
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n"),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", "HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n"),
    ] {
        caller.say(&format!("{method} / HTTP/1.1\r\nhost: a\r\n\r\n")).await;
        peer.head().await;
        peer.say(answer).await;
        let head = caller.head().await;
        assert_eq!(head.contains("content-length: 1234"), method == "HEAD", "{head}");
        assert!(!head.contains("transfer-encoding"), "{head}");
    }
}

#[tokio::test]
async fn a_mebibyte_goes_through_both_ways_at_once() {
    let echo = run(&config());
    let Address::Tcp(echo_at) = echo.address else { panic!("it listens on a port") };
    let origin = Origin::Tcp { host: "127.0.0.1".into(), port: echo_at.port(), tls: false };
    let bound = bind(&config(), false).unwrap();
    let Address::Tcp(address) = bound.address() else { panic!("it listens on a port") };
    let handler = Arc::new(Through(Pool::new(origin, settings())));
    tokio::spawn(bound.serve(handler, CancellationToken::new(), CancellationToken::new()));

    let sent: Vec<u8> = (0..1024 * 1024_u32).map(|n| n.to_le_bytes()[usize::from(n % 3 == 0)]).collect();
    let (read, mut write) = TcpStream::connect(address).await.unwrap().into_split();
    let uploaded = sent.clone();
    let uploading = tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        let head = format!("PUT /echo HTTP/1.1\r\nhost: a\r\ncontent-length: {}\r\n\r\n", uploaded.len());
        write.write_all(head.as_bytes()).await.unwrap();
        write.write_all(&uploaded).await.unwrap();
        write
    });
    let mut caller = Peer::new(tokio::io::join(read, tokio::io::sink()));
    let head = caller.head().await;
    assert!(head.contains("content-length: 1048576\r\n"), "{head}");
    assert_eq!(caller.bytes(sent.len()).await, sent);
    // Held until now: a caller that closes its half has left.
    drop(soon(uploading).await.unwrap());
}
