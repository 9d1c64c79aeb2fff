//! The few IAM calls, typed: every one that takes a `UserName` gets one.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use access_key_schema::{HandlerError, HandlerErrorCode, Result, Secret, Status, UserName};
use aws_sdk_iam::{
    Client,
    config::{Config, http::HttpResponse, retry::RetryConfig, timeout::TimeoutConfig},
    error::{ProvideErrorMetadata, SdkError},
    types::{AccessKey, AccessKeyMetadata, StatusType, Tag},
};
use aws_smithy_types::{DateTime, date_time::Format};
use cfn_resource_runtime::{Clock, OPERATION_TIMEOUT};
use tokio::time::timeout;

use crate::{
    confidential::{Confidential, without_name},
    sdk_error::{failed, timed_out},
    secret_store::Tries,
    time_budget::is_new,
};

/// IAM allows this many access keys per user, and no request raises it ([IAM quotas]).
///
/// [IAM quotas]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
pub(crate) const KEYS_PER_USER: usize = 2;

/// IAM allows this many tags per user ([IAM quotas]).
///
/// [IAM quotas]: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
const TAGS_PER_USER: usize = 50;

/// IAM, with the caller's credentials, for one invocation.
#[derive(Debug)]
pub struct Iam {
    client: Client,
    clock: Clock,
    confidential: Confidential,
    /// The users whom IAM has answered about.
    known: Mutex<Vec<UserName>>,
}

/// What IAM tells of a key at any time.
#[derive(Clone, Debug)]
pub(crate) struct KeyMetadata {
    pub(crate) id: String,
    pub(crate) status: Status,
    /// In whole seconds, as IAM counts.
    pub(crate) created: Option<DateTime>,
}

/// What IAM tells of a key only once.
#[derive(Debug)]
pub(crate) struct CreatedKey {
    pub(crate) metadata: KeyMetadata,
    pub(crate) secret_access_key: Secret,
}

/// Why a tag of a user was not set, or not removed.
#[derive(Debug)]
pub(crate) struct Untagged {
    pub(crate) error: HandlerError,
    /// Whether an attempt may have done it all the same: it got no answer, or one that does not rule that out.
    pub(crate) may_be_done: bool,
}

impl Untagged {
    /// The call was not made.
    pub(crate) fn before(error: HandlerError) -> Self {
        Self { error, may_be_done: false }
    }
}

/// One page of the account's users.
#[derive(Debug)]
pub(crate) struct UserPage {
    pub(crate) users: Vec<UserName>,
    pub(crate) next_marker: Option<String>,
}

impl Iam {
    /// IAM behind `client`. `clock` tells how old a user is; no error quotes what is `confidential`.
    #[must_use]
    pub fn new(client: Client, clock: Clock, confidential: Confidential) -> Self {
        Self { client, clock, confidential, known: Mutex::default() }
    }

    /// The error without the user's name, unless IAM has shown in this invocation that it knows the user: a template may give a
    /// secret as `UserName`.
    pub(crate) fn hide_unknown_user(&self, user: &UserName, error: HandlerError) -> HandlerError {
        if self.known().contains(user) {
            return error;
        }
        HandlerError { message: without_name(&error.message, user.as_str()), ..error }
    }

    /// Takes note that IAM knows the user.
    fn knows(&self, user: &UserName) {
        self.known().push(user.clone());
    }

    fn known(&self) -> MutexGuard<'_, Vec<UserName>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn failed<E>(&self, operation: &str, subject: &str, error: &SdkError<E, HttpResponse>) -> HandlerError
    where
        E: ProvideErrorMetadata,
    {
        failed(operation, subject, error, &self.confidential)
    }

    /// The user's keys, at most [`KEYS_PER_USER`].
    ///
    /// # Errors
    /// `NotFound` when IAM knows no such user, `ResourceConflict` when IAM does not know them everywhere yet.
    pub(crate) async fn list_access_keys(&self, user: &UserName) -> Result<Vec<KeyMetadata>> {
        match self.list_reachable_access_keys(user).await {
            Err(error) => Err(self.explain_denial(user, error).await),
            keys => keys,
        }
    }

    /// The user's keys for LIST: if the role does not reach the user, nobody asks whether the user exists.
    ///
    /// # Errors
    /// `AccessDenied` for every user whom the role does not reach.
    pub(crate) async fn list_reachable_access_keys(&self, user: &UserName) -> Result<Vec<KeyMetadata>> {
        let (operation, subject) = ("ListAccessKeys", format!("user {user}"));
        // IAM may answer in pages that hold less than it is asked for. All of them get the time of one call.
        let pages = self.client.list_access_keys().user_name(user.as_str()).into_paginator().items().send();
        let keys = timeout(OPERATION_TIMEOUT, pages.collect::<std::result::Result<Vec<_>, _>>());
        let keys = keys.await.map_err(|_| timed_out(operation, &subject))?;
        let keys = keys.map_err(|error| self.failed(operation, &subject, &error))?;
        self.knows(user);
        Ok(keys.into_iter().filter_map(KeyMetadata::from_sdk).collect())
    }

