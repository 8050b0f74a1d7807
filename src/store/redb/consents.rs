//! Consents that customers were sent to a provider for, until they come back or it is too late.
//! Never keeps the name that a browser brings back, only its digest, and gives each consent out once.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use zeroize::Zeroize;

use super::{Store, StoreError};
use crate::clock::Timestamp;
use crate::formula::Value;
use crate::names::{AppId, ConnectionId, IntegrationKey, Owner};
use crate::seal::Keyring;
use crate::secret::Secret;
use crate::steps::Steps;
use crate::store::sealed::{open_consent, seal_consent};
use crate::store::tables::Tables;

/// How long a customer has for its consent.
pub const LIFETIME: Duration = Duration::from_secs(15 * 60);

/// What is to be connected once the customer has consented. Sealed as a whole.
#[derive(Serialize, Deserialize)]
pub struct Consent {
    /// Who is to consent.
    pub owner: Owner,
    /// To what.
    pub integration: IntegrationKey,
    /// The connection that is to be connected again.
    pub connection: Option<ConnectionId>,
    /// The OAuth app that asks.
    pub app: Option<AppId>,
    /// What is wanted of the connection, as the API takes it: it may hold what the customer typed in.
    pub wanted: Value,
    /// Where the browser was told to come back to.
    pub callback: String,
    /// What the browser was told to bring back.
    pub state: String,
    /// The temporary token that the browser was sent away with, by OAuth 1.0a.
    pub temporary: Option<String>,
    /// What the code is redeemed with (RFC 7636), or the secret of the temporary token.
    #[serde(with = "secret_text")]
    pub proof: Option<Secret<String>>,
    /// A digest of what only the browser that was sent away has.
    pub browser: Vec<u8>,
    /// What whoever sent it away wants to know afterwards.
    pub afterwards: Value,
    /// What was done so far.
    pub steps: Steps,
    /// When it was sent away.
    pub created_at: Timestamp,
}

impl Drop for Consent {
    fn drop(&mut self) {
        self.wanted.zeroize();
        self.state.zeroize();
        self.afterwards.zeroize();
    }
}

impl Store {
    /// Keeps a consent under its name, and forgets those that are too old.
    ///
    /// # Errors
    /// It could not be stored.
    pub async fn put_consent(&self, name: &str, consent: Consent) -> Result<(), StoreError> {
        let (digest, now) = (digest_of(name), self.0.clock.now());
        let work = move |ring: &Keyring, tables: &mut Tables<'_>| {
            let sealed = seal_consent(ring, &digest, &consent)?;
            tables.forget_consents(now)?;
            tables.put_consent((consent.created_at.as_millis(), &digest), &sealed)
        };
        self.write(work).await
    }

    /// Takes the consent of this name that was kept at this time, if it is not too old. It is gone then, whatever comes of it.
    ///
    /// # Errors
    /// The file cannot be written, or the row does not open.
    pub async fn take_consent(
        &self,
        name: &str,
        created_at: Timestamp,
    ) -> Result<Option<Consent>, StoreError> {
        let (digest, now) = (digest_of(name), self.0.clock.now());
        let work = move |ring: &Keyring, tables: &mut Tables<'_>| {
            let key = (created_at.as_millis(), digest.as_slice());
            let row = tables.take_consent(key)?;
            row.map(|sealed| open_consent(ring, key, &sealed)).transpose()
        };
        Ok(self.write(work).await?.filter(|consent| now.since(consent.created_at) < LIFETIME))
    }
}

fn digest_of(name: &str) -> Vec<u8> {
    digest(&SHA256, name.as_bytes()).as_ref().to_vec()
}

/// A secret as JSON, which is sealed at once.
mod secret_text {
    use serde::{Deserializer, Serializer};

    use super::{Deserialize, Secret, Serialize};

    #[expect(clippy::ref_option, reason = "the shape that serde asks for")]
    pub(super) fn serialize<S: Serializer>(
        secret: &Option<Secret<String>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        secret.as_ref().map(|secret| secret.expose().as_str()).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<Secret<String>>, D::Error> {
        Ok(Option::<String>::deserialize(deserializer)?.map(Secret::new))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::clock::ManualClock;
    use crate::store::testing::{self, Folder};

    const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);
    const NAME: &str = "planted-name";

    fn consent() -> Consent {
        testing::consent(NAME, NOW)
    }

    #[tokio::test]
    async fn a_consent_is_given_out_once_and_only_by_its_name() {
        let (folder, clock) = (Folder::new(), Arc::new(ManualClock::at(NOW)));
        let store = folder.store(clock);
        store.put_consent(NAME, consent()).await.unwrap();
        let stored = std::fs::read(folder.file()).unwrap();
        assert!(!stored.windows(7).any(|bytes| bytes == b"planted"), "a name or a secret is in the file");
        for (name, at) in [("other", NOW), (NAME, NOW.plus(Duration::from_millis(1)))] {
            assert!(store.take_consent(name, at).await.unwrap().is_none(), "{name}");
        }
        let taken = store.take_consent(NAME, NOW).await.unwrap().unwrap();
        assert!(taken.proof.as_ref().is_some_and(|proof| proof.matches(b"planted-verifier")));
        assert_eq!((&taken.wanted, taken.browser.as_slice()), (&consent().wanted, &[1, 2, 3][..]));
        assert!(store.take_consent(NAME, NOW).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn a_consent_is_over_after_a_quarter_of_an_hour() {
        let (folder, clock) = (Folder::new(), Arc::new(ManualClock::at(NOW)));
        let store = folder.store(clock.clone());
        store.put_consent(NAME, consent()).await.unwrap();
        store.put_consent("second", consent()).await.unwrap();
        clock.advance(LIFETIME - Duration::from_millis(1));
        assert!(store.take_consent(NAME, NOW).await.unwrap().is_some());
        clock.advance(Duration::from_millis(1));
        assert!(store.take_consent("second", NOW).await.unwrap().is_none());
    }
}
