//! What is written must mean what croner reads: held against an evaluation of its own, day by day.

use std::collections::BTreeSet;

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::base::Timestamp;
use crate::pipeline::Schedule;

fn systemd(cron: &str) -> Vec<String> {
    on_calendar(&Times::of(cron).unwrap(), "UTC")
}

fn crontab(cron: &str) -> Option<String> {
    super::cron(&Times::of(cron).unwrap())
}

#[test]
fn known_expressions_are_written_as_a_person_would() {
    let cases: [(&str, &str, &[&str]); 9] = [
        ("0 0 * * 0", "0 0 * * 0", &["Sun *-*-* 00:00:00 UTC"]),
        ("*/15 * * * *", "*/15 * * * *", &["*-*-* *:00/15:00 UTC"]),
        ("30 6 * * MON-FRI", "30 6 * * 1-5", &["Mon..Fri *-*-* 06:30:00 UTC"]),
        ("0 6 1,15 * *", "0 6 1,15 * *", &["*-*-01,15 06:00:00 UTC"]),
        ("0 6 1 * MON", "0 6 1 * 1", &["*-*-01 06:00:00 UTC", "Mon *-*-* 06:00:00 UTC"]),
        ("5 8-18/2 * 1-3,12 6,7", "5 8-18/2 * 1-3,12 0,6", &["Sat,Sun *-01..03,12-* 08..18/2:05:00 UTC"]),
        ("0 0 */2 * *", "0 0 1-31/2 * *", &["*-*-01/2 00:00:00 UTC"]),
        ("0 22 * * FRI-SUN", "0 22 * * 0,5,6", &["Fri..Sun *-*-* 22:00:00 UTC"]),
        ("@monthly", "0 0 1 * *", &["*-*-01 00:00:00 UTC"]),
    ];
    for (cron, expected_cron, expected_systemd) in cases {
        assert_eq!(crontab(cron).as_deref(), Some(expected_cron), "{cron}");
        assert_eq!(systemd(cron), expected_systemd, "{cron}");
    }
}

#[test]
fn cron_has_no_word_for_days_that_are_in_both_fields_and_systemd_has() {
    assert_eq!(crontab("0 0 1-7 * +MON"), None);
    assert_eq!(systemd("0 0 1-7 * +MON"), ["Mon *-*-01..07 00:00:00 UTC"]);
}

/// A set of numbers as systemd reads it.
fn set(text: &str, all: RangeInclusive<u16>, number: &dyn Fn(&str) -> u16) -> BTreeSet<u16> {
    let mut found = BTreeSet::new();
    for part in text.split(',') {
        let (range, step) = part.split_once('/').map_or((part, None), |(range, step)| (range, Some(step)));
        let step: usize = step.map_or(1, |step| step.parse().unwrap());
        let (first, last) = match range.split_once("..") {
            _ if range == "*" => (*all.start(), *all.end()),
            Some((first, last)) => (number(first), number(last)),
            // a single number with a step goes on to the end
            None => (number(range), if part.contains('/') { *all.end() } else { number(range) }),
        };
        assert!(first <= last && all.contains(&first) && all.contains(&last), "{text}");
        found.extend((first..=last).step_by(step));
    }
    found
}

/// Every minute of a day range that a calendar expression matches, by the rules of systemd.time(7).
fn matching(expression: &str, from: Date, days: usize) -> BTreeSet<DateTime> {
    const NAMES: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    let number = |text: &str| text.parse().unwrap();
    let weekday = |text: &str| NAMES.iter().position(|name| *name == text).unwrap() as u16;
    let words: Vec<&str> = expression.split(' ').collect();
    let (weekdays, date, time) = match words.as_slice() {
        [weekdays, date, time, "UTC"] => (set(weekdays, 0..=6, &weekday), date, time),
        [date, time, "UTC"] => ((0..=6).collect(), date, time),
        other => panic!("{other:?}"),
    };
    let date: Vec<&str> = date.split('-').collect();
    let time: Vec<&str> = time.split(':').collect();
    assert_eq!((date[0], date.len(), time[2], time.len()), ("*", 3, "00", 3), "{expression}");
    let (months, month_days) = (set(date[1], 1..=12, &number), set(date[2], 1..=31, &number));
    let (hours, minutes) = (set(time[0], 0..=23, &number), set(time[1], 0..=59, &number));
    let mut found = BTreeSet::new();
    for day in from.series(jiff::Span::new().days(1)).take(days) {
        let of_week = day.weekday().to_monday_zero_offset() as u16;
        let of_month = months.contains(&(day.month() as u16)) && month_days.contains(&(day.day() as u16));
        if !of_month || !weekdays.contains(&of_week) {
            continue;
        }
        for hour in &hours {
            found.extend(minutes.iter().map(|minute| day.at(*hour as i8, *minute as i8, 0, 0)));
        }
    }
    found
}

