//! LIST: the account's keys page by page, or one user's keys; only the key with the model's `Id`, if it names one. Never a
//! secret.
//!
//! `ListUsers` names all users, but a role may be limited to the users under a path (`registration.yml` makes such a role). The
//! keys of users whom the role does not reach are left out, and the event says so. If it reaches nobody, the event says that the
//! permission is missing.

use std::collections::VecDeque;

use access_key_schema::{AccessKey, HandlerError, HandlerErrorCode, ProgressEvent, Request, Result, UserName};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use cfn_resource_runtime::{OPERATION_TIMEOUT, POLL_INTERVAL};
use futures_util::{StreamExt, stream::FuturesUnordered};
use serde::{Deserialize, Serialize};
use serde_with::skip_serializing_none;
use tokio::time::sleep;

use crate::{
    Services,
    iam::{KEYS_PER_USER, UserPage},
    resource_model::of_iam,
};

/// How many users' keys are asked for at the same time, unless IAM throttles.
const CONCURRENT_CALLS: usize = 8;

/// How many keys a page holds at most, whatever the request says: the keys of six full rounds of calls. The 30 seconds of a LIST
/// are enough for these, even where IAM throttles.
const MAX_RESULTS: usize = 6 * CONCURRENT_CALLS * KEYS_PER_USER;

/// Where a page ended, as the `nextToken` carries it.
#[skip_serializing_none]
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Position {
    /// IAM's marker of the page of users that the next page of keys comes from; none is the first.
    marker: Option<String>,
    /// The last key that was answered, if the page of keys was full before these users were done.
    after: Option<String>,
}

pub(crate) async fn list(services: &Services, request: &Request) -> Result<ProgressEvent> {
    let position = request.context.next_token.as_deref().map(Position::from_token).transpose()?.unwrap_or_default();
    let max_results =
        request.context.max_results.filter(|max| *max > 0).map_or(MAX_RESULTS, |max| max.min(MAX_RESULTS));
    let page = match &request.desired.user_name {
        Some(user) => UserPage { users: vec![user.clone()], next_marker: None },
        // Only as many users that their keys fit into the page.
        None => services.iam.list_users(position.marker.clone(), max_results / KEYS_PER_USER).await?,
    };
    let named = request.desired.user_name.is_some();
    let (mut keys, mut reached, mut denied) = (vec![], false, vec![]);
    for answer in keys_of_each(services, page.users, named).await? {
        match answer {
            Ok(found) => {
                reached = true;
                keys.extend(found);
            }
            // A user who is gone has no keys.
            Err(error) if error.is_not_found() => {}
            Err(error) if error.code == HandlerErrorCode::AccessDenied && !named => denied.push(error),
            Err(error) => return Err(error),
        }
    }
    let is_the_only_page = position.marker.is_none() && page.next_marker.is_none();
    if is_the_only_page
        && !reached
        && let Some(error) = denied.pop()
    {
        return Err(error);
    }
    if let Some(id) = request.desired.id.as_deref() {
        keys.retain(|key| key.id.as_deref() == Some(id));
    }
    if let Some(after) = &position.after
        && let Some(index) = keys.iter().position(|key| key.id.as_deref() == Some(after))
    {
        keys.drain(..=index);
    }
    let next = if keys.len() > max_results {
        keys.truncate(max_results);
        let after = keys.last().and_then(|key| key.id.clone());
        Some(Position { after, ..position })
    } else {
        page.next_marker.map(|marker| Position { marker: Some(marker), after: None })
    };
    let listed = ProgressEvent::listed(keys, next.map(|position| position.to_token()).transpose()?);
    Ok(listed.with_message((!denied.is_empty()).then(|| {
        format!(
            "The keys of {} of this page's users are left out, because the role may not call iam:ListAccessKeys for \
             them. If that is not intended, widen the role's policy",
            denied.len()
        )
    })))
}

/// The keys of each user, in their order, or why the role does not get them.
///
/// Where IAM throttles, half as many calls run side by side, and after each answer one more again: additive increase,
/// multiplicative decrease. A call that fails after the SDK's own retries is made again while there is time: the account's other
/// callers share IAM's limit, so no fixed number of calls is right.
///
/// # Errors
/// Whatever is not about one user alone.
async fn keys_of_each(services: &Services, users: Vec<UserName>, named: bool) -> Result<Vec<Result<Vec<AccessKey>>>> {
    let first_attempts = users.into_iter().enumerate().map(|(place, user)| (place, user, false));
    let mut waiting: VecDeque<_> = first_attempts.collect();
    let (mut running, mut answers) = (FuturesUnordered::new(), vec![]);
    let mut side_by_side = CONCURRENT_CALLS;
    loop {
        while running.len() < side_by_side
            && let Some((place, user, was_throttled)) = waiting.pop_front()
        {
            running.push(async move {
                if was_throttled {
                    sleep(POLL_INTERVAL).await;
                }
                let answer = keys_of(services, &user, named).await;
                (place, user, answer)
            });
        }
        let Some((place, user, answer)) = running.next().await else { break };
        match answer {
            Err(error)
                if error.code == HandlerErrorCode::Throttling
                    && services.deadline.leaves(POLL_INTERVAL + OPERATION_TIMEOUT) =>
            {
                side_by_side = (side_by_side / 2).max(1);
                waiting.push_front((place, user, true));
            }
            Err(error) if !error.is_not_found() && error.code != HandlerErrorCode::AccessDenied => return Err(error),
            answer => {
                side_by_side = (side_by_side + 1).min(CONCURRENT_CALLS);
                answers.push((place, answer));
            }
        }
    }
    answers.sort_unstable_by_key(|(place, _)| *place);
    Ok(answers.into_iter().map(|(_, answer)| answer).collect())
}

/// The keys of a user. If the role does not reach the user, IAM is asked whether the user exists, but only if the request names
/// the user: `ListUsers` has just shown the others.
async fn keys_of(services: &Services, user: &UserName, named: bool) -> Result<Vec<AccessKey>> {
    let keys = if named {
        services.iam.list_access_keys(user).await?
    } else {
        services.iam.list_reachable_access_keys(user).await?
    };
    Ok(keys.into_iter().map(|key| of_iam(user, key)).collect())
}

impl Position {
    fn from_token(token: &str) -> Result<Self> {
        let position = BASE64_URL_SAFE_NO_PAD.decode(token).ok().and_then(|json| serde_json::from_slice(&json).ok());
        position.ok_or_else(|| {
            HandlerError::new(
                HandlerErrorCode::InvalidRequest,
                "The nextToken was not returned by this handler. Leave it out to start from the first page",
            )
        })
    }

    fn to_token(&self) -> Result<String> {
        let json = serde_json::to_vec(self).map_err(|_| {
            HandlerError::new(
                HandlerErrorCode::InternalFailure,
                "The position of the next page could not be written as a token",
            )
        })?;
        Ok(BASE64_URL_SAFE_NO_PAD.encode(json))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_leads_back_to_its_position_and_a_forged_one_is_refused() {
        let position = Position { marker: Some("m".to_owned()), after: Some("AKIA".to_owned()) };
        let token = position.to_token().unwrap();
        let back = Position::from_token(&token).unwrap();
        assert_eq!((back.marker.as_deref(), back.after.as_deref()), (Some("m"), Some("AKIA")));
        for forged in ["", "x", "!!", &BASE64_URL_SAFE_NO_PAD.encode(r#"{"user":"alice"}"#), &token[1..]] {
            assert_eq!(Position::from_token(forged).unwrap_err().code, HandlerErrorCode::InvalidRequest, "{forged}");
        }
    }
}
