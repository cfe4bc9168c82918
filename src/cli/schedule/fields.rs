//! Sets of numbers as fields of a schedule: as cron writes them, and as systemd does.

use std::ops::RangeInclusive;

use super::times::{Days, Times};

/// How a set of numbers is written.
#[derive(Clone, Copy)]
struct Writing {
    /// Between the ends of a range.
    to: &'static str,
    /// Digits of a number, filled with zeros.
    width: usize,
    /// Whether a step may start from `*`: a day field of cron that begins with a star counts as no restriction.
    star_step: bool,
    /// Whether a step without an end goes on to the last number there is.
    open_step: bool,
}

/// Shorter runs and progressions are listed.
const WORTH_A_RANGE: usize = 3;

/// The five fields of cron; `None` when cron cannot say it.
pub(super) fn cron(times: &Times) -> Option<String> {
    let time = Writing { to: "-", width: 1, star_step: true, open_step: false };
    let day = Writing { star_step: false, ..time };
    let star = || "*".to_owned();
    let (days, weekdays) = match &times.days {
        Days::Every => (star(), star()),
        Days::OfMonth(days) => (field(days, 1..=31, day), star()),
        Days::OfWeek(weekdays) => (star(), field(weekdays, 0..=6, day)),
        Days::Either(days, weekdays) => (field(days, 1..=31, day), field(weekdays, 0..=6, day)),
        Days::Both(..) => return None,
    };
    let (minutes, hours) = (field(&times.minutes, 0..=59, time), field(&times.hours, 0..=23, time));
    Some(format!("{minutes} {hours} {days} {} {weekdays}", field(&times.months, 1..=12, day)))
}

/// The calendar expressions of systemd, in a time zone. Each of them alone makes the pipeline due.
pub(super) fn on_calendar(times: &Times, zone: &str) -> Vec<String> {
    let number = Writing { to: "..", width: 2, star_step: false, open_step: true };
    let months = field(&times.months, 1..=12, number);
    let (hours, minutes) = (field(&times.hours, 0..=23, number), field(&times.minutes, 0..=59, number));
    let day = |days: &[u16]| field(days, 1..=31, number);
    let line = |weekdays: Option<&[u16]>, days: &str| {
        let weekdays = weekdays.map_or_else(String::new, |days| format!("{} ", weekday_names(days)));
        format!("{weekdays}*-{months}-{days} {hours}:{minutes}:00 {zone}")
    };
    match &times.days {
        Days::Every => vec![line(None, "*")],
        Days::OfMonth(days) => vec![line(None, &day(days))],
        Days::OfWeek(weekdays) => vec![line(Some(weekdays), "*")],
        // where cron means either, systemd means both: two lines
        Days::Either(days, weekdays) => vec![line(None, &day(days)), line(Some(weekdays), "*")],
        Days::Both(days, weekdays) => vec![line(Some(weekdays), &day(days))],
    }
}

/// Days of the week by name, from Monday: a range of systemd must not go backwards.
fn weekday_names(days: &[u16]) -> String {
    const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let mut from_monday: Vec<u16> = days.iter().map(|day| (day + 6) % 7).collect();
    from_monday.sort_unstable();
    let name = |day: u16| NAMES.get(usize::from(day)).copied().unwrap_or_default().to_owned();
    runs(&from_monday).into_iter().map(|run| range(run, "..", &name)).collect::<Vec<_>>().join(",")
}

/// A sorted set of numbers out of all that there are, in short.
fn field(values: &[u16], all: RangeInclusive<u16>, writing: Writing) -> String {
    let number = |value: u16| format!("{value:0width$}", width = writing.width);
    let (Some(&first), Some(&last)) = (values.first(), values.last()) else { return "*".to_owned() };
    if values.len() == all.clone().count() {
        return "*".to_owned();
    }
    if let Some(step) = step_of(values) {
        let to_the_end = last + step > *all.end();
        return match (to_the_end, first == *all.start()) {
            (true, true) if writing.star_step => format!("*/{step}"),
            (true, _) if writing.open_step => format!("{}/{step}", number(first)),
            _ => format!("{}{}{}/{step}", number(first), writing.to, number(last)),
        };
    }
    runs(values).into_iter().map(|run| range(run, writing.to, &number)).collect::<Vec<_>>().join(",")
}

/// The distance between neighbours, where it is the same for all and more than one.
fn step_of(values: &[u16]) -> Option<u16> {
    let step = values.get(1)? - values.first()?;
    let even = values.len() >= WORTH_A_RANGE && values.windows(2).all(|pair| pair[1] - pair[0] == step);
    (even && step > 1).then_some(step)
}

/// Stretches of numbers that follow each other.
fn runs(values: &[u16]) -> Vec<&[u16]> {
    values.chunk_by(|a, b| b - a == 1).collect()
}

fn range(run: &[u16], to: &str, name: &dyn Fn(u16) -> String) -> String {
    match run {
        [first, .., last] if run.len() >= WORTH_A_RANGE => format!("{}{to}{}", name(*first), name(*last)),
        few => few.iter().map(|value| name(*value)).collect::<Vec<_>>().join(","),
    }
}

#[cfg(test)]
mod tests;
