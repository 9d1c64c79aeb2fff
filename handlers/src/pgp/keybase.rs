//! The public keys of Keybase users, for a `PgpKey` of the form `keybase:NAME`.

use access_key_schema::{HandlerError, HandlerErrorCode, Result};
use aws_smithy_runtime_api::client::{
    http::{HttpConnector, SharedHttpConnector},
    orchestrator::{HttpRequest, HttpResponse},
};
use aws_smithy_types::{body::SdkBody, byte_stream::ByteStream};
use http::Uri;
use serde_json::Value;
use tokio::time::timeout;

use super::{invalid, is_space};
use crate::time_budget::KEYBASE_TIMEOUT;

/// Where Keybase is, unless the type configuration names a mirror.
const DEFAULT_BASE_URL: &str = "https://keybase.io";

/// What a `PgpKey` that names a Keybase user starts with.
const PREFIX: &str = "keybase:";

/// How large an answer may be: more than several copies of the largest key that is accepted.
const MAX_ANSWER_BYTES: usize = 4 * 1024 * 1024;

/// The longest name that Keybase gives out ([checkers.go]).
///
/// [checkers.go]: https://github.com/keybase/client/blob/master/go/libkb/checkers.go
const MAX_NAME_LENGTH: usize = 16;

/// The status code of an answer that went well, and of one that knows no such user ([constants.go]).
///
/// [constants.go]: https://github.com/keybase/client/blob/master/go/protocol/keybase1/constants.go
const OK: i64 = 0;
const NOT_FOUND: i64 = 205;

/// The Keybase user that `pgp_key` names, if it is of the form `keybase:NAME`.
///
/// # Errors
/// `InvalidRequest`: no user can have this name, or it names Keybase in another form.
pub(super) fn user_name(pgp_key: &str) -> Result<Option<&str>> {
    let pgp_key = pgp_key.trim_matches(is_space);
    let Some(name) = pgp_key.strip_prefix(PREFIX) else {
        return if names_keybase(pgp_key) {
            Err(invalid(format!(
                "names Keybase in another form than {PREFIX}NAME: write it so, with the user's name for NAME"
            )))
        } else {
            Ok(None)
        };
    };
    let possible = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    if !(1..=MAX_NAME_LENGTH).contains(&name.len()) || !name.bytes().all(possible) {
        return Err(invalid(format!(
            "names no Keybase user: what follows {PREFIX} must be a user name, of at most {MAX_NAME_LENGTH} letters, \
             digits and underscores"
        )));
    }
    Ok(Some(name))
}

/// Whether `pgp_key` is one line that has to do with Keybase, such as a profile's address. A key's base64 begins
/// otherwise, and has none of these marks.
fn names_keybase(pgp_key: &str) -> bool {
    let pgp_key = pgp_key.to_lowercase();
    let is_word = !pgp_key.contains('\n') && !pgp_key.contains("-----begin ");
    is_word && (pgp_key.starts_with("keybase") || pgp_key.contains("keybase") && pgp_key.contains([':', '.', '@']))
}

/// Keybase, or a mirror of its API.
#[derive(Debug)]
pub struct Keybase {
    connect: fn() -> SharedHttpConnector,
    base_url: Option<String>,
}

impl Keybase {
    /// The Keybase at `base_url`, or <https://keybase.io>. `connect` gives the connector when Keybase is asked, which is rare.
    #[must_use]
    pub fn new(connect: fn() -> SharedHttpConnector, base_url: Option<String>) -> Self {
        Self { connect, base_url }
    }

    /// The ASCII-armored primary public key of the user `name`, which comes from [`user_name`]. It asks [`user/lookup`] once,
    /// without retries: CloudFormation retries.
    ///
    /// [`user/lookup`]: https://keybase.io/docs/api/1.0/call/user/lookup
    ///
    /// # Errors
    /// - `InvalidRequest`: no user has this name, or the user has no PGP key.
    /// - `InvalidTypeConfiguration`: the base URL is not a plain one of HTTPS. Whoever can change the answer on its way can have
    ///   the secret encrypted to a key of their own, so plain HTTP is for this machine alone.
    /// - `NetworkFailure`: Keybase cannot be reached, or does not answer in time.
    /// - `Throttling`, `ServiceInternalError`: it answers with status 429, or 5xx.
    /// - `GeneralServiceException`: it answers with anything else.
    pub(crate) async fn public_key(&self, name: &str) -> Result<String> {
        let request = lookup(self.base_url.as_deref().unwrap_or(DEFAULT_BASE_URL), name)?;
        let place = if self.base_url.is_some() { "the KeybaseUrl of the type configuration" } else { DEFAULT_BASE_URL };
        let unanswered = |what: &str| failure(HandlerErrorCode::NetworkFailure, format!("at {place} {what}"));
        let http = (self.connect)();
        let answer = async { read(http.call(request).await.map_err(|_| unanswered("could not be reached"))?).await };
        let answer = timeout(KEYBASE_TIMEOUT, answer)
            .await
            .map_err(|_| unanswered(&format!("did not answer within {} seconds", KEYBASE_TIMEOUT.as_secs())))??;
        bundle(&answer)
    }
}

