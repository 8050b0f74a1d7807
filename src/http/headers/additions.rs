//! Fields that a request is given on its way, written where its head is written.
//! Never writes a value that could be read as more than itself, and never looks at what the request came with.

use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::http::http1::write_field;

/// Whoever has fields to add to a request's head; asked when it is written. Until then they are nowhere: no map has to
/// grow for them, and nothing that a caller sends can take them away again.
pub type Additions<'a> = dyn Fn(&mut Fields<'_>) + Sync + 'a;

/// A head that is being written: HTTP/1.1's text, or a map. The names must not stand there already.
pub struct Fields<'h>(Head<'h>);

enum Head<'h> {
    Text(&'h mut Vec<u8>),
    Map(&'h mut HeaderMap),
}

impl<'h> Fields<'h> {
    /// Behind other lines of a head of HTTP/1.1.
    pub fn of_text(text: &'h mut Vec<u8>) -> Self {
        Self(Head::Text(text))
    }

    /// In a map.
    pub fn of_map(headers: &'h mut HeaderMap) -> Self {
        Self(Head::Map(headers))
    }

    /// Writes a field. A value that no field can have is not written at all: it could end the line.
    pub fn write(&mut self, name: &HeaderName, value: &[u8]) {
        match &mut self.0 {
            Head::Text(text) if is_value(value) => write_field(text, name.as_str(), value),
            Head::Text(_) => {}
            Head::Map(headers) => {
                if let Ok(value) = HeaderValue::from_bytes(value) {
                    headers.insert(name, value);
                }
            }
        }
    }
}

/// Whether a [`HeaderValue`] may be so.
fn is_value(value: &[u8]) -> bool {
    // Not `all`: an early end is rare and costs more than it saves.
    value.iter().fold(true, |is_value, byte| is_value & OF_VALUES[usize::from(*byte)])
}

/// The bytes that a value may have: all but control characters, of which the tab is allowed.
static OF_VALUES: [bool; 256] = {
    let mut of_values = [true; 256];
    let mut byte = 0;
    while byte < b' ' {
        of_values[byte as usize] = byte == b'\t';
        byte += 1;
    }
    of_values[0x7f] = false;
    of_values
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_reads_the_same_in_both_forms_and_no_value_ends_its_line() {
        let name = HeaderName::from_static("x-a");
        for byte in 0..=255 {
            let value = [b'a', byte, b'z'];
            let (mut text, mut headers) = (Vec::new(), HeaderMap::new());
            Fields::of_text(&mut text).write(&name, &value);
            Fields::of_map(&mut headers).write(&name, &value);
            let expected = headers.get(&name).map(|value| [b"x-a: ", value.as_bytes(), b"\r\n"].concat());
            assert_eq!(text, expected.unwrap_or_default(), "{byte}");
        }
    }
}
