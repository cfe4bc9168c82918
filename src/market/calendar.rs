//! Sessions: their union, the days they make, and how many of them there are in a year.

use jiff::civil::Date;
use jiff::tz::{Offset, TimeZone};

use super::BarLength;
use super::dataset::Files;
use super::options::TimeOptions;
use super::read::{Stamp, read_table};
use super::{Bars, MarketError};
use crate::base::{MICROS_PER_DAY, Timestamp};

/// The union of sorted lists of times.
pub(super) fn union<'a>(lists: impl Iterator<Item = &'a [i64]>) -> Vec<i64> {
    lists.fold(Vec::new(), |whole, list| if whole == list { whole } else { merged(&whole, list) })
}

fn merged(left: &[i64], right: &[i64]) -> Vec<i64> {
    let mut whole = Vec::with_capacity(left.len().max(right.len()));
    let (mut i, mut j) = (0, 0);
    while i < left.len() || j < right.len() {
        let next = match (left.get(i), right.get(j)) {
            (Some(a), Some(b)) => *a.min(b),
            (Some(only), None) | (None, Some(only)) => *only,
            (None, None) => break,
        };
        whole.push(next);
        i += usize::from(left.get(i) == Some(&next));
        j += usize::from(right.get(j) == Some(&next));
    }
    whole
}

/// Reads a calendar: all sessions, sorted.
pub(super) fn read_sessions(files: &Files, time: &TimeOptions) -> Result<Vec<i64>, MarketError> {
    let table = read_table(files, time, "ts", None, &[])?;
    let mut sessions = Vec::with_capacity(table.stamps.len());
    for (row, stamp) in table.stamps.iter().enumerate() {
        match stamp {
            Stamp::Day(ts) | Stamp::At(ts) => sessions.push(*ts),
            Stamp::Twice(first, second) => sessions.extend([*first, *second]),
            Stamp::Missing | Stamp::Odd(_) | Stamp::Skipped(_) => {
                let file = files.keys().next().cloned().unwrap_or_default();
                let problem = format!("row {}: expected a session, found no time that can be", row + 1);
                return Err(MarketError::Table { file, problem });
            }
        }
    }
    sessions.sort_unstable();
    sessions.dedup();
    Ok(sessions)
}

/// Says whether all bars start at one time of day.
pub(super) fn is_daily<'a>(times: impl IntoIterator<Item = &'a i64>) -> bool {
    let mut of_day = times.into_iter().map(|ts| ts.rem_euclid(MICROS_PER_DAY));
    of_day.next().is_some_and(|first| of_day.all(|other| other == first))
}

/// How long a bar is: the least distance of two bars of a symbol; a day where there is only one bar a symbol and all start
/// at one time of day.
pub(super) fn bar_length<'a>(series: impl Iterator<Item = &'a [i64]> + Clone) -> Option<i64> {
    let gaps = series.clone().flat_map(|times| times.windows(2).map(|pair| pair[1] - pair[0]));
    gaps.min().or_else(|| is_daily(series.flatten()).then_some(MICROS_PER_DAY))
}

/// Bars a year of a calendar.
///
/// Daily bars: 252, or 365 where there are bars at weekends; another count if it differs from both by more than 6 %
/// (holidays, and a first and a last year that are not whole, stay within). Shorter bars: the bars of a usual day (the
/// median over days) times the days a year, counted likewise over days with at least half as many. Longer bars: counted.
pub(super) fn periods_per_year(sessions: &[i64]) -> f64 {
    let mut days: Vec<(i64, usize)> = Vec::new();
    for ts in sessions {
        let day = ts.div_euclid(MICROS_PER_DAY);
        match days.last_mut() {
            Some((last, count)) if *last == day => *count += 1,
            _ => days.push((day, 1)),
        }
    }
    let mut counts: Vec<usize> = days.iter().map(|(_, count)| *count).collect();
    counts.sort_unstable();
    let usual = counts.get(counts.len() / 2).copied().unwrap_or(1);
    let whole: Vec<i64> = days.iter().filter(|(_, count)| 2 * count >= usual).map(|(day, _)| *day).collect();
    usual as f64 * days_per_year(&whole)
}

