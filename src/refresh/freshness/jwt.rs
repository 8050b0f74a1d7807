//! When an access token ends by its own word, where it is a JWT (RFC 7519).
//! Never verifies it: it is a hint about somebody else's token, and good for nothing but the time of a refresh.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::clock::Timestamp;
use crate::formula::Value;

/// `exp`, counted from `iat` where there is one: both are of the issuer's clock, so that ours does not matter.
pub(super) fn end(reply: &Value, now: Timestamp) -> Option<Timestamp> {
    let token = reply.get("access_token")?.as_str()?;
    let mut parts = token.split('.');
    let (_, claims, _, None) = (parts.next()?, parts.next()?, parts.next()?, parts.next()) else {
        return None;
    };
    let claims: serde_json::Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    let time = |name| claims.get(name)?.as_f64();
    let exp = time("exp")?;
    let issued = time("iat").unwrap_or(now.as_secs_f64());
    let life = Duration::try_from_secs_f64(exp - issued).ok()?;
    (!life.is_zero() && life <= super::LONGEST_LIFE).then(|| now.plus(life))
}
