//! Who may create. An operation keeps a record of each attempt, and only the invocation that has made the newest record creates a
//! key. An invocation that finds a record waits for the outcome of that attempt, goes on with the key that the record names, or
//! lets CloudFormation call again. It never creates after it has waited: meanwhile the operation may be over, and nobody would
//! hear of the key.

use access_key_schema::{HandlerError, HandlerErrorCode, OperationStatus, Result};
use cfn_resource_runtime::{Clock, poll};
use futures_util::future::join_all;
use tokio::join;

use super::{
    Answer, Create, Outcome,
    failure::{Failure, Kept, Left},
    preconditions::refuse_late_start,
    rollback::{self, Written},
};
use crate::{
    locate::{Location, locate, undecided},
    secret_store::{Made, Note, Record, Unstored},
    time_budget::{LEASE, PROPAGATION, TIME_TO_DELETE},
    user_keys::list_command,
};

/// The attempts of an operation, by their records.
#[derive(Default)]
pub(super) struct Attempts {
    /// The records of other invocations, from the first on.
    earlier: Vec<Record>,
    /// The record of this invocation, if it has made one.
    held: Option<Record>,
    /// AWS's refusal to make this invocation's record, unless it only said that there is one.
    refusal: Option<HandlerError>,
    /// When this invocation began, in milliseconds since 1970.
    began: u64,
}

/// What to do about earlier attempts.
#[derive(Debug, PartialEq)]
pub(super) enum Step {
    /// Another invocation may be at work under the record with this number.
    Wait(u32),
    /// An invocation has created the key with this id, and stored its secret.
    Adopt(String),
    /// An invocation has created the key with this id, and ended before it was done.
    Settle(Record, String),
    /// No key is known: this invocation may make the record with this number, and then a key.
    Create(u32),
}

impl Attempts {
    /// What comes next. `own` is a key of which the store says that this operation created it.
    pub(super) fn next_step(&self, own: Option<&str>, clock: &Clock) -> Step {
        if self.held.is_none() {
            match self.earlier.last() {
                // The name is taken, and is not shown yet.
                None => return Step::Wait(1),
                Some(last) if !last.is_over && last.note.age(clock) < LEASE => return Step::Wait(last.number),
                Some(_) => {}
            }
        }
        let named = self.earlier.iter().rev().find_map(|record| Some((record, record.note.access_key_id.as_ref()?)));
        match (named, own) {
            (Some((record, id)), _) if record.is_over => Step::Adopt(id.clone()),
            (Some((record, id)), _) => Step::Settle(record.clone(), id.clone()),
            (None, Some(own)) if let Some(record) = self.unknown().last() => {
                Step::Settle(record.clone(), own.to_owned())
            }
            // The key is of an attempt whose record is gone, or of a release that kept no records.
            (None, Some(own)) if self.held.is_some() => Step::Adopt(own.to_owned()),
            // It is the first attempt's, or it was rolled back and is shown all the same: a write tells.
            (None, Some(own))
                if self.doubt().is_some()
                    && let Some(last) = self.earlier.last() =>
            {
                Step::Settle(last.clone(), own.to_owned())
            }
            // A key that is shown although it was rolled back does not count.
            (None, _) => Step::Create(self.next_number()),
        }
    }

    /// When the first attempt with an unknown outcome began, in milliseconds since 1970.
    pub(super) fn doubt(&self) -> Option<u64> {
        self.doubt_beside(None)
    }

    /// The same, when this attempt has turned out to be the one that made a key.
    fn doubt_beside(&self, maker: Option<&Record>) -> Option<u64> {
        let noted = self.earlier.iter().filter_map(|record| record.note.doubt);
        let others = self.unknown().filter(|record| maker.is_none_or(|maker| !maker.is_same(record)));
        noted.chain(others.map(|record| record.note.since())).min()
    }