fn days_per_year(days: &[i64]) -> f64 {
    /// A calendar of its own differs from both usual ones by more than this share.
    const NEAR: f64 = 0.06;
    /// Fewer days than this say little about a year.
    const FEW: usize = 100;
    let (Some(first), Some(last)) = (days.first(), days.last()) else { return 252.0 };
    // 1970-01-01 was a Thursday: days 2 and 3 after it are a weekend
    let weekends = days.iter().filter(|day| matches!(day.rem_euclid(7), 2 | 3)).count();
    let years = (last - first) as f64 / 365.25;
    let is_dense = days.len() as i64 * 3 > last - first;
    if years <= 0.0 || (days.len() < FEW && is_dense) {
        return if 10 * weekends > days.len() { 365.0 } else { 252.0 };
    }
    let counted = (days.len() - 1) as f64 / years;
    [252.0, 365.0].into_iter().find(|usual: &f64| (counted / usual - 1.0).abs() < NEAR).unwrap_or(counted.round())
}

/// The days of a calendar in a time zone, and the session that each begins with.
pub(super) struct Days {
    zone: TimeZone,
    /// First session of each day.
    starts: Vec<i64>,
    /// Each day's date, in days since 1970-01-01.
    dates: Vec<i64>,
}

/// A stretch of a calendar that one longer bar covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// What the bar is stamped with.
    pub start: i64,
    /// From when on it is closed.
    pub end: i64,
}

impl Days {
    /// The days of sorted sessions. Daily bars are dates: no zone moves them.
    pub(super) fn new(sessions: &[i64], zone: Option<TimeZone>) -> Self {
        let dated = sessions.iter().all(|ts| ts.rem_euclid(MICROS_PER_DAY) == 0);
        let zone = zone.filter(|_| !dated).unwrap_or(TimeZone::UTC);
        let mut days = Self { zone, starts: Vec::new(), dates: Vec::new() };
        let mut end = i64::MIN;
        for &ts in sessions {
            if ts < end {
                continue;
            }
            let date = days.date_of(ts);
            end = days.midnight(date + 1);
            days.starts.push(ts);
            days.dates.push(date);
        }
        days
    }

    /// The longer bar that a session belongs to. A part of a day counts from the day's first session, days and weeks by
    /// their dates, weeks from Monday.
    pub(super) fn span(&self, ts: i64, length: BarLength) -> Span {
        let day = self.starts.partition_point(|&start| start <= ts).saturating_sub(1);
        let (Some(&start), Some(&date)) = (self.starts.get(day), self.dates.get(day)) else {
            return Span { start: ts, end: ts };
        };
        let whole_days = length.micros() / MICROS_PER_DAY;
        if whole_days == 0 {
            let begin = start + (ts - start).div_euclid(length.micros()) * length.micros();
            return Span { start: begin, end: (begin + length.micros()).min(self.midnight(date + 1)) };
        }
        // 1970-01-05 was the first Monday
        let offset = if whole_days % 7 == 0 { 4 } else { 0 };
        let first = (date - offset).div_euclid(whole_days) * whole_days + offset;
        Span { start: first * MICROS_PER_DAY, end: self.midnight(first + whole_days) }
    }

    fn date_of(&self, ts: i64) -> i64 {
        let Ok(time) = jiff::Timestamp::from_microsecond(ts) else { return ts.div_euclid(MICROS_PER_DAY) };
        let offset = i64::from(self.zone.to_offset(time).seconds()) * 1_000_000;
        (ts + offset).div_euclid(MICROS_PER_DAY)
    }

    /// When a date begins.
    fn midnight(&self, date: i64) -> i64 {
        let utc = date * MICROS_PER_DAY;
        let begin = || {
            let civil: Date = Offset::UTC.to_datetime(jiff::Timestamp::from_microsecond(utc).ok()?).date();
            Some(civil.to_zoned(self.zone.clone()).ok()?.timestamp().as_microsecond())
        };
        begin().unwrap_or(utc)
    }
}