    /// Turns `AccessDenied` into `NotFound` if the user does not exist, into `ResourceConflict`, which passes, if the user is seconds
    /// old, and into `Throttling`, which passes as well, if IAM does not tell now.
    ///
    /// A role that is limited to the users under a path gets `AccessDenied` for a user whose path IAM cannot tell, because the
    /// user does not exist, or is not known everywhere yet. Such a role may call `GetUser` for everybody, which tells these
    /// apart.
    pub(crate) async fn explain_denial(&self, user: &UserName, error: HandlerError) -> HandlerError {
        let is_denial =
            matches!(error.code, HandlerErrorCode::AccessDenied | HandlerErrorCode::UnauthorizedTaggingOperation);
        if !is_denial {
            return error;
        }
        match self.user_created(user).await {
            Err(missing) if missing.is_not_found() => missing,
            Ok(created) if is_new(created, &self.clock) => HandlerError {
                code: HandlerErrorCode::ResourceConflict,
                ..error.followed_by(
                    "The user is seconds old, and IAM may not know everywhere what the role may do with them",
                )
            },
            // Whatever the look's own code: CREATE takes `NetworkFailure` of `CreateAccessKey` for a lost answer.
            Err(unseen) if unseen.code.is_retriable() => {
                HandlerError { code: HandlerErrorCode::Throttling, ..error.followed_by(&unseen.message) }
            }
            _ => error,
        }
    }

    /// When the user was created.
    ///
    /// # Errors
    /// `NotFound` when IAM knows no such user.
    pub(crate) async fn user_created(&self, user: &UserName) -> Result<Option<SystemTime>> {
        let answer = self.client.get_user().user_name(user.as_str()).send().await;
        let answer = answer.map_err(|error| self.failed("GetUser", &format!("user {user}"), &error))?;
        self.knows(user);
        Ok(answer.user.and_then(|user| SystemTime::try_from(whole_seconds(&user.create_date)).ok()))
    }

    /// The user's key with this id, if IAM shows it. A user whom IAM does not know, or does not know yet, has none.
    pub(crate) async fn find_access_key(&self, user: &UserName, id: &str) -> Result<Option<KeyMetadata>> {
        match self.list_access_keys(user).await {
            Err(error) if error.is_not_found() => Ok(None),
            keys => Ok(keys?.into_iter().find(|key| key.id == id)),
        }
    }

    /// Creates a key. Sent exactly once: IAM has no idempotency token for it, so a retry after a lost answer
    /// would create a second key that nobody knows of.
    ///
    /// # Errors
    /// `NetworkFailure` and `ServiceInternalError` leave open whether IAM created a key.
    pub(crate) async fn create_access_key(&self, user: &UserName) -> Result<CreatedKey> {
        // The one attempt may take the time that the attempts of another call take together.
        let timeout = TimeoutConfig::builder().operation_attempt_timeout(OPERATION_TIMEOUT).build();
        let once = Config::builder().retry_config(RetryConfig::disabled()).timeout_config(timeout);
        let call = self.client.create_access_key().user_name(user.as_str()).customize().config_override(once);
        let answer = match call.send().await {
            Ok(answer) => answer,
            Err(error) => {
                let error = self.failed("CreateAccessKey", &format!("user {user}"), &error);
                return Err(self.explain_denial(user, error).await);
            }
        };
        // The SDK puts an empty text where an answer lacks a member.
        let is_whole = |key: &AccessKey| !key.access_key_id.is_empty() && !key.secret_access_key.is_empty();
        let Some(key) = answer.access_key.filter(is_whole) else {
            return Err(HandlerError::new(
                HandlerErrorCode::ServiceInternalError,
                format!("CreateAccessKey for user {user} succeeded, but its answer holds no key"),
            ));
        };
        Ok(CreatedKey {
            metadata: KeyMetadata {
                id: key.access_key_id,
                status: status(&key.status),
                created: key.create_date.as_ref().map(whole_seconds),
            },
            secret_access_key: Secret::new(key.secret_access_key),
        })
    }

    /// Sets the status of a key.
    pub(crate) async fn update_access_key(&self, user: &UserName, id: &str, status: Status) -> Result<()> {
        let status = match status {
            Status::Active => StatusType::Active,
            Status::Inactive => StatusType::Inactive,
        };
        let call = self.client.update_access_key().user_name(user.as_str()).access_key_id(id).status(status);
        match call.send().await {
            Ok(_) => {
                self.knows(user);
                Ok(())
            }
            Err(error) => {
                let error = self.failed("UpdateAccessKey", &format!("key {id} of user {user}"), &error);
                Err(self.explain_denial(user, error).await)
            }
        }
    }

