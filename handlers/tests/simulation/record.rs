//! What a CREATE writes down before it acts: a secret without a value, named after its operation.
//!
//! Its name is `<prefix>operation-<64 hexadecimal digits>.<n>`, and its description a sentence and then JSON.

use serde::Deserialize;
use serde_json::Value;

/// A record as its description tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Record {
    #[serde(rename = "Record")]
    layout: u32,
    /// By which an invocation knows its own record again.
    attempt: Value,
    /// When it was made, in milliseconds since 1970 by the function's clock.
    since: u64,
    /// Since when the operation may have made a key of which it did not learn.
    pub(crate) doubt: Option<u64>,
    pub(crate) access_key_id: Option<String>,
}

impl Record {
    pub(crate) fn read(description: &str) -> Option<Self> {
        let record: Self = serde_json::from_str(&description[description.find('{')?..]).ok()?;
        (record.layout == 1 && !record.attempt.is_null() && record.since > 0).then_some(record)
    }
}

/// The operation's part of a record's name, which all its records have, and nobody else's. `None`: it is no record's name.
pub(crate) fn operation_in(name: &str) -> Option<&str> {
    let (operation, attempt) = name.rsplit_once('.')?;
    let (_, digits) = operation.rsplit_once("operation-")?;
    let is_one = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    (is_one && attempt.parse::<u32>().is_ok_and(|attempt| attempt > 0)).then_some(operation)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_is_known_by_its_name_and_read_from_its_description() {
        let digits = "0123456789abcdef".repeat(4);
        let operation = format!("a/operation-{digits}");
        assert_eq!(operation_in(&format!("{operation}.12")), Some(&*operation));
        let others = [
            operation.clone(),
            format!("{operation}.0"),
            format!("{operation}.x"),
            format!("a/operation-{}.1", &digits[1..]),
            "a/AKIA0123456789ABCDEF".to_owned(),
        ];
        assert!(others.iter().all(|name| operation_in(name).is_none()));
        let json = r#"{"Record":1,"Attempt":"x","Since":1767225600123,"AccessKeyId":"AKIA"}"#;
        let record = Record::read(&format!("A sentence: {json}")).unwrap();
        assert_eq!((record.doubt, record.access_key_id.as_deref()), (None, Some("AKIA")));
        for wrong in ["", "{}", r#"{"UserName":"alice","Serial":1}"#, &json.replace("\"Record\":1", "\"Record\":2")] {
            assert!(Record::read(wrong).is_none(), "{wrong}");
        }
    }
}
