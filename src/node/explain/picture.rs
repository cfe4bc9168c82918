//! Shapes in SVG whose colours follow the reader's light or dark page.

use std::fmt::Write as _;

/// A drawing inside a page.
pub(super) struct Picture {
    body: String,
    width: f64,
    height: f64,
}

impl Picture {
    pub(super) const fn new(width: f64, height: f64) -> Self {
        Self { body: String::new(), width, height }
    }

    /// A box of a class.
    pub(super) fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), class: &str) {
        let _ = writeln!(
            self.body,
            r#"<rect class="{class}" x="{x:.1}" y="{y:.1}" width="{:.1}" height="{:.1}"/>"#,
            width.max(0.0),
            height.max(0.0)
        );
    }

    /// A dot between low (0) and high (1).
    pub(super) fn dot(&mut self, x: f64, y: f64, share: f64) {
        let _ = writeln!(self.body, r#"<circle cx="{x:.1}" cy="{y:.1}" r="2" fill="{}"/>"#, colour(share));
    }

    /// A line of a class through points.
    pub(super) fn line(&mut self, points: impl IntoIterator<Item = (f64, f64)>, class: &str) {
        let places: Vec<String> = points.into_iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(self.body, r#"<polyline class="{class}" points="{}"/>"#, places.join(" "));
    }

    /// A filled shape of a class.
    pub(super) fn area(&mut self, points: impl IntoIterator<Item = (f64, f64)>, class: &str) {
        let places: Vec<String> = points.into_iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(self.body, r#"<polygon class="{class}" points="{}"/>"#, places.join(" "));
    }

    /// Words whose `anchor` (`start`, `middle`, `end`) is at a place.
    pub(super) fn words(&mut self, (x, y): (f64, f64), words: &str, anchor: &str) {
        let _ = writeln!(self.body, r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}">{}</text>"#, escaped(words));
    }

    pub(super) fn finish(self, title: &str) -> String {
        let Self { body, width, height } = self;
        format!(
            "<svg viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" role=\"img\" aria-label=\"{}\">\n{body}</svg>\n",
            escaped(title)
        )
    }
}

/// From blue (low) to orange (high); grey where there is no value.
fn colour(share: f64) -> String {
    if share.is_nan() {
        return "#999".to_owned();
    }
    let mix = |low: f64, high: f64| (low + share.clamp(0.0, 1.0) * (high - low)).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(40.0, 235.0), mix(120.0, 110.0), mix(210.0, 30.0))
}

/// Text as HTML shows it.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
