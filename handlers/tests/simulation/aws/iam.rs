//! IAM: users, their access keys, and the Query protocol's answers.

use std::{collections::BTreeMap, time::Duration};

use super::{
    Answer, Refusal,
    replica::{Moment, Read, Replicated},
};
use crate::{
    plan::{Plan, REACHED_PATH, Role, Tagging},
    world::{self, Maker},
};

/// IAM allows this many access keys per user.
pub(crate) const KEYS_PER_USER: usize = 2;

/// How many users a page of `ListUsers` holds at most: few, so that there are pages. IAM may answer less than it is asked for.
const USERS_PER_PAGE: usize = 2;

#[derive(Debug, Default)]
pub(crate) struct Iam {
    pub(crate) users: BTreeMap<String, Replicated<User>>,
    /// In the order in which they were made; deleted ones stay.
    pub(crate) keys: Vec<Key>,
    /// How many keys a user has, from when on.
    counts: Vec<(Duration, String, usize)>,
    /// The tags of users, by the user's name and the tag's key.
    pub(crate) tags: BTreeMap<(String, String), Replicated<String>>,
    role: Role,
    tagging: Tagging,
    gone_keys_are_denied: bool,
    keys_are_paged: bool,
}

#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) path: &'static str,
    /// Since the beginning of the life, or `None`: long before.
    pub(crate) created: Option<Duration>,
}

/// A key, and what only the simulation knows of it.
#[derive(Debug)]
pub(crate) struct Key {
    pub(crate) id: String,
    pub(crate) secret: String,
    pub(crate) maker: Maker,
    pub(crate) created: Duration,
    /// Whether a person has changed, used or deleted it.
    pub(crate) touched: bool,
    pub(crate) state: Replicated<KeyState>,
}

#[derive(Clone, Debug)]
pub(crate) struct KeyState {
    pub(crate) user: String,
    pub(crate) active: bool,
    pub(crate) last_used: Option<Duration>,
}

impl Iam {
    pub(crate) fn new(plan: &Plan) -> Self {
        Self {
            role: plan.role,
            tagging: plan.tagging,
            gone_keys_are_denied: plan.gone_keys_are_denied,
            keys_are_paged: plan.keys_are_paged(),
            ..Self::default()
        }
    }

