//! Requests over HTTP/2, to a server of hyper's.

use std::convert::Infallible;
use std::sync::atomic::{AtomicUsize, Ordering};

use http::HeaderMap;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::http::forward::forward;
use crate::http::tls::tests::{server_files, vector};
use crate::http::tls::{self, ClientTls};

struct Server {
    origin: Origin,
    connections: Arc<AtomicUsize>,
    /// Closes the connections there are.
    close: tokio::sync::watch::Sender<CancellationToken>,
}

async fn server() -> Server {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let connections = Arc::new(AtomicUsize::new(0));
    let (close, closed) = tokio::sync::watch::channel(CancellationToken::new());
    let count = Arc::clone(&connections);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            count.fetch_add(1, Ordering::Relaxed);
            let closed = closed.borrow().clone();
            let serving = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                .serve_connection(TokioIo::new(stream), service_fn(answer));
            tokio::spawn(async move {
                tokio::select! {
                    _ = serving => {}
                    () = closed.cancelled() => {}
                }
            });
        }
    });
    Server { origin: Origin::Tcp { host: "127.0.0.1".into(), port, tls: false }, connections, close }
}

async fn answer(request: Request<Incoming>) -> Result<Response<Body>, Infallible> {
    let (head, body) = request.into_parts();
    let trailers = |pairs: [(&'static str, &'static str); 2]| {
        pairs
            .into_iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect::<HeaderMap>()
    };
    let body = match head.uri.path() {
        "/silent" => std::future::pending().await,
        "/stalls" => {
            let (feed, body) = fed();
            feed.send(Ok("begun".into())).await.unwrap();
            tokio::spawn(async move {
                feed.closed().await;
            });
            body
        }
        "/grpc" => Body::boxed(Body::full("message").map_frame(|frame| frame).with_trailers(async move {
            Some(Ok(trailers([("grpc-status", "0"), ("authorization", "x")])))
        })),
        "/seen" => Body::full(format!("{:?} {} {:?}", head.version, head.uri, head.headers)),
        _ => Body::boxed(body),
    };
    Ok(Response::new(body))
}

fn http2(server: &Server, settings: Settings) -> Arc<Pool> {
    Arc::new(Pool::new(server.origin.clone(), Settings { protocol: Protocol::Http2, ..settings }))
}

#[tokio::test]
async fn many_requests_at_once_share_a_connection() {
    let server = server().await;
    let pool = http2(&server, settings());
    let tasks: Vec<_> = (0..50)
        .map(|number| {
            let pool = Arc::clone(&pool);
            tokio::spawn(async move {
                let sent = request("POST", "/echo", Body::full(format!("number {number}")));
                let response = forward(&pool, sent).await.unwrap();
                assert_eq!(response.version(), http::Version::HTTP_11);
                assert_eq!(text(response.into_body()).await, format!("number {number}"));
            })
        })
        .collect();
    for task in tasks {
        soon(task).await.unwrap();
    }
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn the_host_stands_in_the_target_and_nothing_speaks_of_a_connection() {
    let server = server().await;
    let mut sent = request("GET", "/seen?q=%2F", Body::empty());
    for (name, value) in
        [("te", "gzip, trailers"), ("connection", "x-hop"), ("x-hop", "1"), ("expect", "100-continue")]
    {
        sent.headers_mut().insert(name, value.parse().unwrap());
    }
    let response = soon(forward(&http2(&server, settings()), sent)).await.unwrap();
    let seen = text(response.into_body()).await;
    assert_eq!(seen, "HTTP/2.0 http://upstream.test/seen?q=%2F {\"te\": \"trailers\"}");
}

#[tokio::test]
async fn h12_trailers_pass_both_ways_but_for_what_could_be_a_header() {
    let server = server().await;
    let pool = http2(&server, settings());
    let response = soon(forward(&pool, request("POST", "/grpc", Body::full("ask")))).await.unwrap();
    let body = soon(response.into_body().collect()).await.unwrap();
    let trailers = body.trailers().unwrap().clone();
    assert_eq!(body.to_bytes(), "message");
    assert_eq!((trailers.len(), &trailers["grpc-status"]), (1, &"0".parse().unwrap()));

    let mut up = HeaderMap::new();
    up.insert("x-sum", "1".parse().unwrap());
    up.insert("x_sidegate_admin", "true".parse().unwrap());
    let body = Body::boxed(Body::full("a").map_frame(|frame| frame).with_trailers(async { Some(Ok(up)) }));
    let response = soon(forward(&pool, request("POST", "/echo", body))).await.unwrap();
    let echoed = soon(response.into_body().collect()).await.unwrap();
    let trailers: Vec<_> = echoed.trailers().unwrap().keys().map(HeaderName::as_str).collect();
    assert_eq!(trailers, ["x-sum"]);
}

#[tokio::test]
async fn a_connection_that_is_gone_is_made_anew() {
    let server = server().await;
    let pool = http2(&server, settings());
    for number in 1..=3 {
        let response = soon(pool.send(request("POST", "/echo", Body::full("x")))).await.unwrap();
        assert_eq!(text(response.into_body()).await, "x");
        assert_eq!(server.connections.load(Ordering::Relaxed), number);
        server.close.send_replace(CancellationToken::new()).cancel();
        // Until our side has noticed, a request may be lost; nothing else happens meanwhile.
        soon(pool.http2.as_ref().unwrap().connection.closed()).await;
    }
}

#[tokio::test]
async fn a_silent_upstream_and_one_that_stops_in_a_body_are_given_up() {
    let server = server().await;
    let brief = Duration::from_millis(100);
    let limited = Settings { response_head_timeout: brief, body_idle_timeout: brief, ..settings() };
    let pool = http2(&server, limited);
    assert!(matches!(
        soon(pool.send(request("GET", "/silent", Body::empty()))).await,
        Err(SendError::HeadTimeout)
    ));
    let mut body = soon(pool.send(request("GET", "/stalls", Body::empty()))).await.unwrap().into_body();
    assert_eq!(soon(body.frame()).await.unwrap().unwrap().into_data().unwrap(), "begun");
    assert!(soon(body.frame()).await.unwrap().is_err());
}

#[tokio::test]
async fn who_waited_for_a_connection_that_failed_need_not_try_himself() {
    let nowhere = Origin::Unix(Path::new("/nonexistent/app.sock").into());
    let pool = Pool::new(nowhere, Settings { protocol: Protocol::Http2, ..settings() });
    let (one, other) = tokio::join!(pool.send(get()), pool.send(get()));
    assert!(matches!((one, other), (Err(SendError::Connect(_)), Err(SendError::Connect(_)))));
}

#[tokio::test]
async fn an_upstream_that_speaks_http_1_is_broken() {
    let upstream = Upstream::new().await;
    let pool = pool_with(&upstream, Settings { protocol: Protocol::Http2, ..settings() });
    let sent = sending(&pool, get());
    let mut peer = upstream.accept().await;
    peer.until("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    peer.say("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n").await;
    assert!(matches!(refused(sent).await, SendError::Broken(_)));
}

/// A server that agrees to one of these by ALPN, and speaks HTTP/2 in any case.
async fn over_tls(alpn: &[&str]) -> Origin {
    let mut settings = (**tls::ListenerTls::load(&server_files()).unwrap().acceptor().config()).clone();
    settings.alpn_protocols = alpn.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(settings));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(stream) = acceptor.accept(stream).await else { continue };
            if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
                tokio::spawn(
                    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
                        .serve_connection(TokioIo::new(stream), service_fn(answer)),
                );
            } else {
                tokio::spawn(
                    hyper::server::conn::http1::Builder::new()
                        .serve_connection(TokioIo::new(stream), service_fn(answer)),
                );
            }
        }
    });
    Origin::Tcp { host: "127.0.0.1".into(), port, tls: true }
}

