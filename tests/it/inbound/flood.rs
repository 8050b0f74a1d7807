//! What a flood of bad signatures leaves to callers whose tokens are known.
#![expect(clippy::print_stdout, reason = "a measurement is shown")]

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::support::{Gate, Origin, as_anna};

const ROUNDS: usize = 5;
const ROUND: Duration = Duration::from_secs(2);
const CALLERS: usize = 8;
const FLOODERS: usize = 4;
/// From all flooders together: as many ES512 checks as take about a whole core.
const BAD_TOKENS_A_SECOND: u32 = 2_000;

/// Another token for each number: the signature has the right form and belongs to none.
fn bad(algorithm: &str, number: u64) -> String {
    let part = |json: serde_json::Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let header = part(json!({ "alg": algorithm }));
    let claims = part(json!({"iss": "issuer", "id": number, "exp": 4_000_000_000_u64}));
    let signature: Vec<u8> = (0..132).map(|place| if place % 66 == 0 { 0 } else { 0x5a }).collect();
    format!("{header}.{claims}.{}", URL_SAFE_NO_PAD.encode(signature))
}

/// How many requests of known callers are answered in a round, while bad tokens of `algorithm` come at their rate.
fn answered(gate: &Gate, algorithm: &str, numbers: &AtomicU64) -> u64 {
    let (over, answered, floods) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for _ in 0..CALLERS {
            scope.spawn(|| {
                let (mut caller, known) = (gate.connect(), as_anna());
                while !over.load(Ordering::Relaxed) {
                    caller.say(format!("GET / HTTP/1.1\r\nHost: api.test\r\n{known}\r\n"));
                    assert_eq!(caller.answer().status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..FLOODERS {
            scope.spawn(|| {
                let mut flooder = gate.connect();
                let pause = Duration::from_secs(1) / (BAD_TOKENS_A_SECOND / FLOODERS as u32);
                let mut due = Instant::now();
                while !over.load(Ordering::Relaxed) {
                    let token = bad(algorithm, numbers.fetch_add(1, Ordering::Relaxed));
                    flooder.say(format!(
                        "GET / HTTP/1.1\r\nHost: api.test\r\nX-Integration-App-Token: {token}\r\n\r\n"
                    ));
                    let status = flooder.answer().status;
                    assert!(matches!(status, 401 | 503), "{status}");
                    floods.fetch_add(1, Ordering::Relaxed);
                    due += pause;
                    std::thread::sleep(due.saturating_duration_since(Instant::now()));
                }
            });
        }
        std::thread::sleep(ROUND);
        over.store(true, Ordering::Relaxed);
    });
    println!(
        "{algorithm}: {} of known callers, {} bad ones",
        answered.load(Ordering::Relaxed),
        floods.load(Ordering::Relaxed)
    );
    answered.load(Ordering::Relaxed)
}

fn gate(origin: &Origin, verification: &str) -> Gate {
    let key = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/vectors/keys/p521.spki.pem");
    Gate::configured(&format!(
        "upstreams: {{api: {{upstream: 'http://{}'}}}}\nworkers: 2\n{verification}\
         workspaces: {{acme: {{secret: {{file: acme}}}}, issuer: {{publicKeys: [{{name: main, file: '{key}'}}]}}}}\n",
        origin.address
    ))
}

/// The share of their throughput that known callers keep when bad ES512 signatures come instead of tokens that are
/// refused for their algorithm: the median of interleaved rounds.
fn kept(verification: &str) -> f64 {
    let origin = Origin::new();
    let gate = gate(&origin, verification);
    let numbers = AtomicU64::new(0);
    let mut shares: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let cheap = answered(&gate, "RS256", &numbers);
            answered(&gate, "ES512", &numbers) as f64 / cheap as f64
        })
        .collect();
    shares.sort_by(f64::total_cmp);
    println!("kept: {shares:.2?}");
    shares[ROUNDS / 2]
}

#[test]
#[ignore = "measures: cargo test --release --test it flood -- --ignored --nocapture --test-threads 1, on a quiet machine"]
fn known_callers_keep_nine_tenths_of_their_throughput_under_a_flood_of_bad_signatures() {
    let kept = kept("");
    assert!(kept >= 0.9, "{kept:.2}");
}

#[test]
#[ignore = "measures: what the flood takes where nothing limits it"]
fn without_the_budget_they_do_not() {
    let kept = kept("verification: {badSignatures: 100}\n");
    assert!(kept < 0.85, "{kept:.2}");
}
