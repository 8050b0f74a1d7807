//! How JavaScript turns values into booleans, texts and numbers, and when it calls two of them equal.
//! Never knows formulas.
//!
//! Section numbers are those of ECMA-262. Two objects, or two lists, are never equal here: JavaScript compares their
//! identity, and a formula makes new ones.

use super::Value;

/// `Boolean(x)` (7.1.2).
pub(super) fn truthy(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::Bool(value) => *value,
        Value::Number(number) => *number != 0.0 && !number.is_nan(),
        Value::String(text) => !text.is_empty(),
        Value::Array(_) | Value::Object(_) => true,
    }
}

/// `String(x)` (7.1.17).
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => value.to_string(),
        Value::Number(number) => number_text(*number),
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(item_text).collect::<Vec<_>>().join(","),
        Value::Object(_) => "[object Object]".into(),
    }
}

/// `String(x)` where x may be undefined.
pub(super) fn text_or_undefined(value: Option<&Value>) -> String {
    value.map_or_else(|| "undefined".into(), text)
}

/// `parseFloat(x)` (19.2.4): the number at the beginning, `10` of `10abc`; NaN without one.
pub(super) fn parse_float(value: Option<&Value>) -> f64 {
    let text = text_or_undefined(value);
    let text = trim(&text);
    decimal(decimal_prefix(text)).unwrap_or(f64::NAN)
}

/// `a == b` (7.2.13).
pub(super) fn loosely_equal(a: Option<&Value>, b: Option<&Value>) -> bool {
    match (a, b) {
        (None | Some(Value::Null), None | Some(Value::Null)) => true,
        (None | Some(Value::Null), _) | (_, None | Some(Value::Null)) => false,
        (Some(a), Some(b)) => loosely_equal_values(a, b),
    }
}

/// `list.includes(x)` (23.1.3.16): no conversion; NaN does not occur.
pub(super) fn includes(list: &[Value], wanted: Option<&Value>) -> bool {
    let Some(wanted) = wanted else { return false };
    !is_composite(wanted) && list.contains(wanted)
}

fn loosely_equal_values(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a == b,
        (Value::String(a), Value::String(b)) => a == b,
        (Value::Bool(a), Value::Bool(b)) => a == b,
        (Value::Bool(flag), other) | (other, Value::Bool(flag)) => {
            loosely_equal_values(&Value::Number(f64::from(u8::from(*flag))), other)
        }
        (Value::Number(number), Value::String(text)) | (Value::String(text), Value::Number(number)) => {
            number_of(text) == *number
        }
        (a, b) if is_composite(a) && is_composite(b) => false,
        (list, other) if is_composite(list) => loosely_equal_values(&Value::String(text(list)), other),
        (other, list) => loosely_equal_values(other, &Value::String(text(list))),
    }
}

fn is_composite(value: &Value) -> bool {
    matches!(value, Value::Array(_) | Value::Object(_))
}

/// An item as `Array.prototype.join` writes it: null is empty.
fn item_text(value: &Value) -> String {
    if matches!(value, Value::Null) { String::new() } else { text(value) }
}

