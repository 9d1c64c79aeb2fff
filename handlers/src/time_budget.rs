//! Every duration of the handlers, and the proof that they fit into an invocation.
//!
//! CloudFormation gives CREATE, UPDATE and DELETE 60 seconds, READ and LIST 30 ([handler contract]). Before a
//! handler makes a key that only this invocation knows, it checks that there is time to finish or to roll back.
//!
//! [handler contract]: https://docs.aws.amazon.com/cloudformation-cli/latest/userguide/resource-type-test-contract.html

use std::time::{Duration, SystemTime};

use cfn_resource_runtime::{ANSWER_TIME, Clock, LOOK_TIME, OPERATION_TIMEOUT, POLL_INTERVAL, WRITE_LIMIT};

/// How long Keybase may take for its whole answer.
pub(crate) const KEYBASE_TIMEOUT: Duration = Duration::from_secs(5);

/// How long one invocation waits for AWS to show what was written. CloudFormation does the longer waiting: it calls again, at no
/// cost.
pub(crate) const STABILIZE_WAIT: Duration = Duration::from_secs(12);

/// How long to wait for IAM to know a user: in a stack that creates both, the user may be seconds old.
pub(crate) const NEW_USER_WAIT: Duration = Duration::from_secs(25);

/// IAM and Secrets Manager are usually consistent within two seconds, at times after ten or more. A key or secret that is older
/// than this and is not shown does not exist.
pub(crate) const PROPAGATION: Duration = Duration::from_secs(30);

/// Whether AWS made something so recently that it may not show it everywhere yet. What comes from the future, by AWS's clock, is
/// new; what has no date is not.
pub(crate) fn is_new(created: Option<SystemTime>, clock: &Clock) -> bool {
    created.is_some_and(|created| clock.age(created) < PROPAGATION)
}

/// If IAM shows a key nowhere for this long, the key counts as gone.
pub(crate) const UNKNOWN_WAIT: Duration = Duration::from_secs(5);

/// How long to wait until IAM says the same about a key in two places.
pub(crate) const CONTRADICTION_WAIT: Duration = Duration::from_secs(10);

/// How long READ looks for a young key that is not shown yet, or for its secret.
pub(crate) const READ_WAIT: Duration = Duration::from_secs(12);

/// A key younger than this without a stored secret may come from an attempt of a CREATE, if the attempt's record cannot be read.
pub(crate) const SUSPECT_AGE: Duration = Duration::from_mins(15);

/// How long the record of an attempt may belong to an invocation that is at work: as long as an invocation may run, by two clocks
/// that differ from IAM's. After that the invocation has ended. IAM and the store then show what it made in its first seconds;
/// they may not show yet what it deleted in its last seconds.
pub(crate) const LEASE: Duration = WRITE_LIMIT.saturating_add(ANSWER_TIME).saturating_add(CLOCK_SKEW.saturating_mul(2));

/// How far IAM's clock and ours may differ.
pub(crate) const CLOCK_SKEW: Duration = Duration::from_secs(5);

/// After so many invocations that waited, IAM and the store show what was written before the first one.
pub(crate) const SETTLED_AFTER_INVOCATIONS: u32 = 2;

/// The longest time to delete a key and then its secret, also in a rollback; or to be refused the key, and to find out why.
pub(crate) const TIME_TO_DELETE: Duration = OPERATION_TIMEOUT.saturating_mul(2);

/// The time that must be left to start `CreateAccessKey`: for this call, for storing the secret, for finding out why the status
/// was refused, and for the rollback.
pub(crate) const TIME_TO_CREATE: Duration = OPERATION_TIMEOUT.saturating_mul(3).saturating_add(TIME_TO_DELETE);

/// The time that must be left to find out whether a key that another invocation created lives, and to go on with it: for a write
/// to the key, for asking whether its user is new, and for one look.
pub(crate) const TIME_TO_GO_ON: Duration = OPERATION_TIMEOUT.saturating_mul(2).saturating_add(LOOK_TIME);

