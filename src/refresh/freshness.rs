//! When a token ends and when to refresh it: pure arithmetic on what the provider said.
//! Never reads a clock, never decides who refreshes.

mod arrival;
mod jwt;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Duration, UNIX_EPOCH};

use crate::clock::Timestamp;
use crate::formula::Value;
use crate::names::ConnectionId;
use crate::store::Connection;

pub use arrival::Arrival;

/// A token is refreshed at least this long before its end, unless that is more than half of its life.
const SHORTEST_WINDOW: Duration = Duration::from_secs(10);
/// What claims to live longer is not believed.
const LONGEST_LIFE: Duration = Duration::from_secs(100 * 365 * 24 * 3600);

const LIFETIMES: [&str; 2] = ["expires_in", "expiresIn"];
const ENDS: [&str; 4] = ["expires_at", "expiresAt", "expires_on", "access_token_expiration"];
/// A reply and the JWT in it agree if they are no further apart: one may be made a little after the other.
const AGREE: Duration = Duration::from_secs(10);

/// How a token stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Freshness {
    /// Good for use. Also every token that does not say when it ends: a 401 will.
    Fresh,
    /// Good for use, and due for a refresh.
    Stale,
    /// Known to be dead.
    Ended,
}

impl Freshness {
    /// Of a connection's token at `now`.
    #[must_use]
    pub fn of(connection: &Connection, now: Timestamp) -> Self {
        let Some(expires_at) = connection.expires_at else { return Self::Fresh };
        if now >= expires_at {
            return Self::Ended;
        }
        match connection.refresh_at {
            Some(refresh_at) if now >= refresh_at => Self::Stale,
            _ => Self::Fresh,
        }
    }
}

/// A connection's own fraction between 0 and 1, always the same, so that connections made together do not come due
/// together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Jitter(f64);

impl Jitter {
    /// The connection's.
    #[must_use]
    pub fn of(id: &ConnectionId) -> Self {
        let mut hasher = DefaultHasher::new();
        id.hash(&mut hasher);
        Self(f64::from(hasher.finish() as u32) / f64::from(u32::MAX))
    }

    /// `base`, lengthened by up to the fraction `share` of itself.
    pub(super) fn lengthen(self, base: Duration, share: f64) -> Duration {
        base.mul_f64(1.0 + share * self.0)
    }
}

/// When a token ends, from any form of expiry that providers use: a life in seconds, as number, text or `D:HH:MM`; or a point
/// in time, passed or to come, as epoch seconds, epoch milliseconds or RFC 3339, by the clock of whoever sent the reply; else
/// what the access token says of itself where it is a JWT. A life of zero and nonsense say nothing: such a token is used until
/// it is refused. Where a JWT says that it lives less long than the reply says, it is believed, for its issuer is who refuses
/// it; where it says longer, the reply is.
#[must_use]
pub fn expiry(reply: &Value, arrival: Arrival) -> Option<Timestamp> {
    let now = arrival.at;
    let said = life(reply, now).or_else(|| Some(arrival.by_our_clock(end(reply, now)?)));
    let Some(said) = said else { return jwt::end(reply, arrival) };
    let own = jwt::life(reply).map(|life| now.plus(life));
    Some(own.filter(|own| own.plus(AGREE) < said).unwrap_or(said))
}

/// The same for a token that somebody kept before it came here at `now`: its life began at an unknown time, and so a
/// point in time counts before it.
#[must_use]
pub fn expiry_of_kept(credentials: &Value, now: Timestamp) -> Option<Timestamp> {
    end(credentials, now).or_else(|| life(credentials, now))
}

/// When to refresh a token that lives for `lifetime` until `expires_at`: `ahead` of its end, or a fifth of its life if that
/// is shorter, but not in the last moment; a little later for some connections than for others.
#[must_use]
pub fn refresh_at(expires_at: Timestamp, lifetime: Duration, ahead: Duration, jitter: Jitter) -> Timestamp {
    let window = ahead.min(lifetime / 5).mul_f64(1.0 - jitter.0 / 4.0);
    expires_at.minus(window.max(SHORTEST_WINDOW).min(lifetime / 2))
}

/// When credentials that nobody uses are due, if they are to be refreshed within `within`: in its last quarter, each
/// connection at a moment of its own.
pub(super) fn due(connection: &Connection, within: Duration) -> Timestamp {
    let last = connection.refreshed_at.or(connection.connected_at).unwrap_or(connection.created_at);
    last.plus(within.mul_f64(1.0 - Jitter::of(&connection.id).0 / 4.0))
}

fn life(credentials: &Value, now: Timestamp) -> Option<Timestamp> {
    LIFETIMES.iter().find_map(|name| seconds(credentials.get(name)?)).map(|life| now.plus(life))
}

fn end(credentials: &Value, now: Timestamp) -> Option<Timestamp> {
    let end = ENDS.iter().find_map(|name| point(credentials.get(name)?))?;
    (end.since(now) <= LONGEST_LIFE).then_some(end)
}

fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => *number,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    (number.is_finite() && number > 0.0).then_some(number)
}

fn seconds(value: &Value) -> Option<Duration> {
    let life = Duration::try_from_secs_f64(number(value).or_else(|| clock_seconds(value))?).ok()?;
    (life <= LONGEST_LIFE).then_some(life)
}

/// Days, hours, minutes and perhaps seconds, with colons between.
fn clock_seconds(value: &Value) -> Option<f64> {
    let parts: Vec<u32> =
        value.as_str()?.trim().split(':').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    let (days, hours, minutes, seconds) = match *parts.as_slice() {
        [days, hours, minutes] => (days, hours, minutes, 0),
        [days, hours, minutes, seconds] => (days, hours, minutes, seconds),
        _ => return None,
    };
    let minutes = (f64::from(days) * 24.0 + f64::from(hours)) * 60.0 + f64::from(minutes);
    Some(minutes * 60.0 + f64::from(seconds)).filter(|seconds| *seconds > 0.0)
}

fn point(value: &Value) -> Option<Timestamp> {
    // Seconds reach this number in the year 5138, milliseconds did in 1973.
    const MILLISECONDS_FROM: f64 = 1e11;
    if let Some(number) = number(value) {
        let millis = if number < MILLISECONDS_FROM { number * 1000.0 } else { number };
        return Some(Timestamp::from_millis(millis as u64));
    }
    let text = value.as_str()?.trim();
    let text = text.strip_suffix("+00:00").unwrap_or(text);
    let since_epoch = humantime::parse_rfc3339_weak(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
    Some(Timestamp::from_millis(u64::try_from(since_epoch.as_millis()).ok()?))
}

#[cfg(test)]
mod tests;
