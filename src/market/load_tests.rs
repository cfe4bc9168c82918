use super::*;
use crate::market::{FileData, Files, ReadOptions};

fn request(on_bad_bar: OnBadBar) -> BarsRequest {
    BarsRequest { symbols: None, from: None, until: "2030-01-01".parse().unwrap(), on_bad_bar }
}

fn csv(rows: &[&str]) -> BTreeMap<String, Bytes> {
    let text = format!("symbol,ts,open,high,low,close,volume\n{}\n", rows.join("\n"));
    [("bars.csv".to_owned(), Bytes::from(text))].into()
}

const GOOD: &str = "A,2020-01-02,10,12,9,11,100";

#[test]
fn the_calendar_is_the_union_of_sessions() {
    let files = csv(&[GOOD, "A,2020-01-06,11,12,10,11,5", "B,2020-01-03,1,1,1,1,0"]);
    let bars = load_bars(&files, &request(OnBadBar::Error)).unwrap().bars;
    assert_eq!(bars.sessions.len(), 3);
    assert_eq!(bars.series[0].session, [0, 2]);
    assert_eq!(bars.series[1].session, [1]);
    assert_eq!(bars.periods_per_year, 252.0);
}

#[test]
fn no_bar_at_or_after_the_end_of_the_window_is_read() {
    let files = csv(&[GOOD, "A,2020-01-03,11,12,10,11,5"]);
    let request = BarsRequest { until: "2020-01-03".parse().unwrap(), ..request(OnBadBar::Error) };
    assert_eq!(load_bars(&files, &request).unwrap().bars.sessions.len(), 1);
}

#[test]
fn a_bar_that_has_not_closed_at_the_end_of_the_window_is_not_read() {
    let files = csv(&[GOOD, "A,2020-01-03,11,12,10,11,5"]);
    let request = BarsRequest { until: "2020-01-03T12:00:00Z".parse().unwrap(), ..request(OnBadBar::Error) };
    assert_eq!(load_bars(&files, &request).unwrap().bars.sessions.len(), 1);
}

#[test]
fn an_impossible_bar_is_named_with_column_expectation_and_finding() {
    let cases = [
        ("A,2020-01-03,10,9,9,10,1", "column `high`: expected at least max(open, close) = 10, found 9"),
        ("A,2020-01-03,10,12,11,12,1", "column `low`: expected at most min(open, close) = 10, found 11"),
        ("A,2020-01-03,0,12,9,11,1", "column `open`: expected a positive price, found 0"),
        ("A,2020-01-03,10,12,9,,1", "column `close`: expected a positive price, found nothing"),
        ("A,2020-01-02,10,12,9,11,1", "column `ts`: expected one bar a symbol and time, found a duplicate"),
        ("A,2020-01-01,10,12,9,11,1", "column `ts`: expected a time after 2020-01-02, found an earlier one"),
        ("A,2020-01-03,10,12,9,11,-1", "column `volume`: expected 0 or more, found -1"),
    ];
    for (row, expected) in cases {
        let error = load_bars(&csv(&[GOOD, row]), &request(OnBadBar::Error)).unwrap_err().to_string();
        assert!(error.contains(expected) && error.contains("bars.csv: A at 2020-01-0"), "{error}");
        let loaded = load_bars(&csv(&[GOOD, row]), &request(OnBadBar::Drop)).unwrap();
        assert_eq!((loaded.bars.sessions.len(), loaded.dropped.len()), (1, 1), "{row}");
    }
}

#[test]
fn an_unknown_symbol_is_refused_with_those_that_exist() {
    let request = BarsRequest { symbols: Some(vec!["Z".to_owned()]), ..request(OnBadBar::Error) };
    let error = load_bars(&csv(&[GOOD]), &request).unwrap_err().to_string();
    assert_eq!(error, "no bars for Z; the files hold A");
}

#[test]
fn repairs_are_those_of_the_table_and_each_is_told() {
    let cases = [
        ("A,2020-01-03,10,9,9,10,1", [10.0, 10.0, 9.0, 10.0, 1.0], "high = max(open, close) = 10"),
        ("A,2020-01-03,10,12,11,12,1", [10.0, 12.0, 10.0, 12.0, 1.0], "low = min(open, close) = 10"),
        ("A,2020-01-03,10,,9,11,1", [10.0, 11.0, 9.0, 11.0, 1.0], "high = max(open, close) = 11"),
        ("A,2020-01-03,10,12,0,11,1", [10.0, 12.0, 10.0, 11.0, 1.0], "low = min(open, close) = 10"),
    ];
    for (row, expected, words) in cases {
        let loaded = load_bars(&csv(&[GOOD, row]), &request(OnBadBar::Repair)).unwrap();
        let series = &loaded.bars.series[0];
        let found = [series.open[1], series.high[1], series.low[1], series.close[1], series.volume[1]];
        assert_eq!(found, expected, "{row}");
        assert!(loaded.dropped.is_empty() && loaded.repaired[0].ends_with(words), "{:?}", loaded.repaired);
    }
    let loaded = load_bars(&csv(&[GOOD, "A,2020-01-03,10,12,9,11,-5"]), &request(OnBadBar::Repair)).unwrap();
    assert!(loaded.bars.series[0].volume[1].is_nan() && loaded.repaired[0].ends_with("volume unknown"));
}

