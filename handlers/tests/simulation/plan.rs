//! A life, written down before it is played: everything in it that is not left to the dice.
//!
//! [`Plan::draw`] draws one from a seed. A life that once went wrong is kept as a plan, which stays the same life when
//! the drawing changes.

use std::time::Duration;

use access_key_schema::Status;
use fastrand::Rng;

/// The path of the users whose keys a role limited to a path may touch.
pub(crate) const REACHED_PATH: &str = "/deploy/";

/// The path of everybody else.
pub(crate) const OTHER_PATH: &str = "/people/";

#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// Latencies, lags, ids.
    pub(crate) dice: u64,
    pub(crate) lag: Lag,
    pub(crate) role: Role,
    pub(crate) tagging: Tagging,
    /// Whether `GetAccessKeyLastUsed` says `AccessDenied` of a key that is gone, where else it says `NoSuchEntity`.
    pub(crate) gone_keys_are_denied: bool,
    /// How many seconds the function's clock is ahead of AWS's.
    pub(crate) clock_ahead: i64,
    pub(crate) undo: Undo,
    pub(crate) tokens: Tokens,
    pub(crate) stacks: Vec<StackPlan>,
    pub(crate) troubles: Vec<Trouble>,
    pub(crate) interruptions: Vec<Interruption>,
    pub(crate) deeds: Vec<Deed>,
}

/// How late AWS tells of a write.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Lag {
    #[default]
    None,
    /// Each kind of read learns of it in its own time, and then knows it.
    Usual,
    /// Until then, answers change from one replica to another.
    Flapping,
}

/// Whose keys the handlers' role may touch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Role {
    #[default]
    Wide,
    /// The users under [`REACHED_PATH`], as `registration.yml` can limit it.
    Path,
}

/// What the handlers' role may do with tags of users.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Tagging {
    /// Look at them, and set and remove those whose keys are access key ids.
    #[default]
    Allowed,
    /// The same, but for looking.
    Unseen,
    /// Nothing, as roles of before there were descriptions.
    Denied,
}

/// What CloudFormation sends as previous properties where it undoes an UPDATE that failed.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Undo {
    /// Those that failed.
    #[default]
    Failed,
    /// Those from before, which are to come back.
    Old,
    /// The same, with the hint that something is undone.
    OldWithHint,
}

/// Which tokens the requests of an operation carry.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) enum Tokens {
    /// Its own, the same in each.
    #[default]
    One,
    /// Another one in each callback.
    AnotherInCallbacks,
    /// None.
    None,
}

