//! A value that must not be shown: wiped when dropped, redacted when printed.
//! Knows nothing of what it protects, or where it came from.
//!
//! A secret cannot be printed, cloned silently or serialized:
//!
//! ```compile_fail,E0277
//! println!("{}", sidegate::secret::Secret::new(String::from("k")));
//! ```
//! ```compile_fail,E0599
//! sidegate::secret::Secret::new(String::from("k")).clone();
//! ```
//! ```compile_fail,E0277
//! serde_json::to_string(&sidegate::secret::Secret::new(String::from("k")));
//! ```

use std::fmt;

use zeroize::Zeroize;

/// Secret material of type `T`. The only way to the value is [`Secret::expose`], so every use can be searched for;
/// the `tidy` test lists the rooms that may.
pub struct Secret<T: Zeroize = String>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes the value in.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for the few places that must use it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize + Clone> Secret<T> {
    /// A second copy, asked for by name because each copy is one more place to leak from.
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }
}

impl Secret<String> {
    /// Whether `candidate` is the value. Takes a time that depends on the two lengths only, so that a guess teaches
    /// nothing.
    #[must_use]
    pub fn matches(&self, candidate: &[u8]) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_bytes(), candidate).is_ok()
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl From<String> for Secret<String> {
    fn from(value: String) -> Self {
        Self::new(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t35_a_comparison_takes_as_long_wherever_the_difference_is() {
        const LENGTH: usize = 1 << 20;
        let secret = Secret::new("s".repeat(LENGTH));
        let differing_at = |place: usize| {
            let mut candidate = vec![b's'; LENGTH];
            candidate[place] = b'x';
            candidate
        };
        let (first, last) = (differing_at(0), differing_at(LENGTH - 1));
        let fastest = |candidate: &[u8]| {
            let timed = |_| {
                let begin = std::time::Instant::now();
                assert!(!std::hint::black_box(secret.matches(std::hint::black_box(candidate))));
                begin.elapsed()
            };
            (0..50).map(timed).min().unwrap()
        };
        let (at_first, at_last) = (fastest(&first), fastest(&last));
        // One that stops at the first difference is thousands of times as fast.
        assert!(at_first * 4 > at_last, "{at_first:?} against {at_last:?}");
    }
}
