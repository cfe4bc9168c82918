//! How often the tests are right: `make calibrate`, or `cargo bench --bench calibrate -- [--quick] [TOPIC...]`.
//!
//! Every share stands with its standard error; a goal stands beside what it bounds. All draws come from one seed, so that
//! the same build prints the same table.

#![expect(
    clippy::print_stdout,
    clippy::expect_used,
    reason = "a benchmark prints what it measures, and stops where it cannot"
)]

mod drift;
mod market;
mod series;

use series::Size;

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let size = if words.iter().any(|word| word == "--quick") { Size::QUICK } else { Size::FULL };
    let topics: Vec<&str> = words.iter().map(String::as_str).filter(|word| !word.starts_with("--")).collect();
    let wanted = |topic: &str| topics.is_empty() || topics.contains(&topic);
    let all: [(&str, fn(Size)); 8] = [
        ("acceptance", drift::acceptance),
        ("rules", drift::rules),
        ("columns", drift::columns),
        ("power", drift::power),
        ("performance", drift::performance),
        ("synthetic", market::synthetic),
        ("stocks", market::stocks),
        ("time", drift::time),
    ];
    for (name, section) in all {
        if wanted(name) {
            section(size);
            println!();
        }
    }
}
