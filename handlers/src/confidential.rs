//! What no message and no log line quotes, although a service may.

use std::{cmp::Reverse, sync::Arc};

use access_key_schema::{AccessKey, CallerCredentials, Request, Secret};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

/// The shortest text that is searched for, in bytes. A shorter text occurs in many messages by chance, and hiding it would
/// destroy them. No credential is so short.
const MIN_LENGTH: usize = 8;

/// Replaces a name that IAM does not know.
const HIDDEN_NAME: &str = "[UserName]";

/// What a URL and a canonical request encode: all but the unreserved characters.
const ENCODED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The secrets of an invocation, and the values of its request that name nothing in AWS. Cheap to clone.
///
/// A service may quote what it was sent: the message about a refused signature is the whole request, the one about a refused
/// value is the value. So each text of a service is searched for these before it becomes a part of a message.
#[derive(Clone, Debug, Default)]
pub struct Confidential(Arc<[Secret]>);

impl Confidential {
    /// What an invocation hides: its caller's credentials, the token of its operation, and the values of tags, `Description`,
    /// `PgpKey` and `SesSmtpRegion`. The names of users, keys and secrets are not hidden: they say what a message is about.
    #[must_use]
    pub fn of(caller: &CallerCredentials, request: &Request) -> Self {
        let CallerCredentials { secret_access_key, session_token, .. } = caller;
        let context = &request.context;
        let credentials = [
            Some(secret_access_key.expose()),
            session_token.as_ref().map(Secret::expose),
            context.client_request_token.as_deref(),
        ];
        let stack_tags = context.stack_tags.values().chain(context.previous_stack_tags.values()).map(String::as_str);
        let models = [Some(&request.desired), request.previous.as_ref()].into_iter().flatten();
        // The stack's own region stands in every ARN.
        let values = stack_tags.chain(models.flat_map(values)).filter(|value| *value != request.region);
        Self::new(credentials.into_iter().flatten().chain(values))
    }

    /// Hides each line of these texts, as it is and URL-encoded.
    pub(crate) fn new<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        let lines = texts.into_iter().flat_map(str::lines).map(str::trim).filter(|line| line.len() >= MIN_LENGTH);
        let spellings = lines.flat_map(|line| [line.to_owned(), utf8_percent_encode(line, ENCODED).to_string()]);
        let mut hidden: Vec<_> = spellings.map(Secret::new).collect();
        // The longest first: one may be a part of another.
        hidden.sort_by_key(|text| Reverse(text.expose().len()));
        Self(hidden.into())
    }

    /// The text without what is hidden.
    pub(crate) fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, hidden| text.replace(hidden.expose(), "[redacted]"))
    }
}

/// The text without the name, except where the name is a part of another one.
///
/// Until IAM knows the name, it may be a secret that a template gives by mistake.
pub(crate) fn without_name(text: &str, name: &str) -> String {
    // Names may hold punctuation, but texts put it around them.
    let is_of_name = |character: char| character.is_ascii_alphanumeric();
    let (mut shown, mut rest) = (String::with_capacity(text.len()), text);
    while let Some(start) = rest.find(name) {
        let (before, found) = rest.split_at(start);
        let after = &found[name.len()..];
        let begins = before.chars().next_back().or(shown.chars().next_back()).is_none_or(|before| !is_of_name(before));
        let ends = after.chars().next().is_none_or(|after| !is_of_name(after));
        shown.push_str(before);
        shown.push_str(if begins && ends { HIDDEN_NAME } else { name });
        rest = after;
    }
    shown + rest
}

/// The values of a model that name nothing in AWS.
fn values(model: &AccessKey) -> impl Iterator<Item = &str> {
    let tags = model.tags.iter().flatten().map(|tag| tag.value.as_str());
    let values = [&model.description, &model.pgp_key, &model.ses_smtp_region];
    tags.chain(values.into_iter().filter_map(Option::as_deref))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_hidden_where_it_stands_alone() {
        for (text, name, shown) in [
            ("user hunter2 cannot be found.", "hunter2", "user [UserName] cannot be found."),
            ("hunter2: user/hunter2, hunter2", "hunter2", "[UserName]: user/[UserName], [UserName]"),
            ("UserName=hunter2&a 'hunter2'", "hunter2", "UserName=[UserName]&a '[UserName]'"),
            ("The user u. User u", "u", "The user [UserName]. User [UserName]"),
            ("hunter22 and xhunter2", "hunter2", "hunter22 and xhunter2"),
            ("aa", "a", "aa"),
        ] {
            assert_eq!(without_name(text, name), shown);
        }
    }

    #[test]
    fn a_text_is_hidden_url_encoded_and_line_by_line_too_but_no_short_text() {
        let confidential =
            Confidential::new(["wJalr/XUtn+FEMI=", "-----BEGIN\r\n mQENBGY1\n", "BEGIN", "", "payments"]);
        for (text, redacted) in [
            ("x-amz-security-token:wJalr/XUtn+FEMI=;", "x-amz-security-token:[redacted];"),
            ("Token=wJalr%2FXUtn%2BFEMI%3D&Action", "Token=[redacted]&Action"),
            (r"-----BEGIN\r\n mQENBGY1\n", r"[redacted]\r\n [redacted]\n"),
            ("team payments, BEGIN", "team [redacted], BEGIN"),
            ("nothing of it", "nothing of it"),
        ] {
            assert_eq!(confidential.redact(text), redacted);
        }
        assert!(!format!("{confidential:?}").contains("wJalr"));
    }

    #[test]
    fn of_two_texts_of_which_one_is_a_part_of_the_other_both_are_hidden_whole() {
        let confidential = Confidential::new(["abcdefgh", "abcdefghijkl"]);
        assert_eq!(confidential.redact("abcdefghijkl abcdefgh"), "[redacted] [redacted]");
    }
}
