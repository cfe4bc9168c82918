//! Pictures of an evaluation as inline SVG. Colours are classes, so that the page around it can be light or dark.

use std::fmt::Write as _;

/// Size of a picture.
const WIDTH: f64 = 460.0;
const HEIGHT: f64 = 300.0;
/// Edges of the frame inside it: left, right, top, bottom.
const FRAME: (f64, f64, f64, f64) = (52.0, 446.0, 14.0, 250.0);

/// Points of a line; more are not seen.
const POINTS: usize = 300;

/// One picture with its axes.
pub(super) struct Chart {
    body: String,
    x: (f64, f64),
    y: (f64, f64),
    entries: Vec<(String, &'static str)>,
}

/// A range that is never empty.
pub(super) fn range(values: impl IntoIterator<Item = f64>) -> (f64, f64) {
    let ends = values.into_iter().filter(|value| value.is_finite());
    let (low, high) = ends.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), it| (low.min(it), high.max(it)));
    if low > high {
        (0.0, 1.0)
    } else if low == high {
        (low - 0.5, high + 0.5)
    } else {
        (low, high)
    }
}

pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A label of an axis: as many decimals as the span needs.
fn tick(value: f64, span: f64) -> String {
    let decimals = if span >= 20.0 {
        0
    } else if span >= 2.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.decimals$}");
    // rounding leaves a sign on nothing
    if text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') {
        text.trim_start_matches('-').to_owned()
    } else {
        text
    }
}

impl Chart {
    /// Draws the frame, four ticks a side, and what the axes are.
    pub(super) fn new(x: (f64, f64), y: (f64, f64), across: &str, up: &str) -> Self {
        let mut chart = Self { body: String::new(), x, y, entries: Vec::new() };
        let (left, right, top, bottom) = FRAME;
        for step in 0..=4 {
            let share = f64::from(step) / 4.0;
            let (at_x, at_y) = (left + share * (right - left), bottom - share * (bottom - top));
            let _ = writeln!(
                chart.body,
                r#"<path class="grid" d="M{left} {at_y:.1}H{right}M{at_x:.1} {top}V{bottom}"/><text x="{x:.1}" y="{y:.1}" text-anchor="end">{up}</text><text x="{at_x:.1}" y="{below:.1}" text-anchor="middle">{across}</text>"#,
                x = left - 5.0,
                y = at_y + 4.0,
                below = bottom + 15.0,
                up = tick(y.0 + share * (y.1 - y.0), y.1 - y.0),
                across = tick(x.0 + share * (x.1 - x.0), x.1 - x.0),
            );
        }
        let middle = (left + right) / 2.0;
        let _ = writeln!(
            chart.body,
            r#"<text x="{middle:.1}" y="{below:.1}" text-anchor="middle">{across}</text><text transform="translate(12 {beside:.1}) rotate(-90)" text-anchor="middle">{up}</text>"#,
            below = bottom + 32.0,
            beside = (top + bottom) / 2.0,
            across = escaped(across),
            up = escaped(up),
        );
        chart
    }

    /// Writes over the labels of the horizontal axis: its two ends, where numbers would say nothing.
    pub(super) fn ends(&mut self, first: &str, last: &str) {
        let (left, right, _, bottom) = FRAME;
        let _ = writeln!(
            self.body,
            r#"<rect class="paper" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="14"/><text x="{left:.1}" y="{below:.1}">{first}</text><text x="{right:.1}" y="{below:.1}" text-anchor="end">{last}</text>"#,
            x = left - 20.0,
            y = bottom + 4.0,
            width = right - left + 34.0,
            below = bottom + 15.0,
            first = escaped(first),
            last = escaped(last),
        );
    }

    fn place(&self, (x, y): (f64, f64)) -> (f64, f64) {
        let (left, right, top, bottom) = FRAME;
        let share = |value: f64, (low, high): (f64, f64)| ((value - low) / (high - low)).clamp(0.0, 1.0);
        (left + share(x, self.x) * (right - left), bottom - share(y, self.y) * (bottom - top))
    }

