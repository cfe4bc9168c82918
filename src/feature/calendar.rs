//! Positions of a session in the week and in the year, from its start time in UTC.

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// Days from 1970-01-01 to the session's date.
fn day(session: i64) -> i64 {
    session.div_euclid(MICROS_PER_DAY)
}

/// Day of the week, Monday = 0.
pub(super) fn weekday(session: i64) -> i64 {
    // 1970-01-01 was a Thursday
    (day(session) + 3).rem_euclid(7)
}

/// Month of the year, January = 0, of the proleptic Gregorian calendar.
///
/// # References
/// Hinnant, 2014, chrono-Compatible Low-Level Date Algorithms: years start in March, so that the leap day comes last.
pub(super) fn month(session: i64) -> i64 {
    const DAYS_PER_ERA: i64 = 146_097;
    let day_of_era = (day(session) + 719_468).rem_euclid(DAYS_PER_ERA);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    (month_from_march + 2) % 12
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates_fall_on_their_weekday_and_month() {
        let midnight = |days: i64| days * MICROS_PER_DAY;
        // 1970-01-01 Thursday, 2000-02-29 Tuesday, 2024-12-31 Tuesday, 1969-12-31 Wednesday
        for (days, expected) in [(0, (3, 0)), (11_016, (1, 1)), (20_088, (1, 11)), (-1, (2, 11))] {
            let late = midnight(days) + MICROS_PER_DAY - 1;
            assert_eq!((weekday(midnight(days)), month(midnight(days))), expected);
            assert_eq!((weekday(late), month(late)), expected);
        }
    }
}
