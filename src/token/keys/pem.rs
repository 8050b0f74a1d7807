//! Public keys out of PEM text: SPKI, PKCS#1 and X.509 certificates.
//! Never knows which algorithms the key will serve.

use aws_lc_rs::rsa::PublicKey as RsaPublicKey;
use aws_lc_rs::signature::{ParsedPublicKey, RsaPublicKeyComponents};
use rustls::server::ParsedCertificate;
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::{PemObject, SectionKind};

use super::Refusal;
use super::material::{Curve, PublicMaterial};

/// The one public key in `pem`. Of a certificate only its key counts: nothing else in it is checked, not even its
/// dates, because the operator's naming it here is what makes the key trusted.
pub(super) fn public_key(pem: &str) -> Result<PublicMaterial, Refusal> {
    if pem.contains("PRIVATE KEY-----") {
        return Err(Refusal::new(
            "the file holds a private key, and verifying needs only the public half",
            "give it the output of `openssl pkey -in private.pem -pubout`; keep the private key where tokens are made",
        ));
    }
    // The reader passes over the PKCS#1 label; the structures below it are told apart by their content.
    let pem = pem.replace("-----BEGIN RSA PUBLIC KEY", "-----BEGIN PUBLIC KEY");
    let pem = pem.replace("-----END RSA PUBLIC KEY", "-----END PUBLIC KEY");
    let mut sections = <(SectionKind, Vec<u8>)>::pem_slice_iter(pem.as_bytes());
    let Some(section) = sections.next() else {
        return Err(Refusal::new("the file holds no public key in PEM form", GIVE_A_PUBLIC_KEY));
    };
    let (kind, der) =
        section.map_err(|_| Refusal::new("the file's PEM block is damaged", GIVE_A_PUBLIC_KEY))?;
    if sections.next().is_some() {
        return Err(Refusal::new(
            "the file holds more than one PEM block",
            "give each key a file of its own",
        ));
    }
    match kind {
        SectionKind::PublicKey => from_der(&der),
        SectionKind::Certificate => {
            let certificate = CertificateDer::from(der);
            let certificate = ParsedCertificate::try_from(&certificate)
                .map_err(|_| Refusal::new("the certificate cannot be read", GIVE_A_PUBLIC_KEY))?;
            from_der(&certificate.subject_public_key_info())
        }
        _ => Err(Refusal::new("the file holds no public key", GIVE_A_PUBLIC_KEY)),
    }
}

const GIVE_A_PUBLIC_KEY: &str =
    "give an RSA public key, or an EC one on P-256, P-384 or P-521, or a certificate of one, in PEM form";

fn from_der(der: &[u8]) -> Result<PublicMaterial, Refusal> {
    if let Ok(key) = RsaPublicKey::from_der(der) {
        let RsaPublicKeyComponents { n, e } = RsaPublicKeyComponents::<Vec<u8>>::from(&key);
        return Ok(PublicMaterial::Rsa { modulus: n, exponent: e });
    }
    let on_curve = |curve: &Curve| ParsedPublicKey::new(curve.verification(), der).is_ok();
    let Some(curve) = Curve::ALL.into_iter().find(on_curve) else {
        return Err(Refusal::new("the key is neither RSA nor on one of the three curves", GIVE_A_PUBLIC_KEY));
    };
    if !is_uncompressed(der, curve) {
        return Err(Refusal::new("the key's point is compressed", "write it with `-conv_form uncompressed`"));
    }
    Ok(PublicMaterial::Ec { curve, key: der.to_vec() })
}

/// The point ends the structure (RFC 5480 section 2); uncompressed, it is 4 and two coordinates.
fn is_uncompressed(spki: &[u8], curve: Curve) -> bool {
    let start = spki.len().checked_sub(1 + 2 * curve.coordinate_len());
    start.and_then(|start| spki.get(start)) == Some(&4)
}