#[tokio::test]
async fn a_server_that_may_choose_is_spoken_to_as_it_chooses() {
    for (alpn, version) in
        [(&["h2", "http/1.1"][..], "HTTP/2.0"), (&["http/1.1"], "HTTP/1.1"), (&[], "HTTP/1.1")]
    {
        let trusting = ClientTls { ca: Some(vector("ca.pem")), ..ClientTls::default() };
        let tls = Some(tls::client(&trusting).unwrap());
        let either = Settings { protocol: Protocol::Either, tls, ..settings() };
        let pool = Arc::new(Pool::new(over_tls(alpn).await, either));
        // Some at once, before anybody knows; then one by one.
        let at_once: Vec<_> =
            (0..20).map(|_| sending(&pool, request("POST", "/seen", Body::full("ask")))).collect();
        for sent in at_once {
            let seen = text(answered(sent).await.into_body()).await;
            assert!(seen.starts_with(version), "{alpn:?}: {seen}");
        }
        for _ in 0..3 {
            let sent = sending(&pool, request("GET", "/seen", Body::empty()));
            assert!(text(answered(sent).await.into_body()).await.starts_with(version));
        }
        // Another protocol is asked for in HTTP/1.1, whatever else is spoken.
        let mut wish = request("GET", "/seen", Body::empty());
        wish.headers_mut().insert(UPGRADE, "websocket".parse().unwrap());
        let seen = text(answered(sending(&pool, wish)).await.into_body()).await;
        assert!(seen.starts_with("HTTP/1.1") && seen.contains("websocket"), "{alpn:?}: {seen}");
    }
}

#[tokio::test]
async fn over_tls_the_upstream_must_agree_to_it() {
    for (alpn, agrees) in [(&["h2", "http/1.1"][..], true), (&["http/1.1"], false), (&[], false)] {
        let trusting = ClientTls { ca: Some(vector("ca.pem")), ..ClientTls::default() };
        let tls = Some(tls::client(&trusting).unwrap());
        let pool = Pool::new(over_tls(alpn).await, Settings { protocol: Protocol::Http2, tls, ..settings() });
        match soon(pool.send(request("GET", "/seen", Body::empty()))).await {
            Ok(response) => {
                let seen = text(response.into_body()).await;
                assert!(
                    agrees && seen.starts_with("HTTP/2.0 https://upstream.test/seen "),
                    "{alpn:?}: {seen}"
                );
            }
            Err(error) => assert!(!agrees && matches!(error, SendError::Connect(_)), "{alpn:?}: {error:?}"),
        }
    }
}
