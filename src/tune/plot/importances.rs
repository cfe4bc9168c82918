//! How much each parameter mattered.

use super::View;
use super::picture::{ACCENT, PLAIN, Picture, end};

pub(super) fn draw(view: &View<'_>) -> String {
    let rows = &view.importance.importances;
    let height = 60.0 + 34.0 * rows.len() as f64;
    let title = "blue: fANOVA, share of variance; orange: PED-ANOVA, what sets the best apart";
    let mut picture = Picture::new(720.0, height, title);
    let (left, full) = (220.0, 440.0);
    for (position, row) in rows.iter().enumerate() {
        let top = 40.0 + 34.0 * position as f64;
        picture.words(left - 8.0, top + 15.0, &end(&row.parameter, left - 12.0, 12.0), "end", 12.0);
        for (share, colour, offset) in [(row.fanova, PLAIN, 0.0), (row.ped_anova, ACCENT, 11.0)] {
            let Some(share) = share else { continue };
            picture.rectangle((left, top + offset), (full * share.clamp(0.0, 1.0), 9.0), colour);
            let words = format!("{:.0} %", 100.0 * share);
            picture.words(left + full * share + 5.0, top + offset + 8.0, &words, "start", 10.0);
        }
    }
    picture.finish()
}
