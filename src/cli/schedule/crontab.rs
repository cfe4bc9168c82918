//! Lines for `crontab -e`.

use super::fields;
use super::job::Job;
use super::times::Times;
use crate::cli::shell;
use crate::pipeline::Schedule;

/// Writes the lines.
///
/// # Errors
/// Cron cannot say when.
pub(super) fn text(job: &Job, schedule: &Schedule, times: &Times) -> Result<String, String> {
    let when = fields::cron(times).ok_or_else(|| {
        format!(
            "the schedule `{}` means days that are in both day fields, and cron takes those that are in either; print \
             it for systemd, or change the schedule",
            schedule.cron
        )
    })?;
    let zone = if schedule.timezone == "UTC" {
        "# the time is UTC: on a machine with another time zone, take the `#` from the next line\n#CRON_TZ=UTC"
            .to_owned()
    } else {
        let known = "# cronie knows CRON_TZ; the cron of Debian and Ubuntu does not: there, print it for systemd";
        format!("{known}\nCRON_TZ={}", schedule.timezone)
    };
    let store = job.store_variable.as_ref().map(|store| format!("export WALKFORWARD_STORE={} && ", shell::word(store)));
    let command = job.command_line(&job.program, &["--quiet"]);
    let line = format!("cd {} && {}{command}", shell::word(&job.folder), store.unwrap_or_default());
    let mut lines = vec![
        format!("# {}", job.title()),
        "# For the end of your table (`crontab -e`). Nothing is printed on success, so that a mail means a failure."
            .to_owned(),
        "# cron looks for programs in few folders: if `command` nodes need others, name them all in PATH".to_owned(),
        "#PATH=/usr/local/bin:/usr/bin:/bin".to_owned(),
    ];
    if job.store.contains("://") {
        lines.push(
            "# cron does not know your AWS_ variables: the credentials of the store have to stand here".to_owned(),
        );
        lines.push("#AWS_ACCESS_KEY_ID=\n#AWS_SECRET_ACCESS_KEY=".to_owned());
    }
    lines.push(zone);
    // to cron a percent sign is the end of the command
    lines.push(format!("{when}  {}", line.replace('%', r"\%")));
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::super::job::fixtures::job;
    use super::*;

    fn written(job: &Job, cron: &str, timezone: &str) -> Result<String, String> {
        let schedule = Schedule { cron: cron.to_owned(), timezone: timezone.to_owned(), max_lateness: None };
        text(job, &schedule, &Times::of(cron).unwrap())
    }

    #[test]
    fn a_line_changes_to_the_folder_and_starts_the_program_by_its_whole_path() {
        let text = written(&job(), "0 6 * * SUN", "Europe/Berlin").unwrap();
        let last = "0 6 * * 0  cd '/srv/my trading' && /usr/local/bin/walkforward run pipelines/weekly.yaml --quiet";
        assert_eq!(text.lines().last(), Some(last));
        assert!(text.contains("\nCRON_TZ=Europe/Berlin\n"), "{text}");
    }

    #[test]
    fn variables_and_flags_that_cron_does_not_know_are_written_down_and_percent_signs_masked() {
        let mut job = job();
        job.store_variable = Some("/srv/store".to_owned());
        job.command = Some("nice walkforward run x.yaml --set day=$(date +%d)".to_owned());
        let text = written(&job, "0 6 * * *", "UTC").unwrap();
        assert!(
            text.contains(" && export WALKFORWARD_STORE=/srv/store && nice ") && text.contains("\n#CRON_TZ=UTC\n"),
            "{text}"
        );
        assert!(text.ends_with(r"&& nice walkforward run x.yaml --set day=$(date +\%d)"), "{text}");
    }

    #[test]
    fn what_cron_cannot_say_is_refused_with_a_way_out() {
        let refused = written(&job(), "0 6 1-7 * +MON", "UTC").unwrap_err();
        assert!(refused.contains("print it for systemd"), "{refused}");
    }
}
