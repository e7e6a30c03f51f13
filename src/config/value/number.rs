//! Truth values, counts, times and sizes. Times and sizes always carry their unit.

use std::time::Duration;

use bytesize::ByteSize;

use super::{Mismatch, Raw, Setting, quoted};

impl Setting for bool {
    fn type_name() -> String {
        "true or false".to_owned()
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        match raw {
            Raw::Boolean(truth) => Ok(*truth),
            Raw::Text(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => Ok(true),
                "false" | "0" | "no" | "off" => Ok(false),
                _ => Err(Mismatch::text(
                    text,
                    "is neither true nor false",
                    "write true or false",
                )),
            },
            other => Err(Mismatch::kind(other, "true or false, without quotes")),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }
}

impl Setting for u32 {
    fn type_name() -> String {
        "count".to_owned()
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        const WANTED: &str = "a whole number, like 8";
        match raw {
            Raw::Integer(number) => Self::try_from(*number)
                .map_err(|_| Mismatch::text(&number.to_string(), "is out of range", WANTED)),
            Raw::Text(text) => text
                .trim()
                .parse()
                .map_err(|_| Mismatch::text(text, "is no whole number", format!("write {WANTED}"))),
            other => Err(Mismatch::kind(
                other,
                "a whole number without quotes, like 8",
            )),
        }
    }

    fn show(&self) -> Option<String> {
        Some(self.to_string())
    }

    fn is_less(&self, other: &Self) -> bool {
        self < other
    }
}

impl Setting for Duration {
    fn type_name() -> String {
        "time with unit".to_owned()
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        const WANTED: &str = "write a time with its unit, like \"2s\", \"15m\" or \"7d\"";
        match raw {
            Raw::Integer(number) => Err(Mismatch::text(&number.to_string(), "has no unit", WANTED)),
            Raw::Text(text) | Raw::String(text) => humantime::parse_duration(text.trim())
                .map_err(|_| Mismatch::text(text, "is no time with a unit", WANTED)),
            other => Err(Mismatch::kind(other, "a time, like \"2s\" or \"15m\"")),
        }
    }

    fn show(&self) -> Option<String> {
        Some(quoted(&show_duration(*self)))
    }

    fn is_less(&self, other: &Self) -> bool {
        self < other
    }
}

/// In the largest unit that leaves no rest.
fn show_duration(duration: Duration) -> String {
    const UNITS: [(u128, &str); 4] = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
    ];
    let millis = duration.as_millis();
    if millis == 0 {
        return "0s".to_owned();
    }
    UNITS
        .iter()
        .find(|(unit, _)| millis.is_multiple_of(*unit))
        .map_or_else(
            || format!("{millis}ms"),
            |(unit, name)| format!("{}{name}", millis / unit),
        )
}

impl Setting for ByteSize {
    fn type_name() -> String {
        "size with unit".to_owned()
    }

    fn read(raw: &Raw) -> Result<Self, Mismatch> {
        const WANTED: &str = "write a size with its unit, like \"512KiB\" or \"1GiB\"";
        match raw {
            Raw::Integer(number) => Err(Mismatch::text(&number.to_string(), "has no unit", WANTED)),
            Raw::Text(text) | Raw::String(text) => {
                if text.trim().bytes().all(|byte| byte.is_ascii_digit()) {
                    return Err(Mismatch::text(text, "has no unit", WANTED));
                }
                text.trim()
                    .parse()
                    .map_err(|_| Mismatch::text(text, "is no size with a unit", WANTED))
            }
            other => Err(Mismatch::kind(other, "a size, like \"1MiB\"")),
        }
    }

    fn show(&self) -> Option<String> {
        const UNITS: [(u64, &str); 3] = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
        let bytes = self.as_u64();
        let text = UNITS
            .iter()
            .find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit))
            .map_or_else(
                || format!("{bytes}B"),
                |(unit, name)| format!("{}{name}", bytes / unit),
            );
        Some(quoted(&text))
    }

    fn is_less(&self, other: &Self) -> bool {
        self < other
    }
}