    /// What the handlers' role is answered. `parameter` gives the parameters of the call.
    pub(crate) fn answer<'p>(
        &mut self,
        operation: &str,
        parameter: impl Fn(&str) -> Option<&'p str>,
        maker: Maker,
        moment: &mut Moment<'_>,
    ) -> Answer {
        let required = |name: &'static str| {
            parameter(name)
                .filter(|value| !value.is_empty())
                .ok_or_else(|| Refusal::new(400, "ValidationError", format!("{name} is missing")))
        };
        match operation {
            "ListAccessKeys" => self.list_access_keys(required("UserName")?, parameter("Marker"), moment),
            "CreateAccessKey" => {
                let user = required("UserName")?;
                self.reached(user, Read::CheckBeforeWrite, moment)?;
                let key = self.create_access_key(user, maker, moment)?;
                let shown = format!("<UserName>{user}</UserName>{}", key.xml(true));
                Ok(answer(operation, &format!("<AccessKey>{shown}</AccessKey>")))
            }
            "UpdateAccessKey" => {
                let (user, id) = (required("UserName")?, required("AccessKeyId")?);
                let active = required("Status")? == "Active";
                self.reached(user, Read::CheckBeforeWrite, moment)?;
                let key = self.visible_key(user, id, moment)?;
                key.change(moment, |state| state.active = active);
                Ok(empty(operation))
            }
            "DeleteAccessKey" => {
                let (user, id) = (required("UserName")?, required("AccessKeyId")?);
                self.reached(user, Read::CheckBeforeWrite, moment)?;
                self.visible_key(user, id, moment)?;
                self.delete_access_key(id, moment);
                Ok(empty(operation))
            }
            "GetAccessKeyLastUsed" => self.get_access_key_last_used(required("AccessKeyId")?, moment),
            "GetUser" => self.get_user(required("UserName")?, moment),
            "ListUserTags" => self.list_user_tags(required("UserName")?, moment),
            "TagUser" => {
                let (user, key) = (required("UserName")?, required("Tags.member.1.Key")?);
                let value = parameter("Tags.member.1.Value").unwrap_or_default().to_owned();
                self.may_tag(operation, user, key)?;
                self.reached(user, Read::CheckBeforeWrite, moment)?;
                self.set_tag(user, key, Some(value), moment);
                Ok(empty(operation))
            }
            "UntagUser" => {
                let (user, key) = (required("UserName")?, required("TagKeys.member.1")?);
                self.may_tag(operation, user, key)?;
                self.reached(user, Read::CheckBeforeWrite, moment)?;
                self.set_tag(user, key, None, moment);
                Ok(empty(operation))
            }
            "ListUsers" => Ok(self.list_users(parameter("Marker"), moment)),
            _ => Err(Refusal::new(400, "InvalidAction", format!("{operation} is not modelled"))),
        }
    }

    /// The keys after that of `marker`: all of them, or one, where keys are paged.
    fn list_access_keys(&self, user: &str, marker: Option<&str>, moment: &mut Moment<'_>) -> Answer {
        self.reached(user, Read::ListAccessKeys, moment)?;
        let (mut members, mut last, mut next) = (String::new(), None, None);
        let from = marker.map_or(0, |marker| self.keys.iter().take_while(|key| key.id != marker).count() + 1);
        for key in self.keys.iter().skip(from) {
            if let Some(state) = key.state.seen(Read::ListAccessKeys, moment).filter(|state| state.user == user) {
                if self.keys_are_paged && last.is_some() {
                    next = last;
                    break;
                }
                let shown = key.xml_as(state, false);
                members.extend(["<member><UserName>", user, "</UserName>", &shown, "</member>"]);
                last = Some(&key.id);
            }
        }
        let more = next.map(|id| format!("<Marker>{id}</Marker>")).unwrap_or_default();
        let truncated = format!("<IsTruncated>{}</IsTruncated>{more}", next.is_some());
        let keys = format!("<AccessKeyMetadata>{members}</AccessKeyMetadata>{truncated}");
        Ok(answer("ListAccessKeys", &format!("<UserName>{user}</UserName>{keys}")))
    }

    /// Makes a key, whoever asks.
    pub(crate) fn create_access_key(
        &mut self,
        user: &str,
        maker: Maker,
        moment: &mut Moment<'_>,
    ) -> Result<&mut Key, Refusal> {
        if self.keys_of(user).count() >= KEYS_PER_USER {
            let message = format!("Cannot exceed quota for AccessKeysPerUser: {KEYS_PER_USER}");
            return Err(Refusal::new(409, "LimitExceeded", message));
        }
        let letter = |letters: &[u8], dice: &mut fastrand::Rng| char::from(letters[dice.usize(..letters.len())]);
        let id = (0..16).map(|_| letter(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", moment.dice)).collect::<String>();
        let secret = (0..30).map(|_| letter(b"abcdefghijklmnopqrstuvwxyzABCDEFGH+/", moment.dice)).collect::<String>();
        let state = KeyState { user: user.to_owned(), active: true, last_used: None };
        self.keys.push(Key {
            id: format!("AKIA{id}"),
            secret: format!("sEcReTkEy/{secret}"),
            maker,
            created: moment.now,
            touched: false,
            state: Replicated::made(state, moment),
        });
        self.count(user, moment.now);
        let made = self.keys.len() - 1;
        Ok(&mut self.keys[made])
    }

    /// Deletes a key, whoever asks.
    pub(crate) fn delete_access_key(&mut self, id: &str, moment: &mut Moment<'_>) {
        let Some(key) = self.keys.iter_mut().find(|key| key.id == id) else { return };
        let Some(user) = key.state.truth().map(|state| state.user.clone()) else { return };
        key.state.write(None, moment);
        self.count(&user, moment.now);
    }

    fn get_access_key_last_used(&self, id: &str, moment: &mut Moment<'_>) -> Answer {
        let key = self.keys.iter().find(|key| key.id == id);
        let Some(state) = key.and_then(|key| key.state.seen(Read::GetAccessKeyLastUsed, moment)) else {
            return Err(if self.gone_keys_are_denied {
                let who = "User: arn:aws:sts::123456789012:assumed-role/access-key-type/1";
                let what = format!("perform iam:GetAccessKeyLastUsed on resource: access key {id}");
                Refusal::new(403, "AccessDenied", format!("{who} is not authorized to {what}"))
            } else {
                no_such_key(id)
            });
        };
        let date = state.last_used.map(|used| format!("<LastUsedDate>{}</LastUsedDate>", world::date(used)));
        let last_used = format!("{}<ServiceName>N/A</ServiceName><Region>N/A</Region>", date.unwrap_or_default());
        let user = &state.user;
        let shown = format!("<UserName>{user}</UserName><AccessKeyLastUsed>{last_used}</AccessKeyLastUsed>");
        Ok(answer("GetAccessKeyLastUsed", &shown))
    }

    fn get_user(&self, user: &str, moment: &mut Moment<'_>) -> Answer {
        let seen = self.users.get(user).and_then(|known| known.seen(Read::GetUser, moment));
        let shown = seen.ok_or_else(|| no_such_user(user))?.xml(user);
        Ok(answer("GetUser", &format!("<User>{shown}</User>")))
    }

    /// What a read of a user's tags learns of the user, and of each tag, it learns when `GetUser` would.
    fn list_user_tags(&self, user: &str, moment: &mut Moment<'_>) -> Answer {
        if self.tagging != Tagging::Allowed {
            return Err(denied("ListUserTags", user));
        }
        self.reached(user, Read::GetUser, moment)?;
        let mut members = String::new();
        for ((_, key), value) in self.tags.iter().filter(|((name, _), _)| name == user) {
            if let Some(value) = value.seen(Read::GetUser, moment) {
                members.extend(["<member><Key>", key, "</Key><Value>", value, "</Value></member>"]);
            }
        }
        Ok(answer("ListUserTags", &format!("<Tags>{members}</Tags><IsTruncated>false</IsTruncated>")))
    }

    /// Whether the role may set and remove tags with this key: those of key ids at most.
    fn may_tag(&self, operation: &str, user: &str, key: &str) -> Result<(), Refusal> {
        let is_allowed = self.tagging != Tagging::Denied && key.starts_with("AKIA");
        if is_allowed { Ok(()) } else { Err(denied(operation, user)) }
    }

    /// Sets or removes a tag, whoever asks.
    pub(crate) fn set_tag(&mut self, user: &str, key: &str, value: Option<String>, moment: &mut Moment<'_>) {
        let tag = self.tags.entry((user.to_owned(), key.to_owned())).or_insert_with(Replicated::nothing);
        if tag.truth() != value.as_ref() {
            tag.write(value, moment);
        }
    }

    /// The value of a user's tag in truth.
    pub(crate) fn tag(&self, user: &str, key: &str) -> Option<&String> {
        self.tags.get(&(user.to_owned(), key.to_owned()))?.truth()
    }

    fn list_users(&self, marker: Option<&str>, moment: &mut Moment<'_>) -> String {
        let after = |name: &&String| marker.is_none_or(|marker| name.as_str() > marker);
        let mut shown: Vec<_> = self.users.keys().filter(after).collect();
        shown.retain(|name| self.users[*name].seen(Read::ListUsers, moment).is_some());
        let next = (shown.len() > USERS_PER_PAGE).then(|| shown[USERS_PER_PAGE - 1]);
        shown.truncate(USERS_PER_PAGE);
        let mut members = String::new();
        for name in shown {
            if let Some(user) = self.users[name].seen(Read::ListUsers, moment) {
                members.extend(["<member>", &user.xml(name), "</member>"]);
            }
        }
        let more = next.map(|name| format!("<Marker>{name}</Marker>")).unwrap_or_default();
        let truncated = next.is_some();
        answer("ListUsers", &format!("<Users>{members}</Users><IsTruncated>{truncated}</IsTruncated>{more}"))
    }

    /// Whether the role may act on this user's keys: a role limited to a path learns of nobody outside it, not even
    /// that there is nobody.
    fn reached(&self, user: &str, read: Read, moment: &mut Moment<'_>) -> Result<(), Refusal> {
        let known = self.users.get(user);
        let seen = known.filter(|known| known.truth().is_some()).and_then(|known| known.seen(read, moment));
        match (self.role, seen) {
            (Role::Wide, Some(_)) | (Role::Path, Some(User { path: REACHED_PATH, .. })) => Ok(()),
            (Role::Wide, None) => Err(no_such_user(user)),
            (Role::Path, _) => Err(denied("it", user)),
        }
    }

    fn visible_key(&mut self, user: &str, id: &str, moment: &mut Moment<'_>) -> Result<&mut Key, Refusal> {
        let is_there = |key: &Key, moment: &mut Moment<'_>| {
            key.id == id
                && key.state.truth().is_some_and(|state| state.user == user)
                && key.state.seen(Read::CheckBeforeWrite, moment).is_some()
        };
        let found = self.keys.iter_mut().find(|key| is_there(key, moment));
        found.ok_or_else(|| no_such_key(id))
    }

    /// Renames a user; the keys go along.
    pub(crate) fn rename(&mut self, user: &str, name: &str, moment: &mut Moment<'_>) {
        let Some(renamed) = self.users.get_mut(user) else { return };
        let Some(state) = renamed.truth().cloned() else { return };
        renamed.write(None, moment);
        self.users.insert(name.to_owned(), Replicated::made(state, moment));
        let tags: Vec<_> = self.tags.keys().filter(|(owner, _)| owner == user).cloned().collect();
        for tag in tags {
            if let Some(state) = self.tags.remove(&tag) {
                self.tags.insert((name.to_owned(), tag.1), state);
            }
        }
        for key in &mut self.keys {
            if key.state.truth().is_some_and(|state| state.user == user) {
                key.touched = true;
                key.change(moment, |state| name.clone_into(&mut state.user));
            }
        }
        self.count(user, moment.now);
        self.count(name, moment.now);
    }

    /// Whether there is a user of this name in truth.
    pub(crate) fn has_user(&self, name: &str) -> bool {
        self.users.get(name).is_some_and(|user| user.truth().is_some())
    }

    /// Whether the user is less than half a minute old, which the handlers know from `GetUser`.
    pub(crate) fn is_new(&self, name: &str, now: Duration) -> bool {
        let created = self.users.get(name).and_then(|user| user.truth()?.created);
        created.is_some_and(|created| now < created + Duration::from_secs(30))
    }

    pub(crate) fn key(&self, id: &str) -> Option<&Key> {
        self.keys.iter().find(|key| key.id == id)
    }

    pub(crate) fn key_mut(&mut self, id: &str) -> Option<&mut Key> {
        self.keys.iter_mut().find(|key| key.id == id)
    }

    /// The keys that the user has in truth.
    pub(crate) fn keys_of<'a>(&'a self, user: &'a str) -> impl Iterator<Item = &'a Key> {
        self.keys.iter().filter(move |key| key.state.truth().is_some_and(|state| state.user == user))
    }

    fn count(&mut self, user: &str, now: Duration) {
        let count = self.keys_of(user).count();
        self.counts.push((now, user.to_owned(), count));
    }

    /// Whether the user had as many keys as IAM allows at any moment since `start`.
    pub(crate) fn was_full(&self, user: &str, start: Duration) -> bool {
        let counts = || self.counts.iter().filter(|(_, name, _)| name == user);
        let before = counts().rfind(|(when, ..)| *when <= start);
        let during = counts().filter(|(when, ..)| *when > start);
        before.into_iter().chain(during).any(|(_, _, count)| *count >= KEYS_PER_USER)
    }
}