    /// Whether an attempt has begun after this invocation: CloudFormation has given this one up, and the operation may be over.
    pub(super) fn are_ahead(&self) -> bool {
        self.earlier.iter().any(|record| record.note.since() > self.began)
    }

    /// The number of the record after the last.
    fn next_number(&self) -> u32 {
        self.earlier.last().map_or(1, |last| last.number + 1)
    }

    /// The record that this invocation has made.
    pub(super) fn held(&self) -> Option<Record> {
        self.held.clone()
    }

    /// Takes note of what the newest record says by now.
    fn saw(&mut self, newest: Option<Record>) {
        let Some(newest) = newest else { return };
        self.earlier.retain(|record| record.number != newest.number);
        self.earlier.push(newest);
    }

    /// Takes note that the key of this record is gone, and the record over.
    fn settled(&mut self, settled: &Record) {
        for record in self.earlier.iter_mut().filter(|record| record.is_same(settled)) {
            record.is_over = true;
            record.note.access_key_id = None;
        }
    }

    /// The failure, with the key that the newest record names. Its invocation may yet roll that key back, or answer with it.
    pub(super) fn named_in(&self, failure: Failure) -> Failure {
        match self.earlier.iter().rev().find_map(|record| record.note.access_key_id.clone()) {
            Some(id) => failure.leaving(Left::of_another_invocation(id)),
            None => failure,
        }
    }

    /// The records of other invocations that are not over.
    pub(super) fn open(&self) -> impl Iterator<Item = &Record> {
        self.earlier.iter().filter(|record| !record.is_over)
    }

    fn unknown(&self) -> impl Iterator<Item = &Record> {
        self.open().filter(|record| record.note.access_key_id.is_none())
    }
}

