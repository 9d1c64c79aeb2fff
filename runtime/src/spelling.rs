//! Numbers and booleans as CloudFormation spells them: it may send every primitive as a string.

use serde::{Deserialize, Deserializer, de::Error};
use serde_json::Value;
use serde_with::DeserializeAs;

/// Reads a whole number, however CloudFormation spells it, for `#[serde_as]` on a field.
pub struct WholeNumber;

impl WholeNumber {
    /// The number that `value` spells: as a JSON number that may end in `.0`, or as a string, which may have blanks around it and
    /// a `+` before it. CloudFormation accepts neither `"1e3"` nor `"30.0"` as a number (measured on AWS: cdkd 2699).
    #[must_use]
    pub fn of(value: &Value) -> Option<i64> {
        match value {
            Value::String(digits) => digits.trim().parse().ok(),
            // Rust writes a float without an exponent, and a whole one without a fraction.
            Value::Number(number) => number.as_i64().or_else(|| number.as_f64()?.to_string().parse().ok()),
            _ => None,
        }
    }
}

impl<'de, T: TryFrom<i64>> DeserializeAs<'de, T> for WholeNumber {
    fn deserialize_as<D: Deserializer<'de>>(value: D) -> Result<T, D::Error> {
        let number = Self::of(&Value::deserialize(value)?).and_then(|number| T::try_from(number).ok());
        number.ok_or_else(|| D::Error::custom("expected a whole number"))
    }
}

/// The boolean that `text` names, in any case and with blanks around it, as AWS's runtimes read it.
#[must_use]
pub fn boolean(text: &str) -> Option<bool> {
    text.trim().to_ascii_lowercase().parse().ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_number_is_read_from_each_spelling_of_cloudformations_and_no_other() {
        for spelling in [json!(5), json!(5.0), json!("5"), json!(" 5 "), json!("+5"), json!("05"), json!("\t5\n")] {
            assert_eq!(WholeNumber::of(&spelling), Some(5), "{spelling}");
        }
        for (spelling, number) in [
            (json!(20_261_129.0), 20_261_129),
            (json!(-0.0), 0),
            (json!("-9223372036854775808"), i64::MIN),
            (json!(i64::MAX), i64::MAX),
        ] {
            assert_eq!(WholeNumber::of(&spelling), Some(number), "{spelling}");
        }
        for text in ["", "  ", "1e3", "30.0", "0x5", "5_000", "5,000", "+ 5", "--5", "five", "9223372036854775808"] {
            assert_eq!(WholeNumber::of(&json!(text)), None, "{text:?}");
        }
        for other in
            [json!(2.5), json!(1e300), json!(9_223_372_036_854_775_808_u64), json!(true), json!([5]), json!({})]
        {
            assert_eq!(WholeNumber::of(&other), None, "{other}");
        }
    }

    #[test]
    fn a_boolean_is_read_in_any_case_and_nothing_else_is_one() {
        for (text, expected) in [
            ("true", Some(true)),
            (" True ", Some(true)),
            ("FALSE", Some(false)),
            ("", None),
            ("yes", None),
            ("1", None),
        ] {
            assert_eq!(boolean(text), expected, "{text:?}");
        }
    }
}