impl Bars {
    /// Symbols whose bars end before the calendar does, with the day of their last one: delisted, or not brought up to date.
    /// A universe in which there is none over years has survivors only, and flatters whoever buys what is there.
    pub fn ended_early(&self) -> Vec<(&str, Timestamp)> {
        let last = self.sessions.len().saturating_sub(1) as u32;
        let ended = self.series.iter().filter_map(|series| {
            let end = series.session.last().copied().filter(|end| *end < last)?;
            Some((series.symbol.as_str(), Timestamp::from_micros(*self.sessions.get(end as usize)?)))
        });
        ended.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000_000;

    fn micros(text: &str) -> i64 {
        text.parse::<Timestamp>().unwrap().micros()
    }

    #[test]
    fn the_union_has_every_time_once() {
        let lists: [&[i64]; 3] = [&[1, 3, 5], &[2, 3], &[]];
        assert_eq!(union(lists.into_iter()), [1, 2, 3, 5]);
    }

    #[test]
    fn a_year_is_counted_and_one_stray_weekend_bar_does_not_change_it() {
        let day = |n: i64| n * MICROS_PER_DAY;
        let weekdays: Vec<i64> = (0..2520).filter(|n| !matches!(n % 7, 2 | 3)).map(day).collect();
        assert_eq!(periods_per_year(&weekdays), 252.0);
        let mut stray = weekdays;
        stray.insert(2, day(2));
        assert_eq!(periods_per_year(&stray), 252.0);
        assert_eq!(periods_per_year(&(0..1000).map(day).collect::<Vec<_>>()), 365.0);
        assert_eq!(periods_per_year(&(0..500).map(|n| day(7 * n)).collect::<Vec<_>>()), 52.0);
    }

    #[test]
    fn a_year_of_shorter_bars_is_the_usual_day_times_the_days() {
        let intraday = |days: i64, open: i64, bars: i64, step: i64| -> Vec<i64> {
            let weekdays = (0..days).filter(|day| !matches!(day % 7, 2 | 3));
            weekdays.flat_map(|day| (0..bars).map(move |bar| day * MICROS_PER_DAY + open + bar * step)).collect()
        };
        assert_eq!(periods_per_year(&intraday(500, 870 * MINUTE, 390, MINUTE)), 390.0 * 252.0);
        let round_the_clock: Vec<i64> = (0..31 * 1440).map(|minute| minute * MINUTE).collect();
        assert_eq!(periods_per_year(&round_the_clock), 525_600.0);
    }

    #[test]
    fn parts_of_a_day_count_from_its_first_session_and_end_at_midnight() {
        let open = micros("2020-01-02T14:30:00Z");
        let sessions: Vec<i64> = (0..390).map(|minute| open + minute * MINUTE).collect();
        let days = Days::new(&sessions, TimeZone::get("America/New_York").ok());
        let span = days.span(open + 65 * MINUTE, "1h".parse().unwrap());
        assert_eq!(span, Span { start: open + 60 * MINUTE, end: open + 120 * MINUTE });
        let day = days.span(open, BarLength::DAY);
        assert_eq!(day, Span { start: micros("2020-01-02"), end: micros("2020-01-03T05:00:00Z") });
    }

    #[test]
    fn weeks_begin_on_monday_whatever_the_zone_of_dates() {
        let sessions: Vec<i64> = ["2020-01-03", "2020-01-06"].map(micros).to_vec();
        let days = Days::new(&sessions, TimeZone::get("America/New_York").ok());
        let week = days.span(sessions[0], "1w".parse().unwrap());
        assert_eq!(week, Span { start: micros("2019-12-30"), end: micros("2020-01-06") });
        assert_eq!(days.span(sessions[1], "1w".parse().unwrap()).start, micros("2020-01-06"));
    }
}
