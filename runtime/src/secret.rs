//! A string that is never printed or logged.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serializer};
use zeroize::{Zeroize, ZeroizeOnDrop};

/// A secret string, such as a secret access key. `Debug` and `Display` show `[redacted]`, and its memory is wiped when it
/// is dropped.
///
/// It has no `Serialize`, so that no secret is written by accident. A secret may go to two places, a response's model and
/// the secret store. Their fields ask for it with `#[serde(serialize_with = "Secret::serialize_some")]`.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema, Zeroize, ZeroizeOnDrop)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Secret(String);

impl Secret {
    /// Makes a secret of the string, without copying it.
    #[must_use]
    pub fn new(secret: String) -> Self {
        Self(secret)
    }

    /// The secret itself. It can leak wherever this is called.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Writes the secret out, for `#[serde(serialize_with)]` on an optional field of this type.
    ///
    /// # Errors
    /// Whatever the serializer answers.
    pub fn serialize_some<S: Serializer>(secret: &Option<Self>, serializer: S) -> Result<S::Ok, S::Error> {
        match secret {
            Some(secret) => serializer.serialize_some(&secret.0),
            None => serializer.serialize_none(),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("[redacted]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_neither_in_debug_nor_in_display() {
        let secret = Secret::new("wJalrXUtnFEMI".to_owned());
        assert_eq!(format!("{secret:?} {secret:#?} {secret}"), "[redacted] [redacted] [redacted]");
    }

    #[test]
    fn a_secret_is_wiped_by_zeroize() {
        let mut secret = Secret::new("wJalrXUtnFEMI".to_owned());
        secret.zeroize();
        assert_eq!(secret.expose(), "");
    }
}
