//! The same bytes mean the same, however they arrive, and what hyper's client makes of them.

use hyper_util::rt::TokioIo;
use proptest::prelude::*;
use tokio::io::AsyncReadExt as _;

use super::played::{Outcome, outcome};
use super::*;
use crate::http::testing::generated::{cut, pairs, run, said};

/// Bytes that are a response, or nearly.
fn responses() -> impl Strategy<Value = Vec<u8>> {
    let start = prop_oneof![
        8 => Just("HTTP/1.1 200 OK\r\n"),
        1 => Just("HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 Fine\r\n"),
        1 => Just("HTTP/1.0 200 OK\r\n"),
        1 => Just("HTTP/1.1 204 No Content\r\n"),
        1 => Just("HTTP/1.1 2"),
    ];
    said(start, "HTTP/1.1 200 OK\r\n\r\n")
}

/// A response as a server may write it: its head without framing, its body in pieces, and how it is framed.
fn valid() -> impl Strategy<Value = (String, Vec<String>, Framed)> {
    let status = prop_oneof![Just("200 OK"), Just("404 Not Found"), Just("201 Very Fine"), Just("500 ")];
    let fields = prop::collection::vec("x-[a-z]{1,8}: [!-~]([ -~]{0,20}[!-~])?\r\n", 0..6);
    let head =
        (status, fields).prop_map(|(status, fields)| format!("HTTP/1.1 {status}\r\n{}", fields.concat()));
    let framed = prop_oneof![Just(Framed::Length), Just(Framed::Chunked), Just(Framed::Close)];
    (head, prop::collection::vec("[ -~\r\n]{1,40}", 0..4), framed)
}

#[derive(Clone, Copy, Debug)]
enum Framed {
    Length,
    Chunked,
    Close,
}

fn spell(head: &str, body: &[String], framed: Framed) -> Vec<u8> {
    let whole = body.concat();
    match framed {
        Framed::Length => format!("{head}content-length: {}\r\n\r\n{whole}", whole.len()),
        Framed::Chunked => {
            let chunks: String =
                body.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
            format!("{head}transfer-encoding: chunked\r\n\r\n{chunks}0\r\n\r\n")
        }
        Framed::Close => format!("{head}\r\n{whole}"),
    }
    .into_bytes()
}

/// What hyper's client makes of `said`.
async fn by_hyper(said: Vec<u8>) -> Outcome {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(ours)).await.unwrap();
    tokio::spawn(connection);
    let answering = async move {
        let mut head = [0; 1024];
        assert!(theirs.read(&mut head).await.unwrap() > 0);
        theirs.write_all(&said).await.unwrap();
    };
    let (response, ()) = tokio::join!(sender.send_request(get()), answering);
    let response = response.unwrap();
    let mut headers = response.headers().clone();
    headers.remove("transfer-encoding");
    let head = Some((response.status().as_u16(), pairs(&headers)));
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let body = Some(String::from_utf8_lossy(&body).into_owned());
    Outcome { head, body, trailers: Vec::new(), is_kept: false }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn h31_however_a_response_is_cut_it_is_the_same(
        said in responses(),
        places in prop::collection::vec(any::<u16>(), 0..8),
    ) {
        let whole = run(outcome(get(), vec![said.clone()], true));
        let bytewise = run(outcome(get(), said.chunks(1).map(<[u8]>::to_vec).collect(), true));
        let in_pieces = run(outcome(get(), cut(&said, &places), true));
        // Whether more comes behind an end cannot be known before it comes.
        let same = |other: Outcome| Outcome { is_kept: whole.is_kept, ..other };
        prop_assert_eq!(&whole, &same(bytewise));
        prop_assert_eq!(&whole, &same(in_pieces));
    }

    #[test]
    fn h31_hyper_reads_what_is_valid_in_the_same_way((head, body, framed) in valid()) {
        let said = spell(&head, &body, framed);
        let ours = run(outcome(get(), vec![said.clone()], true));
        let hypers = run(by_hyper(said));
        prop_assert_eq!(Outcome { is_kept: false, ..ours }, hypers);
    }
}
