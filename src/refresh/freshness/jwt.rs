//! When an access token ends by its own word, where it is a JWT (RFC 7519).
//! Never verifies it: it is a hint about somebody else's token, and good for nothing but the time of a refresh.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::{Arrival, LONGEST_LIFE};
use crate::clock::Timestamp;
use crate::formula::Value;

/// From its `iat` to its `exp`: both are of the issuer's clock, so that ours does not matter.
pub(super) fn life(reply: &Value) -> Option<Duration> {
    Claims::of(reply)?.life()
}

/// When it ends: its life from now, or its `exp` where it does not say when that began.
pub(super) fn end(reply: &Value, arrival: Arrival) -> Option<Timestamp> {
    let claims = Claims::of(reply)?;
    if claims.iat.is_some() {
        return claims.life().map(|life| arrival.at.plus(life));
    }
    let end = Timestamp::from_millis((claims.exp * 1000.0) as u64);
    Some(arrival.by_our_clock(end)).filter(|end| is_life(end.since(arrival.at)))
}

/// What of its claims is about time.
struct Claims {
    iat: Option<f64>,
    exp: f64,
}

impl Claims {
    fn of(reply: &Value) -> Option<Self> {
        let token = reply.get("access_token")?.as_str()?;
        let mut parts = token.split('.');
        let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
            return None;
        };
        let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
        let time = |name| claims.get(name)?.as_f64();
        Some(Self { iat: time("iat"), exp: time("exp")? })
    }

    fn life(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.exp - self.iat?).ok().filter(|life| is_life(*life))
    }
}

fn is_life(life: Duration) -> bool {
    !life.is_zero() && life <= LONGEST_LIFE
}