    /// Draws a line, thinned where it has more points than can be seen, and adds it to the legend unless it has no name.
    pub(super) fn line(&mut self, points: &[(f64, f64)], class: &'static str, name: &str) {
        if points.is_empty() {
            return;
        }
        let step = points.len().div_ceil(POINTS).max(1);
        let last = points.len() - 1;
        let mut path = String::new();
        for (at, point) in points.iter().enumerate().filter(|(at, _)| at % step == 0 || *at == last) {
            let (x, y) = self.place(*point);
            let _ = write!(path, "{}{x:.1} {y:.1}", if at == 0 { "M" } else { "L" });
        }
        let _ = writeln!(self.body, r#"<path class="line {class}" d="{path}"/>"#);
        if !name.is_empty() {
            self.entries.push((name.to_owned(), class));
        }
    }

    /// Draws points with a radius each.
    pub(super) fn dots(&mut self, points: &[(f64, f64, f64)], class: &'static str) {
        for (x, y, radius) in points {
            let (x, y) = self.place((*x, *y));
            let _ = writeln!(self.body, r#"<circle class="fill {class}" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}"/>"#);
        }
    }

    /// Draws a bar from the floor, and names it in the legend if it has a name.
    pub(super) fn bar(&mut self, (from, to): (f64, f64), height: f64, class: &'static str) {
        let ((x, y), (right, floor)) = (self.place((from, height)), self.place((to, self.y.0)));
        let (width, tall) = ((right - x).max(0.5), (floor - y).max(0.0));
        let _ = writeln!(
            self.body,
            r#"<rect class="fill {class}" x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{tall:.1}"/>"#
        );
    }

    /// Names a colour in the legend.
    pub(super) fn name(&mut self, name: &str, class: &'static str) {
        self.entries.push((name.to_owned(), class));
    }

    /// The picture with its legend and its title.
    pub(super) fn finish(mut self, title: &str) -> String {
        let mut x = FRAME.0;
        for (name, class) in std::mem::take(&mut self.entries) {
            let _ = writeln!(
                self.body,
                r#"<rect class="fill {class}" x="{x:.1}" y="{box_y:.1}" width="10" height="10"/><text x="{text_x:.1}" y="{y:.1}">{name}</text>"#,
                box_y = HEIGHT - 13.0,
                text_x = x + 14.0,
                y = HEIGHT - 4.0,
                name = escaped(&name),
            );
            // no letter of the font is wider on average
            x += 26.0 + 6.2 * name.chars().count() as f64;
        }
        format!(
            "<figure><figcaption>{title}</figcaption><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" aria-label=\"{title}\">\n{}</svg></figure>\n",
            self.body,
            title = escaped(title),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_thinned_and_keep_their_ends() {
        let mut chart = Chart::new((0.0, 1000.0), (0.0, 1.0), "x", "y");
        let points: Vec<(f64, f64)> = (0..=1000).map(|x| (f64::from(x), f64::from(x) / 1000.0)).collect();
        chart.line(&points, "a", "rise");
        let text = chart.finish("A <picture>");
        assert!(text.matches('L').count() <= POINTS + 1 && text.contains("446.0 14.0"), "{text}");
        assert!(text.contains("A &lt;picture&gt;") && text.contains(">rise</text>"));
    }

    #[test]
    fn ranges_are_never_empty_and_ticks_have_no_sign_on_nothing() {
        assert_eq!((range([]), range([2.0, 2.0]), range([1.0, f64::NAN, 3.0])), ((0.0, 1.0), (1.5, 2.5), (1.0, 3.0)));
        assert_eq!(
            (tick(-0.0001, 1.0), tick(1234.5, 900.0), tick(0.256, 0.4)),
            ("0.00".to_owned(), "1234".to_owned(), "0.26".to_owned())
        );
    }
}
