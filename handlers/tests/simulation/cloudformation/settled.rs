//! What READ says when everything has come to rest: what the last answer said, however late reads were until then.

use std::time::Duration;

use super::{
    Action, Excuse, HandlerErrorCode, LONGEST_DELAY, Lag, OperationStatus, ProgressEvent, Stack, StackPlan, State,
    json, lacks_its_secret,
};
use crate::invariants::{Answered, Said};

impl Stack {
    /// Takes down what READ has to say of the key in the end, as the last event of an operation tells it.
    pub(super) fn expect(&self, action: Action, started: Duration, event: &ProgressEvent, id: Option<&str>) {
        let (Some(id), at) = (id, self.world.now()) else { return };
        let answers = &mut self.world.state().ledger.answers;
        // What an UPDATE does not change, it tells as it reads it, and a replica may not show the operation before it yet.
        let is_read_late = action != Action::Delete
            && self.world.plan.lag == Lag::Flapping
            && answers.get(id).is_some_and(|before| started < before.at + LONGEST_DELAY);
        let succeeded = event.status == OperationStatus::Success;
        let said = match (&event.resource_model, action) {
            _ if action == Action::Delete && succeeded => Said::KeyIsGone,
            _ if action == Action::Delete && event.error_code == Some(HandlerErrorCode::NotFound) => Said::KeyIsGone,
            (Some(model), Action::Create | Action::Update) if succeeded => Said::Key(Box::new(model.clone())),
            _ => Said::Nothing,
        };
        let excuses = [(Excuse::ReplicasFlap, is_read_late), (Excuse::SecretUnread, lacks_its_secret(event))];
        answers.insert(id.to_owned(), Answered { stack: self.number, at, said, excuses });
    }

    /// READ by the id alone says what the last answer said, when all replicas agree.
    pub(crate) async fn judge_settled(&self) {
        let answers = self.world.state().ledger.answers.clone();
        for (id, Answered { said, excuses, .. }) in answers.into_iter().filter(|(_, it)| it.stack == self.number) {
            let read = self.look(Action::Read, json!({"Id": id}), None, true).await;
            let violation = match said {
                Said::Nothing => None,
                Said::KeyIsGone => self.still_found(
                    read.as_ref(),
                    format!("3e: {id} was deleted, and READ finds it when all has settled"),
                ),
                Said::Key(model) => {
                    let differs = read.and_then(|read| read.resource_model).as_ref() != Some(&*model);
                    differs.then(|| format!("3f: READ of {id} says something else when all has settled").into())
                }
            };
            if let Some(violation) = violation {
                self.world.violated(violation.unless(excuses).unless(self.of_others(&id)));
            }
        }
    }

    /// What excuses that a key or its secret is not as the handlers say.
    fn of_others(&self, id: &str) -> [(Excuse, bool); 2] {
        let StackPlan { region, prefix, .. } = self.plan;
        let State { iam, stores, ledger, .. } = &*self.world.state();
        let secret = stores.get(region).and_then(|store| store.secrets.get(&format!("{prefix}{id}")));
        let is_touched = iam.key(id).is_some_and(|key| key.touched)
            || secret.is_some_and(|secret| secret.was(|state| state.touched));
        [(Excuse::Person, is_touched), (Excuse::LateCall, ledger.haunted.contains(id))]
    }
}