/// `Number::toString` (6.1.6.1.20): the shortest digits that name this number.
fn number_text(number: f64) -> String {
    if number.is_nan() {
        return "NaN".into();
    }
    if number.is_infinite() {
        return if number > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    let scientific = format!("{:e}", number.abs());
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let digits: String = mantissa.chars().filter(|c| *c != '.').collect();
    let exponent: i32 = exponent.parse().unwrap_or_default();
    let sign = if number < 0.0 { "-" } else { "" };
    format!("{sign}{}", place_digits(&digits, exponent))
}

/// Writes the digits `d.ddd` times ten to the `exponent`, which is plain between 1e-7 and 1e21.
fn place_digits(digits: &str, exponent: i32) -> String {
    let zeros = |count: i32| "0".repeat(usize::try_from(count).unwrap_or_default());
    let length = i32::try_from(digits.len()).unwrap_or(i32::MAX);
    let whole = exponent + 1;
    if (length..=21).contains(&whole) {
        return format!("{digits}{}", zeros(whole - length));
    }
    if (1..=21).contains(&whole) {
        let (before, after) = digits.split_at(usize::try_from(whole).unwrap_or_default());
        return format!("{before}.{after}");
    }
    if (-5..=0).contains(&whole) {
        return format!("0.{}{digits}", zeros(-whole));
    }
    let (first, rest) = digits.split_at(1);
    let point = if rest.is_empty() { "" } else { "." };
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{first}{point}{rest}e{sign}{}", exponent.abs())
}

/// `Number(text)` (7.1.4.1.1): the whole text must be a number; blank is 0.
pub(super) fn number_of(text: &str) -> f64 {
    let text = trim(text);
    if text.is_empty() {
        return 0.0;
    }
    if let Some(number) = radix_literal(text) {
        return number;
    }
    let prefix = decimal_prefix(text);
    if prefix.len() == text.len() { decimal(prefix).unwrap_or(f64::NAN) } else { f64::NAN }
}

/// `0x1F`, `0o17`, `0b11`, without a sign; None if the text has no such prefix.
fn radix_literal(text: &str) -> Option<f64> {
    let prefix = text.get(..2)?;
    let radix = match prefix {
        "0x" | "0X" => 16,
        "0o" | "0O" => 8,
        "0b" | "0B" => 2,
        _ => return None,
    };
    let digits: Option<Vec<u32>> = text.get(2..)?.chars().map(|c| c.to_digit(radix)).collect();
    match digits {
        Some(digits) if !digits.is_empty() => {
            Some(digits.into_iter().fold(0.0, |number, digit| number * f64::from(radix) + f64::from(digit)))
        }
        _ => Some(f64::NAN),
    }
}

/// The longest beginning that is a decimal literal: sign, digits, fraction, exponent, or `Infinity`.
fn decimal_prefix(text: &str) -> &str {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let sign = text.len() - unsigned.len();
    if unsigned.starts_with("Infinity") {
        return text.get(..sign + "Infinity".len()).unwrap_or_default();
    }
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let after = |at: usize| unsigned.get(at..).unwrap_or_default();
    let whole = digits(unsigned);
    let mut end = whole;
    if after(end).starts_with('.') {
        let fraction = digits(after(end + 1));
        if whole + fraction > 0 {
            end += 1 + fraction;
        }
    }
    if end > 0 && after(end).starts_with(['e', 'E']) {
        let signed = usize::from(after(end + 1).starts_with(['+', '-']));
        let exponent = digits(after(end + 1 + signed));
        if exponent > 0 {
            end += 1 + signed + exponent;
        }
    }
    if end == 0 { "" } else { text.get(..sign + end).unwrap_or_default() }
}

/// The value of a decimal literal. `Infinity` parses as such.
fn decimal(literal: &str) -> Option<f64> {
    literal.parse().ok()
}

/// JavaScript's white space (12.2, 12.3): Unicode's, with the byte order mark and without the next-line character.
fn trim(text: &str) -> &str {
    text.trim_matches(|c: char| c == '\u{FEFF}' || (c.is_whitespace() && c != '\u{85}'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(json: &str) -> Option<Value> {
        (json != "undefined").then(|| serde_json::from_str(json).unwrap())
    }

    #[test]
    fn numbers_print_as_javascript_prints_them() {
        let cases = [
            (1e21, "1e+21"),
            (1e20, "100000000000000000000"),
            (123_456.789, "123456.789"),
            (1e-6, "0.000001"),
            (1e-7, "1e-7"),
            (1.5e-9, "1.5e-9"),
            (1.25e22, "1.25e+22"),
            (-0.0, "0"),
            (-12.5, "-12.5"),
            (9_007_199_254_740_993.0, "9007199254740992"),
            (5e-324, "5e-324"),
        ];
        for (number, expected) in cases {
            assert_eq!(text(&Value::Number(number)), expected);
        }
    }

    #[test]
    fn loose_equality_follows_javascript() {
        let equal = [
            (r#""5""#, "5"),
            ("true", "1"),
            ("0", r#""""#),
            ("null", "undefined"),
            ("5", r#"["5"]"#),
            (r#"" 0x10 ""#, "16"),
            ("false", "[]"),
            (r#""[object Object]""#, "{}"),
            (r#""1e3""#, "1000"),
        ];
        let different = [
            (r#""""#, "null"),
            ("true", r#""true""#),
            (r#""a""#, r#""A""#),
            ("[1]", "[1]"),
            ("{}", "{}"),
            ("0", "null"),
            (r#""1_000""#, "1000"),
            (r#""-0x10""#, "-16"),
            (r#""inf""#, "1"),
        ];
        for (a, b) in equal {
            assert!(loosely_equal(value(a).as_ref(), value(b).as_ref()), "{a} == {b}");
            assert!(loosely_equal(value(b).as_ref(), value(a).as_ref()), "{b} == {a}");
        }
        for (a, b) in different {
            assert!(!loosely_equal(value(a).as_ref(), value(b).as_ref()), "{a} != {b}");
            assert!(!loosely_equal(value(b).as_ref(), value(a).as_ref()), "{b} != {a}");
        }
    }

    #[test]
    fn a_leading_number_is_read_and_the_rest_is_not() {
        let cases = [
            (r#""10abc""#, 10.0),
            (r#"" -1.5e2x""#, -150.0),
            (r#"".5.5""#, 0.5),
            (r#""1e""#, 1.0),
            ("[7, 8]", 7.0),
        ];
        for (json, expected) in cases {
            assert_eq!(parse_float(value(json).as_ref()), expected, "{json}");
        }
        for json in [r#""abc""#, r#""""#, "null", "undefined", "true", r#"".""#, r#""-""#, "{}"] {
            assert!(parse_float(value(json).as_ref()).is_nan(), "{json}");
        }
    }
}