/// The time that must be left to find out about a key that could not be deleted, to try once more, and to delete its secret.
pub(crate) const TIME_TO_DELETE_AGAIN: Duration = OPERATION_TIMEOUT.saturating_mul(3).saturating_add(POLL_INTERVAL);

#[cfg(test)]
mod tests {
    use cfn_resource_runtime::{
        ATTEMPT_TIMEOUT, CALLBACK_DELAY_SECONDS, MAX_INVOCATIONS, READ_LIMIT, TIMEOUT_IN_MINUTES,
    };

    use super::*;

    /// Calls one after the other, each taking as long as it may.
    fn calls(count: u32) -> Duration {
        OPERATION_TIMEOUT * count
    }

    #[test]
    fn the_longest_chain_of_every_handler_fits_into_its_time() {
        // CREATE looks at the clock before CreateAccessKey, and only starts it if all of this fits.
        let list_keys_and_their_secrets = calls(2) + KEYBASE_TIMEOUT;
        let create_store_explain_roll_back = calls(1) + calls(1) + calls(1) + TIME_TO_DELETE;
        assert_eq!(create_store_explain_roll_back, TIME_TO_CREATE);
        // Or one look, after which the status is set if there is time.
        assert!(LOOK_TIME <= TIME_TO_DELETE);
        // What an invocation makes is old enough to be shown when its record counts as abandoned.
        assert!(WRITE_LIMIT + calls(2) + PROPAGATION <= LEASE + TIME_TO_CREATE);
        assert!(TIME_TO_CREATE <= WRITE_LIMIT, "{TIME_TO_CREATE:?}");
        assert!(list_keys_and_their_secrets <= WRITE_LIMIT);
        // UPDATE looks at the clock before each of its writes, and gives up its reads at the deadline. If each call takes one
        // attempt, even the longest UPDATE is done in one invocation: what the key was made with, and the key beside its secret;
        // the secret's value; the tags (may it remove some, add, remove), the description, the status; one look.
        let update = ATTEMPT_TIMEOUT * (2 + 1 + 3 + 1 + 1 + 1);
        assert!(update <= WRITE_LIMIT, "{update:?}");
        // DELETE: find the owner, delete the key, and only with enough time left find out more and try again; between key and
        // secret, the description.
        let delete = calls(2) + TIME_TO_DELETE_AGAIN + calls(1);
        assert!(delete <= WRITE_LIMIT, "{delete:?}");
        // By the id alone: the store's entry, the last look that is begun for the owner, delete key, description and secret.
        assert!(calls(2) + LOOK_TIME + TIME_TO_DELETE + calls(1) <= WRITE_LIMIT);
        // READ: the secret, the owner's keys beside the tags, and the owner again from IAM.
        assert!(calls(3) <= READ_LIMIT);
        // And it looks until READ_WAIT is over: a look is begun while LOOK_TIME is left.
        assert!(READ_WAIT + LOOK_TIME <= READ_LIMIT);
        assert!(STABILIZE_WAIT + LOOK_TIME + calls(1) <= WRITE_LIMIT);
        // A callback's first look has the time to set the status.
        assert!(LOOK_TIME + calls(1) <= WRITE_LIMIT);
        // CREATE that goes on with the key of another invocation: a write to it, whether its user is new, one look.
        assert_eq!(calls(2) + LOOK_TIME, TIME_TO_GO_ON);
    }

    #[test]
    fn a_handler_gives_up_waiting_before_cloudformation_does() {
        let invocation = WRITE_LIMIT + ANSWER_TIME + Duration::from_secs(CALLBACK_DELAY_SECONDS.into());
        let wait = STABILIZE_WAIT + Duration::from_secs(CALLBACK_DELAY_SECONDS.into());
        assert!(wait * SETTLED_AFTER_INVOCATIONS >= PROPAGATION);
        let longest = invocation * (MAX_INVOCATIONS + 1);
        assert!(longest < Duration::from_mins(TIMEOUT_IN_MINUTES.into()), "{longest:?}");
    }
}
