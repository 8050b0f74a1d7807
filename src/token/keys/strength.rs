//! How strong a key must be before it may verify anything.
//! Never knows whose key it is or where it came from.

use std::collections::HashSet;

use super::{Algorithm, KeyPolicy, Refusal};

/// The shortest secret of the compatible policy, in bytes: what 128 bits of strength need.
const MIN_SECRET: usize = 16;
const MIN_RSA_BITS: usize = 2048;
const MAX_RSA_BITS: usize = 8192;

/// Which of `algorithms` a secret of this length may serve under `policy`, and which of them it is too short for by
/// RFC 7518 section 3.2 though the compatible policy lets it.
pub(super) fn check_secret(
    len: usize,
    algorithms: &[Algorithm],
    policy: KeyPolicy,
) -> Result<(Vec<Algorithm>, Vec<Algorithm>), Refusal> {
    if len < MIN_SECRET {
        let problem = format!("the secret has {len} bytes; at least {MIN_SECRET} are needed");
        return Err(Refusal::new(problem, LONGER_SECRET));
    }
    let (strong, weak): (Vec<_>, Vec<_>) =
        algorithms.iter().partition(|algorithm| algorithm.hash_len() <= len);
    match policy {
        KeyPolicy::Compatible => Ok((algorithms.to_vec(), weak)),
        KeyPolicy::Strict if strong.is_empty() => {
            let problem =
                format!("the secret has {len} bytes, too few for {} under keyPolicy strict", list(&weak));
            Err(Refusal::new(problem, LONGER_SECRET))
        }
        KeyPolicy::Strict => Ok((strong, weak)),
    }
}

/// What to say of a secret that is too short for `weak`.
pub(super) fn weak_secret(len: usize, weak: &[Algorithm], policy: KeyPolicy) -> Refusal {
    let consequence = match policy {
        KeyPolicy::Compatible => "RFC 7518 asks for more for",
        KeyPolicy::Strict => "under keyPolicy strict it does not serve",
    };
    let problem = format!("the secret has {len} bytes; {consequence} {}", list(weak));
    Refusal::new(problem, "use a longer secret, or name the algorithms you use under `algorithms`")
}

/// Whether a secret is known to everybody, or so uniform that it may be guessed: long enough, and worthless.
pub(super) fn is_guessable(secret: &[u8]) -> bool {
    const EXAMPLES: [&str; 5] = [
        "a-string-secret-at-least-256-bits-long",
        "a-valid-string-secret-that-is-at-least-512-bits-long-which-is-very-long",
        "your-256-bit-secret",
        "your-384-bit-secret",
        "your-512-bit-secret",
    ];
    const FEWEST_DISTINCT_BYTES: usize = 8;
    let distinct: HashSet<u8> = secret.iter().copied().collect();
    distinct.len() < FEWEST_DISTINCT_BYTES || EXAMPLES.iter().any(|example| example.as_bytes() == secret)
}

/// Refuses RSA keys that are too small, absurdly large, or known to be weak.
pub(super) fn check_rsa(modulus: &[u8], exponent: &[u8]) -> Result<(), Refusal> {
    let bits = modulus.len() * 8 - modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
    if !(MIN_RSA_BITS..=MAX_RSA_BITS).contains(&bits) {
        let problem =
            format!("its RSA modulus has {bits} bits; {MIN_RSA_BITS} to {MAX_RSA_BITS} are accepted");
        return Err(Refusal::new(problem, NEW_RSA_KEY));
    }
    if exponent == [1] || exponent.last().is_none_or(|byte| byte % 2 == 0) {
        return Err(Refusal::new("its RSA exponent is 1 or even, so anybody could sign", NEW_RSA_KEY));
    }
    if is_roca(modulus) {
        return Err(Refusal::new("its RSA modulus was made by a flawed generator (ROCA)", NEW_RSA_KEY));
    }
    Ok(())
}

const LONGER_SECRET: &str = "use a longer random secret, 64 bytes for all of HS256, HS384 and HS512";
const NEW_RSA_KEY: &str = "make a new RSA key of 2048 to 8192 bits with exponent 65537";

/// The fingerprint of CVE-2017-15361: modulo each small prime, a flawed modulus is a power of 65537. By chance that
/// happens for all of these primes together less than once in 10^45 keys of full size.
fn is_roca(modulus: &[u8]) -> bool {
    const PRIMES: [u32; 38] = [
        3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101,
        103, 107, 109, 113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
    ];
    PRIMES.iter().all(|&prime| {
        let remainder = modulus.iter().fold(0, |rest, &byte| (rest * 256 + u32::from(byte)) % prime);
        let mut power = 1;
        (0..prime).any(|_| {
            power = power * 65_537 % prime;
            power == remainder
        })
    })
}

fn list(algorithms: &[Algorithm]) -> String {
    algorithms.iter().map(|algorithm| algorithm.as_str()).collect::<Vec<_>>().join(", ")
}
