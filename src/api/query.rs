//! A request's query: pages, filters, and whether secrets are asked for.
//! Never complains of a key it does not know: each of the SDKs sends more than the other reads.

use std::str::FromStr;

use http::Uri;

use super::rejection::Rejection;

/// The rows of a page where the caller does not say, and the most it may say.
const DEFAULT_LIMIT: usize = 100;
const LARGEST_LIMIT: usize = 1000;
/// Where the SDKs' `findAll` begins.
const START: &str = "0";

/// The decoded pairs of a query. An empty value counts as absent; of a repeated key the first counts.
pub(super) struct Query(Vec<(String, String)>);

impl Query {
    pub(super) fn of(uri: &Uri) -> Self {
        Self(url::form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()).into_owned().collect())
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    /// `true` or `false`.
    pub(super) fn flag(&self, name: &'static str) -> Result<Option<bool>, Rejection> {
        self.parsed(name, "`true` or `false`")
    }

    /// The first of two keys that is there, for they mean the same.
    pub(super) fn either(&self, first: &str, second: &str) -> Option<&str> {
        self.text(first).or_else(|| self.text(second))
    }

    /// Rows of a page.
    pub(super) fn limit(&self) -> Result<usize, Rejection> {
        let expected = "a whole number from 1 to 1000";
        let limit = self.parsed("limit", expected)?.unwrap_or(DEFAULT_LIMIT);
        if (1..=LARGEST_LIMIT).contains(&limit) {
            return Ok(limit);
        }
        Err(Rejection::InvalidQuery { key: "limit", expected })
    }

    /// Where the last page ended; none at the start.
    pub(super) fn cursor(&self) -> Option<String> {
        self.text("cursor").filter(|cursor| *cursor != START).map(str::to_owned)
    }

    fn parsed<T: FromStr>(&self, key: &'static str, expected: &'static str) -> Result<Option<T>, Rejection> {
        let parsed = self.text(key).map(str::parse).transpose();
        parsed.map_err(|_| Rejection::InvalidQuery { key, expected })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(text: &str) -> Query {
        Query::of(&format!("/connections?{text}").parse().unwrap())
    }

    #[test]
    fn pages_have_a_hundred_rows_unless_the_caller_says_otherwise() {
        assert_eq!(query("").limit().unwrap(), 100);
        assert_eq!(query("limit=").limit().unwrap(), 100);
        assert_eq!(query("limit=1").limit().unwrap(), 1);
        assert_eq!(query("cursor=0&limit=1000").limit().unwrap(), 1000);
        for wrong in ["0", "1001", "-1", "many", "1.5"] {
            let limit = query(&format!("limit={wrong}")).limit();
            assert!(matches!(limit, Err(Rejection::InvalidQuery { key: "limit", .. })), "{wrong}");
        }
    }

    #[test]
    fn the_cursor_zero_is_the_start() {
        assert_eq!(query("cursor=0").cursor(), None);
        assert_eq!(query("cursor=").cursor(), None);
        assert_eq!(query("cursor=5.abc").cursor().as_deref(), Some("5.abc"));
    }

    #[test]
    fn values_are_decoded_and_unknown_keys_ignored() {
        let query = query("surprise=1&userId=a%20b%2Bc&includeArchived=true&isTest=maybe");
        assert_eq!(query.text("userId"), Some("a b+c"));
        assert_eq!(query.flag("includeArchived").unwrap(), Some(true));
        assert_eq!(query.flag("includeSecrets").unwrap(), None);
        assert!(matches!(query.flag("isTest"), Err(Rejection::InvalidQuery { key: "isTest", .. })));
    }
}
