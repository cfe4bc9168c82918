//! What came of faults, counted.

use std::fmt::Write as _;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What came of one fault.
#[derive(Clone, Debug, Default)]
pub struct Case {
    /// Objects that nothing can bring back.
    pub lost: usize,
    /// Promotions beyond the first.
    pub duplicates: usize,
    /// Changed bytes that were believed.
    pub undetected: usize,
    /// What went wrong, in words; empty when the fault was survived.
    pub problems: Vec<String>,
}

impl Case {
    pub fn problem(&mut self, words: impl Into<String>) {
        self.problems.push(words.into());
    }

    /// Notes a problem unless something is so.
    pub fn expect(&mut self, so: bool, words: impl FnOnce() -> String) {
        if !so {
            self.problems.push(words());
        }
    }
}

/// What came of one kind of fault.
#[derive(Clone, Debug)]
pub struct Row {
    kind: String,
    tried: usize,
    survived: usize,
    lost: usize,
    duplicates: usize,
    undetected: usize,
    problems: Vec<String>,
}

impl Row {
    /// Tries every case, two at a time; `name` says which one a problem is of.
    pub fn of<T: Sync>(kind: &str, cases: &[T], name: impl Fn(&T) -> String, one: impl Fn(&T) -> Case + Sync) -> Self {
        let next = AtomicUsize::new(0);
        let found: Mutex<Vec<(usize, Case)>> = Mutex::default();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| {
                    while let Some((at, case)) = cases.get(next.load(Ordering::SeqCst)).and_then(|_| {
                        let at = next.fetch_add(1, Ordering::SeqCst);
                        Some((at, cases.get(at)?))
                    }) {
                        let came = one(case);
                        found.lock().unwrap().push((at, came));
                    }
                });
            }
        });
        let mut found = found.into_inner().unwrap();
        found.sort_by_key(|(at, _)| *at);
        let sum = |of: fn(&Case) -> usize| found.iter().map(|(_, case)| of(case)).sum();
        let is_whole = |case: &Case| case.problems.is_empty() && case.lost + case.duplicates + case.undetected == 0;
        let problems = found.iter().flat_map(|(at, case)| {
            let name = name(&cases[*at]);
            case.problems.iter().map(move |problem| format!("{name}: {problem}"))
        });
        Self {
            kind: kind.to_owned(),
            tried: cases.len(),
            survived: found.iter().filter(|(_, case)| is_whole(case)).count(),
            lost: sum(|case| case.lost),
            duplicates: sum(|case| case.duplicates),
            undetected: sum(|case| case.undetected),
            problems: problems.collect(),
        }
    }

    /// Says whether every fault was survived and at least one was tried.
    pub fn is_clean(&self) -> bool {
        self.tried > 0 && self.survived == self.tried && self.lost + self.duplicates + self.undetected == 0
    }
}

/// Fails a test with the table when a fault was not survived.
pub fn assert_clean(rows: &[Row]) {
    assert!(rows.iter().all(Row::is_clean), "\n{}", render(rows));
}

/// The table, its sum, and every problem.
pub fn render(rows: &[Row]) -> String {
    let header = ["fault", "tried", "survived", "objects lost", "duplicate deploys", "undetected flips"];
    let cells = |kind: &str, row: [usize; 5]| {
        let mut cells = vec![kind.to_owned()];
        cells.extend(row.map(|count| count.to_string()));
        cells
    };
    let counts = |row: &Row| [row.tried, row.survived, row.lost, row.duplicates, row.undetected];
    let mut lines = vec![header.map(str::to_owned).to_vec()];
    lines.extend(rows.iter().map(|row| cells(&row.kind, counts(row))));
    let total = rows.iter().map(counts).fold([0; 5], |sum, row| std::array::from_fn(|at| sum[at] + row[at]));
    lines.push(cells("all", total));
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut text = String::new();
    for (number, line) in lines.iter().enumerate() {
        if number == 1 || number + 1 == lines.len() {
            let _ = writeln!(text, "{}", "-".repeat(widths.iter().sum::<usize>() + 2 * (widths.len() - 1)));
        }
        let _ = write!(text, "{:<width$}", line[0], width = widths[0]);
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            let _ = write!(text, "  {cell:>width$}");
        }
        text.push('\n');
    }
    for problem in rows.iter().flat_map(|row| row.problems.iter().map(move |problem| (row, problem))) {
        let _ = writeln!(text, "\n{}, {}", problem.0.kind, problem.1);
    }
    text
}

#[test]
fn a_fault_that_is_not_survived_makes_the_table_unclean() {
    let of = |cases: &[usize]| {
        Row::of("kind", cases, ToString::to_string, |case| Case {
            lost: usize::from(*case == 3),
            problems: if *case == 4 { vec!["broken".to_owned()] } else { Vec::new() },
            ..Case::default()
        })
    };
    assert!(of(&[1, 2]).is_clean() && !of(&[2, 3]).is_clean() && !of(&[4]).is_clean() && !of(&[]).is_clean());
    let text = render(&[of(&[1, 3, 4])]);
    assert!(text.contains("kind       3         1             1"), "{text}");
    assert!(text.contains("kind, 4: broken"), "{text}");
}
