//! What a token says, typed: workspace, customer, admin, fields and times.
//! Never knows whether the token may be believed; whoever holds a `Verified` does.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use serde_json::{Map, Value};

use super::error::TokenError;
use crate::clock::Timestamp;
use crate::names::{CustomerId, WorkspaceKey};

/// What a token says. What every request looks at comes first.
#[derive(Clone, PartialEq)]
#[repr(C)]
pub struct Claims {
    /// `iss` or `workspaceKey`.
    pub workspace: WorkspaceKey,
    /// `id`, else `tenantKey`, else `sub`.
    pub id: Option<CustomerId>,
    /// `exp` in seconds since the Unix epoch.
    pub expires_at: Option<f64>,
    /// Whether `isAdmin` is truthy as JavaScript has it: anything but `false`, `0`, `""`, `null` and absence.
    pub is_admin: bool,
    /// `nbf` in seconds since the Unix epoch.
    pub not_before: Option<f64>,
    /// Every claim as it stood, for rules.
    pub all: Map<String, Value>,
}

impl Claims {
    /// Reads the claims of a token.
    ///
    /// A customer's id is a string, or an integer, which becomes its decimal text: databases count their customers,
    /// and JavaScript does not mind. `null` counts as absent for ids, `name` and `fields`.
    ///
    /// # Errors
    /// [`TokenError::NoWorkspace`]; [`TokenError::BadClaim`] for a wrong type, and for an id that is empty;
    /// [`TokenError::ConflictingClaims`] where `iss` and `workspaceKey`, or `id` and `tenantKey`, differ.
    pub fn from_json(all: Map<String, Value>) -> Result<Self, TokenError> {
        let named = Named::of(&all);
        let workspace = WorkspaceKey::from(named.workspace()?.ok_or(TokenError::NoWorkspace)?);
        let [id, tenant_key] = [customer("id", named.id)?, customer("tenantKey", named.tenant_key)?];
        let id = match same("id", id, "tenantKey", tenant_key)? {
            Some(id) => Some(id),
            None => customer("sub", named.sub)?,
        };
        if !matches!(named.fields, None | Some(Value::Null | Value::Object(_))) {
            return Err(TokenError::BadClaim("fields"));
        }
        date("iat", named.iat)?;
        Ok(Self {
            workspace,
            id: id.map(|id| CustomerId::from(&*id)),
            is_admin: named.is_admin.is_some_and(is_truthy),
            expires_at: date("exp", named.exp)?,
            not_before: date("nbf", named.nbf)?,
            all,
        })
    }

    /// `name`, if it is text. For people to read: nothing is decided by it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        self.all.get("name").and_then(Value::as_str)
    }

    /// `fields`. May hold API keys: never logged.
    #[must_use]
    pub fn fields(&self) -> Option<&Map<String, Value>> {
        self.all.get("fields").and_then(Value::as_object)
    }

    /// A value for a rule or an identity header.
    ///
    /// `path` is dotted, `fields.plan`, through objects and, by index, lists. Its first word may be one of ours: `id`,
    /// `workspace` and `isAdmin` are what the fields of this struct say, `claims.x` is the claim `x` as it stood; any
    /// other is a claim. A path that begins with `/` is a JSON pointer (RFC 6901) into the claims as they stood, for
    /// names with dots in them.
    #[must_use]
    pub fn lookup(&self, path: &str) -> Option<Cow<'_, Value>> {
        match path {
            "id" => return self.id.as_ref().map(|id| Cow::Owned(id.as_str().into())),
            "workspace" => return Some(Cow::Owned(self.workspace.as_str().into())),
            "isAdmin" => return Some(Cow::Owned(self.is_admin.into())),
            _ => {}
        }
        let Some(pointer) = path.strip_prefix('/') else {
            let mut names = path.strip_prefix("claims.").unwrap_or(path).split('.');
            let first = self.all.get(names.next()?)?;
            return names.try_fold(first, child).map(Cow::Borrowed);
        };
        let (first, rest) = pointer.find('/').map_or((pointer, ""), |slash| pointer.split_at(slash));
        let first = self.all.get(&first.replace("~1", "/").replace("~0", "~"))?;
        first.pointer(rest).map(Cow::Borrowed)
    }
}

/// Values stay out: `fields` may hold keys, and the rest is somebody's business too.
impl fmt::Debug for Claims {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claims")
            .field("workspace", &self.workspace)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

/// The claims that mean something to us, found in one pass.
#[derive(Default)]
struct Named<'a> {
    iss: Option<&'a Value>,
    workspace_key: Option<&'a Value>,
    id: Option<&'a Value>,
    tenant_key: Option<&'a Value>,
    sub: Option<&'a Value>,
    iat: Option<&'a Value>,
    nbf: Option<&'a Value>,
    exp: Option<&'a Value>,
    fields: Option<&'a Value>,
    is_admin: Option<&'a Value>,
}

impl<'a> Named<'a> {
    fn of(all: &'a Map<String, Value>) -> Self {
        let mut named = Self::default();
        for (name, value) in all {
            let place = match name.as_str() {
                "iss" => &mut named.iss,
                "workspaceKey" => &mut named.workspace_key,
                "id" => &mut named.id,
                "tenantKey" => &mut named.tenant_key,
                "sub" => &mut named.sub,
                "iat" => &mut named.iat,
                "nbf" => &mut named.nbf,
                "exp" => &mut named.exp,
                "fields" => &mut named.fields,
                "isAdmin" => &mut named.is_admin,
                _ => continue,
            };
            *place = Some(value);
        }
        named
    }