impl Create<'_> {
    /// Makes the operation's first record, or reads all records that there are.
    ///
    /// # Errors
    /// As Secrets Manager's. Then the earlier attempts are unknown.
    pub(super) async fn attempts(&self) -> Outcome<Attempts> {
        let Self { services, request, .. } = *self;
        let store = &services.secret_store;
        let first = Record::new(1, Note::of(request, None, &services.clock));
        let made = self.make(&first).await.map_err(Failure::without_record)?;
        if made == Made::Now {
            return Ok(Attempts { held: Some(first), ..Attempts::default() });
        }
        let mut attempts = Attempts { began: first.note.since(), refusal: made.refusal(), ..Attempts::default() };
        let mut number = 1;
        let failed = |attempts: &Attempts, error: HandlerError| {
            if !error.code.is_retriable() {
                self.warn_of_open(attempts.earlier.last().unwrap_or(&first), &error);
            }
            attempts.named_in(Failure::without_record(error))
        };
        loop {
            let read = services.deadline.bound(store.record(request, number)).await;
            let Some(record) = read.map_err(|error| failed(&attempts, error))? else { return Ok(attempts) };
            if record.is_same(&first) {
                attempts.held = Some(record);
                return Ok(attempts);
            }
            attempts.earlier.push(record);
            // It says why the first record was not made, and nothing of the next one.
            attempts.refusal = None;
            number += 1;
        }
    }

    /// Makes the record.
    async fn make(&self, record: &Record) -> Result<Made> {
        let made = self.services.secret_store.make_record(self.request, record).await;
        made.map_err(|Unstored { error, may_be_stored }| {
            if may_be_stored && !error.code.is_retriable() {
                self.warn_of_open(record, &error);
            }
            error
        })
    }

    /// Makes the next record, unless another invocation has made it. It keeps the doubt of the records before it, so that they can
    /// be over.
    ///
    /// # Errors
    /// `NetworkFailure`: there is no time to create a key.
    pub(super) async fn take_over(&self, attempts: &mut Attempts) -> Outcome<Option<Record>> {
        let Self { services, request, .. } = *self;
        let number = attempts.next_number();
        refuse_late_start(services.deadline).map_err(|error| Failure::from(error).doubting(attempts.doubt()))?;
        let store = &services.secret_store;
        let doubt = attempts.doubt();
        let record = Record::new(number, Note::of(request, doubt, &services.clock));
        let failed = |error: HandlerError| Failure::without_record(error).doubting(doubt);
        let made = self.make(&record).await.map_err(failed)?;
        if made != Made::Now {
            let there = store.record(request, number).await.map_err(failed)?;
            if !there.as_ref().is_some_and(|there| there.is_same(&record)) {
                attempts.refusal = made.refusal();
                attempts.saw(there);
                return Ok(None);
            }
        }
        self.close_all(attempts).await;
        Ok(Some(record))
    }

    /// Waits for the outcome of another invocation's attempt.
    ///
    /// # Errors
    /// `ResourceConflict`: it has created nothing, or does not say.
    pub(super) async fn wait_for(&self, attempts: &mut Attempts, number: u32) -> Outcome {
        let Self { services, request, .. } = *self;
        let is_known = |record: &Option<Record>| {
            record.as_ref().is_some_and(|record| record.is_over || record.note.age(&services.clock) >= LEASE)
        };
        let look = async || {
            let seen = services.deadline.bound(services.secret_store.record(request, number)).await?;
            attempts.saw(seen.clone());
            Ok::<_, HandlerError>(seen)
        };
        let reason = "waiting for what comes of another invocation of this operation";
        if let Err(error) = poll(services.deadline, reason, LEASE, TIME_TO_DELETE, is_known, look).await {
            if attempts.earlier.is_empty() && !error.code.is_retriable() {
                self.warn_of_open(&Record::new(number, Note::of(request, None, &services.clock)), &error);
            }
            return Err(attempts.named_in(Failure::without_record(error)));
        }
        match attempts.next_step(None, &services.clock) {
            Step::Adopt(id) => self.adopt(attempts, &id).await,
            _ => Err(attempts.named_in(self.not_made(number, attempts)).doubting(attempts.doubt())),
        }
    }

    /// The failure of an invocation that has made no record. It has AWS's words, unless the reason is a record that is over.
    fn not_made(&self, number: u32, attempts: &Attempts) -> Failure {
        match &attempts.refusal {
            Some(refusal) if !attempts.earlier.iter().any(|record| record.number == number && record.is_over) => {
                let refusal = HandlerError { code: HandlerErrorCode::ResourceConflict, ..refusal.clone() };
                Failure::without_record(refusal.followed_by(
                    "This attempt has created no key. If AWS goes on refusing its record, mend the reason that it gives",
                ))
            }
            _ => self.taken(number),
        }
    }

    /// The failure of an invocation that leaves the operation to another one.
    pub(super) fn taken(&self, number: u32) -> Failure {
        let Self { services, request, user, .. } = *self;
        let refusal = HandlerError::new(
            HandlerErrorCode::ResourceConflict,
            format!(
                "Another invocation of this operation is creating the access key of user {user}, or ended before it could \
                 say what came of it: its record {} is open. The next attempt, about a minute later, goes on with that key \
                 or creates one. If no attempt follows, list the user's keys with: {}",
                services.secret_store.record_name(request, number),
                list_command(user)
            ),
        );
        Failure::from(refusal).listing()
    }

    /// Goes on with the key that another invocation of this operation has created.
    pub(super) async fn adopt(&self, attempts: &mut Attempts, id: &str) -> Outcome {
        let doubt = attempts.doubt();
        let answer = self.go_on(attempts, id, doubt).await?;
        if answer.event.status == OperationStatus::InProgress && self.is_deleted(attempts, id).await {
            return Err(self.deleted_since(id).doubting(doubt));
        }
        Ok(answer)
    }

    /// The answer for a key whose secret is stored. It closes the open records, unless CloudFormation calls again and needs them.
    async fn go_on(&self, attempts: &mut Attempts, id: &str, doubt: Option<u64>) -> Outcome {
        let context = self.context(id, doubt);
        join!(self.close_with(attempts, id), self.answer(&context)).1
    }

    /// Marks the records of other invocations as over.
    async fn close_all(&self, attempts: &mut Attempts) {
        join_all(attempts.open().map(|record| self.close(Some(record)))).await;
        attempts.earlier.iter_mut().for_each(|record| record.is_over = true);
    }

    /// Marks them as over when this key is the operation's. The record of this invocation, which has found the key, names it from
    /// now on.
    async fn close_with(&self, attempts: &mut Attempts, id: &str) {
        self.close_all(attempts).await;
        let Some(record) = attempts.held.take().map(|held| held.naming(id)) else { return };
        match self.write(&record).await {
            Ok(()) => self.close(Some(&record)).await,
            Err(failure) => self.warn_of_open(&record, &failure),
        }
    }

    /// Goes on with the key of an attempt that has ended before it was done, if its secret is stored; deletes it otherwise. The
    /// record, or the stored secret, proves that the key is this operation's.
    pub(super) async fn settle(
        &self,
        attempts: &mut Attempts,
        mut record: Record,
        id: &str,
    ) -> Outcome<Option<Answer>> {
        let doubt = attempts.doubt_beside(Some(&record));
        if record.note.access_key_id.is_none() && attempts.held.is_none() {
            // The key may be a later attempt's whose record is not shown yet: then the name of the next record is taken.
            let number = attempts.next_number();
            match self.take_over(attempts).await? {
                Some(next) => attempts.held = Some(next),
                None => return Box::pin(self.wait_for(attempts, number)).await.map(Some),
            }
            record.is_over = true;
        }
        let settled = self.try_to_settle(attempts, &record, id, doubt).await;
        match &settled {
            Ok(None) => attempts.settled(&record),
            // The event has the id, and nobody calls again.
            Err(failure) if !failure.is_retriable() => self.close_with(attempts, id).await,
            _ => {}
        }
        settled
    }

    async fn try_to_settle(
        &self,
        attempts: &mut Attempts,
        record: &Record,
        id: &str,
        doubt: Option<u64>,
    ) -> Outcome<Option<Answer>> {
        let Self { services, user, .. } = *self;
        let failed = |error: HandlerError| not_rolled_back(error, id).doubting(doubt);
        let entry = services.deadline.bound(services.secret_store.entry(id)).await.map_err(failed)?;
        if entry.is_some() && self.takes_a_write(id).await.map_err(failed)? {
            return self.go_on(attempts, id, doubt).await.map(Some);
        }
        if !services.deadline.leaves(TIME_TO_DELETE) {
            return Err(failed(undecided(id, user)));
        }
        tracing::warn!(access_key_id = id, "deleting the key of an attempt that ended before it was done");
        rollback::delete(self, id, record.note.began(), Written::ANYTHING).await.map_err(|(left, error)| {
            let message =
                "An earlier attempt of this operation ended before it was done, and what it left could not be deleted";
            let failure = Failure::from(HandlerError { message: message.to_owned(), ..error });
            left.into_iter().fold(failure, Failure::leaving).doubting(doubt)
        })?;
        rollback::close(self, record, record.note.access_key_id.is_some()).await;
        Ok(None)
    }

    /// Whether somebody has deleted the key since: neither IAM nor the store shows it, and it is old enough to be shown.
    async fn is_deleted(&self, attempts: &Attempts, id: &str) -> bool {
        let Self { services, user, .. } = *self;
        let is_old = attempts.earlier.iter().all(|record| record.note.age(&services.clock) >= PROPAGATION);
        let (place, entry) = join!(
            services.deadline.bound(locate(services, user, id)),
            services.deadline.bound(services.secret_store.entry(id))
        );
        is_old && matches!(place, Ok(Location::Nowhere)) && matches!(entry, Ok(None))
    }

    fn deleted_since(&self, id: &str) -> Failure {
        let user = self.user;
        Failure::from(HandlerError::new(
            HandlerErrorCode::InvalidRequest,
            format!(
                "This operation created access key {id} of user {user}, which has been deleted since. An operation \
                 creates one key. For another one, deploy the stack again, or send a request with another token"
            ),
        ))
    }
}

