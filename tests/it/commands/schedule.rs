//! `walkforward schedule`.

use std::process::Command;

use super::SMALL;
use crate::bench::Bench;

fn bench() -> Bench {
    let bench = Bench::empty();
    bench.write("small.yaml", SMALL);
    bench
}

/// What was printed, with the folder and the program as they would be elsewhere.
fn printed(bench: &Bench, args: &[&str]) -> String {
    let text = bench.ok(&[&["schedule", "print", "small.yaml", "--format"], args].concat());
    let folder = bench.path("").canonicalize().unwrap().display().to_string();
    text.replace(env!("CARGO_BIN_EXE_walkforward"), "/usr/local/bin/walkforward").replace(&folder, "/srv/trading")
}

#[test]
fn the_schedule_is_written_for_cron_systemd_and_github() {
    let bench = bench();
    insta::assert_snapshot!("crontab", printed(&bench, &["crontab"]));
    insta::assert_snapshot!("systemd", printed(&bench, &["systemd"]));
    insta::assert_snapshot!("github", printed(&bench, &["github"]));
    assert!(!bench.path("artifacts").exists());
}

#[test]
fn a_command_and_a_store_of_the_callers_own_are_carried_over() {
    let mut bench = bench();
    let text = printed(&bench, &["crontab", "--command", "nice walkforward run small.yaml -q"]);
    assert!(text.ends_with("  cd /srv/trading && nice walkforward run small.yaml -q\n"), "{text}");
    let text = printed(&bench, &["systemd", "--store", "my store"]);
    assert!(text.contains(r#" run small.yaml --store "my store" --progress plain"#), "{text}");
    bench.set("WALKFORWARD_STORE", "/srv/store");
    assert!(printed(&bench, &["systemd"]).contains("\nEnvironment=WALKFORWARD_STORE=/srv/store\n"));
    assert!(printed(&bench, &["crontab"]).contains("&& export WALKFORWARD_STORE=/srv/store && "));
}

#[test]
fn the_next_times_are_told_by_the_clocks_of_the_schedule_and_of_utc() {
    let bench = bench();
    let text = bench.ok(&["schedule", "next", "small.yaml", "-n", "3", "--from", "2026-01-02"]);
    insta::assert_snapshot!("next", text);
    let ticks = bench.json(&["schedule", "next", "small.yaml"]);
    assert_eq!(ticks.as_array().unwrap().len(), 5);
    let ticks = bench.json(&["schedule", "next", "small.yaml", "--from", "2026-01-02"]);
    assert_eq!(ticks[0]["local"], "2026-01-02T06:00:00+05:30[Asia/Kolkata]");
    assert_eq!(ticks[0]["utc"], "2026-01-02T00:30:00Z");
}

#[test]
fn what_cannot_be_written_is_refused_with_a_way_out() {
    let bench = bench();
    let refused = |text: &str, format: &str| {
        bench.write("other.yaml", text);
        let call = bench.call(&["schedule", "print", "other.yaml", "--format", format]);
        assert_eq!((call.code, call.stdout.as_str()), (Some(2), ""), "{format}");
        call.stderr.replace("\n  │ ", " ")
    };
    let berlin = SMALL.replace("Asia/Kolkata", "Europe/Berlin");
    let words = refused(&berlin, "github");
    assert!(words.contains("changes its clocks") && words.contains("crontab or systemd"), "{words}");
    assert!(refused(&SMALL.replace("* * MON-FRI", "L * *"), "systemd").contains("write the days as numbers"));
    let without = SMALL.replace("schedule: {cron: \"0 6 * * MON-FRI\", timezone: Asia/Kolkata}\n", "");
    assert!(refused(&without, "crontab").contains("other.yaml has no schedule; add"));
}

#[test]
fn systemd_is_due_at_the_same_times_where_there_is_a_systemd() {
    let bench = bench();
    for cron in ["*/20 8-18/5 * * *", "0 6 1,15 * MON", "30 22 * 1-3,12 FRI-SUN", "5 0 */10 * *"] {
        bench.write("small.yaml", SMALL.replace("0 6 * * MON-FRI", cron).replace("Asia/Kolkata", "UTC"));
        let unit = printed(&bench, &["systemd"]);
        let mut due: Vec<String> = Vec::new();
        for expression in unit.lines().filter_map(|line| line.strip_prefix("OnCalendar=")) {
            let base = ["calendar", "--iterations=30", "--base-time=2026-01-02 00:00:01 UTC", expression];
            let Ok(said) = Command::new("systemd-analyze").args(base).env("TZ", "UTC").env("LC_ALL", "C").output()
            else {
                return;
            };
            let words = String::from_utf8_lossy(&said.stdout).into_owned();
            // an older one knows no base time
            if !said.status.success() {
                return;
            }
            let times = words.lines().filter_map(|line| {
                let time = line.split_once(": ")?.1.trim();
                let parts: Vec<&str> = time.split(' ').collect();
                (parts.len() == 4 && parts[3] == "UTC" && !time.contains('*'))
                    .then(|| format!("{}T{}Z", parts[1], parts[2]))
            });
            due.extend(times);
        }
        due.sort();
        due.dedup();
        let ticks = bench.json(&["schedule", "next", "small.yaml", "-n", "20", "--from", "2026-01-02T00:00:01Z"]);
        let expected: Vec<String> = ticks
            .as_array()
            .unwrap()
            .iter()
            .map(|tick| tick["utc"].as_str().unwrap().to_owned())
            .map(|time| if time.len() == 10 { format!("{time}T00:00:00Z") } else { time })
            .collect();
        assert_eq!(due[..20], expected, "{cron}");
    }
}