const HORIZON_DAYS: usize = 8 * 366;

/// The first ticks after a midnight, as far as they fall into the horizon.
fn ticks(cron: &str, from: Date) -> Vec<DateTime> {
    let schedule = Schedule { cron: cron.to_owned(), timezone: "UTC".to_owned(), max_lateness: None };
    // a tick at midnight itself counts
    let start = from.to_zoned(TimeZone::UTC).unwrap().timestamp().as_microsecond() - 1;
    let end = from.checked_add(jiff::Span::new().days(HORIZON_DAYS as i64)).unwrap().at(0, 0, 0, 0);
    let first = schedule.next_tick(Timestamp::from_micros(start));
    let local = |tick: Timestamp| jiff::Timestamp::from_microsecond(tick.micros()).unwrap().to_zoned(TimeZone::UTC);
    std::iter::successors(first, |&tick| schedule.next_tick(tick))
        .map(|tick| local(tick).datetime())
        .take_while(|tick| *tick < end)
        .take(50)
        .collect()
}

fn assert_same_ticks(cron: &str, from: Date) {
    let expected = ticks(cron, from);
    let of_systemd: BTreeSet<DateTime> =
        systemd(cron).iter().flat_map(|line| matching(line, from, HORIZON_DAYS)).collect();
    let found: Vec<DateTime> = of_systemd.into_iter().take(50).collect();
    assert_eq!(found, expected, "{cron} as {:?}", systemd(cron));
    if let Some(rewritten) = crontab(cron) {
        assert_eq!(ticks(&rewritten, from), expected, "{cron} as {rewritten}");
        // a day field that only begins with a star makes crond join the two by "and"
        let fields: Vec<&str> = rewritten.split(' ').collect();
        assert!([fields[2], fields[4]].iter().all(|field| *field == "*" || !field.starts_with('*')), "{rewritten}");
    }
}

#[test]
fn the_corners_of_the_calendar_are_the_same() {
    let from: Date = "2027-12-20".parse().unwrap();
    for cron in ["0 0 29 2 *", "0 0 31 * *", "59 23 31 12 *", "0 0 30 * 0", "0 12 * 2 +MON", "0 0 1-31 * 1"] {
        assert_same_ticks(cron, from);
    }
}

fn part(all: RangeInclusive<u16>) -> impl Strategy<Value = String> {
    let (start, end) = (*all.start(), *all.end());
    let number = start..=end;
    prop_oneof![
        number.clone().prop_map(|value| value.to_string()),
        (number.clone(), number).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        (start..=end, start..=end, 1_u16..=9).prop_map(|(a, b, step)| format!("{}-{}/{step}", a.min(b), a.max(b))),
        (1_u16..=20).prop_map(|step| format!("*/{step}")),
    ]
}

fn any_field(all: RangeInclusive<u16>) -> impl Strategy<Value = String> {
    prop_oneof![
        2 => Just("*".to_owned()),
        3 => prop::collection::vec(part(all), 1..=3).prop_map(|parts| parts.join(",")),
    ]
}

fn weekdays() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec!["SUN", "MON-FRI", "tue,thu", "SAT", "5-7", "+MON,WED"]);
    prop_oneof![3 => any_field(0..=7), 1 => names.prop_map(str::to_owned)]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_next_50_ticks_are_those_of_croner(
        minutes in any_field(0..=59),
        hours in any_field(0..=23),
        days in any_field(1..=31),
        months in any_field(1..=12),
        weekdays in weekdays(),
        offset in 0_i64..2_000,
    ) {
        let from = jiff::civil::date(2024, 1, 1).checked_add(jiff::Span::new().days(offset)).unwrap();
        assert_same_ticks(&format!("{minutes} {hours} {days} {months} {weekdays}"), from);
    }
}
