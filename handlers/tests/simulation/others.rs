//! The people who work on the same account.

use std::{sync::Arc, time::Duration};

use tokio::time::sleep;

use crate::{
    aws::iam::Key,
    plan::{Act, Deed, OTHER_REGION},
    world::{Maker, World},
};

/// Does one deed when its time has come.
pub(crate) async fn act(world: Arc<World>, deed: Deed) {
    sleep(deed.at).await;
    let Deed { user, act, .. } = deed;
    while act == Act::RenameUser && world.state().ledger.is_busy_with(user) {
        sleep(Duration::from_secs(1)).await;
    }
    let done = world.at_aws(|iam, stores, moment| {
        let is_persons = |key: &&Key| key.maker == Maker::Person;
        let own = iam.keys_of(user).find(is_persons).map(|key| key.id.clone());
        let of_stack = iam.keys_of(user).filter(|key| !is_persons(key)).last().map(|key| key.id.clone());
        let exists = iam.has_user(user);
        let id = match act {
            Act::CreateKey if exists => iam.create_access_key(user, Maker::Person, moment).ok()?.id.clone(),
            Act::RenameUser | Act::RenameUserAtOnce if exists => {
                iam.rename(user, &format!("{user}.old"), moment);
                return Some(format!("{user}.old"));
            }
            Act::DeleteUser if exists && iam.keys_of(user).next().is_none() => {
                iam.users.get_mut(user)?.write(None, moment);
                return Some(user.to_owned());
            }
            Act::CreateKey | Act::RenameUser | Act::RenameUserAtOnce | Act::DeleteUser => return None,
            Act::DeleteOwnKey => own?,
            _ => of_stack?,
        };
        let key = iam.key_mut(&id)?;
        let mut secret = |change: &dyn Fn(&mut crate::aws::secrets_manager::SecretState)| {
            for store in stores.values_mut() {
                let name = store.secrets.keys().find(|name| name.ends_with(&id)).cloned();
                if let Some(name) = name {
                    let _ = store.change(&name, moment, |state| {
                        state.touched = true;
                        change(state);
                    });
                }
            }
        };
        match act {
            Act::ReplicateSecret => secret(&|state| state.replica = Some(OTHER_REGION)),
            Act::LoseKmsKey => secret(&|state| state.kms_key_is_lost = true),
            Act::DeleteSecret => {
                secret(&|_| {});
                for store in stores.values_mut() {
                    for (_, secret) in store.secrets.iter_mut().filter(|(name, _)| name.ends_with(&id)) {
                        secret.write(None, moment);
                    }
                }
            }
            Act::DeactivateStackKey => {
                key.touched = true;
                key.change(moment, |state| state.active = false);
            }
            Act::ChangeDescription => {
                key.touched = true;
                let user = key.state.truth()?.user.clone();
                iam.set_tag(&user, &id, Some("by hand".to_owned()), moment);
            }
            Act::UseKey => {
                let now = moment.now;
                key.change(moment, |state| state.last_used = Some(now));
            }
            Act::DeleteStackKey | Act::DeleteOwnKey => {
                key.touched = true;
                iam.delete_access_key(&id, moment);
            }
            Act::CreateKey | Act::RenameUser | Act::RenameUserAtOnce | Act::DeleteUser => {}
        }
        Some(id)
    });
    world.story.line(format!("a person: {act:?} of {user}: {}", done.as_deref().unwrap_or("nothing to do")));
    let now = world.now();
    world.state().ledger.deeds.push(now);
}
