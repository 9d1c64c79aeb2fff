//! What READ says when everything has come to rest: what the last answer said, however late reads were until then.

use std::time::Duration;

use super::{
    Action, HandlerErrorCode, LONGEST_DELAY, Lag, OperationStatus, ProgressEvent, Stack, StackPlan, State, Undo, json,
    lacks_its_secret,
};
use crate::invariants::{Answered, Said};

impl Stack {
    /// Takes down what READ has to say of the key in the end, as the last event of an operation tells it.
    pub(super) fn expect(
        &self,
        action: Action,
        undo: Option<Undo>,
        started: Duration,
        event: &ProgressEvent,
        id: Option<&str>,
    ) {
        let (Some(id), at) = (id, self.world.now()) else { return };
        let answers = &mut self.world.state().ledger.answers;
        // What an UPDATE does not change, it tells as it reads it, and a replica may not show the operation before it yet.
        let is_read_late = self.world.plan.lag == Lag::Flapping
            && answers.get(id).is_some_and(|before| started < before.at + LONGEST_DELAY);
        let succeeded = event.status == OperationStatus::Success;
        let said = match (&event.resource_model, action) {
            _ if action == Action::Delete && succeeded => Said::KeyIsGone,
            _ if action == Action::Delete && event.error_code == Some(HandlerErrorCode::NotFound) => Said::KeyIsGone,
            (Some(model), Action::Create | Action::Update)
                if succeeded && undo.is_none() && !is_read_late && !lacks_its_secret(event) =>
            {
                Said::Key(Box::new(model.clone()))
            }
            _ => Said::Nothing,
        };
        answers.insert(id.to_owned(), Answered { stack: self.number, at, said });
    }

    /// READ by the id alone says what the last answer said, when all replicas agree.
    pub(crate) async fn judge_settled(&self) {
        let answers = self.world.state().ledger.answers.clone();
        for (id, Answered { stack, said, .. }) in answers {
            if stack != self.number || self.is_changed_by_others(&id) {
                continue;
            }
            let read = self.look(Action::Read, json!({"Id": id}), None, true).await;
            match said {
                Said::KeyIsGone if !self.says_gone(read.as_ref()) => {
                    self.world.violated(format!("3: {id} was deleted, and READ finds it when all has settled"));
                }
                Said::Key(model) if read.and_then(|read| read.resource_model).as_ref() != Some(&*model) => {
                    self.world.violated(format!("3: READ of {id} says something else when all has settled"));
                }
                _ => {}
            }
        }
    }

    /// Whether a person, or a call that nobody waited for, has changed the key or its secret.
    fn is_changed_by_others(&self, id: &str) -> bool {
        let StackPlan { region, prefix, .. } = self.plan;
        let State { iam, stores, ledger, .. } = &*self.world.state();
        let secret = stores.get(region).and_then(|store| store.secrets.get(&format!("{prefix}{id}")));
        ledger.haunted.contains(id)
            || iam.key(id).is_some_and(|key| key.touched)
            || secret.is_some_and(|secret| secret.was(|state| state.touched))
    }
}
