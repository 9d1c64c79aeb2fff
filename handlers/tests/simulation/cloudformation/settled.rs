//! What READ says when everything has come to rest: what the last answer said, however late reads were until then.

use super::{
    Action, HandlerErrorCode, OperationStatus, ProgressEvent, Stack, StackPlan, State, Undo, json, lacks_its_secret,
};
use crate::invariants::Answered;

impl Stack {
    /// Takes down what READ has to say of the key in the end, where the operation's last event tells.
    pub(super) fn expect(&self, action: Action, undo: Option<Undo>, event: &ProgressEvent, id: Option<&str>) {
        let Some(id) = id else { return };
        let succeeded = event.status == OperationStatus::Success;
        let is_gone = action == Action::Delete && (succeeded || event.error_code == Some(HandlerErrorCode::NotFound));
        let model = event.resource_model.clone().filter(|_| succeeded && undo.is_none() && !lacks_its_secret(event));
        let answers = &mut self.world.state().ledger.answers;
        if is_gone || model.is_some() {
            answers.insert(id.to_owned(), Answered { stack: self.number, model: model.filter(|_| !is_gone) });
        } else {
            answers.remove(id);
        }
    }

    /// READ by the id alone says what the last answer said, when all replicas agree.
    pub(crate) async fn judge_settled(&self) {
        let answers = self.world.state().ledger.answers.clone();
        for (id, Answered { stack, model }) in answers {
            if stack != self.number || self.is_changed_by_others(&id) {
                continue;
            }
            let read = self.look(Action::Read, json!({"Id": id}), None, true).await;
            match model {
                None if !self.says_gone(read.as_ref()) => {
                    self.world.violated(format!("3: {id} was deleted, and READ finds it when all has settled"));
                }
                Some(model) if read.and_then(|read| read.resource_model).as_ref() != Some(&model) => {
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