fn not_rolled_back(error: HandlerError, id: &str) -> Failure {
    Failure::from(error).leaving(Left::Key { id: id.to_owned(), why: Kept::NotRolledBack })
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    const NOW: u64 = 1_000_000;
    const KEY: &str = "AKIAIOSFODNN7EXAMPLE";

    /// A record of this age, in seconds.
    fn record(number: u32, age: u64, is_over: bool, key: Option<&str>) -> Record {
        Record { number, note: Note::for_tests(1000 * (NOW - age), key), is_over }
    }

    fn step(earlier: &[Record], own: Option<&str>) -> (Step, Option<u64>) {
        let clock = Clock::starting_at(SystemTime::UNIX_EPOCH + Duration::from_secs(NOW));
        let attempts = Attempts { earlier: earlier.to_vec(), ..Attempts::default() };
        (attempts.next_step(own, &clock), attempts.doubt().map(|since| NOW - since / 1000))
    }

    #[test]
    fn an_invocation_creates_only_where_nobody_is_at_work_and_no_key_is_known() {
        let adopted = || Step::Adopt(KEY.to_owned());
        let settled = |record: &Record| Step::Settle(record.clone(), KEY.to_owned());
        let (abandoned, unknown) = (record(1, 70, false, Some(KEY)), record(1, 70, false, None));
        let mut rolled_back = record(2, 3, true, None);
        rolled_back.note.doubt = Some(1000 * (NOW - 200));
        let rows = [
            // The name is taken, and not shown.
            (vec![], None, Step::Wait(1), None),
            (vec![record(1, 3, false, None)], None, Step::Wait(1), Some(3)),
            (vec![record(1, 3, false, Some(KEY))], None, Step::Wait(1), None),
            // Its holder may yet delete the key.
            (vec![record(1, 3, false, None)], Some(KEY), Step::Wait(1), Some(3)),
            (vec![record(1, 3, true, Some(KEY))], None, adopted(), None),
            (vec![record(1, 3, true, None)], None, Step::Create(2), None),
            (vec![record(1, 70, false, None)], None, Step::Create(2), Some(70)),
            (vec![unknown.clone()], Some(KEY), settled(&unknown), Some(70)),
            // It was rolled back, and is shown all the same.
            (vec![record(1, 3, true, None)], Some(KEY), Step::Create(2), None),
            // Or it is the first attempt's.
            (vec![rolled_back.clone()], Some(KEY), settled(&rolled_back), Some(200)),
            (vec![abandoned.clone()], None, settled(&abandoned), None),
            (vec![record(1, 200, false, None), record(2, 100, false, None)], None, Step::Create(3), Some(200)),
            (vec![record(1, 200, false, None), record(2, 3, true, Some(KEY))], None, adopted(), Some(200)),
            (vec![record(1, 200, false, None), record(2, 3, false, None)], Some(KEY), Step::Wait(2), Some(200)),
        ];
        for (earlier, own, wanted, doubt) in rows {
            assert_eq!(step(&earlier, own), (wanted, doubt), "{earlier:?} {own:?}");
        }
    }

    #[test]
    fn the_attempt_that_turns_out_to_have_made_the_key_is_in_doubt_no_more() {
        let (one, other) = (record(1, 200, false, None), record(2, 100, false, None));
        let doubt = |earlier: &[Record], maker| {
            Attempts { earlier: earlier.to_vec(), ..Attempts::default() }
                .doubt_beside(maker)
                .map(|since| NOW - since / 1000)
        };
        assert_eq!(doubt(std::slice::from_ref(&one), Some(&one)), None);
        assert_eq!(doubt(&[one.clone(), other.clone()], Some(&one)), Some(100));
        assert_eq!(doubt(&[one.clone(), other], None), Some(200));
    }
}
