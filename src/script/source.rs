//! A script as it stands in a connector folder: its text, and what its places are named by.
//! Never runs or compiles it; a worker does.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::digest;

use super::limits::Limits;
use crate::document::Complaint;

/// The text of a JavaScript method. Cheap to clone.
#[derive(Clone)]
pub struct Script {
    file: Arc<str>,
    text: Arc<str>,
    digest: [u8; 32],
}

impl Script {
    /// Takes a script in. `file` names it in messages: its path, or the place of the `code` key in a spec.
    ///
    /// # Errors
    /// If it is TypeScript by its name.
    pub fn new(file: &str, text: &str) -> Result<Self, Complaint> {
        let is_typescript = [".ts", ".mts", ".cts", ".tsx"].iter().any(|ending| file.ends_with(ending));
        if is_typescript {
            return Err(Complaint {
                file: file.into(),
                position: None,
                problem: "TypeScript is not run here".into(),
                cure: "compile it to JavaScript (npx esbuild FILE --format=esm --outfile=….js) and keep the .js file"
                    .into(),
            });
        }
        let digest = digest::digest(&digest::SHA256, text.as_bytes());
        let digest = digest.as_ref().try_into().unwrap_or_default();
        Ok(Self { file: file.into(), text: text.into(), digest })
    }

    /// What it is named by.
    #[must_use]
    pub fn file(&self) -> &str {
        &self.file
    }

    /// The end of its name, for messages that may leave the machine: they tell which script it is, not where the folder lies.
    pub(super) fn short_name(&self) -> &str {
        let start = self.file.rmatch_indices('/').nth(2).map_or(0, |(slash, _)| slash + 1);
        self.file.get(start..).unwrap_or(&self.file)
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the text.
    pub(super) fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    pub(super) fn is_within(&self, limits: &Limits) -> bool {
        self.text.len() as u64 <= limits.source
    }
}

impl PartialEq for Script {
    fn eq(&self, other: &Self) -> bool {
        self.file == other.file && self.digest == other.digest
    }
}

/// Its name; a text may hold what should not have been written into it.
impl fmt::Debug for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Script").field(&self.file).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typescript_is_refused_with_its_cure() {
        let complaint = Script::new("connectors/x/auth/test.ts", "export default () => true").unwrap_err();
        assert!(complaint.to_string().starts_with("connectors/x/auth/test.ts: TypeScript is not run here; "));
    }

    #[test]
    fn a_short_name_tells_the_connector_and_no_folder_above() {
        for (file, short) in [
            ("/etc/sidegate/connectors/crm/auth/test.js", "crm/auth/test.js"),
            ("/etc/sidegate/connectors/crm/spec.yml:7 (test)", "connectors/crm/spec.yml:7 (test)"),
            ("a/b/c.js", "a/b/c.js"),
            ("c.js", "c.js"),
        ] {
            assert_eq!(Script::new(file, "").unwrap().short_name(), short);
        }
    }

    #[test]
    fn a_script_is_the_same_by_its_place_and_text() {
        let script = |file, text| Script::new(file, text).unwrap();
        assert_eq!(script("a.js", "1"), script("a.js", "1"));
        assert_ne!(script("a.js", "1"), script("a.js", "2"));
        assert_ne!(script("a.js", "1"), script("b.js", "1"));
        assert!(!format!("{:?}", script("a.js", "planted")).contains("planted"));
    }
}
