//! A service of systemd and the timer that starts it.

use std::time::Duration;

use super::fields;
use super::job::Job;
use super::times::Times;
use crate::base::Timestamp;
use crate::pipeline::Schedule;

/// The longest time by which a start is put off, so that machines do not all begin at once.
const LONGEST_DELAY: Duration = Duration::from_secs(300);
/// How many ticks are looked at for the shortest time between two.
const TICKS: usize = 50;

/// Writes both units.
pub(super) fn text(job: &Job, schedule: &Schedule, times: &Times, now: Timestamp) -> String {
    let unit = format!("walkforward-{}", job.slug);
    let mut lines = vec![format!("# /etc/systemd/system/{unit}.service")];
    let mut add = |line: String| lines.push(line);
    add("[Unit]".to_owned());
    add(format!("Description={}", specifiers(&job.title())));
    add("Wants=network-online.target".to_owned());
    add("After=network-online.target".to_owned());
    add(String::new());
    add("[Service]".to_owned());
    add("Type=oneshot".to_owned());
    add(match &job.user {
        Some(user) => format!("User={}", specifiers(user)),
        None => "# the user that the store belongs to; without this line it is root\n#User=trading".to_owned(),
    });
    add(format!("WorkingDirectory={}", specifiers(&job.folder)));
    if let Some(store) = &job.store_variable {
        add(format!("Environment={}", quoted(&specifiers(&format!("WALKFORWARD_STORE={store}")))));
    }
    if job.store.contains("://") {
        add("# the credentials of the store, as AWS_ACCESS_KEY_ID=...; mode 0600".to_owned());
        add(format!("EnvironmentFile=-/etc/walkforward/{}.env", job.slug));
    }
    add(format!("ExecStart={}", command(job)));
    add("# 75: another run of the pipeline is under way".to_owned());
    add("SuccessExitStatus=75".to_owned());
    add("# running nodes have ten seconds to stop, and what is finished is kept".to_owned());
    add("TimeoutStopSec=60".to_owned());
    add(String::new());
    add(format!("# /etc/systemd/system/{unit}.timer, then: systemctl enable --now {unit}.timer"));
    add("[Unit]".to_owned());
    add(format!("Description={} in {}", specifiers(&schedule.cron), schedule.timezone));
    add(String::new());
    add("[Timer]".to_owned());
    for expression in fields::on_calendar(times, &schedule.timezone) {
        add(format!("OnCalendar={expression}"));
    }
    add("# a machine that was off starts it when it is on again".to_owned());
    add("Persistent=true".to_owned());
    add(format!("RandomizedDelaySec={}", delay(schedule, now).as_secs()));
    add(String::new());
    add("[Install]".to_owned());
    add("WantedBy=timers.target".to_owned());
    lines.join("\n")
}

fn command(job: &Job) -> String {
    let words = match &job.command {
        // a command line is the shell's to take apart
        Some(line) => vec!["/bin/sh".to_owned(), "-c".to_owned(), line.clone()],
        None => job.words(&job.program, &["--progress", "plain"]),
    };
    let word = |word: &String| quoted(&specifiers(word).replace('$', "$$"));
    words.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// A text in which systemd finds no specifier.
fn specifiers(text: &str) -> String {
    text.replace('%', "%%")
}

/// A word as systemd reads it: itself where it is plain, else in double quotes.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,@%+$".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        return word.to_owned();
    }
    format!("\"{}\"", word.replace('\\', r"\\").replace('"', "\\\""))
}

/// By how much a start may be put off: a tenth of the shortest time between two ticks, and half of what a run may be late.
fn delay(schedule: &Schedule, now: Timestamp) -> Duration {
    let next = |tick: &Timestamp| schedule.next_tick(*tick);
    let ticks: Vec<i64> =
        std::iter::successors(schedule.next_tick(now), next).take(TICKS).map(Timestamp::micros).collect();
    let gap = ticks.windows(2).map(|pair| pair[1].abs_diff(pair[0])).min();
    let tenth = gap.map_or(LONGEST_DELAY, |gap| Duration::from_micros(gap / 10));
    let late = schedule.max_lateness.map_or(LONGEST_DELAY, |late| late / 2);
    Duration::from_secs(LONGEST_DELAY.min(tenth).min(late).as_secs())
}

#[cfg(test)]
mod tests {
    use super::super::job::fixtures::job;
    use super::*;

    fn schedule(cron: &str, max_lateness: Option<Duration>) -> Schedule {
        Schedule { cron: cron.to_owned(), timezone: "Europe/Berlin".to_owned(), max_lateness }
    }

    fn written(job: &Job, cron: &str) -> String {
        let schedule = schedule(cron, None);
        text(job, &schedule, &Times::of(cron).unwrap(), "2026-01-05".parse().unwrap())
    }

    #[test]
    fn either_day_field_makes_a_line_of_its_own() {
        let text = written(&job(), "0 6 1 * MON");
        let due = "\nOnCalendar=*-*-01 06:00:00 Europe/Berlin\nOnCalendar=Mon *-*-* 06:00:00 Europe/Berlin\n";
        assert!(text.contains(due), "{text}");
        assert!(text.contains("\nPersistent=true\nRandomizedDelaySec=300\n"), "{text}");
        assert!(text.contains("\nWorkingDirectory=/srv/my trading\n") && text.contains("\nUser=trading\n"), "{text}");
        assert!(text.contains("\nDescription=weekly 100%%: Retrains the model.\n"), "{text}");
    }

    #[test]
    fn a_store_in_a_bucket_gets_a_file_for_its_credentials() {
        let mut job = job();
        assert!(!written(&job, "0 6 * * *").contains("EnvironmentFile"));
        job.store = "s3://bucket/store".to_owned();
        assert!(written(&job, "0 6 * * *").contains("\nEnvironmentFile=-/etc/walkforward/weekly-100.env\n"));
    }

    #[test]
    fn a_word_is_quoted_and_holds_neither_a_specifier_nor_a_variable() {
        let mut job = job();
        let start = |job: &Job| {
            let text = written(job, "0 6 * * *");
            text.lines().find(|line| line.starts_with("ExecStart=")).unwrap().to_owned()
        };
        job.file = "my \"5%\" $file.yaml".to_owned();
        let expected = r#"ExecStart=/usr/local/bin/walkforward run "my \"5%%\" $$file.yaml" --progress plain"#;
        assert_eq!(start(&job), expected);
        job.command = Some("cd x && exec nice walkforward run a.yaml".to_owned());
        assert_eq!(start(&job), r#"ExecStart=/bin/sh -c "cd x && exec nice walkforward run a.yaml""#);
    }

    #[test]
    fn a_start_is_never_put_off_into_the_next_tick() {
        let now = "2026-01-05".parse().unwrap();
        let seconds =
            |cron: &str, late: Option<u64>| delay(&schedule(cron, late.map(Duration::from_secs)), now).as_secs();
        assert_eq!(seconds("0 6 * * 0", None), 300);
        assert_eq!(seconds("*/5 * * * *", None), 30);
        assert_eq!(seconds("0,2 6 * * *", None), 12);
        assert_eq!(seconds("0 6 * * *", Some(60)), 30);
    }
}