#[test]
fn what_a_bar_does_not_say_how_to_mend_is_left_out() {
    for row in ["A,2020-01-03,,12,9,11,1", "A,2020-01-03,10,12,9,x,1", "A,2020-01-02,10,12,9,11,1", "A,,1,1,1,1,1"] {
        let loaded = load_bars(&csv(&[GOOD, row]), &request(OnBadBar::Repair)).unwrap();
        assert_eq!((loaded.bars.sessions.len(), loaded.dropped.len(), loaded.repaired.len()), (1, 1, 0), "{row}");
    }
}

#[test]
fn bars_out_of_order_are_sorted_and_the_first_of_two_stays() {
    let rows = ["A,2020-01-06,3,3,3,3,1", "A,2020-01-02,1,1,1,1,1", "A,2020-01-03,2,2,2,2,1", "A,2020-01-06,9,9,9,9,1"];
    let loaded = load_bars(&csv(&rows), &request(OnBadBar::Repair)).unwrap();
    assert_eq!(loaded.bars.series[0].close, [1.0, 2.0, 3.0]);
    assert_eq!((loaded.repaired.len(), loaded.dropped.len()), (1, 1));
    assert!(loaded.repaired[0].ends_with("found an earlier one; put where its time belongs"), "{:?}", loaded.repaired);
    assert!(loaded.dropped[0].contains("row 4: column `ts`: expected one bar a symbol and time"));
}

#[test]
fn a_second_bar_at_the_time_of_an_early_one_is_a_duplicate() {
    let rows = ["A,2020-01-02,1,1,1,1,1", "A,2020-01-03,2,2,2,2,1", "A,2020-01-02,9,9,9,9,1"];
    let loaded = load_bars(&csv(&rows), &request(OnBadBar::Repair)).unwrap();
    assert_eq!(loaded.bars.series[0].close, [1.0, 2.0]);
    assert_eq!((loaded.repaired.len(), loaded.dropped.len()), (0, 1));
}

fn dataset(read: &str, files: &[(&str, &str)]) -> Dataset {
    let options: ReadOptions = serde_json::from_str(read).unwrap();
    let data = |text: &str| FileData::Memory(Bytes::from(text.to_owned()));
    let bars = files.iter().map(|(name, text)| ((*name).to_owned(), data(text))).collect();
    Dataset { options, bars, ..Dataset::default() }
}

fn table(text: &str) -> Files {
    [("table.csv".to_owned(), FileData::Memory(Bytes::from(text.to_owned())))].into()
}

fn loaded(dataset: &Dataset) -> Bars {
    dataset.load(&request(OnBadBar::Error)).unwrap().bars
}

#[test]
fn columns_may_have_any_names_and_the_time_of_day_a_column_of_its_own() {
    let read = r#"{"columns": {"symbol": "Ticker", "ts": "Day", "time": "Clock", "open": "O", "high": "H", "low": "L",
        "close": "C", "volume": "V"}, "time": {"zone": "Europe/Berlin"}, "csv": {"delimiter": ";", "decimal_comma": true},
        "keep": ["Spread"]}"#;
    let text = "Ticker;Day;Clock;O;H;L;C;V;Spread\nA;2020-07-01;09:00;1,5;2;1;1,75;10;0,25\n";
    let bars = loaded(&dataset(read, &[("a.csv", text)]));
    assert_eq!(Timestamp::from_micros(bars.sessions[0]).to_string(), "2020-07-01T07:00:00Z");
    let series = &bars.series[0];
    assert_eq!((series.open[0], series.close[0], series.column("Spread").unwrap()[0]), (1.5, 1.75, 0.25));
}

