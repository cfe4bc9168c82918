//! `walkforward data holdout`: who looked at what is kept back.

use std::collections::BTreeMap;
use std::process::ExitCode;

use serde_json::json;

use crate::artifact::{HoldoutOpening, all_holdout_openings};
use crate::cli::Session;
use crate::cli::error::CliError;
use crate::cli::render::{short_id, table};

pub(super) async fn holdout(session: &Session) -> Result<ExitCode, CliError> {
    let store = session.existing_store().await?;
    let openings = all_holdout_openings(&store).await?;
    let report = json!({"version": 1, "openings": openings});
    session.print(&report, || {
        if openings.is_empty() {
            return format!("No holdout was opened in {}.", session.store);
        }
        let rows = openings.iter().map(|opening| {
            vec![
                opening.name.clone(),
                opening.start.date(),
                opening.until.date(),
                opening.kind.clone(),
                short_id(&opening.run).to_owned(),
            ]
        });
        format!("{}\n{}", table(&["holdout", "from", "to", "opened by", "run"], rows), counts(&openings).join("\n"))
    })?;
    Ok(ExitCode::SUCCESS)
}

/// One sentence a holdout.
fn counts(openings: &[HoldoutOpening]) -> Vec<String> {
    let mut by_name: BTreeMap<&str, Vec<&HoldoutOpening>> = BTreeMap::new();
    for opening in openings {
        by_name.entry(&opening.name).or_default().push(opening);
    }
    let times = |count: usize| if count == 1 { "once".to_owned() } else { format!("{count} times") };
    let sentence = |(name, openings): (&str, Vec<&HoldoutOpening>)| {
        let last = openings.iter().map(|opening| opening.run.as_str()).max().unwrap_or_default();
        format!("holdout `{name}` opened {}, last by run {}", times(openings.len()), short_id(last))
    };
    by_name.into_iter().map(sentence).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Digest;

    #[test]
    fn openings_are_counted_by_name_with_the_last_run() {
        let opening = |name: &str, run: &str| HoldoutOpening {
            format: 1,
            name: name.to_owned(),
            start: "2020-01-01".parse().unwrap(),
            until: "2021-01-01".parse().unwrap(),
            kind: "evaluate".to_owned(),
            look: Digest::of(run.as_bytes()),
            run: run.to_owned(),
        };
        let found =
            counts(&[opening("a", "00000000-0000-7000-8000-000000000001"), opening("b", "2"), opening("b", "3")]);
        assert!(found[0].starts_with("holdout `a` opened once, last by run"), "{found:?}");
        assert_eq!(found[1], format!("holdout `b` opened 2 times, last by run {}", short_id("3")));
    }
}