fn lookup(base_url: &str, name: &str) -> Result<HttpRequest> {
    let mut request = HttpRequest::new(SdkBody::empty());
    let url = format!(
        "{}/_/api/1.0/user/lookup.json?usernames={name}&fields=public_keys",
        base_url.strip_suffix('/').unwrap_or(base_url)
    );
    if !is_safe(base_url) || request.set_uri(url).is_err() {
        return Err(HandlerError::new(
            HandlerErrorCode::InvalidTypeConfiguration,
            format!(
                "KeybaseUrl must be an HTTPS URL without user, query and fragment, such as {DEFAULT_BASE_URL}. Set it \
                 with SetTypeConfiguration"
            ),
        ));
    }
    request.headers_mut().insert("accept", "application/json");
    Ok(request)
}

fn is_safe(base_url: &str) -> bool {
    let Ok(url) = base_url.parse::<Uri>() else { return false };
    let Some(host) = url.host().filter(|host| !host.is_empty()) else { return false };
    let plain = !base_url.contains(['@', '?', '#']);
    match url.scheme_str() {
        Some("https") => plain,
        Some("http") => plain && (host == "localhost" || host == "127.0.0.1"),
        _ => false,
    }
}

/// The body of the answer. Reading stops at [`MAX_ANSWER_BYTES`], which fit into memory.
async fn read(answer: HttpResponse) -> Result<Vec<u8>> {
    match answer.status().as_u16() {
        200 => {}
        429 => return Err(failure(HandlerErrorCode::Throttling, "is throttling requests: try again later")),
        status @ 500.. => {
            return Err(failure(HandlerErrorCode::ServiceInternalError, format!("failed with status {status}")));
        }
        status => {
            return Err(failure(
                HandlerErrorCode::GeneralServiceException,
                format!("answered a user lookup with status {status}"),
            ));
        }
    }
    let mut chunks = ByteStream::new(answer.into_body());
    let mut body = Vec::new();
    let broken_off =
        |_| failure(HandlerErrorCode::NetworkFailure, "broke the connection off before its answer was complete");
    while let Some(chunk) = chunks.try_next().await.map_err(broken_off)? {
        if body.len() + chunk.len() > MAX_ANSWER_BYTES {
            return Err(failure(
                HandlerErrorCode::GeneralServiceException,
                "answered a user lookup with more than 4 MB",
            ));
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The primary key in an answer about one user. Users who do not exist are there too, as `null`.
fn bundle(answer: &[u8]) -> Result<String> {
    let incomprehensible = || {
        failure(HandlerErrorCode::GeneralServiceException, "answered a user lookup with something other than a user")
    };
    let answer: Value = serde_json::from_slice(answer).map_err(|_| incomprehensible())?;
    let code = answer.pointer("/status/code").and_then(Value::as_i64).ok_or_else(incomprehensible)?;
    let user = match (code, &answer["them"]) {
        (OK, Value::Array(users)) => users.first().filter(|user| !user.is_null()),
        (NOT_FOUND, _) => None,
        (OK, _) => return Err(incomprehensible()),
        (code, _) => {
            return Err(failure(
                HandlerErrorCode::GeneralServiceException,
                format!("refused a user lookup with its status code {code}"),
            ));
        }
    };
    let user = user.ok_or_else(|| invalid("names a user whom Keybase does not have"))?;
    let bundle = user.pointer("/public_keys/primary/bundle").and_then(Value::as_str);
    bundle.map(str::to_owned).ok_or_else(|| invalid("names a Keybase user who has no PGP key, or hides it"))
}

fn failure(code: HandlerErrorCode, what: impl std::fmt::Display) -> HandlerError {
    HandlerError::new(code, format!("PgpKey could not be looked up: Keybase {what}"))
}

#[cfg(test)]
mod tests;