impl Key {
    pub(crate) fn is_live(&self) -> bool {
        self.state.truth().is_some()
    }

    pub(crate) fn change(&mut self, moment: &mut Moment<'_>, change: impl FnOnce(&mut KeyState)) {
        if let Some(mut state) = self.state.truth().cloned() {
            change(&mut state);
            self.state.write(Some(state), moment);
        }
    }

    fn xml(&self, with_secret: bool) -> String {
        self.state.truth().map(|state| self.xml_as(state, with_secret)).unwrap_or_default()
    }

    fn xml_as(&self, state: &KeyState, with_secret: bool) -> String {
        let status = if state.active { "Active" } else { "Inactive" };
        let secret =
            if with_secret { format!("<SecretAccessKey>{}</SecretAccessKey>", self.secret) } else { String::new() };
        let created = world::date(self.created);
        let id = &self.id;
        format!("<AccessKeyId>{id}</AccessKeyId><Status>{status}</Status>{secret}<CreateDate>{created}</CreateDate>")
    }
}

impl User {
    fn xml(&self, name: &str) -> String {
        let Self { path, created } = self;
        let created = created.map_or_else(|| "2025-06-01T00:00:00Z".to_owned(), world::date);
        format!(
            "<Path>{path}</Path><UserName>{name}</UserName><UserId>AIDA{name}</UserId>\
             <Arn>arn:aws:iam::123456789012:user{path}{name}</Arn><CreateDate>{created}</CreateDate>"
        )
    }
}

fn answer(operation: &str, result: &str) -> String {
    format!("<{operation}Response><{operation}Result>{result}</{operation}Result></{operation}Response>")
}

fn empty(operation: &str) -> String {
    format!("<{operation}Response/>")
}

fn denied(operation: &str, user: &str) -> Refusal {
    let reason = "because no identity-based policy allows it";
    Refusal::new(
        403,
        "AccessDenied",
        format!("not authorized to perform {operation} on resource: user {user} {reason}"),
    )
}

fn no_such_user(user: &str) -> Refusal {
    Refusal::new(404, "NoSuchEntity", format!("The user with name {user} cannot be found."))
}

fn no_such_key(id: &str) -> Refusal {
    Refusal::new(404, "NoSuchEntity", format!("The Access Key with id {id} cannot be found."))
}
