//! When a pipeline should run: a hint for cron, and the source of the default end of the data window.

use std::str::FromStr;
use std::time::Duration;

use jiff::tz::TimeZone;

use crate::base::Timestamp;

/// A schedule. Nothing is started by it: `schedule print` writes it for cron, systemd or GitHub, and `status` compares
/// it with the runs that there were.
#[derive(Clone, Debug, PartialEq)]
pub struct Schedule {
    /// Five fields of cron.
    pub cron: String,
    /// Name of the time zone the fields are in.
    pub timezone: String,
    /// How long after a tick a run may start before the tick counts as missed.
    pub max_lateness: Option<Duration>,
}

impl Schedule {
    /// Checks the fields of cron.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(super) fn check_cron(cron: &str) -> Result<(), String> {
        // croner also reads seconds, years and `@weekly`, which cron, systemd and GitHub do not share
        let fields = cron.split_whitespace().count();
        if fields != 5 {
            return Err(format!("it has {fields}"));
        }
        croner::Cron::from_str(cron).map(drop).map_err(|error| error.to_string())
    }

    /// Finds a time zone in the database that is part of the program.
    pub(super) fn zone(name: &str) -> Option<TimeZone> {
        jiff::tz::TimeZoneDatabase::bundled().get(name).ok()
    }

    /// Names of all time zones.
    pub(super) fn zone_names() -> Vec<String> {
        jiff::tz::TimeZoneDatabase::bundled().available().map(|name| name.to_string()).collect()
    }

    fn parts(&self, at: Timestamp) -> Option<(croner::Cron, jiff::Zoned)> {
        let cron = croner::Cron::from_str(&self.cron).ok()?;
        Some((cron, self.local(at)?))
    }

    /// A moment by the clocks of the schedule's time zone; `None` for a zone that is not known.
    pub fn local(&self, at: Timestamp) -> Option<jiff::Zoned> {
        let time = jiff::Timestamp::from_microsecond(at.micros()).ok()?;
        Some(time.to_zoned(Self::zone(&self.timezone)?))
    }

    /// The last tick at or before a time; `None` when there never was one.
    pub fn last_tick(&self, now: Timestamp) -> Option<Timestamp> {
        let (cron, time) = self.parts(now)?;
        cron.find_previous_occurrence(&time, true).ok().map(|tick| moment(&tick))
    }

    /// The first tick after a time; `None` when there never will be one.
    pub fn next_tick(&self, now: Timestamp) -> Option<Timestamp> {
        let (cron, time) = self.parts(now)?;
        cron.find_next_occurrence(&time, false).ok().map(|tick| moment(&tick))
    }

    /// Every tick from `from` to `to`, both included.
    pub fn ticks(&self, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
        let Some((cron, time)) = self.parts(from) else { return Vec::new() };
        let first = cron.find_next_occurrence(&time, true).ok().map(|tick| moment(&tick));
        std::iter::successors(first, |&tick| self.next_tick(tick)).take_while(|tick| *tick <= to).collect()
    }
}

fn moment(time: &jiff::Zoned) -> Timestamp {
    Timestamp::from_micros(time.timestamp().as_microsecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weekly(timezone: &str) -> Schedule {
        Schedule { cron: "0 0 * * 0".to_owned(), timezone: timezone.to_owned(), max_lateness: None }
    }

    #[test]
    fn the_last_tick_is_the_last_due_one() {
        let last = |now: &str| weekly("UTC").last_tick(now.parse().unwrap()).unwrap().to_string();
        assert_eq!(last("2026-01-06T10:00:00Z"), "2026-01-04");
        assert_eq!(last("2026-01-04"), "2026-01-04");
    }

    #[test]
    fn a_tick_stays_at_its_local_hour_when_the_clocks_change() {
        let last = |now: &str| weekly("Europe/Berlin").last_tick(now.parse().unwrap()).unwrap().to_string();
        assert_eq!(last("2026-01-06T10:00:00Z"), "2026-01-03T23:00:00Z");
        assert_eq!(last("2026-07-07T10:00:00Z"), "2026-07-04T22:00:00Z");
    }

    #[test]
    fn ticks_of_a_stretch_include_both_ends() {
        let ticks = weekly("UTC").ticks("2026-01-04".parse().unwrap(), "2026-01-18".parse().unwrap());
        assert_eq!(
            ticks.iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["2026-01-04", "2026-01-11", "2026-01-18"]
        );
    }
}
