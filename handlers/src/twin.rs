//! Two invocations of one request that run at the same time.

use std::time::Duration;

use access_key_schema::{HandlerError, HandlerErrorCode, Request, Result};
use tokio::time::{Instant, sleep};

use crate::{
    KeyMetadata, OPERATION_TIMEOUT, Services,
    consistency::{POLL_INTERVAL, RESERVE},
    user_keys::{UserKey, with_stored},
};

/// How long to wait for the secret of a key that appeared beside ours: as long as storing one may take.
const TWIN_WAIT: Duration = OPERATION_TIMEOUT;

/// Gives way to another invocation of this very request that runs at the same time and made a key as early as ours.
///
/// CloudFormation calls again when it has given up on an invocation, which may be running still. The younger of the two
/// keys goes, and of two of the same second both may: the next invocation finds the key that is left, or makes one.
///
/// What remains: IAM shows a key only after a moment, and the store may take longer than we wait, so two invocations
/// that create within that moment may miss each other's key.
///
/// # Errors
/// `ResourceConflict`, which CloudFormation retries.
pub(crate) async fn refuse_twin(
    services: &Services,
    request: &Request,
    ours: &KeyMetadata,
    others: Vec<KeyMetadata>,
    before: &[UserKey],
) -> Result<()> {
    let start = Instant::now();
    let mut keys = with_stored(services, appeared(others, before)).await?;
    // Another key's secret may be on its way to the store.
    while keys.iter().any(|key| key.stored.is_none())
        && start.elapsed() < TWIN_WAIT
        && services.deadline.remaining() > RESERVE
    {
        sleep(POLL_INTERVAL).await;
        keys = with_stored(services, keys.into_iter().map(|key| key.metadata).collect()).await?;
    }
    let second = |key: &KeyMetadata| key.created.map(|created| created.secs());
    match keys.iter().find(|key| key.was_made_by(request) && second(&key.metadata) <= second(ours)) {
        None => Ok(()),
        Some(twin) => Err(HandlerError::new(
            HandlerErrorCode::ResourceConflict,
            format!("this very request has also created access key {}, in another invocation", twin.metadata.id),
        )),
    }
}

/// The keys that were not there before, or whose secret was still on its way.
fn appeared(mut keys: Vec<KeyMetadata>, before: &[UserKey]) -> Vec<KeyMetadata> {
    keys.retain(|key| before.iter().all(|known| known.metadata.id != key.id || known.may_be_underway()));
    keys
}