    /// Deletes a key.
    pub(crate) async fn delete_access_key(&self, user: &UserName, id: &str) -> Result<()> {
        let call = self.client.delete_access_key().user_name(user.as_str()).access_key_id(id);
        match call.send().await {
            Ok(_) => {
                self.knows(user);
                Ok(())
            }
            Err(error) => {
                let error = self.failed("DeleteAccessKey", &format!("key {id} of user {user}"), &error);
                Err(self.explain_denial(user, error).await)
            }
        }
    }

    /// The value of the user's tag with this key, if IAM shows one.
    pub(crate) async fn user_tag(&self, user: &UserName, key: &str) -> Result<Option<String>> {
        let (operation, subject) = ("ListUserTags", format!("user {user}"));
        let pages = self.client.list_user_tags().user_name(user.as_str()).into_paginator().items().send();
        let tags = timeout(OPERATION_TIMEOUT, pages.collect::<std::result::Result<Vec<_>, _>>());
        let tags = tags.await.map_err(|_| timed_out(operation, &subject))?;
        let tags = tags.map_err(|error| self.failed(operation, &subject, &error))?;
        Ok(tags.into_iter().find(|tag| tag.key == key).map(|tag| tag.value))
    }

    /// Sets one tag of the user, and leaves the others as they are.
    ///
    /// # Errors
    /// - `UnauthorizedTaggingOperation`: the role may not tag the user; [`Iam::explain_denial`] finds out why.
    /// - `ServiceLimitExceeded`: the user has [`TAGS_PER_USER`] others.
    pub(crate) async fn tag_user(&self, user: &UserName, key: &str, value: &str) -> std::result::Result<(), Untagged> {
        let tries = Tries::default();
        let tag = Tag::builder().key(key).value(value).build().into_iter().collect();
        let call = self.client.tag_user().user_name(user.as_str()).set_tags(Some(tag));
        let Err(error) = call.customize().interceptor(tries.clone()).send().await else { return Ok(()) };
        let error = self.failed("TagUser", &format!("user {user}"), &error);
        let error = match error.code {
            HandlerErrorCode::ServiceLimitExceeded => HandlerError::new(
                error.code,
                format!(
                    "User {user} has {TAGS_PER_USER} tags, as many as IAM allows, and the Description of access key {key} is \
                     one more. Leave Description out, or remove a tag. List them with: aws iam list-user-tags --user-name {user}"
                ),
            ),
            _ => error,
        };
        Err(Untagged { error, may_be_done: tries.may_have_taken_effect() })
    }

    /// Removes one tag of the user, and leaves the others as they are. Succeeds if there is no such tag.
    ///
    /// # Errors
    /// - `UnauthorizedTaggingOperation`: the role may not untag the user; [`Iam::explain_denial`] finds out why.
    /// - `NotFound` when IAM knows no such user.
    pub(crate) async fn untag_user(&self, user: &UserName, key: &str) -> std::result::Result<(), Untagged> {
        let tries = Tries::default();
        let call = self.client.untag_user().user_name(user.as_str()).tag_keys(key);
        let Err(error) = call.customize().interceptor(tries.clone()).send().await else { return Ok(()) };
        let error = self.failed("UntagUser", &format!("user {user}"), &error);
        Err(Untagged { error, may_be_done: tries.may_have_taken_effect() })
    }

    /// The user that a key belongs to, found by the key's id alone, for keys that the secret store does not know.
    ///
    /// # Errors
    /// `NotFound` when no user has the key. AWS answers `AccessDenied` for a key that is gone, or of another account, and names
    /// no policy. To a role that lacks the permission, it names the policy that is the reason ([access denied messages]).
    ///
    /// [access denied messages]: https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
    pub(crate) async fn owner_of(&self, id: &str) -> Result<UserName> {
        let answer = self.client.get_access_key_last_used().access_key_id(id).send().await.map_err(|error| {
            // AWS's own words: a redacted text says nothing.
            let is_of_a_policy = error.message().is_some_and(names_a_policy);
            let error = self.failed("GetAccessKeyLastUsed", &format!("key {id}"), &error);
            if error.code != HandlerErrorCode::AccessDenied || is_of_a_policy {
                return error;
            }
            let message = format!(
                "{}. AWS names no policy as the reason, as for a key that does not exist in this account",
                error.message
            );
            HandlerError::new(HandlerErrorCode::NotFound, message)
        })?;
        let owner = answer.user_name.unwrap_or_default();
        UserName::try_from(owner.clone()).inspect(|owner| self.knows(owner)).map_err(|_| {
            HandlerError::new(
                HandlerErrorCode::NotFound,
                format!(
                    "Access key {id} belongs to {:?}, which is not an IAM user of this account",
                    self.confidential.redact(&owner)
                ),
            )
        })
    }

