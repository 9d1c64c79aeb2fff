//! What can be a name, and so is safe to quote.

/// The longest error code or request id of a service, in bytes.
const MAX_IDENTIFIER_LENGTH: usize = 100;

/// The longest name of a resource type, in bytes, that an error message quotes.
#[cfg(feature = "lambda")]
const MAX_TYPE_NAME: usize = 200;

/// Whether this can be a service's error code or request id. Any other text in its place may be something that must not be shown.
#[must_use]
pub fn is_identifier(text: &str) -> bool {
    let is_usual = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    text.len() <= MAX_IDENTIFIER_LENGTH && text.bytes().all(is_usual)
}

/// Whether a name can be a resource type's.
#[cfg(feature = "lambda")]
pub(crate) fn is_type_name(name: &str) -> bool {
    name.len() <= MAX_TYPE_NAME
        && name.contains("::")
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b':')
}

/// Whether a region is one label of a host name: it becomes part of the host names of AWS.
#[cfg(feature = "lambda")]
pub(crate) fn is_region(region: &str) -> bool {
    region.starts_with(|first: char| first.is_ascii_alphabetic())
        && region.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

/// Whether a name can be a property's or a setting's: a secret access key has 40 characters.
#[cfg(feature = "lambda")]
pub(crate) fn is_property_name(name: &str) -> bool {
    name.len() < 40
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
}
