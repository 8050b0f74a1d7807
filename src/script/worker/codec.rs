//! Text to bytes and back, and the parts of a URL, as scripts ask for them.
//! Knows nothing of the engine: bytes come and go as text with a character for each.

use base64::Engine as _;
use base64::alphabet;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::json;
use url::Url;

/// Base64 as Node reads it: padded or not.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// The bytes that `text` stands for.
pub(super) fn bytes(text: &str, encoding: &str) -> Result<Vec<u8>, String> {
    match encoding {
        "utf8" | "utf-8" => Ok(text.as_bytes().to_vec()),
        "latin1" | "binary" | "ascii" => text
            .chars()
            .map(|character| u8::try_from(u32::from(character)))
            .collect::<Result<_, _>>()
            .map_err(|_| "a character beyond Latin-1".to_owned()),
        "base64" | "base64url" => {
            let standard: String = text
                .chars()
                .filter(|character| !character.is_ascii_whitespace())
                .map(|character| match character {
                    '-' => '+',
                    '_' => '/',
                    other => other,
                })
                .collect();
            LENIENT.decode(standard).map_err(|_| "this is not base64".to_owned())
        }
        "hex" => hex(text).ok_or_else(|| "this is not hexadecimal".to_owned()),
        other => Err(format!("there is no encoding {other:?}")),
    }
}

/// The text that bytes stand for; `binary` has a character for each.
pub(super) fn text(binary: &str, encoding: &str) -> Result<String, String> {
    let bytes = bytes(binary, "latin1")?;
    match encoding {
        "utf8" | "utf-8" => Ok(String::from_utf8_lossy(&bytes).into_owned()),
        "latin1" | "binary" | "ascii" => Ok(binary.to_owned()),
        "base64" => Ok(STANDARD.encode(bytes)),
        "base64url" => Ok(URL_SAFE_NO_PAD.encode(bytes)),
        "hex" => Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
        other => Err(format!("there is no encoding {other:?}")),
    }
}

/// The parts of a URL as JSON, named as JavaScript's `URL` names them.
pub(super) fn url(text: &str, base: Option<&str>) -> Result<String, String> {
    let parsed = match base {
        Some(base) => Url::parse(base).and_then(|base| base.join(text)),
        None => Url::parse(text),
    };
    let url = parsed.map_err(|error| format!("Invalid URL: {error}"))?;
    let port = url.port().map(|port| port.to_string()).unwrap_or_default();
    let hostname = url.host_str().unwrap_or_default();
    let host = if port.is_empty() { hostname.to_owned() } else { format!("{hostname}:{port}") };
    let marked = |mark: char, part: Option<&str>| {
        part.filter(|part| !part.is_empty()).map(|part| format!("{mark}{part}")).unwrap_or_default()
    };
    let parts = json!({
        "protocol": format!("{}:", url.scheme()),
        "username": url.username(),
        "password": url.password().unwrap_or_default(),
        "host": host,
        "hostname": hostname,
        "port": port,
        "pathname": url.path(),
        "search": marked('?', url.query()),
        "hash": marked('#', url.fragment()),
        "origin": url.origin().ascii_serialization(),
        "before": &url[..url::Position::AfterPath],
    });
    Ok(parts.to_string())
}

fn hex(text: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16)?.try_into().ok()).collect::<Option<_>>()?;
    let pairs = digits.chunks_exact(2);
    pairs.remainder().is_empty().then(|| digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn binary(bytes: &[u8]) -> String {
        bytes.iter().copied().map(char::from).collect()
    }

    #[test]
    fn what_is_encoded_is_decoded_again() {
        let all: Vec<u8> = (0..=255).collect();
        for encoding in ["latin1", "base64", "base64url", "hex"] {
            let text = text(&binary(&all), encoding).unwrap();
            assert_eq!(bytes(&text, encoding).unwrap(), all, "{encoding}");
        }
        assert_eq!(bytes(&text("\u{e2}\u{82}\u{ac}", "utf8").unwrap(), "utf8").unwrap(), [0xe2, 0x82, 0xac]);
        assert!(bytes("abc", "hex").is_err() && bytes("zz", "hex").is_err() && bytes("a", "rot13").is_err());
    }

    #[test]
    fn a_url_has_the_parts_that_javascript_names() {
        let parts = url("../b?x=1#y", Some("https://u:p@example.com:8443/a/c/")).unwrap();
        let parts: serde_json::Value = serde_json::from_str(&parts).unwrap();
        assert_eq!(parts["before"], "https://u:p@example.com:8443/a/b");
        assert_eq!(parts["host"], "example.com:8443");
        assert_eq!((&parts["search"], &parts["hash"]), (&"?x=1".into(), &"#y".into()));
        assert!(url("/relative", None).is_err());
    }
}
