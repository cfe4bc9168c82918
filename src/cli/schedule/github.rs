//! A workflow for GitHub Actions, which knows UTC only.

use std::collections::BTreeMap;

use super::fields;
use super::job::Job;
use super::times::{Days, Times};
use crate::base::Timestamp;
use crate::pipeline::Schedule;

const MINUTES_PER_DAY: i64 = 24 * 60;

/// Writes the workflow.
///
/// # Errors
/// The schedule cannot be said in UTC.
pub(super) fn text(job: &Job, schedule: &Schedule, times: &Times, now: Timestamp) -> Result<String, String> {
    let due = in_utc(times, offset_minutes(schedule, now)?, schedule)?;
    let mut when = String::new();
    for times in &due {
        let cron = fields::cron(times).ok_or_else(|| {
            let what = "means days that are in both day fields, and GitHub takes those that are in either";
            format!("the schedule `{}` {what}; print it for systemd, or change the schedule", schedule.cron)
        })?;
        when.push_str(&format!("    - cron: \"{cron}\"\n"));
    }
    let original = match schedule.timezone.as_str() {
        "UTC" => "in UTC".to_owned(),
        zone => format!("`{}` in {zone}, written in UTC", schedule.cron),
    };
    let (name, slug) = (serde_json::Value::from(job.name.as_str()), &job.slug);
    let command = job.command_line("walkforward", &["--progress", "plain"]);
    let (environment, before, after) = store(job);
    Ok(format!(
        r#"# .github/workflows/{slug}.yml
name: {name}
on:
  schedule:
    # {original}; GitHub may start it some minutes late, and not more often than every five
{when}  workflow_dispatch: {{}}

permissions:
  contents: read

# two runs at once would do no harm, and half of the work twice
concurrency:
  group: {slug}

jobs:
  run:
    runs-on: ubuntu-latest
    timeout-minutes: 120
{environment}    steps:
      - uses: actions/checkout@v4

      # elsewhere than in the repository of walkforward: fetch the program instead
      - name: Compile
        run: |
          cargo build --release --locked
          echo "$PWD/target/release" >> "$GITHUB_PATH"

{before}      # what became of each node is added to the summary by the program itself
      - name: Run
        run: |
          {command}

      - name: Add the last runs to the summary
        if: always()
        run: |
          {{ echo '```'; walkforward runs -n 10; echo '```'; }} >> "$GITHUB_STEP_SUMMARY"
{after}"#
    ))
}

/// The variables, the steps before and the steps after that a store needs.
fn store(job: &Job) -> (String, String, String) {
    let (slug, store) = (&job.slug, &job.store);
    let said = job.store_variable.as_ref().map(|store| format!("      WALKFORWARD_STORE: {}\n", json(store)));
    if store.contains("://") {
        let secret = |name: &str| format!("      {name}: ${{{{ secrets.{name} }}}}\n");
        let variables = ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"].map(secret).concat();
        return (format!("    env:\n{}{variables}", said.unwrap_or_default()), String::new(), String::new());
    }
    let key = format!("walkforward-{slug}-${{{{ github.run_id }}}}-${{{{ github.run_attempt }}}}");
    let before = format!(
        "      # GitHub forgets a cache that nobody asks for in a week: a registry that has to last belongs on s3://\n\
         \x20     - name: Bring the store back\n\
         \x20       uses: actions/cache/restore@v4\n\
         \x20       with:\n\
         \x20         path: {path}\n\
         \x20         key: {key}\n\
         \x20         restore-keys: walkforward-{slug}-\n\n",
        path = json(store),
    );
    let after = format!(
        "\n      - name: Keep the store\n\
         \x20       if: always()\n\
         \x20       uses: actions/cache/save@v4\n\
         \x20       with:\n\
         \x20         path: {path}\n\
         \x20         key: {key}\n",
        path = json(store),
    );
    (said.map_or_else(String::new, |said| format!("    env:\n{said}")), before, after)
}

