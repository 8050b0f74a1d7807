use super::*;

/// 32 bytes, as `openssl rand -base64 32` writes them.
const KEY: &str = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=";

fn ring(keys: &[(&str, &str)]) -> Result<Keyring, SealError> {
    let keys: Vec<_> = keys
        .iter()
        .map(|(id, key)| SealingKey { id: (*id).into(), key: Secret::new((*key).into()) })
        .collect();
    Keyring::new(&keys)
}

#[test]
fn a_key_may_lack_padding_and_may_end_with_a_newline() {
    let sealed = ring(&[("k1", KEY)]).unwrap().seal(b"x", b"").unwrap();
    for written in [format!("{KEY}\n"), format!("{KEY}\r\n"), KEY.trim_end_matches('=').to_owned()] {
        assert_eq!(*ring(&[("k1", &written)]).unwrap().open(&sealed, b"").unwrap(), b"x");
    }
}

#[test]
fn a_key_that_is_not_base64_is_named_and_not_shown() {
    let error = ring(&[("k1", "not base64 at all!")]).unwrap_err();
    assert_eq!(error, SealError::NotBase64 { id: "k1".into() });
    assert!(!error.to_string().contains("at all"));
}

#[test]
fn a_key_of_another_length_is_refused_with_the_length_it_has() {
    assert_eq!(
        ring(&[("k1", "c2hvcnQ=")]).unwrap_err(),
        SealError::WrongLength { id: "k1".into(), length: 5 }
    );
    let hex_of_32_bytes = "0123456789abcdef".repeat(4);
    let error = ring(&[("k1", &hex_of_32_bytes)]).unwrap_err();
    assert_eq!(error, SealError::WrongLength { id: "k1".into(), length: 48 });
}

#[test]
fn a_ring_needs_keys_with_ids_of_their_own() {
    assert_eq!(ring(&[]).unwrap_err(), SealError::NoKeys);
    assert_eq!(ring(&[("", KEY)]).unwrap_err(), SealError::BadKeyId);
    assert_eq!(ring(&[(&"k".repeat(256), KEY)]).unwrap_err(), SealError::BadKeyId);
    assert_eq!(ring(&[("k1", KEY), ("k1", KEY)]).unwrap_err(), SealError::DuplicateKeyId { id: "k1".into() });
}

#[test]
fn a_fingerprint_is_recognised_by_the_key_that_made_it_only() {
    let other = KEY.replacen('q', "r", 1);
    let fingerprint = ring(&[("k1", KEY)]).unwrap().fingerprint("k1").unwrap();
    assert_eq!(ring(&[("k2", &other), ("k1", KEY)]).unwrap().recognise(&fingerprint), Ok(()));
    let refused = ring(&[("k1", &other)]).unwrap().recognise(&fingerprint);
    assert_eq!(refused, Err(SealError::Refused { id: "k1".into() }));
    let unknown = ring(&[("k2", KEY)]).unwrap().recognise(&fingerprint);
    assert_eq!(unknown, Err(SealError::UnknownKey { id: "k1".into() }));
}

#[test]
fn debug_shows_the_ids_of_a_ring_and_nothing_else() {
    assert_eq!(format!("{:?}", ring(&[("k1", KEY)]).unwrap()), r#"["k1"]"#);
}
