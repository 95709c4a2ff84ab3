//! Values of flags, as the parser of the other two tools (Go's) reads them.

use std::time::Duration;

use kubectl_login::messages::command_line::ExpectedValue;

/// A boolean as Go's strconv.ParseBool reads it.
pub(in super::super) fn go_bool(text: &str) -> Result<bool, ExpectedValue> {
    match text {
        "1" | "t" | "T" | "TRUE" | "true" | "True" => Ok(true),
        "0" | "f" | "F" | "FALSE" | "false" | "False" => Ok(false),
        _ => Err(ExpectedValue::Bool),
    }
}

/// A level of detail.
pub(in super::super) fn level(text: &str) -> Result<u8, ExpectedValue> {
    text.parse().map_err(|_| ExpectedValue::Level)
}

/// A number of seconds, as int128/kubelogin reads it.
pub(super) fn seconds(text: &str) -> Result<Duration, ExpectedValue> {
    let number = text.parse::<u32>().ok().filter(|number| *number > 0);
    number.map(|number| Duration::from_secs(number.into())).ok_or(ExpectedValue::Seconds)
}

/// A positive duration as Go's time.ParseDuration reads it: `60s`, `1m30s`, `1.5h`, `250ms`.
pub(in super::super) fn go_duration(text: &str) -> Result<Duration, ExpectedValue> {
    let wrong = || ExpectedValue::Duration;
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    let mut total = Duration::ZERO;
    if rest.is_empty() {
        return Err(wrong());
    }
    while !rest.is_empty() {
        let number_end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').ok_or_else(wrong)?;
        let (number, tail) = rest.split_at(number_end);
        let unit_end = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit_end);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        let amount: f64 = number.parse().map_err(|_| wrong())?;
        let part = Duration::try_from_secs_f64(amount * seconds).map_err(|_| wrong())?;
        // Go counts nanoseconds in 64 bits, so longer durations are not valid there.
        total = total.checked_add(part).filter(|total| i64::try_from(total.as_nanos()).is_ok()).ok_or_else(wrong)?;
        rest = tail;
    }
    if total.is_zero() { Err(ExpectedValue::PositiveDuration) } else { Ok(total) }
}

/// A duration as [`go_duration`] reads it.
pub(in super::super) fn go_duration_text(duration: Duration) -> String {
    let (seconds, nanoseconds) = (duration.as_secs(), duration.subsec_nanos());
    let rest = match nanoseconds {
        0 => String::new(),
        whole if whole % 1_000_000 == 0 => format!("{}ms", whole / 1_000_000),
        _ => format!("{nanoseconds}ns"),
    };
    if seconds == 0 && nanoseconds > 0 { rest } else { format!("{seconds}s{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_gos() {
        assert_eq!(go_duration("1m30s"), Ok(Duration::from_secs(90)));
        assert_eq!(go_duration("1.5h"), Ok(Duration::from_secs(5400)));
        assert_eq!(go_duration("250ms"), Ok(Duration::from_millis(250)));
        for wrong in ["", "60", "s", "-1s", "0s", "1x", "1s2", ".s", "1e999h", "99999999999999999999h"] {
            assert!(go_duration(wrong).is_err(), "{wrong}");
        }
    }
}
