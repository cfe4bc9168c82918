//! Detectors that read a stream one value at a time and say when its level changed.
//!
//! | detector | reads | alarm |
//! |---|---|---|
//! | [`PageHinkley`] | numbers | the sum of deviations from the running mean leaves its lowest or highest point by a threshold |
//! | [`Adwin`] | numbers | two parts of an adaptive window have means too far apart |
//! | [`Ddm`] | errors | the error rate leaves its best by three of its standard errors |
//!
//! Each starts anew after an alarm. *Not guaranteed*: their levels assume independent values. On values that depend on
//! each other they alarm too often, as every such detector does; use them as a view, not as a test.

/// Which direction of change counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Rises only.
    Up,
    /// Falls only.
    Down,
    /// Both.
    Both,
}

/// Page's cumulative sum about a running mean.
///
/// # References
/// Page (1954), Continuous Inspection Schemes; Hinkley (1971); the form with a forgetting factor is that of Sebastiao and
/// Fernandes (2017).
#[derive(Clone, Debug, PartialEq)]
pub struct PageHinkley {
    /// Values before the first alarm.
    pub min_instances: usize,
    /// Deviation that is tolerated.
    pub delta: f64,
    /// Height of the alarm, in the unit of the values.
    pub threshold: f64,
    /// Forgetting factor of the sums.
    pub alpha: f64,
    /// What counts.
    pub direction: Direction,
    state: Sums,
}

#[derive(Clone, Debug, PartialEq)]
struct Sums {
    count: usize,
    mean: f64,
    rise: f64,
    fall: f64,
    lowest: f64,
    highest: f64,
}

impl Default for Sums {
    fn default() -> Self {
        Self { count: 0, mean: 0.0, rise: 0.0, fall: 0.0, lowest: f64::INFINITY, highest: f64::NEG_INFINITY }
    }
}

impl PageHinkley {
    /// A detector with a threshold, looking in one direction or both.
    pub fn new(min_instances: usize, delta: f64, threshold: f64, alpha: f64, direction: Direction) -> Self {
        Self { min_instances, delta, threshold, alpha, direction, state: Sums::default() }
    }

    /// Reads a value; `true` is an alarm, after which the next value starts anew.
    pub fn read(&mut self, value: f64) -> bool {
        let state = &mut self.state;
        state.count += 1;
        state.mean += (value - state.mean) / state.count as f64;
        let deviation = value - state.mean;
        state.rise = self.alpha * state.rise + deviation - self.delta;
        state.fall = self.alpha * state.fall + deviation + self.delta;
        state.lowest = state.lowest.min(state.rise);
        state.highest = state.highest.max(state.fall);
        let (risen, fallen) = (state.rise - state.lowest, state.highest - state.fall);
        let alarm = state.count >= self.min_instances
            && match self.direction {
                Direction::Up => risen > self.threshold,
                Direction::Down => fallen > self.threshold,
                Direction::Both => risen > self.threshold || fallen > self.threshold,
            };
        if alarm {
            self.state = Sums::default();
        }
        alarm
    }
}

/// An adaptive window: it grows while nothing changes and drops its old part when its mean moved.
///
/// # References
/// Bifet and Gavalda (2007), Learning from Time-Changing Data with Adaptive Windowing.
#[derive(Clone, Debug, PartialEq)]
pub struct Adwin {
    /// Confidence of a cut.
    pub delta: f64,
    /// Values between two looks.
    pub clock: usize,
    /// Buckets of one size before two become one of the next.
    pub max_buckets: usize,
    /// Values that each part needs.
    pub min_part: f64,
    /// Values before the first look.
    pub grace_period: f64,
    window: Window,
    /// Whether the last value was an alarm: the window that it left is kept until the next.
    alarmed: bool,
}

/// Buckets by size: row r holds buckets of `2^r` values, the oldest first.
#[derive(Clone, Debug, Default, PartialEq)]
struct Window {
    rows: Vec<Vec<Bucket>>,
    width: f64,
    total: f64,
    /// Sum of squared deviations, not divided by the width.
    variance: f64,
    ticks: usize,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Bucket {
    total: f64,
    variance: f64,
}

fn size(row: usize) -> f64 {
    libm::exp2(row as f64)
}

impl Adwin {
    /// A detector; the customary settings are `(0.002, 32, 5, 5, 10)`.
    pub fn new(delta: f64, clock: usize, max_buckets: usize, min_part: usize, grace_period: usize) -> Self {
        let (min_part, grace_period) = (min_part as f64, grace_period as f64);
        let (window, alarmed) = (Window::default(), false);
        Self { delta, clock: clock.max(1), max_buckets, min_part, grace_period, window, alarmed }
    }