#[test]
fn a_symbol_may_be_the_name_of_a_file_of_a_folder_or_of_columns() {
    let row = "ts,open,high,low,close,volume\n2020-01-02,1,2,1,2,5\n";
    let by_file = dataset(r#"{"file_name": "{symbol}_1d"}"#, &[("A_1d.csv", row), ("BRK.B_1d.csv", row)]);
    let by_folder = dataset("{}", &[("symbol=A/x.csv", row), ("symbol=BRK.B/x.csv", row)]);
    let wide = "ts,A open,A high,A low,A close,A volume,BRK.B open,BRK.B high,BRK.B low,BRK.B close,BRK.B volume\n\
        2020-01-02,1,2,1,2,5,1,2,1,2,5\n2020-01-03,,,,,,1,2,1,2,5\n";
    let by_header = dataset(r#"{"wide": "{symbol} {column}"}"#, &[("wide.csv", wide)]);
    for dataset in [&by_file, &by_folder, &by_header] {
        let bars = loaded(dataset);
        let symbols: Vec<&str> = bars.series.iter().map(|series| series.symbol.as_str()).collect();
        assert_eq!(symbols, ["A", "BRK.B"]);
        assert_eq!(bars.series[0].len(), 1);
    }
    assert_eq!(loaded(&by_header).series[1].len(), 2);
}

#[test]
fn a_time_that_clocks_show_twice_is_told_by_the_order_of_bars() {
    let read = r#"{"time": {"zone": "America/New_York"}}"#;
    let rows: String = ["00:30", "01:00", "01:30", "01:00", "01:30", "02:00"]
        .map(|time| format!("A,2020-11-01 {time}:00,1,1,1,1,1\n"))
        .concat();
    let bars = loaded(&dataset(read, &[("a.csv", &format!("symbol,ts,open,high,low,close,volume\n{rows}"))]));
    assert_eq!(bars.sessions.len(), 6);
    assert!(bars.sessions.windows(2).all(|pair| pair[1] - pair[0] == 1_800_000_000));
}

#[test]
fn a_missing_column_is_named_with_the_one_that_it_may_be() {
    let text = "symbol,ts,open,high,low,Close,volume\nA,2020-01-02,1,1,1,1,1\n";
    let error = dataset("{}", &[("a.csv", text)]).load(&request(OnBadBar::Error)).unwrap_err().to_string();
    let hint = "; if it is `Close`, write `read: {columns: {close: \"Close\"}}`";
    assert!(error.starts_with("a.csv: ") && error.contains("`close` is missing") && error.ends_with(hint), "{error}");
}

#[test]
fn a_session_that_the_calendar_does_not_have_is_a_bad_bar() {
    let mut data = dataset(
        r#"{"calendar": {"sessions": "table.csv", "periods_per_year": 250}}"#,
        &[("a.csv", "symbol,ts,open,high,low,close,volume\nA,2020-01-02,1,1,1,1,1\nA,2020-01-04,1,1,1,1,1\n")],
    );
    data.calendar = table("ts\n2020-01-02\n2020-01-03\n");
    let error = data.load(&request(OnBadBar::Error)).unwrap_err().to_string();
    assert!(error.contains("A at 2020-01-04, row 2: column `ts`: expected a session of the calendar"), "{error}");
    let loaded = data.load(&request(OnBadBar::Drop)).unwrap();
    assert_eq!((loaded.bars.sessions.len(), loaded.bars.periods_per_year), (1, 250.0));
}

#[test]
fn a_table_is_joined_by_the_time_it_became_known_and_grows_stale() {
    let mut data = dataset(
        r#"{"join": {"macro": {"path": "t", "columns": ["rate"], "available_at": "released", "max_age": "2d"}}}"#,
        &[(
            "a.csv",
            "symbol,ts,open,high,low,close,volume\nA,2020-01-02,1,1,1,1,1\nA,2020-01-03,1,1,1,1,1\n\
            A,2020-01-06,1,1,1,1,1\nA,2020-01-07,1,1,1,1,1\n",
        )],
    );
    // known on the 3rd; a second row after the close of the 6th
    data.join = [("macro".to_owned(), table("released,rate\n2020-01-07T00:00:01Z,5\n2020-01-03,4\n"))].into();
    let bars = loaded(&data);
    let rate = bars.series[0].column("macro_rate").unwrap();
    assert!(rate[0].is_nan() && rate[2].is_nan());
    assert_eq!((rate[1], rate[3]), (4.0, 5.0));
}

#[test]
fn a_pinned_data_set_comes_back_as_it_was_and_options_are_part_of_it() {
    let mut data = dataset(
        r#"{"adjust": {"events": "e"}, "join": {"macro": {"path": "m", "columns": ["rate"]}}}"#,
        &[("a.csv", "symbol,ts,open,high,low,close,volume\n")],
    );
    data.events = table("symbol,ts,split,dividend\n");
    data.join = [("macro".to_owned(), table("available_at,rate\n"))].into();
    let tree = data.to_tree().unwrap();
    let names: Vec<&str> = tree.keys().map(String::as_str).collect();
    assert_eq!(names, ["bars/a.csv", "events/table.csv", "join/macro/table.csv", "read.json"]);
    assert_eq!(Dataset::from_tree(&tree).unwrap(), data);
    let plain = dataset("{}", &[("a.csv", "x")]);
    assert_eq!(plain.to_tree().unwrap().keys().collect::<Vec<_>>(), ["a.csv"]);
}

fn file(path: &str) -> Files {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    [("bars.parquet".to_owned(), FileData::Local(path))].into()
}

#[test]
fn raw_prices_and_adjusted_closes_give_the_adjusted_bars_of_their_source() {
    let raw = |read: &str| Dataset { bars: file("tests/golden/market/us5_daily_raw.parquet"), ..dataset(read, &[]) };
    let adjusted = loaded(&raw(r#"{"adjust": {"close": "adj_close", "as_of": "data"}}"#));
    let expected = loaded(&Dataset { bars: file("data/us5/us5_daily.parquet"), ..Dataset::default() });
    assert_eq!(adjusted.sessions, expected.sessions);
    for (found, expected) in adjusted.series.iter().zip(&expected.series) {
        assert_eq!((&found.symbol, found.len()), (&expected.symbol, expected.len()));
        for column in crate::market::OHLCV {
            let (found, expected) = (found.column(column).unwrap(), expected.column(column).unwrap());
            let far = |pair: (&f64, &f64)| (pair.0 - pair.1).abs() > 1e-9 * pair.1.abs();
            assert!(!found.iter().zip(expected).any(far), "{column}");
        }
    }
    // as of the window the last bar is as traded, and no other return changes
    let in_window = loaded(&raw(r#"{"adjust": {"close": "adj_close"}}"#));
    for (ours, data) in in_window.series.iter().zip(&adjusted.series) {
        let last = ours.len() - 1;
        assert!((ours.close[last] - ours.column("raw_close").unwrap()[last]).abs() < 1e-9);
        let change = |series: &Series, row: usize| series.close[row] / series.close[row - 1];
        assert!((1..ours.len()).all(|row| (change(ours, row) - change(data, row)).abs() < 1e-9));
    }
}

mod laws {
    use proptest::prelude::*;

    use super::*;

    fn rows(days: usize) -> String {
        let row = |day: usize| {
            let price = 10.0 + (day * 7 % 5) as f64;
            let ts = Timestamp::from_micros(1_577_923_200_000_000 + day as i64 * 86_400_000_000).date();
            format!("A,{ts},{price},{},{},{price},{}\n", price + 1.0, price - 1.0, day + 1)
        };
        (0..days).map(row).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn a_later_end_of_the_window_changes_no_earlier_bar(days in 3_usize..40, cut in 1_usize..39) {
            let text = format!("symbol,ts,open,high,low,close,volume\n{}", rows(days));
            let mut data = dataset(
                r#"{"higher": ["1w"], "join": {"m": {"path": "m", "columns": ["x"], "max_age": "3d"}}}"#,
                &[("a.csv", &text)],
            );
            data.join = [("m".to_owned(), table("available_at,x\n2020-01-05,1\n2020-01-12,2\n2020-01-20,3\n"))].into();
            let until = |day: usize| Timestamp::from_micros(1_577_923_200_000_000 + day as i64 * 86_400_000_000);
            let whole = data.load(&BarsRequest { until: until(days), ..request(OnBadBar::Error) }).unwrap().bars;
            let cut = cut.min(days);
            let head = data.load(&BarsRequest { until: until(cut), ..request(OnBadBar::Error) }).unwrap().bars;
            prop_assert_eq!(head.series[0].len(), cut);
            for (name, values) in &head.series[0].extra {
                let bits = |values: &[f64]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                prop_assert_eq!(bits(&whole.series[0].extra[name][..cut]), bits(values), "{}", name);
            }
        }

        #[test]
        fn any_order_of_rows_is_the_same_bars_once_repaired(order in Just((0..12_usize).collect::<Vec<_>>()).prop_shuffle()) {
            let sorted = rows(12);
            let lines: Vec<&str> = sorted.lines().collect();
            let shuffled: String = order.iter().map(|&line| format!("{}\n", lines[line])).collect();
            let text = |rows: &str| format!("symbol,ts,open,high,low,close,volume\n{rows}");
            let repaired = dataset("{}", &[("a.csv", &text(&shuffled))]).load(&request(OnBadBar::Repair)).unwrap();
            prop_assert_eq!(repaired.bars, loaded(&dataset("{}", &[("a.csv", &text(&sorted))])));
        }

        #[test]
        fn a_data_set_in_pieces_is_the_data_set_whole(split in 1_usize..19) {
            let all = rows(20);
            let at = all.lines().take(split).map(|line| line.len() + 1).sum::<usize>();
            let header = "symbol,ts,open,high,low,close,volume\n";
            let (first, second) = (format!("{header}{}", &all[..at]), format!("{header}{}", &all[at..]));
            let pieces = dataset("{}", &[("1.csv", &first), ("2.csv", &second)]);
            prop_assert_eq!(loaded(&pieces), loaded(&dataset("{}", &[("a.csv", &format!("{header}{all}"))])));
        }
    }
}
