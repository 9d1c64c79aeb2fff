//! Every text that a stack event can show, whole, as its reader gets it: one file in `cases` is one event.
//!
//! A case is data: a request, what AWS answers to each call, and what comes of it: the progress event, and the WARN lines
//! of the log. The function itself answers, in this process and on simulated time, so that waiting takes none.
//! `UPDATE_MESSAGES=1 cargo test --test messages` writes these anew; the difference is for a person to read.
//!
//! `texts.rs` holds the cases against the code: a text of the code that no case shows fails the test.
#![allow(clippy::unwrap_used, missing_docs)]

mod aws;
mod case;
mod keybase;
mod texts;

use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
};

use libtest_mimic::{Arguments, Trial};

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let cases = files(&root().join("tests/messages/cases"), "toml");
    let mut trials = vec![Trial::test("every_text_of_the_code_is_in_a_case", {
        let cases = cases.clone();
        move || texts::check(&cases)
    })];
    trials.extend(cases.into_iter().map(|path| Trial::test(name(&path), move || case::check(&path))));
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `create/quota_full` for `…/cases/create/quota_full.toml`.
fn name(path: &Path) -> String {
    let mut parts = path.with_extension("").into_os_string().into_string().unwrap();
    parts.drain(..parts.find("/cases/").unwrap() + "/cases/".len());
    parts
}

/// The files with this extension in `directory` and all below it, in order.
fn files(directory: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found = vec![];
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path, extension));
        } else if path.extension().is_some_and(|ending| ending == extension) {
            found.push(path);
        }
    }
    found.sort();
    found
}
