//! JSON with a limited number of values. Two bytes of text, such as `0,` in a list, can take a hundred bytes of memory.

use std::{cell::Cell, fmt};

use serde::{
    Deserializer,
    de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Map, Value};

/// The most values that a request may hold, lists and objects included. The largest that CloudFormation sends has some hundreds.
pub(super) const MAX_VALUES: usize = 10_000;

/// The JSON value that `deserializer` gives. It stops at the first value too many.
///
/// # Errors
/// What the text is instead, without quoting it: "is not JSON: …".
pub(super) fn json<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Value, String> {
    let left = Cell::new(Some(MAX_VALUES));
    Limited(&left).deserialize(deserializer).map_err(|error| match left.get() {
        Some(_) => format!("is not JSON: {error}"),
        None => "has more than 10,000 values".to_owned(),
    })
}

/// Reads a value, and counts it. It holds how many values may follow, or `None` after one too many.
#[derive(Clone, Copy)]
struct Limited<'a>(&'a Cell<Option<usize>>);

impl<'de> DeserializeSeed<'de> for Limited<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.0.set(self.0.get().and_then(|left| left.checked_sub(1)));
        if self.0.get().is_none() {
            return Err(D::Error::custom(""));
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Limited<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut values = vec![];
        while let Some(value) = list.next_element_seed(self)? {
            values.push(value);
        }
        Ok(values.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Value, A::Error> {
        let mut fields = Map::new();
        while let Some(name) = object.next_key()? {
            fields.insert(name, object.next_value_seed(self)?);
        }
        Ok(fields.into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::Deserialize;

    use super::*;

    fn read(text: &str) -> Result<Value, String> {
        json(&mut serde_json::Deserializer::from_str(text))
    }

    #[test]
    fn as_many_values_as_may_be_are_read_and_one_more_is_refused() {
        let list = |zeros: usize| format!("[{}0]", "0,".repeat(zeros - 1));
        assert_eq!(read(&list(MAX_VALUES - 1)).unwrap().as_array().unwrap().len(), MAX_VALUES - 1);
        for text in [
            list(MAX_VALUES),
            format!(r#"{{"x":{}}}"#, list(3_000_000)),
            format!("[{}0]", r#"{"a":[""]},"#.repeat(MAX_VALUES / 3)),
            // Reading ends where there are too many values, so what follows does not matter.
            format!("{} no JSON", list(MAX_VALUES)),
        ] {
            assert_eq!(read(&text).unwrap_err(), "has more than 10,000 values");
        }
    }

    #[test]
    fn a_long_string_is_one_value() {
        let text = format!(r#"["{}"]"#, "k,".repeat(28_000));
        assert_eq!(read(&text).unwrap()[0].as_str().unwrap().len(), 56_000);
    }

    proptest! {
        #[test]
        fn whatever_is_below_the_limit_is_read_as_serde_json_reads_it(
            text in r#"[\[{]?("[a-z"\\u0]{0,4}|[0-9eE.+-]{1,5}|[\[\]{}:, ]{1,3}|true|null){0,8}[\]}]?"#,
        ) {
            let expected = Value::deserialize(&mut serde_json::Deserializer::from_str(&text));
            prop_assert_eq!(read(&text), expected.map_err(|error| format!("is not JSON: {error}")));
        }
    }
}
