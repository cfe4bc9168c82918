use bytes::Bytes;

use super::*;
use crate::market::FileData;

fn quality(rows: &[&str]) -> Quality {
    let text = format!("symbol,ts,open,high,low,close,volume\n{}\n", rows.join("\n"));
    let bars = [("a.csv".to_owned(), FileData::Memory(Bytes::from(text)))].into();
    let dataset = Dataset { bars, ..Dataset::default() };
    dataset.quality("2020-03-01".parse().unwrap()).unwrap()
}

#[test]
fn every_defect_is_named_by_symbol_time_and_column() {
    let found = quality(&[
        "A,2020-01-02,10,12,9,11,100",
        "A,2020-01-03,10,9,11,10,1",
        "A,2020-01-06,10,12,9,0,1",
        "A,2020-01-02,10,12,9,11,1",
        "A,2020-01-07,,12,9,11,-1",
        "B,2020-06-02,10,12,9,11,1",
        ",2020-01-02,1,1,1,1,1",
        "B,yesterday,1,1,1,1,1",
    ]);
    let listed: Vec<(DefectKind, u64, &str)> =
        found.first_defects.iter().map(|defect| (defect.kind, defect.row, defect.column.as_str())).collect();
    assert_eq!(
        listed,
        [
            (DefectKind::High, 2, "high"),
            (DefectKind::Low, 2, "low"),
            (DefectKind::Price, 3, "close"),
            (DefectKind::Duplicate, 4, "ts"),
            (DefectKind::MissingPrice, 5, "open"),
            (DefectKind::Volume, 5, "volume"),
            (DefectKind::Future, 6, "ts"),
            (DefectKind::Symbol, 7, "symbol"),
            (DefectKind::Time, 8, "ts"),
        ]
    );
    assert_eq!((found.bars, found.symbols[0].bars, found.symbols[1].bars), (1, 1, 0));
    assert_eq!(found.symbols[0].defects.values().sum::<u64>(), 6);
}

#[test]
fn gaps_and_ends_are_counted_in_sessions_of_all_symbols() {
    let found = quality(&[
        "A,2020-01-02,1,1,1,1,0",
        "A,2020-01-08,1,1,1,1,",
        "B,2020-01-02,1,1,1,1,1",
        "B,2020-01-03,1,1,1,1,1",
        "B,2020-01-06,1,1,1,1,1",
    ]);
    let [a, b] = &found.symbols[..] else { panic!("two symbols") };
    assert_eq!((a.missing_sessions, a.zero_volume, a.unknown_volume, a.ended_early), (2, 1, 1, false));
    assert_eq!(a.longest_gap, Some(("2020-01-02".parse().unwrap(), "2020-01-08".parse().unwrap())));
    assert_eq!((b.missing_sessions, b.ended_early, b.stale_bars), (0, true, 3));
    assert_eq!((found.sessions, found.bar_micros), (4, Some(86_400_000_000)));
}

#[test]
fn a_split_and_an_outlier_are_suspected_but_are_no_defects() {
    let day = |n: i64| Timestamp::from_micros((18_000 + n) * 86_400_000_000).date();
    let mut rows: Vec<String> = (0..60)
        .map(|n| {
            let price = if n < 40 { 100.0 } else { 50.0 } + (n % 3) as f64;
            format!("A,{},{price},{},{price},{price},1", day(n), price + 0.5)
        })
        .collect();
    rows.push(format!("A,{},50,80,50,80,1", day(60)));
    let rows: Vec<&str> = rows.iter().map(String::as_str).collect();
    let found = quality(&rows);
    let [a] = &found.symbols[..] else { panic!("one symbol") };
    assert_eq!(a.splits.iter().map(|split| split.ts.date()).collect::<Vec<_>>(), [day(40)]);
    assert_eq!(a.outliers.iter().map(|outlier| outlier.to).collect::<Vec<_>>(), [80.0]);
    assert!(found.defects.is_empty());
}
