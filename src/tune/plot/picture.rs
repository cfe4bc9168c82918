//! Shapes on a page, and the scales between numbers and places.

use std::fmt::Write as _;

/// A page of SVG.
pub(super) struct Picture {
    body: String,
    width: f64,
    height: f64,
}

/// The colour of axes and words.
pub(super) const INK: &str = "#444";
/// The colour of what stands out.
pub(super) const ACCENT: &str = "#d95f02";
/// The colour of what is ordinary.
pub(super) const PLAIN: &str = "#7a9cc6";
/// The colour of what is in the background.
pub(super) const FAINT: &str = "#bcc4cd";

impl Picture {
    /// An empty page with a title.
    pub(super) fn new(width: f64, height: f64, title: &str) -> Self {
        let mut picture = Self { body: String::new(), width, height };
        picture.words(width / 2.0, 18.0, title, "middle", 14.0);
        picture
    }

    pub(super) fn circle(&mut self, x: f64, y: f64, radius: f64, colour: &str) {
        let _ = writeln!(self.body, r#"<circle cx="{x:.1}" cy="{y:.1}" r="{radius:.1}" fill="{colour}"/>"#);
    }

    pub(super) fn rectangle(&mut self, (x, y): (f64, f64), (width, height): (f64, f64), colour: &str) {
        let _ = writeln!(
            self.body,
            r#"<rect x="{x:.1}" y="{y:.1}" width="{width:.1}" height="{height:.1}" fill="{colour}" shape-rendering="crispEdges"/>"#
        );
    }

    /// A line through points; a gap where a point is missing.
    pub(super) fn line(&mut self, points: &[(f64, f64)], colour: &str, width: f64) {
        let points: Vec<String> = points.iter().map(|(x, y)| format!("{x:.1},{y:.1}")).collect();
        let _ = writeln!(
            self.body,
            r#"<polyline points="{}" fill="none" stroke="{colour}" stroke-width="{width:.1}"/>"#,
            points.join(" ")
        );
    }

    /// Words whose `anchor` (`start`, `middle`, `end`) is at a place.
    pub(super) fn words(&mut self, x: f64, y: f64, words: &str, anchor: &str, size: f64) {
        let words = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(
            self.body,
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size:.0}" fill="{INK}">{words}</text>"#
        );
    }

    /// Words above a busy ground: with a white edge. Drawn twice, since not every program knows `paint-order`.
    pub(super) fn words_above(&mut self, x: f64, y: f64, words: &str, anchor: &str, size: f64) {
        let edge = words.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let _ = writeln!(
            self.body,
            r#"<text x="{x:.1}" y="{y:.1}" text-anchor="{anchor}" font-size="{size:.0}" stroke="white" stroke-width="3" fill="white" aria-hidden="true">{edge}</text>"#
        );
        self.words(x, y, words, anchor, size);
    }

    /// The whole document.
    pub(super) fn finish(self) -> String {
        let Self { body, width, height } = self;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width:.0} {height:.0}\" width=\"{width:.0}\" \
             height=\"{height:.0}\" font-family=\"sans-serif\">\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
             {body}</svg>\n"
        )
    }
}

/// A frame in which numbers have places.
#[derive(Clone, Copy)]
pub(super) struct Frame {
    /// Left and right edge.
    pub x: (f64, f64),
    /// Upper and lower edge.
    pub y: (f64, f64),
    /// Numbers at the lower and the upper edge.
    pub range: (f64, f64),
}

impl Frame {
    /// The place of a share of the width.
    pub(super) fn across(&self, share: f64) -> f64 {
        self.x.0 + share.clamp(0.0, 1.0) * (self.x.1 - self.x.0)
    }

    /// The place of a number, kept inside.
    pub(super) fn up(&self, number: f64) -> f64 {
        let share = ((number - self.range.0) / (self.range.1 - self.range.0)).clamp(0.0, 1.0);
        self.y.1 - share * (self.y.1 - self.y.0)
    }

    /// Draws the edges, and the numbers of the left one.
    pub(super) fn draw(&self, picture: &mut Picture) {
        let ((left, right), (top, bottom)) = (self.x, self.y);
        picture.line(&[(left, top), (left, bottom), (right, bottom)], INK, 1.0);
        for share in [0.0, 0.5, 1.0] {
            let number = self.range.0 + share * (self.range.1 - self.range.0);
            picture.words(left - 5.0, self.up(number) + 4.0, &short(number, 3), "end", 11.0);
        }
    }
}

/// A number in so many digits that count, without zeros at its end.
pub fn short(number: f64, digits: i32) -> String {
    if number == 0.0 || !number.is_finite() {
        return format!("{number}");
    }
    let magnitude = libm::floor(libm::log10(number.abs())) as i32;
    if !(-4..9).contains(&magnitude) {
        let text = format!("{number:.*e}", usize::try_from(digits - 1).unwrap_or(0));
        let Some((mantissa, exponent)) = text.split_once('e') else { return text };
        return format!("{}e{exponent}", without_zeros(mantissa));
    }
    let decimals = usize::try_from(digits - 1 - magnitude).unwrap_or(0);
    without_zeros(&format!("{number:.decimals$}")).to_owned()
}

fn without_zeros(text: &str) -> &str {
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { text }
}

/// As many of the first letters as there is room for.
pub(super) fn beginning(words: &str, room: f64, size: f64) -> String {
    let most = letters(room, size);
    if words.chars().count() <= most {
        return words.to_owned();
    }
    words.chars().take(most.saturating_sub(1)).chain(['…']).collect()
}

/// As many of the last letters as there is room for: a path of names differs at its end.
pub(super) fn end(words: &str, room: f64, size: f64) -> String {
    let (count, most) = (words.chars().count(), letters(room, size));
    if count <= most {
        return words.to_owned();
    }
    std::iter::once('…').chain(words.chars().skip(count + 1 - most)).collect()
}

/// Letters of a size in a width: three fifths of the size each, as in common fonts without serifs.
fn letters(room: f64, size: f64) -> usize {
    ((room / (0.6 * size)) as usize).max(2)
}

/// From a pale to a dark colour.
pub(super) fn shade(share: f64) -> String {
    let share = share.clamp(0.0, 1.0);
    let mix = |pale: f64, dark: f64| (pale + share * (dark - pale)).round() as u8;
    format!("#{:02x}{:02x}{:02x}", mix(222.0, 8.0), mix(235.0, 48.0), mix(247.0, 107.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        let found = [1234.5, 50.0, 2.5, 0.0, 0.005, 0.0125, -0.37, 1e-7, 3.067265].map(|number| short(number, 3));
        assert_eq!(found, ["1234", "50", "2.5", "0", "0.005", "0.0125", "-0.37", "1e-7", "3.07"]);
    }

    #[test]
    fn words_without_room_are_cut_where_they_say_least() {
        assert_eq!([beginning("aggressive", 30.0, 10.0), end("exit.hard_stop", 30.0, 10.0)], ["aggr…", "…stop"]);
        assert_eq!([beginning("calm", 30.0, 10.0), end("calm", 30.0, 10.0)], ["calm", "calm"]);
    }
}
