//! Ports and socket files.

use super::*;

#[tokio::test]
async fn several_workers_share_a_port_only_where_it_is_asked_for() {
    let first = bind(&config(), true).unwrap();
    let again = Config { address: first.address(), ..config() };
    assert_eq!(bind(&again, true).unwrap().address(), first.address());
    let error = bind(&again, false).err().unwrap();
    let told = format!("cannot listen on {}; stop the process that has it", first.address());
    assert!(error.to_string().starts_with(&told), "{error}");
}

/// A path for a socket that no other test uses.
fn socket_path(name: &str) -> PathBuf {
    let path = std::env::temp_dir().join(format!("sidegate-{}-{name}.sock", std::process::id()));
    std::fs::remove_file(&path).ok();
    path
}

#[tokio::test]
async fn a_unix_socket_serves_and_is_for_owner_and_group() {
    let path = socket_path("serves");
    let running = run(&Config { address: Address::Unix(path.clone()), ..config() });
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
    let mut peer = Peer::new(UnixStream::connect(&path).await.unwrap());
    assert_eq!(ask(&mut peer, "/arrival").await, "false false");
    let pool = Pool::new(Origin::Unix(path.as_path().into()), settings());
    let response = pool.send(crate::http::testing::get()).await.unwrap();
    assert_eq!(crate::http::testing::text(response.into_body()).await, "ok");
    std::fs::remove_file(&path).unwrap();
    running.stop.cancel();
}

#[tokio::test]
async fn only_a_socket_file_that_nobody_listens_on_is_replaced() {
    let path = socket_path("stale");
    let config = Config { address: Address::Unix(path.clone()), ..config() };
    let first = bind(&config, false).unwrap();
    let shared = first.try_clone().unwrap();
    assert!(matches!(bind(&config, false), Err(ListenError::Taken { .. })));
    drop(first);
    assert!(matches!(bind(&config, false), Err(ListenError::Taken { .. })), "the clone listens");
    drop(shared);
    drop(bind(&config, false).unwrap());
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, "precious").unwrap();
    assert!(matches!(bind(&config, false), Err(ListenError::NotASocket { .. })));
    assert_eq!(std::fs::read(&path).unwrap(), b"precious");
    std::fs::remove_file(&path).unwrap();
}

#[tokio::test]
async fn a_listener_whose_socket_dies_says_so_instead_of_waiting_for_nobody() {
    let bound = bind(&config(), false).unwrap();
    let socket::Bound::Tcp(same) = bound.try_clone().unwrap().socket else { panic!("it listens on a port") };
    let serving = bound.serve(Arc::<Paths>::default(), CancellationToken::new(), CancellationToken::new());
    socket2::Socket::from(same).shutdown(std::net::Shutdown::Both).unwrap();
    let dead = soon(serving).await.expect_err("nobody can connect any more");
    assert!(matches!(dead, ListenError::Dead { .. }), "{dead}");
}
