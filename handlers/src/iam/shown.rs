//! What IAM has shown to this invocation: its answers can change from one replica to another, and what one has shown, the
//! next may not.

use std::sync::{Mutex, MutexGuard, PoisonError};

use access_key_schema::UserName;

use super::KeyMetadata;

/// The keys that `ListAccessKeys` has shown, less those that are known to be gone.
#[derive(Debug, Default)]
pub(super) struct ShownKeys(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    keys: Vec<(UserName, KeyMetadata)>,
    gone: Vec<String>,
}

impl ShownKeys {
    pub(super) fn listed(&self, user: &UserName, listed: &[KeyMetadata]) {
        let mut state = self.state();
        state.keys.retain(|(_, key)| listed.iter().all(|listed| listed.id != key.id));
        state.keys.extend(listed.iter().map(|key| (user.clone(), key.clone())));
    }

    pub(super) fn forget(&self, id: &str) {
        self.state().gone.push(id.to_owned());
    }

    pub(super) fn of(&self, user: &UserName) -> Vec<KeyMetadata> {
        let State { keys, gone } = &*self.state();
        let live = keys.iter().filter(|(owner, key)| owner == user && !gone.contains(&key.id));
        live.map(|(_, key)| key.clone()).collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
