//! Path patterns: whole segments, compared on bytes.
//! Never decodes the path that is forwarded, and knows nothing of rules.

use std::borrow::Cow;
use std::sync::Arc;

/// `/x` is that path alone; `/x/*` is `/x`, `/x/` and everything below; `/*` is everything.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    text: Arc<str>,
    /// The text once more as [`plain`] reads it.
    plain: Vec<u8>,
}

impl Pattern {
    pub(super) fn new(text: &str) -> Self {
        Self { text: text.into(), plain: plain(text.as_bytes()).into_owned() }
    }

    /// The pattern as it was written.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The pattern as it was written, to keep.
    pub(super) fn text(&self) -> &Arc<str> {
        &self.text
    }

    /// Whether the path as sent matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        matches(self.text.as_bytes(), path.as_bytes())
    }

    /// Whether a path that went through [`plain`] matches.
    pub(super) fn matches_plain(&self, path: &[u8]) -> bool {
        matches(&self.plain, path)
    }

    /// Whether every path that `other` matches is matched here too.
    pub(super) fn covers(&self, other: &Self) -> bool {
        match (self.text.strip_suffix("/*"), other.text.strip_suffix("/*")) {
            (Some(_), Some(root)) => self.matches(if root.is_empty() { "/" } else { root }),
            (Some(_), None) => self.matches(&other.text),
            (None, Some(_)) => false,
            (None, None) => self.text == other.text,
        }
    }
}

/// Whether `path` is `prefix` or below it, by whole segments. What remains begins with `/` or is empty; a prefix of
/// nothing or of `/` leaves the path whole.
pub(super) fn below<'p>(prefix: &str, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(prefix.trim_end_matches('/'))?;
    (rest.is_empty() || rest.starts_with('/')).then_some(rest)
}

fn matches(pattern: &[u8], path: &[u8]) -> bool {
    match pattern.strip_suffix(b"/*") {
        Some(root) => path.strip_prefix(root).is_some_and(|rest| matches!(rest, [] | [b'/', ..])),
        None => pattern == path,
    }
}

/// The path as the laxest of servers would read it: percent-encoding undone, parameters after `;` cut off, slashes
/// merged. Never forwarded; it only shows whether another reading of the path would meet another rule. A path that
/// nobody reads differently comes back as it is.
pub(super) fn plain(path: &[u8]) -> Cow<'_, [u8]> {
    if !may_differ(path) {
        return Cow::Borrowed(path);
    }
    let decoded: Cow<'_, [u8]> = percent_encoding::percent_decode(path).into();
    let mut plain = Vec::with_capacity(decoded.len());
    let mut in_parameter = false;
    for byte in decoded.iter().copied() {
        match byte {
            b'/' => {
                in_parameter = false;
                if plain.last() != Some(&b'/') {
                    plain.push(b'/');
                }
            }
            b';' => in_parameter = true,
            _ if in_parameter => {}
            _ => plain.push(byte),
        }
    }
    Cow::Owned(plain)
}

/// Whether there is anything in a path that some servers read in another way. Every path is looked at, and nearly none has
/// it, so each byte costs one look into a table.
fn may_differ(path: &[u8]) -> bool {
    const SLASH: u8 = 1;
    const SIGN: u8 = 2;
    static KINDS: [u8; 256] = {
        let mut kinds = [0; 256];
        kinds[b'/' as usize] = SLASH;
        kinds[b'%' as usize] = SIGN;
        kinds[b';' as usize] = SIGN;
        kinds
    };
    let (mut found, mut before) = (0, 0);
    for byte in path {
        let kind = KINDS[usize::from(*byte)];
        // A sign, or a second slash in a row.
        found |= (kind & SIGN) | (kind & before);
        before = kind;
    }
    found != 0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_the_path_itself_and_everything_below_by_whole_segments() {
        let pattern = Pattern::new("/x/*");
        for path in ["/x", "/x/", "/x/y", "/x/y/z", "/x//"] {
            assert!(pattern.matches(path), "{path}");
        }
        for path in ["/", "/xy", "/X/y", "/y/x/", "x/y", "", "/%78/y"] {
            assert!(!pattern.matches(path), "{path}");
        }
    }

    #[test]
    fn the_star_alone_is_every_path_but_not_the_asterisk_form() {
        let pattern = Pattern::new("/*");
        for path in ["/", "/x", "//", "/x/y"] {
            assert!(pattern.matches(path), "{path}");
        }
        assert!(!pattern.matches("*"));
    }

    #[test]
    fn without_a_star_a_path_is_exact() {
        let pattern = Pattern::new("/x");
        assert!(pattern.matches("/x"));
        for path in ["/x/", "/x/y", "/", "/x?", "/X"] {
            assert!(!pattern.matches(path), "{path}");
        }
    }

    #[test]
    fn a_wider_pattern_covers_a_narrower_one() {
        let covers = |wide, narrow| Pattern::new(wide).covers(&Pattern::new(narrow));
        for (wide, narrow) in
            [("/*", "/x"), ("/*", "/x/*"), ("/*", "/*"), ("/x/*", "/x"), ("/x/*", "/x/y/*"), ("/x", "/x")]
        {
            assert!(covers(wide, narrow), "{wide} covers {narrow}");
        }
        for (wide, narrow) in [("/x/*", "/*"), ("/x", "/x/*"), ("/x", "/y"), ("/x/*", "/xy/*"), ("/x/*", "/")]
        {
            assert!(!covers(wide, narrow), "{wide} does not cover {narrow}");
        }
    }

    #[test]
    fn a_prefix_is_taken_off_by_whole_segments() {
        assert_eq!(below("/a", "/a/b"), Some("/b"));
        assert_eq!(below("/a/", "/a/b"), Some("/b"));
        assert_eq!(below("/a", "/a"), Some(""));
        assert_eq!(below("/a", "/ab"), None);
        assert_eq!(below("/", "/a"), Some("/a"));
    }

    #[test]
    fn the_plain_form_is_what_the_laxest_server_would_read() {
        for (path, expected) in [
            ("/x/y", "/x/y"),
            ("//x///y", "/x/y"),
            ("/%69nternal/a%2Db", "/internal/a-b"),
            ("/internal;v=1/x;y", "/internal/x"),
            ("/%2569", "/%69"),
            ("/a%3bb/c", "/a/c"),
        ] {
            assert_eq!(plain(path.as_bytes()), expected.as_bytes(), "{path}");
        }
    }
}