/// A text in quotes, as YAML reads it too.
fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// By how much the schedule's time zone is ahead of UTC, where that never changes.
fn offset_minutes(schedule: &Schedule, now: Timestamp) -> Result<i64, String> {
    let refuse = |what: &str| {
        format!(
            "GitHub starts workflows by UTC only, and {} {what}: the workflow would be off by that. Write the schedule \
             in UTC (`timezone: UTC`), or print it for crontab or systemd, which know time zones",
            schedule.timezone
        )
    };
    let local = schedule.local(now).ok_or_else(|| format!("`{}` is not a time zone", schedule.timezone))?;
    if local.time_zone().following(local.timestamp()).next().is_some() {
        return Err(refuse("changes its clocks, as for summer"));
    }
    let seconds = i64::from(local.offset().seconds());
    if seconds % 60 == 0 { Ok(seconds / 60) } else { Err(refuse("is not ahead by whole minutes")) }
}

/// The same moments by the clocks of UTC: one part for each set of hours with the same minutes on the same day.
fn in_utc(times: &Times, ahead: i64, schedule: &Schedule) -> Result<Vec<Times>, String> {
    if ahead == 0 {
        return Ok(vec![times.clone()]);
    }
    // day to or from which a moment moves -> hour -> minutes
    let mut moved: BTreeMap<i64, BTreeMap<u16, Vec<u16>>> = BTreeMap::new();
    for hour in &times.hours {
        for minute in &times.minutes {
            let at = i64::from(*hour) * 60 + i64::from(*minute) - ahead;
            let of_day = u16::try_from(at.rem_euclid(MINUTES_PER_DAY)).unwrap_or_default();
            let hours = moved.entry(at.div_euclid(MINUTES_PER_DAY)).or_default();
            hours.entry(of_day / 60).or_default().push(of_day % 60);
        }
    }
    let mut parts = Vec::new();
    for (by, hours) in moved {
        let Some((days, months)) = days_moved(times, by) else {
            return Err(format!(
                "in UTC the schedule `{}` of {} is due on the day {}, which cron cannot say for days of a month; write \
                 the schedule in UTC, or print it for crontab or systemd",
                schedule.cron,
                schedule.timezone,
                if by < 0 { "before" } else { "after" },
            ));
        };
        let mut same: BTreeMap<Vec<u16>, Vec<u16>> = BTreeMap::new();
        for (hour, mut minutes) in hours {
            minutes.sort_unstable();
            same.entry(minutes).or_default().push(hour);
        }
        let part = |(minutes, hours)| Times { minutes, hours, months: months.clone(), days: days.clone() };
        let mut of_day: Vec<Times> = same.into_iter().map(part).collect();
        of_day.sort_by(|a, b| a.hours.cmp(&b.hours));
        parts.extend(of_day);
    }
    Ok(parts)
}

const ALL_MONTHS: usize = 12;