    fn workspace(&self) -> Result<Option<&'a str>, TokenError> {
        same("iss", text("iss", self.iss)?, "workspaceKey", text("workspaceKey", self.workspace_key)?)
    }
}

/// The workspace that claims name, before anything about them is known to be true.
///
/// # Errors
/// [`TokenError::BadClaim`] and [`TokenError::ConflictingClaims`] as for [`Claims::from_json`].
pub(super) fn workspace(all: &Map<String, Value>) -> Result<Option<&str>, TokenError> {
    Named::of(all).workspace()
}

/// A NumericDate (RFC 7519 section 2): any finite JSON number; fractions count.
///
/// # Errors
/// [`TokenError::BadClaim`] if it is present and anything else, `null` included: a time that cannot be read must not
/// count as no limit.
fn date(name: &'static str, value: Option<&Value>) -> Result<Option<f64>, TokenError> {
    let Some(value) = value else { return Ok(None) };
    match value.as_f64().filter(|seconds| seconds.is_finite()) {
        Some(seconds) => Ok(Some(seconds)),
        None => Err(TokenError::BadClaim(name)),
    }
}

/// Whether `aud` (RFC 7519 section 4.1.3), a string or a list of strings, names one of `audiences`.
///
/// # Errors
/// [`TokenError::BadClaim`] for any other type, [`TokenError::Audience`] if it names none or is absent.
pub(super) fn check_audience(all: &Map<String, Value>, audiences: &[String]) -> Result<(), TokenError> {
    let named = match all.get("aud") {
        None => return Err(TokenError::Audience),
        Some(Value::Array(named)) => named.as_slice(),
        Some(single) => std::slice::from_ref(single),
    };
    let mut is_ours = false;
    for value in named {
        let audience = value.as_str().ok_or(TokenError::BadClaim("aud"))?;
        is_ours |= audiences.iter().any(|ours| ours == audience);
    }
    if is_ours { Ok(()) } else { Err(TokenError::Audience) }
}

/// Whether the header's `typ` is one of `types` (RFC 8725 section 3.11). Case does not count, nor does a leading
/// `application/` (RFC 7515 section 4.1.9).
///
/// # Errors
/// [`TokenError::Type`] if it is none of them or absent.
pub(super) fn check_type(typ: Option<&str>, types: &[String]) -> Result<(), TokenError> {
    let typ = typ.ok_or(TokenError::Type)?;
    let is_ours = types.iter().any(|ours| short_type(ours).eq_ignore_ascii_case(short_type(typ)));
    if is_ours { Ok(()) } else { Err(TokenError::Type) }
}

fn short_type(typ: &str) -> &str {
    match typ.split_once('/') {
        Some((tree, short)) if tree.eq_ignore_ascii_case("application") && !short.contains('/') => short,
        _ => typ,
    }
}

/// Whether a token is good for `longest` at most: from `iat`, or from now if there is none or it lies ahead, to `exp`.
///
/// # Errors
/// [`TokenError::Lifetime`] if it is good for longer, or for ever; [`TokenError::BadClaim`] for a time that is none.
pub(super) fn check_lifetime(claims: &Claims, longest: Duration, now: Timestamp) -> Result<(), TokenError> {
    let expires_at = claims.expires_at.ok_or(TokenError::Lifetime)?;
    let now = now.as_secs_f64();
    let from = date("iat", claims.all.get("iat"))?.map_or(now, |issued_at| issued_at.min(now));
    if expires_at - from <= longest.as_secs_f64() { Ok(()) } else { Err(TokenError::Lifetime) }
}

/// Who the token speaks for, as [`Claims::id`] has it; nobody where that cannot be told.
pub(super) fn customer_id(all: &Map<String, Value>) -> Option<Cow<'_, str>> {
    ["id", "tenantKey", "sub"].into_iter().find_map(|name| customer(name, all.get(name)).ok().flatten())
}

/// `jti` as text, however the issuer typed it: RFC 7519 wants a string, and databases count.
pub(super) fn token_id(all: &Map<String, Value>) -> Option<Cow<'_, str>> {
    match all.get("jti")? {
        Value::String(id) => Some(Cow::Borrowed(id)),
        Value::Number(id) => Some(Cow::Owned(id.to_string())),
        _ => None,
    }
}

/// One value of two claims that mean the same.
fn same<T: PartialEq>(
    first_name: &'static str,
    first: Option<T>,
    second_name: &'static str,
    second: Option<T>,
) -> Result<Option<T>, TokenError> {
    match (first, second) {
        (Some(first), Some(second)) if first != second => {
            Err(TokenError::ConflictingClaims(first_name, second_name))
        }
        (first, second) => Ok(first.or(second)),
    }
}

fn text<'a>(name: &'static str, value: Option<&'a Value>) -> Result<Option<&'a str>, TokenError> {
    let Some(value) = value else { return Ok(None) };
    value.as_str().map(Some).ok_or(TokenError::BadClaim(name))
}

fn customer<'a>(name: &'static str, value: Option<&'a Value>) -> Result<Option<Cow<'a, str>>, TokenError> {
    match value {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(id)) if !id.is_empty() => Ok(Some(Cow::Borrowed(id))),
        Some(Value::Number(id)) if !id.is_f64() => Ok(Some(Cow::Owned(id.to_string()))),
        Some(_) => Err(TokenError::BadClaim(name)),
    }
}

fn is_truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(truth) => *truth,
        Value::Number(number) => number.as_f64() != Some(0.0),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

fn child<'a>(parent: &'a Value, name: &str) -> Option<&'a Value> {
    match parent {
        Value::Object(members) => members.get(name),
        Value::Array(items) => items.get(name.parse::<usize>().ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
