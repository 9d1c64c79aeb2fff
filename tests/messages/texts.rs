//! Whether every text of the code is in a case.
//!
//! A text is a string with a space in it. It is shown when a case's message holds it, with anything in the place of what
//! `format!` fills in.

use std::{collections::BTreeSet, fs, path::PathBuf};

use libtest_mimic::Failed;
use proc_macro2::{TokenStream, TokenTree, token_stream::IntoIter};
use regex::Regex;
use serde::Deserialize;

use crate::{files, root};

/// What is written to the log alone. A case shows the WARN lines.
const LOG: [&str; 2] = ["error", "info"];

/// The texts that no case shows, by their beginnings, and why.
const WITHOUT_A_CASE: &[(&str, &str)] = &[
    (", expected ", "where the words of serde are cut off"),
    ("----", "how a key in text begins"),
    (". Shorten Tags", "takes 50 tags as long as they may be, of characters of four bytes each"),
    ("Access key {id} of IAM user", "the description of a stored secret"),
    ("An attempt of CloudFormation", "the description of a record"),
    ("CloudWatch Logs", "the telemetry's own: tests/deliveries"),
    ("DSA of this size", "takes numbers that are larger than any that are in use"),
    ("Encrypting to", "a bug alone: it was encrypted to the same key before"),
    ("Resource Type definition", "the registry schema"),
    ("Settings of an account", "the registry schema"),
    ("PRIVATE KEY-----", "how a key in text begins"),
    ("RSA of this size", "takes a key of more than 8192 bits"),
    ("The SES SMTP password", "a bug alone: HMAC takes keys of any length"),
    ("The position of the next page", "a bug alone: it is two strings"),
    ("The registry schema is broken", "a bug alone: the schema is the same in every request"),
    ("The secret of access key {} could", "a bug alone: it is strings and numbers"),
    ("This program runs", "what the program writes where there is no Lambda"),
    ("has more than 10,000 values", "tests/binary/bad_requests.rs"),
    ("has 1 MB or more", "only a key from Keybase is so long"),
    ("is an OpenPGP key of more than", "takes 10,000 packets: pgp/tests/hostile.rs"),
    ("it unpacks to more than 6 MB", "tests/binary/bad_requests.rs"),
    ("logs not delivered", "tests/deliveries"),
    ("metrics not delivered", "tests/deliveries"),
    ("more was logged than", "telemetry/lines.rs"),
    ("the request could not be built", "a bug alone: the SDK refuses its own input"),
    ("too little of the invocation", "a bug alone: time_budget.rs proves that there is enough"),
    ("waiting for what comes", "a log line"),
    ("waiting until", "a log line"),
    ("{seconds} seconds after 1970", "no date of OpenPGP is so late that it cannot be written"),
];

#[derive(Deserialize)]
struct Case {
    event: Option<Event>,
}

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    message: String,
    #[serde(default)]
    warnings: Vec<String>,
}

pub(crate) fn check(cases: &[PathBuf]) -> Result<(), Failed> {
    let messages = cases.iter().map(|path| {
        let case: Case = toml::from_str(&fs::read_to_string(path).unwrap()).unwrap();
        case.event.map(|event| format!("{}\n{}", event.message, event.warnings.join("\n"))).unwrap_or_default()
    });
    let messages = messages.collect::<Vec<_>>().join("\n");
    let (shown, hidden): (Vec<_>, Vec<_>) = texts().into_iter().partition(|text| pattern(text).is_match(&messages));
    let is_known = |text: &&String| WITHOUT_A_CASE.iter().any(|(beginning, _)| text.starts_with(beginning));
    let missing = hidden.iter().filter(|text| !is_known(text)).map(|text| format!("no case shows {text:?}"));
    let stale = WITHOUT_A_CASE.iter().filter(|(beginning, _)| {
        shown.iter().any(|text| text.starts_with(beginning)) || !hidden.iter().any(|text| text.starts_with(beginning))
    });
    let stale = stale.map(|(beginning, _)| format!("a case shows it, or it is gone: {beginning:?}"));
    let mistakes: Vec<_> = missing.chain(stale).collect();
    if mistakes.is_empty() { Ok(()) } else { Err(mistakes.join("\n").into()) }
}

/// The texts of the four crates, without those of their unit tests.
fn texts() -> BTreeSet<String> {
    let mut texts = BTreeSet::new();
    for directory in ["runtime/src", "schema/src", "handlers/src", "src"] {
        for path in files(&root().join(directory), "rs") {
            if !path.components().any(|part| part.as_os_str() == "tests") && !path.ends_with("tests.rs") {
                collect(fs::read_to_string(path).unwrap().parse().unwrap(), &mut texts);
            }
        }
    }
    texts
}

fn collect(tokens: TokenStream, texts: &mut BTreeSet<String>) {
    let mut tokens = tokens.into_iter();
    let mut word_before = String::new();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => skip_attribute(&mut tokens),
            TokenTree::Punct(mark) if mark.as_char() == '!' && LOG.contains(&word_before.as_str()) => {
                tokens.next();
            }
            TokenTree::Group(group) => collect(group.stream(), texts),
            TokenTree::Literal(literal) => {
                if let Ok(text) = syn::parse_str::<syn::LitStr>(&literal.to_string())
                    && text.value().contains(' ')
                {
                    texts.insert(text.value());
                }
            }
            TokenTree::Ident(word) => {
                word_before = word.to_string();
                continue;
            }
            TokenTree::Punct(_) => {}
        }
        word_before.clear();
    }
}

/// Skips an attribute, such as a doc comment, and with `#[cfg(test)]` what stands under it.
fn skip_attribute(tokens: &mut IntoIter) {
    let attribute = tokens.find(|token| matches!(token, TokenTree::Group(_)));
    if attribute.is_some_and(|attribute| attribute.to_string().replace(' ', "") == "[cfg(test)]") {
        tokens.find(|token| match token {
            TokenTree::Group(_) => true,
            TokenTree::Punct(mark) => mark.as_char() == ';',
            _ => false,
        });
    }
}

/// What a text becomes in a message: anything may stand in a place of `format!`.
fn pattern(text: &str) -> Regex {
    let text = text.replace("{{", "\u{1}").replace("}}", "\u{2}");
    let place = Regex::new(r"\{[^{}]*\}").unwrap();
    let parts: Vec<_> = place.split(&text).map(regex::escape).collect();
    Regex::new(&parts.join(".*").replace('\u{1}', r"\{").replace('\u{2}', r"\}")).unwrap()
}
