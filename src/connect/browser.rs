//! What only the browser has that was sent away: a cookie for each consent, so that what another browser brings back is no
//! answer. Never keeps one; a digest of it waits with the consent.

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::{constant_time, rand};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::{COOKIE, HeaderMap, HeaderValue};

use super::Config;

/// How long a browser keeps a cookie, in seconds: as long as a consent may take.
const SECONDS: u64 = 15 * 60;

/// The secret of a browser that is being sent away.
pub(super) struct Mark(String);

impl Mark {
    /// 256 random bits.
    pub(super) fn new() -> Self {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).expect("the operating system has randomness once it runs");
        Self(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// What is kept of it here.
    pub(super) fn digest(&self) -> Vec<u8> {
        digest_of(&self.0)
    }

    /// The cookie that holds it.
    pub(super) fn cookie(&self, config: &Config, consent: &str) -> Option<HeaderValue> {
        set_cookie(config, consent, &self.0, SECONDS)
    }
}

/// Whether the browser that sent these headers is the one with this mark.
pub(super) fn is_marked(headers: &HeaderMap, config: &Config, consent: &str, mark: &[u8]) -> bool {
    let name = name(config, consent);
    let lines = headers.get_all(COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(cookie, _)| *cookie == name).map(|(_, value)| value);
    values.any(|value| constant_time::verify_slices_are_equal(&digest_of(value), mark).is_ok())
}

/// Takes the cookie of a consent that is over.
pub(super) fn forget(config: &Config, consent: &str) -> Option<HeaderValue> {
    set_cookie(config, consent, "", 0)
}

/// For each consent its own, so that two windows do not disturb each other. With https the name says that nobody but this
/// host, and nobody without TLS, can have set it.
fn name(config: &Config, consent: &str) -> String {
    let short: String = digest_of(consent).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let prefix = if is_secure(config) { "__Host-" } else { "" };
    format!("{prefix}sidegate-{short}")
}

/// The browser brings it along when the provider sends it back to us, and no script sees it.
fn set_cookie(config: &Config, consent: &str, value: &str, seconds: u64) -> Option<HeaderValue> {
    let secure = if is_secure(config) { "; Secure" } else { "" };
    let name = name(config, consent);
    let cookie = format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
    let mut cookie = HeaderValue::try_from(cookie).ok()?;
    cookie.set_sensitive(true);
    Some(cookie)
}

fn is_secure(config: &Config) -> bool {
    config.public_url.as_deref().is_some_and(|url| url.starts_with("https://"))
}

fn digest_of(text: &str) -> Vec<u8> {
    digest(&SHA256, text.as_bytes()).as_ref().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(public_url: &str) -> Config {
        Config { public_url: Some(public_url.into()), ..Config::default() }
    }

    fn brought(cookies: &str) -> HeaderMap {
        HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(cookies).unwrap())])
    }

    #[test]
    fn only_the_browser_that_was_sent_away_is_marked() {
        let (config, mark) = (config("https://auth.example.com"), Mark::new());
        let cookie = mark.cookie(&config, "c1").unwrap();
        let (pair, attributes) = cookie.to_str().unwrap().split_once(';').unwrap();
        assert!(pair.starts_with("__Host-sidegate-"), "{pair}");
        assert_eq!(attributes, " Path=/; Max-Age=900; HttpOnly; SameSite=Lax; Secure");
        let is_marked =
            |cookies: &str, consent: &str| is_marked(&brought(cookies), &config, consent, &mark.digest());
        assert!(is_marked(&format!("a=b; {pair}"), "c1"));
        let other = Mark::new().cookie(&config, "c1").unwrap();
        let (other, _) = other.to_str().unwrap().split_once(';').unwrap();
        assert!(is_marked(&format!("{other}; {pair}"), "c1"));
        for (cookies, consent) in [(pair, "c2"), (other, "c1"), ("a=b", "c1"), ("", "c1")] {
            assert!(!is_marked(cookies, consent), "{cookies} {consent}");
        }
    }

    #[test]
    fn without_tls_the_name_promises_nothing() {
        let cookie = Mark::new().cookie(&config("http://localhost:9000"), "c1").unwrap();
        let cookie = cookie.to_str().unwrap();
        assert!(cookie.starts_with("sidegate-") && !cookie.contains("Secure"), "{cookie}");
        let over = forget(&config("http://localhost:9000"), "c1").unwrap();
        assert!(over.to_str().unwrap().contains("=; Path=/; Max-Age=0;"));
    }
}
