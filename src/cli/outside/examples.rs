//! Holds the files of `docs/examples` and the page about them against the program they call.

use std::collections::BTreeMap;
use std::process::Command;
use std::str::FromStr as _;

use serde_json::Value;

use super::fixtures::failed_run;
use super::{github, metrics};
use crate::cli::documents::{accepted, blocks, calls, read};
use crate::pipeline::LoadOptions;

const EXAMPLES: [&str; 4] = ["crontab", "walkforward-weekly.service", "walkforward-weekly.timer", "weekly.yml"];
const GUIDE: &str = "docs/guide/ci.md";

fn example(name: &str) -> String {
    read(&format!("docs/examples/{name}"))
}

#[test]
fn every_call_in_the_examples_is_one_that_the_program_takes() {
    for (name, count) in EXAMPLES.iter().zip([1, 1, 0, 2]) {
        let calls = calls(&example(name));
        assert_eq!(calls.len(), count, "{name}: {calls:?}");
        calls.iter().for_each(|call| accepted(call));
    }
}

#[test]
fn the_lines_of_the_crontab_are_variables_or_five_fields_and_a_command() {
    let text = example("crontab");
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let (variables, jobs): (Vec<&str>, Vec<&str>) =
        lines.partition(|line| line.split_once('=').is_some_and(|(name, _)| !name.contains(' ')));
    assert!(variables.iter().any(|line| line.starts_with("WALKFORWARD_STORE=")), "{variables:?}");
    assert_eq!(jobs.len(), 1);
    for job in jobs {
        let fields: Vec<&str> = job.split_whitespace().take(5).collect();
        croner::Cron::from_str(&fields.join(" ")).unwrap();
        let unescaped = job.replace("\\%", "").contains('%');
        assert!(!unescaped, "cron ends the command at a `%`: {job}");
    }
}

/// Keys by section, as systemd reads a unit.
fn unit(name: &str) -> BTreeMap<String, BTreeMap<String, String>> {
    let mut sections: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    let mut section = String::new();
    for line in example(name).lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
        match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(found) => section = found.to_owned(),
            None => {
                let (key, value) = line.split_once('=').unwrap();
                let keys = sections.entry(section.clone()).or_default();
                assert!(keys.insert(key.to_owned(), value.to_owned()).is_none(), "{name}: {key} twice");
            }
        }
    }
    sections
}

#[test]
fn the_units_have_the_sections_and_keys_that_make_a_job_and_its_timer() {
    let service = unit("walkforward-weekly.service");
    assert_eq!(service.keys().collect::<Vec<_>>(), ["Service", "Unit"]);
    assert_eq!(service["Service"]["Type"], "oneshot");
    assert!(service["Service"]["ExecStart"].starts_with("/usr/local/bin/walkforward run "));
    assert!(service["Service"]["WorkingDirectory"].starts_with('/'));
    let timer = unit("walkforward-weekly.timer");
    assert_eq!(timer.keys().collect::<Vec<_>>(), ["Install", "Timer", "Unit"]);
    assert_eq!(timer["Timer"]["Persistent"], "true");
    assert!(timer["Timer"]["OnCalendar"].ends_with(" UTC"));
    assert_eq!(timer["Install"]["WantedBy"], "timers.target");
}

#[test]
fn systemd_finds_nothing_to_say_about_the_units_where_there_is_a_systemd() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["walkforward-weekly.service", "walkforward-weekly.timer"] {
        // the program need not be installed here
        let text = example(name).replace("/usr/local/bin/walkforward", "/bin/sh");
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    let verify = Command::new("systemd-analyze")
        .args(["verify", "walkforward-weekly.service", "walkforward-weekly.timer"])
        .current_dir(folder.path())
        .output();
    // no systemd, or one that cannot look at units in this container, proves nothing
    let Ok(found) = verify else { return };
    let words = String::from_utf8_lossy(&found.stderr).into_owned();
    let about_ours: Vec<&str> = words.lines().filter(|line| line.contains("walkforward-weekly")).collect();
    assert_eq!(about_ours, [""; 0], "{words}");
}

#[test]
fn the_workflow_is_one() {
    let workflow: Value = serde_saphyr::from_str(&example("weekly.yml")).unwrap();
    let cron = workflow["on"]["schedule"][0]["cron"].as_str().unwrap();
    croner::Cron::from_str(cron).unwrap();
    let job = &workflow["jobs"]["weekly"];
    assert!(job["runs-on"].is_string() && workflow["permissions"].is_object());
    for step in job["steps"].as_array().unwrap() {
        assert!(step["uses"].is_string() != step["run"].is_string(), "{step}");
        // what a caller types must not become part of a script
        assert!(!step["run"].as_str().unwrap_or_default().contains("${{"), "{step}");
    }
}

#[test]
fn the_workflow_and_the_guide_read_outputs_that_the_weekly_pipeline_has() {
    let options = LoadOptions::default();
    let pipeline = crate::pipeline::load(&read("pipelines/weekly.yaml"), &options).unwrap();
    let values = |node: &crate::pipeline::Node| {
        let id = node.id.clone();
        node.kind.descriptor().values.iter().map(move |value| format!("{id}-{}", value.name)).collect::<Vec<_>>()
    };
    let mut outputs: Vec<String> = pipeline.nodes.iter().flat_map(values).collect();
    outputs.extend(github::ABOUT.map(str::to_owned));
    let texts = [example("weekly.yml"), read(GUIDE)].concat();
    let named: Vec<&str> = texts
        .split("steps.weekly.outputs.")
        .skip(1)
        .map(|rest| rest.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))).next().unwrap())
        .collect();
    assert!(named.len() >= 2, "{named:?}");
    for name in named {
        assert!(outputs.iter().any(|output| output == name), "`{name}` is none of {outputs:?}");
    }
}

#[test]
fn the_guide_names_every_metric_output_and_example_and_its_yaml_is_yaml() {
    let guide = read(GUIDE);
    for line in metrics::exposition(&failed_run(), 1).lines() {
        if let Some(name) = line.strip_prefix("# TYPE ").and_then(|rest| rest.strip_suffix(" gauge")) {
            assert!(guide.contains(&format!("`{name}")), "{name}");
        }
    }
    for name in EXAMPLES {
        assert!(guide.contains(&format!("(../examples/{name})")), "{name}");
    }
    for name in github::ABOUT {
        assert!(guide.contains(&format!("`{name}`")), "{name}");
    }
    let yaml: Vec<String> =
        blocks(&guide).into_iter().filter(|(kind, _)| kind == "yaml").map(|(_, text)| text).collect();
    assert!(!yaml.is_empty());
    for text in yaml {
        assert!(serde_saphyr::from_str::<Value>(&text).is_ok_and(|value| !value.is_string()), "{text}");
    }
}