/// A stack with one user's keys, and what its owner does with it after its creation.
#[derive(Clone, Debug)]
pub(crate) struct StackPlan {
    pub(crate) starts: Duration,
    pub(crate) region: &'static str,
    pub(crate) prefix: &'static str,
    pub(crate) user: &'static str,
    /// Whether the stack also makes the user, seconds before the keys, and deletes it after them.
    pub(crate) makes_user: bool,
    /// One or two.
    pub(crate) keys: usize,
    pub(crate) status: Status,
    pub(crate) description: Option<&'static str>,
    pub(crate) steps: Vec<Step>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Step {
    Wait(Duration),
    /// UPDATE of the first key.
    Status(Status),
    /// UPDATE of the first key to tags of this colour.
    Tag(&'static str),
    /// UPDATE of both.
    StatusAndTag(Status, &'static str),
    /// UPDATE of the first key to this description, an empty one is none.
    Describe(&'static str),
    /// UPDATE of all of them.
    StatusTagAndDescription(Status, &'static str, &'static str),
    /// Replacement of the first key; with `rolls_back`, something else in the stack then fails.
    Rotate {
        rolls_back: bool,
    },
    Read,
    List,
    Delete,
}

/// Something wrong on the way to AWS, or in it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trouble {
    /// The operation, or `*`. Those on a record of a CREATE are named apart, as "`UpdateSecret` of a record".
    pub(crate) operation: &'static str,
    pub(crate) when: When,
    pub(crate) fault: Fault,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum When {
    /// The nth such call of the life, from 1.
    Nth(u32),
    /// Every call in this time, in seconds since the beginning.
    Between(u64, u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    Refuse,
    Throttle,
    /// A 5xx; nothing was done.
    Fail,
    /// A 5xx, although it was done.
    FailAfter,
    CutBefore,
    CutAfter,
    /// The answer's body breaks off.
    BreakOff,
    /// No connection.
    NoConnection,
    /// No answer, and nothing was done.
    Hang,
    /// No answer; done after so many seconds, when nobody may be waiting any more.
    HangAndReach(u64),
    /// The answer takes so many seconds, fewer than an attempt may take.
    Slow(u64),
    /// A read is told that there is nothing, as by a replica that lags. For written lives.
    NotShown,
}

/// What happens to the nth invocation of the life, from 1.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Interruption {
    pub(crate) invocation: u32,
    pub(crate) after: Duration,
    pub(crate) how: How,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum How {
    /// The process ends, and CloudFormation calls again at once.
    Killed,
    /// The process ends, and CloudFormation calls again when the 60 seconds are over.
    Vanished,
    /// CloudFormation gives up on it and calls again, while it goes on.
    Abandoned,
}

/// What a person does.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deed {
    pub(crate) at: Duration,
    pub(crate) user: &'static str,
    pub(crate) act: Act,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Act {
    CreateKey,
    /// Of the person's own keys, if there is one.
    DeleteOwnKey,
    /// The rest is done to the youngest key of a stack that the user has.
    DeactivateStackKey,
    DeleteStackKey,
    UseKey,
    /// In the console, which keeps it as a tag of the user.
    ChangeDescription,
    /// When no operation on the user's keys is under way.
    RenameUser,
    /// Whatever is under way.
    RenameUserAtOnce,
    /// A user without keys, which is all that IAM allows, and whatever is under way.
    DeleteUser,
    DeleteSecret,
    ReplicateSecret,
    LoseKmsKey,
}

pub(crate) const REGION: &str = "eu-central-1";
pub(crate) const OTHER_REGION: &str = "us-west-2";
pub(crate) const PREFIX: &str = "cloudformation/iam-access-key/";
pub(crate) const OTHER_PREFIX: &str = "other/iam-access-key/";

/// The users who have been there for long. `bystander` is outside the path.
pub(crate) const OLD_USERS: [&str; 2] = ["alice", "bob"];
pub(crate) const BYSTANDER: &str = "zoe";
/// Users that stacks make.
const NEW_USERS: [&str; 2] = ["app", "ci+deploy,1@example.com"];

const OPERATIONS: [&str; 25] = [
    "CreateAccessKey",
    "CreateAccessKey",
    "CreateAccessKey",
    "CreateSecret",
    "CreateSecret",
    "ListAccessKeys",
    "ListAccessKeys",
    "GetSecretValue",
    "DescribeSecret",
    "DeleteAccessKey",
    "DeleteAccessKey",
    "UpdateAccessKey",
    "DeleteSecret",
    "UpdateSecret",
    "TagResource",
    "UntagResource",
    "GetUser",
    "GetAccessKeyLastUsed",
    "RemoveRegionsFromReplication",
    "ListUsers",
    "CreateSecret of a record",
    "UpdateSecret of a record",
    "DescribeSecret of a record",
    "DeleteSecret of a record",
    "*",
];

const TAGGING: [&str; 3] = ["TagUser", "UntagUser", "ListUserTags"];

/// How many things go wrong, or happen beside, in the largest lives.
const SIZES: usize = 6;

/// How many troubles such a thing is at most.
const TROUBLES_AT_ONCE: usize = 4;

impl Plan {
    /// The life of this seed. Small seeds are short lives with one thing going wrong, large ones of all sizes: rare rolls
    /// of the dice matter in short lives, too.
    pub(crate) fn draw(seed: u64) -> Self {
        let dice = &mut Rng::with_seed(seed ^ 0x5eed_1a2b_3c4d_5e6f);
        let size = usize::try_from(seed / 250 + 1).unwrap_or(SIZES);
        let size = if size <= SIZES { size } else { dice.usize(1..=SIZES) };
        let mut plan = Self {
            dice: dice.u64(..),
            lag: pick(dice, &[Lag::None, Lag::Usual, Lag::Usual, Lag::Flapping]),
            role: pick(dice, &[Role::Wide, Role::Path]),
            gone_keys_are_denied: dice.bool(),
            clock_ahead: if dice.u8(..4) == 0 { dice.i64(-8..=8) } else { 0 },
            undo: pick(dice, &[Undo::Failed, Undo::Old, Undo::OldWithHint]),
            tokens: match dice.u8(..20) {
                0 => Tokens::AnotherInCallbacks,
                1 => Tokens::None,
                _ => Tokens::One,
            },
            stacks: vec![StackPlan::draw(dice, size)],
            ..Self::default()
        };
        for _ in 0..size {
            match dice.u8(..8) {
                0..3 => {
                    let count = dice.usize(1..=size.min(TROUBLES_AT_ONCE));
                    plan.troubles.extend((0..count).map(|_| Trouble::draw(dice)));
                }
                3..5 => plan.interruptions.push(Interruption::draw(dice)),
                5 | 6 => {
                    let user = plan.stacks[0].user;
                    plan.deeds.push(Deed::draw(dice, user));
                }
                _ if plan.stacks.len() == 1 && size > 1 => {
                    let beside = StackPlan::draw_beside(dice, size, &plan.stacks[0]);
                    plan.stacks.push(beside);
                }
                _ => plan.stacks[0].steps.push(Step::draw(dice)),
            }
        }
        plan.describe(&mut Rng::with_seed(seed ^ 0xde5c_1b3d));
        plan
    }

    /// Gives some lives descriptions, and what may go wrong with them. By dice of its own, so that the others stay as they are.
    fn describe(&mut self, dice: &mut Rng) {
        if dice.u8(..3) > 0 {
            return;
        }
        self.tagging = pick(dice, &[Tagging::Allowed, Tagging::Allowed, Tagging::Unseen, Tagging::Denied]);
        for stack in &mut self.stacks {
            stack.description = pick(dice, &[None, Some("payments"), Some("orders"), Some("")]);
            for _ in 0..dice.usize(..3) {
                let description = pick(dice, &["payments", "orders", ""]);
                let step = match dice.u8(..3) {
                    0 => Step::StatusTagAndDescription(
                        pick(dice, &[Status::Active, Status::Inactive]),
                        pick(dice, &["blue", "green"]),
                        description,
                    ),
                    _ => Step::Describe(description),
                };
                stack.steps.insert(dice.usize(..=stack.steps.len()), step);
            }
        }
        for _ in 0..dice.usize(..3) {
            self.troubles.push(Trouble { operation: pick(dice, &TAGGING), ..Trouble::draw(dice) });
        }
        if dice.u8(..4) == 0 {
            let user = self.stacks[0].user;
            self.deeds.push(Deed { act: Act::ChangeDescription, ..Deed::draw(dice, user) });
        }
    }

    /// Whether `ListAccessKeys` answers a key a page. IAM may answer less than it is asked for.
    pub(crate) fn keys_are_paged(&self) -> bool {
        self.dice / 2 % 4 == 3
    }

    /// From when on nothing goes wrong any more.
    pub(crate) fn calm_from(&self) -> Duration {
        let ends = self.troubles.iter().map(|trouble| match trouble.when {
            When::Nth(_) => 0,
            When::Between(_, to) => to,
        });
        Duration::from_secs(ends.max().unwrap_or_default())
    }

    /// Whether nothing goes wrong at all.
    pub(crate) fn is_calm(&self) -> bool {
        self.tagging != Tagging::Denied
            && self.troubles.is_empty()
            && self.interruptions.is_empty()
            && self.deeds.is_empty()
    }

    /// Whether nothing goes wrong but that secrets cannot be decrypted any more.
    pub(crate) fn is_calm_but_for_kms(&self) -> bool {
        let is_about_kms = |deed: &Deed| deed.act == Act::LoseKmsKey;
        self.troubles.is_empty() && self.interruptions.is_empty() && self.deeds.iter().all(is_about_kms)
    }

    /// Every plan that is this one without one of its parts.
    pub(crate) fn smaller(&self) -> Vec<Self> {
        let mut plans = vec![];
        for index in 0..self.troubles.len() {
            plans.push(without(self, |plan| _ = plan.troubles.remove(index)));
        }
        for index in 0..self.interruptions.len() {
            plans.push(without(self, |plan| _ = plan.interruptions.remove(index)));
        }
        for index in 0..self.deeds.len() {
            plans.push(without(self, |plan| _ = plan.deeds.remove(index)));
        }
        for index in 0..self.stacks.len() {
            if self.stacks.len() > 1 {
                plans.push(without(self, |plan| _ = plan.stacks.remove(index)));
            }
            if self.stacks[index].description.is_some() {
                plans.push(without(self, |plan| plan.stacks[index].description = None));
            }
            if self.stacks[index].keys > 1 {
                plans.push(without(self, |plan| plan.stacks[index].keys = 1));
            }
            for step in 0..self.stacks[index].steps.len() {
                plans.push(without(self, |plan| _ = plan.stacks[index].steps.remove(step)));
            }
        }
        for lag in [Lag::None, Lag::Usual] {
            if self.lag != lag && self.lag != Lag::None {
                plans.push(without(self, |plan| plan.lag = lag));
            }
        }
        if self.tokens != Tokens::One {
            plans.push(without(self, |plan| plan.tokens = Tokens::One));
        }
        if self.tagging != Tagging::Allowed {
            plans.push(without(self, |plan| plan.tagging = Tagging::Allowed));
        }
        if self.clock_ahead != 0 {
            plans.push(without(self, |plan| plan.clock_ahead = 0));
        }
        plans
    }
}

fn without(plan: &Plan, change: impl FnOnce(&mut Plan)) -> Plan {
    let mut smaller = plan.clone();
    change(&mut smaller);
    smaller
}

impl StackPlan {
    fn draw(dice: &mut Rng, size: usize) -> Self {
        let makes_user = dice.bool();
        let steps = (0..dice.usize(..=size)).map(|_| Step::draw(dice)).collect();
        Self {
            starts: Duration::ZERO,
            region: REGION,
            prefix: PREFIX,
            user: if makes_user { pick(dice, &NEW_USERS) } else { pick(dice, &OLD_USERS) },
            makes_user,
            keys: 1 + usize::from(dice.u8(..4) == 0),
            status: if dice.u8(..4) == 0 { Status::Inactive } else { Status::Active },
            description: None,
            steps: [steps, if dice.u8(..3) == 0 { vec![] } else { vec![Step::Delete] }].concat(),
        }
    }

    /// Another region's stack, or another type's, on the same user.
    fn draw_beside(dice: &mut Rng, size: usize, first: &Self) -> Self {
        let latest = if dice.bool() { 4_000 } else { 20_000 };
        let starts = dice.u64(..latest);
        let (region, prefix) = if dice.bool() { (OTHER_REGION, PREFIX) } else { (REGION, OTHER_PREFIX) };
        let starts = Duration::from_millis(starts);
        Self { starts, region, prefix, user: first.user, makes_user: false, keys: 1, ..Self::draw(dice, size) }
    }
}

impl Step {
    fn draw(dice: &mut Rng) -> Self {
        match dice.u8(..12) {
            0 => Self::Wait(Duration::from_secs(pick(dice, &[5, 60, 1000]))),
            1 => Self::Status(Status::Inactive),
            2 => Self::Status(Status::Active),
            3 | 10 => Self::Tag(pick(dice, &["blue", "green"])),
            4..7 => Self::Rotate { rolls_back: dice.u8(..3) == 0 },
            7 | 8 => Self::Read,
            9 => Self::List,
            _ => Self::StatusAndTag(pick(dice, &[Status::Active, Status::Inactive]), pick(dice, &["blue", "green"])),
        }
    }
}

impl Trouble {
    fn draw(dice: &mut Rng) -> Self {
        let from = dice.u64(..120);
        let fault = match dice.u8(..11) {
            0 => Fault::Refuse,
            1 => Fault::Throttle,
            2 => Fault::Fail,
            3 => Fault::FailAfter,
            4 => Fault::CutBefore,
            5 => Fault::CutAfter,
            6 => Fault::BreakOff,
            7 => Fault::NoConnection,
            8 => Fault::Hang,
            9 => Fault::Slow(dice.u64(1..=3)),
            _ => Fault::HangAndReach(dice.u64(..15)),
        };
        let when = if dice.u8(..3) == 0 {
            When::Between(from, from + pick(dice, &[5, 20, 60, 300]))
        } else {
            When::Nth(if dice.bool() { dice.u32(1..=3) } else { dice.u32(1..=12) })
        };
        Self { operation: pick(dice, &OPERATIONS), when, fault }
    }
}

impl Interruption {
    fn draw(dice: &mut Rng) -> Self {
        let milliseconds = if dice.bool() { dice.u64(..400) } else { dice.u64(..20_000) };
        Self {
            invocation: dice.u32(1..=4),
            after: Duration::from_millis(milliseconds),
            how: pick(dice, &[How::Killed, How::Killed, How::Vanished, How::Abandoned]),
        }
    }
}

impl Deed {
    fn draw(dice: &mut Rng, user: &'static str) -> Self {
        let milliseconds = if dice.bool() { dice.u64(..4_000) } else { dice.u64(..120_000) };
        Self {
            at: Duration::from_millis(milliseconds),
            user,
            act: match dice.u8(..14) {
                0..4 => Act::CreateKey,
                4 => Act::DeleteOwnKey,
                5 => Act::DeactivateStackKey,
                6 => Act::DeleteStackKey,
                7 => Act::UseKey,
                8 => Act::RenameUser,
                9 => Act::DeleteSecret,
                10 => Act::ReplicateSecret,
                11 => Act::RenameUserAtOnce,
                12 => Act::DeleteUser,
                _ => Act::LoseKmsKey,
            },
        }
    }
}

fn pick<T: Copy>(dice: &mut Rng, among: &[T]) -> T {
    among[dice.usize(..among.len())]
}
