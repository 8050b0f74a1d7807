//! The smoke: a hundred thousand hostile requests through a whole Gate, over raw sockets, to an API that writes down
//! all it reads. No request may reach it that was not authorised, and each that does must be the one that was sent.

mod caller;
mod callers;
mod mutations;
pub(crate) mod oracle;
pub(crate) mod recorder;
mod streams;

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Instant;

use caller::Caller;
use oracle::{Oracle, RULES};

use crate::support::Gate;

/// Change it to look elsewhere: every seed must hold.
pub(crate) const SEED: u64 = 0x5eed_0000_0000_0001;
const CALLERS: usize = 64;

pub(crate) fn gate(origin: SocketAddr) -> Gate {
    let token = "token: {headers: [X-Membrane-Token, X-Integration-App-Token, Authorization]}";
    Gate::configured(&format!(
        "workers: 2\nupstreams:\n  api: {{upstream: 'http://{origin}', {token}, {RULES}}}\n  \
         guarded: {{upstream: 'http://{origin}', {token}, match: {{hosts: [guarded.test]}}, \
         rules: [{{path: /*, allow: admin}}]}}\n"
    ))
}

#[test]
fn h1_h5_h7_h10_h18_h21_h30_h36_no_mutation_reaches_the_api_unauthorised_or_changed() {
    smoke(5_000, send);
}

#[test]
fn h32_h36_no_stream_of_http_2_reaches_the_api_unauthorised_or_changed() {
    smoke(3_000, send_streams);
}

#[test]
#[ignore = "it wants the machine for itself: tests/run runs it alone"]
fn of_a_hundred_thousand_mutations_none_reaches_the_api_unauthorised_or_changed() {
    smoke(100_000, send);
    smoke(30_000, send_streams);
}

#[expect(clippy::print_stdout, reason = "what a test says when it is asked to")]
fn smoke(cases: u32, send: fn(u32, &Arc<Oracle>, SocketAddr)) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (oracle, began) = (Arc::new(Oracle::new(SEED)), Instant::now());
    let origin = runtime.block_on(recorder::start(Arc::clone(&oracle)));
    send(cases, &oracle, origin);
    let (violations, admitted, refused) = (oracle.violations(), oracle.admitted(), oracle.refused());
    println!("seed {SEED:#x}: {cases} cases in {:?}", began.elapsed());
    println!("admitted: {admitted:?}\nrefused: {refused:?}");
    let shown = &violations[..violations.len().min(20)];
    assert!(
        violations.is_empty(),
        "{} violations under seed {SEED:#x}:\n{}",
        violations.len(),
        shown.join("\n")
    );
    // A gate that refuses everything would prove nothing, nor would one that refuses nothing.
    for (family, admitted) in admitted {
        assert!(admitted > cases as usize / 300, "{family}: {admitted}");
    }
}

/// Sends so many cases through a gate before `origin`, and waits until all are answered.
pub(crate) fn send(cases: u32, oracle: &Arc<Oracle>, origin: SocketAddr) {
    with_callers(cases, oracle, origin, |caller| Box::pin(caller.run()));
}

/// The same with streams of HTTP/2.
fn send_streams(cases: u32, oracle: &Arc<Oracle>, origin: SocketAddr) {
    with_callers(cases, oracle, origin, |caller| Box::pin(caller.run_streams()));
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

fn with_callers(cases: u32, oracle: &Arc<Oracle>, origin: SocketAddr, run: fn(Caller) -> Running) {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let (gate, next) = (gate(origin), Arc::new(AtomicU32::new(0)));
    let callers = (0..CALLERS).map(|_| {
        let caller = Caller {
            gate: gate.address("inbound"),
            seed: SEED,
            cases,
            next: Arc::clone(&next),
            oracle: Arc::clone(oracle),
        };
        runtime.spawn(run(caller))
    });
    for caller in callers.collect::<Vec<_>>() {
        runtime.block_on(caller).unwrap();
    }
}
