//! Fields of a bar's start time, in UTC.

use crate::base::MICROS_PER_DAY;

const MICROS_PER_MINUTE: i64 = 60_000_000;

/// A date of the proleptic Gregorian calendar.
struct Date {
    month: i64,
    day: i64,
    day_of_year: i64,
}

/// # References
/// Hinnant, 2014, chrono-Compatible Low-Level Date Algorithms: years start in March, so that the leap day comes last.
fn date(start: i64) -> Date {
    const DAYS_PER_ERA: i64 = 146_097;
    let days = start.div_euclid(MICROS_PER_DAY) + 719_468;
    let day_of_era = days.rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let from_march = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * from_march + 2) / 153;
    let month = (month_from_march + 2) % 12 + 1;
    // January and February belong to the next year
    let year = year_of_era + i64::from(month <= 2);
    let is_leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    Date {
        month,
        day: from_march - (153 * month_from_march + 2) / 5 + 1,
        day_of_year: if month <= 2 { from_march - 305 } else { from_march + 60 + i64::from(is_leap) },
    }
}

pub(super) fn hour(start: i64) -> f64 {
    (start.rem_euclid(MICROS_PER_DAY) / (60 * MICROS_PER_MINUTE)) as f64
}

pub(super) fn minute(start: i64) -> f64 {
    (start.rem_euclid(60 * MICROS_PER_MINUTE) / MICROS_PER_MINUTE) as f64
}

/// Monday = 0.
pub(crate) fn weekday(start: i64) -> f64 {
    // 1970-01-01 was a Thursday
    (start.div_euclid(MICROS_PER_DAY) + 3).rem_euclid(7) as f64
}

pub(super) fn day(start: i64) -> f64 {
    date(start).day as f64
}

pub(super) fn day_of_year(start: i64) -> f64 {
    date(start).day_of_year as f64
}

pub(crate) fn month(start: i64) -> f64 {
    date(start).month as f64
}

pub(super) fn quarter(start: i64) -> f64 {
    ((date(start).month - 1) / 3 + 1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_day_of_two_centuries_has_the_fields_that_a_calendar_gives_it() {
        let first: jiff::civil::Date = "1901-01-01".parse().unwrap();
        for offset in (0..73_500).step_by(1) {
            let day_in = first.saturating_add(jiff::Span::new().days(offset));
            let days = day_in.to_zoned(jiff::tz::TimeZone::UTC).unwrap().timestamp().as_second().div_euclid(86_400);
            let late = days * MICROS_PER_DAY + MICROS_PER_DAY - 1;
            let found =
                [weekday(late), day(late), month(late), quarter(late), day_of_year(late), hour(late), minute(late)];
            let expected = [
                i64::from(day_in.weekday().to_monday_zero_offset()),
                i64::from(day_in.day()),
                i64::from(day_in.month()),
                i64::from((day_in.month() - 1) / 3 + 1),
                i64::from(day_in.day_of_year()),
                23,
                59,
            ];
            assert_eq!(found, expected.map(|field| field as f64), "{day_in}");
        }
    }
}