    /// Values in the window.
    pub fn width(&self) -> usize {
        self.window.width as usize
    }

    /// Mean of the window; 0 while it is empty.
    pub fn mean(&self) -> f64 {
        if self.window.width > 0.0 { self.window.total / self.window.width } else { 0.0 }
    }

    /// Sum of squared deviations in the window.
    pub fn sum_of_squares(&self) -> f64 {
        self.window.variance
    }

    /// Reads a value; `true` is an alarm, after which the next value starts anew.
    pub fn read(&mut self, value: f64) -> bool {
        if self.alarmed {
            self.window = Window::default();
        }
        self.window.insert(value, self.max_buckets);
        self.window.ticks += 1;
        self.alarmed = self.looks() && self.shrink();
        self.alarmed
    }

    fn looks(&self) -> bool {
        self.window.ticks.is_multiple_of(self.clock) && self.window.width > self.grace_period
    }

    fn shrink(&mut self) -> bool {
        let mut changed = false;
        while self.has_a_cut() {
            changed = true;
            self.window.drop_oldest();
        }
        changed
    }

    /// Goes through the cuts between buckets, the oldest first.
    fn has_a_cut(&self) -> bool {
        let window = &self.window;
        let (mut old, mut old_total) = (0.0, 0.0);
        for (row, buckets) in window.rows.iter().enumerate().rev() {
            for bucket in buckets {
                old += size(row);
                old_total += bucket.total;
                let new = window.width - old;
                if new < self.min_part || old < self.min_part || new <= 0.0 {
                    continue;
                }
                let gap = (old_total / old - (window.total - old_total) / new).abs();
                if gap > self.bound(old, new) {
                    return true;
                }
            }
        }
        false
    }

    fn bound(&self, old: f64, new: f64) -> f64 {
        let confidence = libm::log(2.0 * libm::log(self.window.width) / self.delta);
        let inverse = 1.0 / (old - self.min_part + 1.0) + 1.0 / (new - self.min_part + 1.0);
        let variance = self.window.variance / self.window.width;
        (2.0 * inverse * variance * confidence).sqrt() + 2.0 / 3.0 * confidence * inverse
    }
}

impl Window {
    fn insert(&mut self, value: f64, max_buckets: usize) {
        if self.rows.is_empty() {
            self.rows.push(Vec::new());
        }
        self.rows[0].push(Bucket { total: value, variance: 0.0 });
        self.width += 1.0;
        if self.width > 1.0 {
            let others = self.width - 1.0;
            let gap = value - self.total / others;
            self.variance += others * gap * gap / self.width;
        }
        self.total += value;
        self.merge(max_buckets);
    }

    /// Two buckets of a size become one of the next when there is one too many.
    fn merge(&mut self, max_buckets: usize) {
        let mut row = 0;
        while self.rows[row].len() == max_buckets + 1 {
            if row + 1 == self.rows.len() {
                self.rows.push(Vec::new());
            }
            let (first, second) = (self.rows[row][0], self.rows[row][1]);
            let count = size(row);
            let gap = first.total / count - second.total / count;
            let variance = first.variance + second.variance + count * count * gap * gap / (2.0 * count);
            self.rows[row].drain(..2);
            self.rows[row + 1].push(Bucket { total: first.total + second.total, variance });
            row += 1;
        }
    }

    fn drop_oldest(&mut self) {
        let row = self.rows.len() - 1;
        let bucket = self.rows[row].remove(0);
        let count = size(row);
        self.width -= count;
        self.total -= bucket.total;
        let gap = bucket.total / count - self.total / self.width;
        self.variance -= bucket.variance + count * self.width * gap * gap / (count + self.width);
        if self.rows[row].is_empty() {
            self.rows.pop();
        }
    }
}

/// The error rate against its best so far.
///
/// # References
/// Gama, Medas, Castillo and Rodrigues (2004), Learning with Drift Detection.
#[derive(Clone, Debug, PartialEq)]
pub struct Ddm {
    /// Values before the first alarm.
    pub warm_start: usize,
    /// Standard errors above the best that are an alarm.
    pub threshold: f64,
    count: usize,
    rate: f64,
    best: Option<(f64, f64)>,
}

impl Ddm {
    /// A detector; the customary settings are `(30, 3.0)`.
    pub fn new(warm_start: usize, threshold: f64) -> Self {
        Self { warm_start, threshold, count: 0, rate: 0.0, best: None }
    }

