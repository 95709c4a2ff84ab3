//! Dates from Unix seconds, in the formats of the protocols.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Now, in Unix seconds.
pub(crate) fn unix_now() -> i64 {
    unix_after(Duration::ZERO)
}

/// The end of a period that begins now, in Unix seconds.
pub(crate) fn unix_after(span: Duration) -> i64 {
    (SystemTime::now() + span).duration_since(UNIX_EPOCH).map_or(0, |age| age.as_secs() as i64)
}

/// Year, month (1 to 12) and day of the proleptic Gregorian calendar.
///
/// Years are counted from March, so that the leap day is the last day of a year.
pub(crate) fn date(unix: i64) -> (i32, u8, u8) {
    let days = unix.div_euclid(86_400) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    (year as i32, month as u8, day as u8)
}

fn date_and_time(unix: i64, between: char) -> String {
    let (year, month, day) = date(unix);
    let second = unix.rem_euclid(86_400);
    format!("{year:04}-{month:02}-{day:02}{between}{:02}:{:02}:{:02}Z", second / 3_600, second / 60 % 60, second % 60)
}

/// `2025-02-19 03:40:30Z`, as in Entra's error bodies.
pub(crate) fn entra(unix: i64) -> String {
    date_and_time(unix, ' ')
}

/// `2025-02-19T03:40:30Z` (RFC 3339), as in Kubernetes objects.
pub(crate) fn rfc3339(unix: i64) -> String {
    date_and_time(unix, 'T')
}

/// `Wed, 19 Feb 2025 03:40:30 GMT`, as in the `Date` header.
pub(crate) fn http(unix: i64) -> String {
    httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(unix.max(0) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_around_leap_days_are_correct() {
        assert_eq!(date(0), (1970, 1, 1));
        assert_eq!(entra(1_739_936_430), "2025-02-19 03:40:30Z");
        assert_eq!(rfc3339(1_709_164_800), "2024-02-29T00:00:00Z");
        assert_eq!(rfc3339(1_709_251_200), "2024-03-01T00:00:00Z");
        assert_eq!(http(1_739_936_430), "Wed, 19 Feb 2025 03:40:30 GMT");
    }
}
