//! Bars to longer bars: in place of the shorter ones, or beside them.

use super::BarLength;
use super::calendar::{Days, Span};
use super::rows::Rows;

/// A longer bar that is being built.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Longer {
    span: Span,
    /// Open, high, low, close, volume.
    values: [f64; 5],
}

impl Longer {
    fn new(span: Span, values: [f64; 5]) -> Self {
        Self { span, values }
    }

    /// Adds the next shorter bar: the first open, the highest high, the lowest low, the last close, the sum of volume; a
    /// volume that is not known counts as none, unless no other is.
    fn add(&mut self, [_, high, low, close, volume]: [f64; 5]) {
        let mine = &mut self.values;
        mine[1] = mine[1].max(high);
        mine[2] = mine[2].min(low);
        mine[3] = close;
        mine[4] = match (mine[4].is_nan(), volume.is_nan()) {
            (true, _) => volume,
            (false, true) => mine[4],
            (false, false) => mine[4] + volume,
        };
    }
}

fn values_at(rows: &Rows, row: usize) -> [f64; 5] {
    [0, 1, 2, 3, 4].map(|column: usize| rows.values[column][row])
}

/// Longer bars in place of the shorter ones; one that was still open at `until` is left out. Further columns take their
/// last value.
pub(super) fn resample(rows: &Rows, days: &Days, length: BarLength, until: i64) -> Rows {
    let mut longer = Rows::new(rows.further.len());
    let mut current: Option<(Longer, usize)> = None;
    let mut close = |(bar, last): (Longer, usize)| {
        if bar.span.end <= until {
            let further: Vec<f64> = rows.further.iter().map(|column| column[last]).collect();
            longer.push(bar.span.start, bar.values, &further);
        }
    };
    for row in 0..rows.len() {
        match &mut current {
            Some((bar, last)) if rows.ts[row] < bar.span.end => {
                bar.add(values_at(rows, row));
                *last = row;
            }
            _ => {
                let span = days.span(rows.ts[row], length);
                if let Some(done) = current.replace((Longer::new(span, values_at(rows, row)), row)) {
                    close(done);
                }
            }
        }
    }
    if let Some(done) = current {
        close(done);
    }
    longer
}

/// For each bar, the longer bar that closed last by the time the bar itself closes; NaN before the first. A longer bar
/// closes at its end, or once a bar of the next one is there.
pub(super) fn last_closed(rows: &Rows, days: &Days, length: BarLength, step: i64) -> [Vec<f64>; 5] {
    let mut columns: [Vec<f64>; 5] = std::array::from_fn(|_| Vec::with_capacity(rows.len()));
    let mut closed = [f64::NAN; 5];
    let mut current: Option<Longer> = None;
    for row in 0..rows.len() {
        match &mut current {
            Some(bar) if rows.ts[row] < bar.span.end => bar.add(values_at(rows, row)),
            _ => {
                let span = days.span(rows.ts[row], length);
                if let Some(done) = current.replace(Longer::new(span, values_at(rows, row))) {
                    closed = done.values;
                }
            }
        }
        let shown = match &current {
            Some(bar) if bar.span.end <= rows.ts[row].saturating_add(step) => bar.values,
            _ => closed,
        };
        columns.iter_mut().zip(shown).for_each(|(column, value)| column.push(value));
    }
    columns
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MINUTE: i64 = 60_000_000;
    const OPEN: i64 = 870 * MINUTE;

    fn minutes(count: usize, close: impl Fn(usize) -> f64) -> Rows {
        let mut rows = Rows::new(0);
        for minute in 0..count {
            let close = close(minute);
            // sessions of 30 minutes
            let ts = (minute / 30) as i64 * 86_400_000_000 + OPEN + (minute % 30) as i64 * MINUTE;
            rows.push(ts, [close - 0.5, close + 1.0, close - 1.0, close, 1.0], &[]);
        }
        rows
    }

    fn length(text: &str) -> BarLength {
        text.parse().unwrap()
    }

    #[test]
    fn a_longer_bar_has_first_open_extremes_last_close_and_all_volume() {
        let rows = minutes(60, |minute| minute as f64);
        let longer = resample(&rows, &Days::new(&rows.ts, None), length("20m"), i64::MAX);
        assert_eq!(longer.ts[..2], [OPEN, OPEN + 20 * MINUTE]);
        assert_eq!(longer.values[0], [-0.5, 19.5, 29.5, 49.5]);
        assert_eq!(longer.values[1], [20.0, 30.0, 50.0, 60.0]);
        assert_eq!(longer.values[2], [-1.0, 19.0, 29.0, 49.0]);
        assert_eq!(longer.values[3], [19.0, 29.0, 49.0, 59.0]);
        assert_eq!(longer.values[4], [20.0, 10.0, 20.0, 10.0]);
    }

    #[test]
    fn a_longer_bar_that_is_open_at_the_end_is_left_out() {
        let rows = minutes(30, |minute| minute as f64);
        let days = Days::new(&rows.ts, None);
        let until = OPEN + 30 * MINUTE;
        assert_eq!(resample(&rows, &days, length("20m"), until).len(), 1);
        assert_eq!(resample(&rows, &days, length("15m"), until).len(), 2);
    }

    #[test]
    fn a_bar_sees_the_longer_bar_that_closes_with_it_and_no_open_one() {
        let rows = minutes(40, |minute| minute as f64);
        let [.., close, _] = last_closed(&rows, &Days::new(&rows.ts, None), length("10m"), MINUTE);
        assert!(close[8].is_nan());
        assert_eq!((close[9], close[10], close[18], close[19]), (9.0, 9.0, 9.0, 19.0));
        let [.., close, _] = last_closed(&rows, &Days::new(&rows.ts, None), BarLength::DAY, MINUTE);
        assert!(close[29].is_nan());
        assert_eq!(close[30], 29.0);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_cut_history_shows_the_same_longer_bars(
            closes in proptest::collection::vec(10.0..20.0_f64, 2..200),
            cut in 1_usize..200,
            unit in prop::sample::select(vec!["2m", "7m", "1h", "1d", "1w"]),
        ) {
            let whole = minutes(closes.len(), |minute| closes[minute]);
            let mut head = whole.clone();
            head.truncate(cut.min(closes.len()));
            let shown = |rows: &Rows| last_closed(rows, &Days::new(&rows.ts, None), length(unit), MINUTE);
            for (long, short) in shown(&whole).iter().zip(&shown(&head)) {
                let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&long[..short.len()]), bits(short));
            }
        }

        #[test]
        fn twice_longer_is_longer_of_longer(closes in proptest::collection::vec(10.0..20.0_f64, 1..300)) {
            let rows = minutes(closes.len(), |minute| closes[minute]);
            let days = Days::new(&rows.ts, None);
            let fives = resample(&rows, &days, length("5m"), i64::MAX);
            let at_once = resample(&rows, &days, length("15m"), i64::MAX);
            prop_assert_eq!(resample(&fives, &days, length("15m"), i64::MAX), at_once);
        }
    }
}
