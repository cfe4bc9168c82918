//! The fields of cron as sets of numbers: what crontab, systemd and GitHub each write in their own way.

use std::str::FromStr as _;

/// When a schedule is due.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Times {
    pub minutes: Vec<u16>,
    pub hours: Vec<u16>,
    pub months: Vec<u16>,
    pub days: Days,
}

/// On which days. Days of the week are from 0, a Sunday.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Days {
    Every,
    OfMonth(Vec<u16>),
    OfWeek(Vec<u16>),
    /// Days that are in one of the two: what cron means when both fields say something.
    Either(Vec<u16>, Vec<u16>),
    /// Days that are in both: `+` before the day of the week.
    Both(Vec<u16>, Vec<u16>),
}

const ALL_DAYS: usize = 31;
const ALL_WEEKDAYS: usize = 7;

impl Times {
    /// Reads the fields of cron.
    ///
    /// # Errors
    /// They say something that only this program understands.
    pub(super) fn of(cron: &str) -> Result<Self, String> {
        let parsed = croner::Cron::from_str(cron).map_err(|error| error.to_string())?;
        let fields = &parsed.pattern;
        if fields.days.has_modifiers() || fields.days_of_week.has_modifiers() {
            return Err(format!(
                "the schedule `{cron}` uses `L`, `W` or `#`, which cron, systemd and GitHub do not have; write the \
                 days as numbers, as `1-7` for the first week of a month"
            ));
        }
        if fields.seconds.values() != [0] || !fields.years.from_wildcard {
            return Err(format!("the schedule `{cron}` has seconds or years; write five fields, as `0 6 * * 0`"));
        }
        let (days, weekdays) = (fields.days.values(), fields.days_of_week.values());
        let every_day = fields.is_dom_wildcard() || days.len() == ALL_DAYS;
        let every_weekday = fields.is_dow_wildcard() || weekdays.len() == ALL_WEEKDAYS;
        // a field that lists all days is not `*`: joined by "or" it makes the other one meaningless
        let stars = fields.is_dom_wildcard() || fields.is_dow_wildcard() || fields.matches_dom_and_dow();
        let days = match (every_day, every_weekday) {
            (true, true) => Days::Every,
            (true, false) if stars => Days::OfWeek(weekdays),
            (false, true) if stars => Days::OfMonth(days),
            (true, false) | (false, true) => Days::Every,
            (false, false) if fields.matches_dom_and_dow() => Days::Both(days, weekdays),
            (false, false) => Days::Either(days, weekdays),
        };
        let (minutes, hours) = (fields.minutes.values(), fields.hours.values());
        Ok(Self { minutes, hours, months: fields.months.values(), days })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn days(cron: &str) -> Days {
        Times::of(cron).unwrap().days
    }

    #[test]
    fn two_day_fields_mean_either_unless_one_is_a_star() {
        assert_eq!(days("0 0 * * *"), Days::Every);
        assert_eq!(days("0 0 1 * *"), Days::OfMonth(vec![1]));
        assert_eq!(days("0 0 ? * SUN,7"), Days::OfWeek(vec![0]));
        assert_eq!(days("0 0 1,15 * MON-TUE"), Days::Either(vec![1, 15], vec![1, 2]));
        assert_eq!(days("0 0 1-7 * +MON"), Days::Both((1..=7).collect(), vec![1]));
        assert_eq!(days("0 0 1-31 * MON"), Days::Every);
        assert_eq!(days("0 0 13 * 0-6"), Days::Every);
        assert_eq!(days("0 0 */10 * *"), Days::OfMonth(vec![1, 11, 21, 31]));
    }

    #[test]
    fn what_no_scheduler_understands_is_refused() {
        for cron in ["0 0 L * *", "0 0 15W * *", "0 0 * * FRI#2", "0 0 * * 5L"] {
            assert!(Times::of(cron).unwrap_err().contains("`L`, `W` or `#`"), "{cron}");
        }
        assert!(Times::of("30 0 0 * * *").unwrap_err().contains("seconds or years"));
        assert!(Times::of("0 0 0 1 1 * 2030").unwrap_err().contains("seconds or years"));
    }
}
