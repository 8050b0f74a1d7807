use proptest::prelude::*;

use super::*;
use crate::seal::SealingKey;
use crate::secret::Secret;

const K1: &str = "q83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=";
const K2: &str = "r83vASNFZ4mrze8BI0VniavN7wEjRWeJq83vASNFZ4k=";

fn ring(keys: &[(&str, &str)]) -> Keyring {
    let keys: Vec<_> = keys
        .iter()
        .map(|(id, key)| SealingKey { id: (*id).into(), key: Secret::new((*key).into()) })
        .collect();
    Keyring::new(&keys).unwrap()
}

#[test]
fn a_record_with_any_bit_flipped_does_not_open() {
    let ring = ring(&[("k1", K1)]);
    let sealed = ring.seal(b"a refresh token", b"context").unwrap();
    for byte in 0..sealed.len() {
        for bit in 0..8 {
            let mut changed = sealed.clone();
            changed[byte] ^= 1 << bit;
            assert!(ring.open(&changed, b"context").is_err(), "bit {bit} of byte {byte}");
        }
    }
}

#[test]
fn a_record_cut_anywhere_does_not_open() {
    let ring = ring(&[("k1", K1)]);
    let sealed = ring.seal(b"a refresh token", b"context").unwrap();
    for length in 0..sealed.len() {
        assert!(ring.open(&sealed[..length], b"context").is_err(), "{length} bytes");
    }
    let longer = [sealed.as_slice(), b"x"].concat();
    assert!(ring.open(&longer, b"context").is_err());
}

#[test]
fn a_record_opens_in_its_own_context_only() {
    let ring = ring(&[("k1", K1)]);
    let (one, two) =
        (ring.seal(b"one", b"connection 1").unwrap(), ring.seal(b"two", b"connection 2").unwrap());
    let refused = SealError::Refused { id: "k1".into() };
    assert_eq!(ring.open(&one, b"connection 2").unwrap_err(), refused);
    assert_eq!(ring.open(&two, b"connection 1").unwrap_err(), refused);
    assert_eq!(*ring.open(&two, b"connection 2").unwrap(), b"two");
}

#[test]
fn parts_of_two_records_do_not_make_a_third() {
    let ring = ring(&[("k1", K1)]);
    let (one, two) = (ring.seal(b"one", b"c").unwrap(), ring.seal(b"two", b"c").unwrap());
    let key_end = 4 + NONCE_LEN + WRAPPED_LEN;
    let mixed = [&one[..key_end], &two[key_end..]].concat();
    assert_eq!(ring.open(&mixed, b"c").unwrap_err(), SealError::Refused { id: "k1".into() });
}

#[test]
fn a_ring_opens_what_its_older_key_sealed_and_seals_with_its_first() {
    let old = ring(&[("k1", K1)]).seal(b"x", b"c").unwrap();
    let rotated = ring(&[("k2", K2), ("k1", K1)]);
    assert_eq!(*rotated.open(&old, b"c").unwrap(), b"x");
    let new = rotated.seal(b"x", b"c").unwrap();
    assert_eq!(*ring(&[("k2", K2)]).open(&new, b"c").unwrap(), b"x");
    assert_eq!(ring(&[("k1", K1)]).open(&new, b"c").unwrap_err(), SealError::UnknownKey { id: "k2".into() });
}

#[test]
fn another_key_under_the_same_id_is_refused_by_that_id() {
    let sealed = ring(&[("k1", K1)]).seal(b"x", b"c").unwrap();
    assert_eq!(ring(&[("k1", K2)]).open(&sealed, b"c").unwrap_err(), SealError::Refused { id: "k1".into() });
}

#[test]
fn what_is_no_record_is_malformed() {
    let ring = ring(&[("k1", K1)]);
    for junk in [&b""[..], b"\x01", b"\x01\xff", b"\x02\x02k1", &[255; 500]] {
        assert_eq!(ring.open(junk, b"c").unwrap_err(), SealError::Malformed);
    }
}

#[test]
fn the_same_record_sealed_twice_shares_no_bytes_but_the_header() {
    let ring = ring(&[("k1", K1)]);
    let (one, two) = (ring.seal(b"x", b"c").unwrap(), ring.seal(b"x", b"c").unwrap());
    assert_eq!(one[..4], two[..4]);
    assert_ne!(one[4..4 + NONCE_LEN], two[4..4 + NONCE_LEN]);
    assert_ne!(one[one.len() - 17..], two[two.len() - 17..]);
}

proptest! {
    #[test]
    fn what_is_sealed_opens_to_the_same(plain: Vec<u8>, context: Vec<u8>) {
        let ring = ring(&[("k1", K1)]);
        let sealed = ring.seal(&plain, &context).unwrap();
        prop_assert_eq!(&*ring.open(&sealed, &context).unwrap(), &plain);
    }

    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>, context: Vec<u8>) {
        prop_assert!(ring(&[("k1", K1)]).open(&bytes, &context).is_err());
    }
}