    /// A page of the account's users, `max_items` (1 to 1000) at most, from `marker` on.
    pub(crate) async fn list_users(&self, marker: Option<String>, max_items: usize) -> Result<UserPage> {
        let max_items = i32::try_from(max_items.clamp(1, 1000)).unwrap_or(1000);
        let answer = self.client.list_users().set_marker(marker).max_items(max_items).send().await;
        let page = answer.map_err(|error| self.failed("ListUsers", "the account", &error))?;
        Ok(UserPage {
            users: page.users.into_iter().filter_map(|user| UserName::try_from(user.user_name).ok()).collect(),
            next_marker: page.marker.filter(|_| page.is_truncated),
        })
    }
}

impl KeyMetadata {
    /// When the key was created, by IAM's clock.
    pub(crate) fn created_at(&self) -> Option<SystemTime> {
        self.created.and_then(|created| SystemTime::try_from(created).ok())
    }

    /// When the key was created, as RFC 3339.
    pub(crate) fn create_date(&self) -> Option<String> {
        self.created.and_then(|date| date.fmt(Format::DateTime).ok())
    }

    /// `None` for an entry without an id, which IAM does not send.
    fn from_sdk(key: AccessKeyMetadata) -> Option<Self> {
        Some(Self {
            id: key.access_key_id?,
            status: key.status.as_ref().map(status).unwrap_or_default(),
            created: key.create_date.as_ref().map(whole_seconds),
        })
    }
}

/// A key that is not `Active` cannot be used.
fn status(status: &StatusType) -> Status {
    if *status == StatusType::Active { Status::Active } else { Status::Inactive }
}

/// Whether a denial names the policy that is its reason: "because no … policy allows", "with an explicit deny in a … policy".
fn names_a_policy(denial: &str) -> bool {
    denial.contains("because no ") || denial.contains("with an explicit deny")
}

/// Some answers carry fractions that others of the same key do not.
fn whole_seconds(date: &DateTime) -> DateTime {
    DateTime::from_secs(date.secs())
}

#[cfg(test)]
mod tests {
    use aws_sdk_iam::config::{BehaviorVersion, Credentials, Region};
    use aws_smithy_http_client::test_util::infallible_client_fn;
    use aws_smithy_types::body::SdkBody;

    use super::*;

    #[tokio::test]
    async fn keys_on_several_pages_are_all_listed() {
        let answer = |request: http::Request<SdkBody>| {
            let form = String::from_utf8_lossy(request.body().bytes().unwrap_or_default());
            let (id, more) = if form.contains("Marker=second") {
                ("AKIA2222222222222222", "<IsTruncated>false</IsTruncated>")
            } else {
                ("AKIA1111111111111111", "<IsTruncated>true</IsTruncated><Marker>second</Marker>")
            };
            let key = format!("<member><AccessKeyId>{id}</AccessKeyId><Status>Active</Status></member>");
            let page = format!("<AccessKeyMetadata>{key}</AccessKeyMetadata>{more}");
            let result = format!("<ListAccessKeysResult>{page}</ListAccessKeysResult>");
            http::Response::new(SdkBody::from(format!("<ListAccessKeysResponse>{result}</ListAccessKeysResponse>")))
        };
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::for_tests())
            .region(Region::from_static("us-east-1"))
            .http_client(infallible_client_fn(answer))
            .build();
        let clock = Clock::starting_at(SystemTime::now());
        let iam = Iam::new(Client::from_conf(config), clock, Confidential::default());
        let keys = iam.list_access_keys(&UserName::try_from("alice".to_owned()).unwrap()).await.unwrap();
        let ids: Vec<_> = keys.iter().map(|key| key.id.as_str()).collect();
        assert_eq!(ids, ["AKIA1111111111111111", "AKIA2222222222222222"]);
    }

    #[test]
    fn a_denial_that_names_no_policy_is_what_iam_says_of_a_key_that_is_gone() {
        let who = "User: arn:aws:sts::123456789012:assumed-role/access-key-type/1 is not authorized to";
        let what = "iam:GetAccessKeyLastUsed on resource: access key AKIAIOSFODNN7EXAMPLE";
        for (denial, names) in [
            // Recorded on AWS: there is no colon after "perform".
            (format!("{who} perform {what}"), false),
            (format!("{who} perform: {what}"), false),
            (format!("{who} perform: {what} because no identity-based policy allows the action"), true),
            (format!("{who} perform: {what} with an explicit deny in a service control policy"), true),
        ] {
            assert_eq!(names_a_policy(&denial), names, "{denial}");
        }
    }
}
