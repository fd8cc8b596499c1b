//! Values of a spec: one function per kind, from TOML to a typed value or a problem that points at it.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::diagnostic::{At, Problem, Span};

/// A value as the parser leaves it.
pub(super) type Value<'a> = &'a Spanned<DeValue<'a>>;

/// Where a value stands.
pub(super) fn span(value: Value<'_>) -> Span {
    let range = value.span();
    Span { start: range.start, end: range.end }
}

fn expected(value: Value<'_>, what: &str) -> Problem {
    let found = value.get_ref().type_str();
    Problem::new(format!("expected {what}, found {} {found}", article(found))).at(span(value), format!("not {what}"))
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

/// A string.
pub(super) fn string(value: Value<'_>) -> Result<At<String>, Problem> {
    match value.get_ref().as_str() {
        Some(text) => Ok(At { value: text.to_owned(), span: span(value) }),
        None => Err(expected(value, "a string")),
    }
}

/// `true` or `false`.
pub(super) fn boolean(value: Value<'_>) -> Result<At<bool>, Problem> {
    match value.get_ref().as_bool() {
        Some(flag) => Ok(At { value: flag, span: span(value) }),
        None => Err(expected(value, "true or false")),
    }
}

/// A number that is not negative.
pub(super) fn integer(value: Value<'_>) -> Result<At<u64>, Problem> {
    let Some(digits) = value.get_ref().as_integer() else {
        return Err(expected(value, "an integer"));
    };
    match u64::from_str_radix(digits.as_str(), digits.radix()) {
        Ok(number) => Ok(At { value: number, span: span(value) }),
        Err(_) => {
            Err(Problem::new(format!("{digits} is no number from 0 to 2^64 - 1")).at(span(value), "out of range"))
        }
    }
}

/// An integer, or a string that holds one, decimal or with `0x`.
pub(super) fn address(value: Value<'_>) -> Result<At<u64>, Problem> {
    let Some(text) = value.get_ref().as_str() else {
        return integer(value);
    };
    let number = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(&digits.replace('_', ""), 16),
        None => text.parse(),
    };
    number.map(|number| At { value: number, span: span(value) }).map_err(|_| {
        Problem::new(format!("`{text}` is no address")).at(span(value), "expected a number such as \"0x8000_0000\"")
    })
}

/// Bytes: an integer, or a string with one of the binary units K, M and G.
pub(super) fn size(value: Value<'_>) -> Result<At<u64>, Problem> {
    let Some(text) = value.get_ref().as_str() else {
        return if value.get_ref().is_integer() { integer(value) } else { Err(expected(value, "a size")) };
    };
    let bytes = parse_size(text).ok_or_else(|| {
        Problem::new(format!("`{text}` is no size"))
            .at(span(value), "expected bytes, or a number with K, M or G")
            .help("64K, 2M and 1G are powers of two: 65536, 2097152 and 1073741824 bytes")
    })?;
    Ok(At { value: bytes, span: span(value) })
}

/// `text` in bytes.
pub(crate) fn parse_size(text: &str) -> Option<u64> {
    let (digits, shift) = match text.char_indices().last()? {
        (at, 'K') => (&text[..at], 10),
        (at, 'M') => (&text[..at], 20),
        (at, 'G') => (&text[..at], 30),
        _ => (text, 0),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(1 << shift)
}

/// The elements of a list.
pub(super) fn array(value: Value<'_>) -> Result<Vec<Value<'_>>, Problem> {
    match value.get_ref().as_array() {
        Some(elements) => Ok(elements.iter().collect()),
        None => Err(expected(value, "a list")),
    }
}

/// A table.
pub(super) fn table(value: Value<'_>) -> Result<&DeTable<'_>, Problem> {
    value.get_ref().as_table().ok_or_else(|| expected(value, "a table"))
}

#[cfg(test)]
mod tests {
    use super::parse_size;

    #[test]
    fn sizes_have_binary_units() {
        assert_eq!(parse_size("4096"), Some(4096));
        assert_eq!(parse_size("64K"), Some(0x1_0000));
        assert_eq!(parse_size("2M"), Some(0x20_0000));
        assert_eq!(parse_size("1G"), Some(0x4000_0000));
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in ["", "K", "-4K", "64k", "4 K", "1.5M", "64KB", "99999999999G", "0x1000", "+4K"] {
            assert_eq!(parse_size(text), None, "{text:?}");
        }
    }
}
