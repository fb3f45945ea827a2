//! How numbers are written, the same everywhere in a report.

/// How a number is written: thousands apart, no zero before the point, "–" unless finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// So many decimals: `.1234`, `22,363`, `−1.50`.
    Decimals(u8),
    /// So many decimals after a sign: `+.0123`, `−.0045`.
    Signed(u8),
    /// At most so many significant digits, as few as say the same: `.000123`, `5`, `1.2e-9`.
    Significant(u8),
}

impl Format {
    /// This number as text.
    pub fn write(self, value: f64) -> String {
        let size = value.abs();
        if !value.is_finite() {
            return "–".to_owned();
        }
        if size >= 1e15 {
            return format!("{value:.3e}").replace('-', "−");
        }
        match self {
            Self::Decimals(decimals) => fixed(value, decimals.into(), ""),
            Self::Signed(decimals) => fixed(value, decimals.into(), "+"),
            Self::Significant(_) if value == 0.0 => "0".to_owned(),
            Self::Significant(digits) => {
                let digits = i32::from(digits.max(1));
                if size < 1e-5 {
                    return format!("{value:.*e}", digits as usize - 1).replace('-', "−");
                }
                let decimals = (digits - 1 - size.log10().floor() as i32).max(0) as usize;
                let text = fixed(value, decimals, "");
                match text.contains('.') {
                    true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
                    false => text,
                }
            }
        }
    }

    /// Without a sign before positive numbers, as a standard error is written.
    pub(super) fn unsigned(self) -> Self {
        match self {
            Self::Signed(decimals) => Self::Decimals(decimals),
            other => other,
        }
    }
}

fn fixed(value: f64, decimals: usize, plus: &str) -> String {
    let digits = format!("{:.decimals$}", value.abs());
    let (whole, fraction) = digits.split_once('.').unwrap_or((&digits, ""));
    let mut text = match digits.bytes().any(|byte| byte.is_ascii_digit() && byte != b'0') {
        // What rounds to zero has no sign.
        false => String::new(),
        true if value < 0.0 => "−".to_owned(),
        true => plus.to_owned(),
    };
    if fraction.is_empty() || whole != "0" {
        for (position, digit) in whole.chars().enumerate() {
            if position > 0 && (whole.len() - position) % 3 == 0 {
                text.push(',');
            }
            text.push(digit);
        }
    }
    if !fraction.is_empty() {
        text.push('.');
        text.push_str(fraction);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::Format::{Decimals, Signed, Significant};

    #[test]
    fn numbers_are_written_as_documented() {
        let cases = [
            (Decimals(4), 0.12344, ".1234"),
            (Decimals(4), -0.00001, ".0000"),
            (Decimals(0), 22_363.0, "22,363"),
            (Decimals(0), 0.0, "0"),
            (Decimals(2), -1_234_567.891, "−1,234,567.89"),
            (Decimals(2), 1e300, "1.000e300"),
            (Signed(4), 0.0123, "+.0123"),
            (Signed(4), -0.0045, "−.0045"),
            (Signed(2), 0.001, ".00"),
            (Significant(3), 0.000_123_4, ".000123"),
            (Significant(3), 5.0, "5"),
            (Significant(3), 100.0, "100"),
            (Significant(3), 12_345.6, "12,346"),
            (Significant(2), 1.2e-9, "1.2e−9"),
            (Significant(3), 0.9999, "1"),
            (Significant(3), 0.0, "0"),
        ];
        for (format, value, expected) in cases {
            assert_eq!(format.write(value), expected, "{format:?} of {value}");
        }
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(Decimals(4).write(value), "–");
        }
    }
}