/// Days that many days later; `None` where that depends on how long a month is.
fn days_moved(times: &Times, by: i64) -> Option<(Days, Vec<u16>)> {
    let months = times.months.clone();
    if by == 0 {
        return Some((times.days.clone(), months));
    }
    if months.len() < ALL_MONTHS {
        return None;
    }
    match &times.days {
        Days::Every => Some((Days::Every, months)),
        Days::OfWeek(days) => {
            let moved = |day: &u16| u16::try_from((i64::from(*day) + by).rem_euclid(7)).unwrap_or_default();
            let mut days: Vec<u16> = days.iter().map(moved).collect();
            days.sort_unstable();
            Some((Days::OfWeek(days), months))
        }
        Days::OfMonth(_) | Days::Either(..) | Days::Both(..) => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::job::fixtures::job;
    use super::*;

    const NOW: &str = "2026-01-05";

    fn schedule(cron: &str, timezone: &str) -> Schedule {
        Schedule { cron: cron.to_owned(), timezone: timezone.to_owned(), max_lateness: None }
    }

    fn written(job: &Job, cron: &str, timezone: &str) -> Result<String, String> {
        text(job, &schedule(cron, timezone), &Times::of(cron).unwrap(), NOW.parse().unwrap())
    }

    fn crons(cron: &str, timezone: &str) -> Vec<String> {
        let workflow: serde_json::Value = serde_saphyr::from_str(&written(&job(), cron, timezone).unwrap()).unwrap();
        let due = workflow["on"]["schedule"].as_array().unwrap().clone();
        due.iter().map(|entry| entry["cron"].as_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_zone_without_summer_time_is_written_in_utc() {
        assert_eq!(crons("0 0 * * SUN", "UTC"), ["0 0 * * 0"]);
        assert_eq!(crons("0 6 1 * *", "Asia/Kolkata"), ["30 0 1 * *"]);
        assert_eq!(crons("0 0 * * SUN", "Asia/Kolkata"), ["30 18 * * 6"]);
        assert_eq!(crons("0,30 23 * * SAT", "Etc/GMT+1"), ["0,30 0 * * 0"]);
        assert_eq!(crons("0,30 9,10 * * *", "Asia/Kolkata"), ["30 3 * * *", "0,30 4 * * *", "0 5 * * *"]);
    }

    #[test]
    fn a_zone_with_summer_time_is_refused_with_two_ways_out() {
        let refused = written(&job(), "0 6 * * 0", "Europe/Berlin").unwrap_err();
        for words in ["Europe/Berlin changes its clocks", "`timezone: UTC`", "crontab or systemd"] {
            assert!(refused.contains(words), "{refused}");
        }
    }

    #[test]
    fn a_day_of_a_month_that_moves_is_refused() {
        let refused = written(&job(), "0 0 1 * *", "Asia/Kolkata").unwrap_err();
        assert!(refused.contains("on the day before"), "{refused}");
        let refused = written(&job(), "0 0 * 1 *", "Asia/Kolkata").unwrap_err();
        assert!(refused.contains("on the day before"), "{refused}");
    }

    #[test]
    fn a_store_in_a_folder_is_cached_and_one_in_a_bucket_has_its_credentials() {
        let mut job = job();
        let workflow = |job: &Job| -> serde_json::Value {
            serde_saphyr::from_str(&written(job, "0 6 * * 0", "UTC").unwrap()).unwrap()
        };
        let of_folder = workflow(&job);
        assert_eq!(of_folder["name"], "weekly 100%");
        let steps = of_folder["jobs"]["run"]["steps"].as_array().unwrap().clone();
        let cached: Vec<&str> = steps.iter().filter_map(|step| step["with"]["path"].as_str()).collect();
        assert_eq!(cached, ["artifacts/store", "artifacts/store"]);
        assert!(steps.iter().any(|step| step["run"].as_str().is_some_and(|run| run.contains("GITHUB_STEP_SUMMARY"))));

        job.store = "s3://bucket/store".to_owned();
        job.store_variable = Some(job.store.clone());
        let of_bucket = workflow(&job);
        let environment = &of_bucket["jobs"]["run"]["env"];
        assert_eq!(environment["WALKFORWARD_STORE"], "s3://bucket/store");
        assert_eq!(environment["AWS_ACCESS_KEY_ID"], "${{ secrets.AWS_ACCESS_KEY_ID }}");
        assert!(!of_bucket.to_string().contains("actions/cache"));
    }

    fn next_50(schedules: &[Schedule]) -> Vec<Timestamp> {
        let start: Timestamp = NOW.parse().unwrap();
        let of = |schedule: &Schedule| -> Vec<Timestamp> {
            std::iter::successors(schedule.next_tick(start), |&tick| schedule.next_tick(tick)).take(50).collect()
        };
        let mut all: Vec<Timestamp> = schedules.iter().flat_map(of).collect();
        all.sort();
        all.dedup();
        all.truncate(50);
        all
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]

        #[test]
        fn the_workflow_is_due_when_the_pipeline_is(
            minutes in prop::collection::btree_set(0_u16..60, 1..4),
            hours in prop::collection::btree_set(0_u16..24, 1..5),
            weekdays in prop::collection::btree_set(0_u16..7, 1..4),
            zone in prop::sample::select(vec!["Asia/Kolkata", "Asia/Tokyo", "Etc/GMT+11", "Asia/Kathmandu", "UTC"]),
        ) {
            let list = |values: std::collections::BTreeSet<u16>| {
                values.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
            };
            let cron = format!("{} {} * * {}", list(minutes), list(hours), list(weekdays));
            let due = crons(&cron, zone);
            let utc: Vec<Schedule> = due.iter().map(|cron| schedule(cron, "UTC")).collect();
            prop_assert_eq!(next_50(&utc), next_50(&[schedule(&cron, zone)]), "{} in {} as {:?}", cron, zone, due);
        }
    }
}