    /// Reads whether a prediction was wrong; `true` is an alarm, after which the next value starts anew.
    pub fn read(&mut self, is_wrong: bool) -> bool {
        self.count += 1;
        self.rate += (f64::from(u8::from(is_wrong)) - self.rate) / self.count as f64;
        if self.count <= self.warm_start {
            return false;
        }
        let error = (self.rate * (1.0 - self.rate) / self.count as f64).sqrt();
        let level = self.rate + error;
        if self.best.is_none_or(|(rate, error)| level <= rate + error) {
            self.best = Some((self.rate, error));
        }
        let alarm = self.best.is_some_and(|(rate, error)| level > rate + self.threshold * error);
        if alarm {
            *self = Self::new(self.warm_start, self.threshold);
        }
        alarm
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn golden() -> Vec<serde_json::Value> {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/stats/streaming_detectors.json");
        let file: serde_json::Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        file["cases"].as_array().unwrap().clone()
    }

    fn expected(case: &serde_json::Value) -> Vec<usize> {
        case["drift_at"].as_array().unwrap().iter().map(|at| at.as_u64().unwrap() as usize).collect()
    }

    fn alarms<T>(values: impl Iterator<Item = T>, mut read: impl FnMut(T) -> bool) -> Vec<usize> {
        values.enumerate().filter_map(|(at, value)| read(value).then_some(at)).collect()
    }

    #[test]
    fn detectors_of_numbers_alarm_where_river_does() {
        let mut compared = 0;
        for case in golden().iter().filter(|case| case["input"].get("x").is_some()) {
            let x: Vec<f64> = case["input"]["x"].as_array().unwrap().iter().map(|x| x.as_f64().unwrap()).collect();
            for (name, expect) in case["expect"].as_object().unwrap() {
                let number = |key: &str| expect["params"][key].as_f64().unwrap();
                let count = |key: &str| number(key) as usize;
                let what = format!("{} {name}", case["name"]);
                if name.starts_with("page_hinkley") {
                    let direction = match expect["params"]["mode"].as_str().unwrap() {
                        "up" => Direction::Up,
                        "down" => Direction::Down,
                        _ => Direction::Both,
                    };
                    let (least, delta, alpha) = (count("min_instances"), number("delta"), number("alpha"));
                    let mut detector = PageHinkley::new(least, delta, number("threshold"), alpha, direction);
                    assert_eq!(alarms(x.iter().copied(), |x| detector.read(x)), expected(expect), "{what}");
                    compared += 1;
                } else if name.starts_with("adwin") {
                    let (buckets, part) = (count("max_buckets"), count("min_window_length"));
                    let mut detector =
                        Adwin::new(number("delta"), count("clock"), buckets, part, count("grace_period"));
                    assert_eq!(alarms(x.iter().copied(), |x| detector.read(x)), expected(expect), "{what}");
                    assert_eq!(detector.width() as u64, expect["final_width"].as_u64().unwrap(), "{what}");
                    let close = |ours: f64, key: &str| (ours - expect[key].as_f64().unwrap()).abs() < 1e-6;
                    assert!(close(detector.mean(), "final_mean"), "{what}");
                    assert!(close(detector.sum_of_squares(), "final_variance"), "{what}");
                    compared += 1;
                }
            }
        }
        assert!(compared >= 50, "{compared}");
    }

    #[test]
    fn the_detector_of_errors_alarms_where_river_does() {
        for case in golden().iter().filter(|case| case["input"].get("bits").is_some()) {
            let wrong = || case["input"]["bits"].as_str().unwrap().bytes().map(|bit| bit == b'1');
            for (name, expect) in case["expect"].as_object().unwrap().iter().filter(|(name, _)| name.starts_with("ddm"))
            {
                let number = |key: &str, default: f64| expect["params"][key].as_f64().unwrap_or(default);
                let mut detector = Ddm::new(number("warm_start", 30.0) as usize, number("drift_threshold", 3.0));
                assert_eq!(alarms(wrong(), |bit| detector.read(bit)), expected(expect), "{} {name}", case["name"]);
            }
        }
    }
}
