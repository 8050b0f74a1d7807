//! Every reason to refuse a token, for the access log and the operator.
//! Never knows what the caller is told, and never holds a byte of the token.

use super::jws::MAX_TOKEN;

/// Why a token was refused. A caller learns only that it was; the log gets [`TokenError::code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Longer than [`MAX_TOKEN`]; nothing of it was decoded.
    #[error("the token is longer than {MAX_TOKEN} bytes")]
    TooLong,
    /// Not a compact JWS (RFC 7515 section 7.1) with a JSON header, or its payload is no set of claims.
    #[error("the token is malformed: {0}")]
    Malformed(&'static str),
    /// The header carries `crit` (RFC 7515 section 4.1.11): no extension is implemented.
    #[error("the header names critical extensions, and none is supported")]
    Crit,
    /// The header carries `b64`, `zip` or `enc`, which would change what the payload means.
    #[error("the header parameter `{0}` is not supported")]
    UnsupportedHeader(&'static str),
    /// `alg` is `none`, or none of the twelve.
    #[error("the header's algorithm is not one of the twelve supported ones")]
    UnsupportedAlgorithm,
    /// The workspace has no key for this algorithm.
    #[error("no key of the workspace serves the token's algorithm")]
    AlgorithmNotAllowed,
    /// Neither `iss` nor `workspaceKey` is present.
    #[error("the token names no workspace: it has neither `iss` nor `workspaceKey`")]
    NoWorkspace,
    /// The workspace is not configured.
    #[error("the token's workspace is not configured")]
    UnknownWorkspace,
    /// The workspace is configured, but not for this upstream.
    #[error("the token's workspace is not allowed here")]
    WorkspaceNotAllowed,
    /// Every key for this algorithm serves another `kid`.
    #[error("no key of the workspace has the token's key id")]
    UnknownKid,
    /// The key set is empty.
    #[error("the workspace has no usable key")]
    NoKey,
    /// No key that may serve this token verifies its signature.
    #[error("the signature does not match")]
    BadSignature,
    /// `exp` is now or in the past.
    #[error("the token has expired")]
    Expired,
    /// `nbf` is in the future.
    #[error("the token is not yet valid")]
    NotActive,
    /// There is no `exp`, and the policy requires one.
    #[error("the token has no `exp`, and one is required")]
    NoExpiry,
    /// A claim has the wrong JSON type.
    #[error("the claim `{0}` has the wrong type")]
    BadClaim(&'static str),
    /// Two claims that mean the same differ.
    #[error("the claims `{0}` and `{1}` differ")]
    ConflictingClaims(&'static str, &'static str),
    /// `aud` names none of the workspace's audiences.
    #[error("the token is meant for another audience")]
    Audience,
    /// `typ` is none of the workspace's types (RFC 8725 section 3.11).
    #[error("the token is of another type than the workspace takes")]
    Type,
    /// The token is good for longer than the workspace allows, or for ever.
    #[error("the token lives longer than the workspace allows")]
    Lifetime,
    /// The workspace's revocations name it.
    #[error("the token was revoked")]
    Revoked,
    /// The workspace's key set was never read, or not for too long; nothing is known of the token.
    #[error("the workspace's key set is not available")]
    KeysUnavailable,
    /// Too many signatures did not hold just now; nothing is known of the token.
    #[error("too many bad signatures are being checked")]
    Saturated,
}

impl TokenError {
    /// The stable reason code of the access log and the metrics.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "too_long",
            Self::Malformed(_) => "malformed",
            Self::Crit => "crit",
            Self::UnsupportedHeader(_) => "unsupported_header",
            Self::UnsupportedAlgorithm => "unsupported_algorithm",
            Self::AlgorithmNotAllowed => "algorithm_not_allowed",
            Self::NoWorkspace => "no_workspace",
            Self::UnknownWorkspace => "unknown_workspace",
            Self::WorkspaceNotAllowed => "workspace_not_allowed",
            Self::UnknownKid => "unknown_kid",
            Self::NoKey => "no_key",
            Self::BadSignature => "bad_signature",
            Self::Expired => "expired",
            Self::NotActive => "not_active",
            Self::NoExpiry => "no_expiry",
            Self::BadClaim(_) => "bad_claim",
            Self::ConflictingClaims(..) => "conflicting_claims",
            Self::Audience => "audience",
            Self::Type => "type",
            Self::Lifetime => "lifetime",
            Self::Revoked => "revoked",
            Self::KeysUnavailable => "keys_unavailable",
            Self::Saturated => "verification_saturated",
        }
    }

    /// Whether a key that is not there may be to blame.
    pub(super) fn is_for_want_of_a_key(&self) -> bool {
        matches!(self, Self::UnknownKid | Self::NoKey | Self::AlgorithmNotAllowed | Self::KeysUnavailable)
    }
}
