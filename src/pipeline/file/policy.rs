//! `retry`, `timeout`, `cache`, `pool`, `defaults`, `pools`, `concurrency`, `schedule` and `notify`.

use super::reader::{Fields, Reader};
use super::{NotifyFile, PolicyFile, TargetFile};
use crate::base::yaml::Yaml;
use crate::base::{Located, Problem};
use crate::pipeline::policy::{CACHE_MODES, FAILURE_CLASSES, ON_CONFLICT, OnConflict, Retry, WAIT_TIMEOUT};
use crate::pipeline::{Concurrency, Schedule, Text, keys};

impl Reader<'_> {
    /// The policy keys of a node, or of `defaults`.
    pub(super) fn policy(&mut self, fields: &Fields<'_>) -> PolicyFile {
        PolicyFile {
            retry: fields.get("retry").and_then(|retry| self.retry(retry)),
            timeout: fields.get("timeout").and_then(|timeout| self.duration(timeout, "timeout")),
            pool: fields.get("pool").and_then(|pool| self.text(pool, "pool")),
            cache: fields.get("cache").and_then(|cache| self.word(cache, "cache", &CACHE_MODES)),
        }
    }

    fn retry(&mut self, tree: &Located<Yaml>) -> Option<Retry> {
        let mut retry = Retry::default();
        // `retry: 3` is short for three attempts
        if matches!(tree.value, Yaml::Int(_)) {
            retry.max_attempts = self.attempts(tree)?;
            return Some(retry);
        }
        let fields = self.mapping(tree, "retry", keys::RETRY);
        if let Some(attempts) = fields.get("max_attempts") {
            retry.max_attempts = self.attempts(attempts)?;
        }
        if let Some(classes) = fields.get("retry_on") {
            let classes = self.list(Some(classes), "retry_on");
            retry.retry_on =
                classes.iter().filter_map(|class| self.word(class, "retry_on", &FAILURE_CLASSES)).collect();
        }
        if let Some(backoff) = fields.get("backoff") {
            self.backoff(backoff, &mut retry);
        }
        Some(retry)
    }

    fn attempts(&mut self, tree: &Located<Yaml>) -> Option<u32> {
        let count = self.count(tree, "max_attempts")?;
        // nobody waits for more
        Some(u32::try_from(count).unwrap_or(u32::MAX))
    }

    fn backoff(&mut self, tree: &Located<Yaml>, retry: &mut Retry) {
        let fields = self.mapping(tree, "backoff", keys::BACKOFF);
        if let Some(initial) = fields.get("initial").and_then(|initial| self.duration(initial, "initial")) {
            retry.initial = initial;
        }
        if let Some(max) = fields.get("max").and_then(|max| self.duration(max, "max")) {
            retry.max = max;
        }
        retry.jitter = self.flag(fields.get("jitter"), "jitter", retry.jitter);
        match fields.get("factor").map(|factor| (&factor.value, factor)) {
            None => {}
            Some((Yaml::Int(factor), _)) if *factor >= 1 => retry.factor = *factor as f64,
            Some((Yaml::Float(factor), _)) if *factor >= 1.0 && factor.is_finite() => retry.factor = *factor,
            Some((_, tree)) => self.expected("factor", "a number of at least 1", tree),
        }
    }

    pub(super) fn pools(&mut self, tree: Option<&Located<Yaml>>) -> Vec<(Text, usize)> {
        let pools = self.entries(tree, "pools");
        // one of a wrong size is there all the same
        pools.into_iter().map(|(name, size)| (name.clone(), self.count(&size, &name.value).unwrap_or(1))).collect()
    }

    pub(super) fn concurrency(&mut self, tree: &Located<Yaml>, pipeline: &str) -> Concurrency {
        let before = self.problems.len();
        let fields = self.mapping(tree, "concurrency", keys::CONCURRENCY);
        let group = fields.get("group").and_then(|group| self.text(group, "group"));
        let timeout = fields.get("wait_timeout");
        let wait = timeout.and_then(|timeout| self.duration(timeout, "wait_timeout")).unwrap_or(WAIT_TIMEOUT);
        let conflict = fields.get("on_conflict");
        let on_conflict = conflict.and_then(|word| self.word(word, "on_conflict", &ON_CONFLICT));
        let on_conflict = on_conflict.map_or(OnConflict::Fail, |conflict| conflict(wait));
        if let Some(timeout) = timeout
            && !matches!(on_conflict, OnConflict::Wait(_))
            && self.problems.len() == before
        {
            let message = "`wait_timeout` belongs to `on_conflict: wait`";
            self.report(Problem::new("pipeline::type", timeout.span, message).hint("remove it, or let the run wait"));
        }
        Concurrency { group: group.map_or_else(|| pipeline.to_owned(), |group| group.value), on_conflict }
    }

    pub(super) fn schedule(&mut self, tree: &Located<Yaml>) -> Option<Schedule> {
        let fields = self.mapping(tree, "a schedule", keys::SCHEDULE);
        let timezone = match fields.get("timezone") {
            None => "UTC".to_owned(),
            Some(zone) => {
                let zone = self.text(zone, "timezone")?;
                if Schedule::zone(&zone.value).is_none() {
                    let known = Schedule::zone_names();
                    let message = format!("`timezone`: expected the name of a time zone, found `{}`", zone.value);
                    let hint = crate::base::nearest(&zone.value, known.iter().map(String::as_str))
                        .map_or("write it as `UTC` or `Europe/Berlin`".to_owned(), |near| {
                            format!("did you mean `{near}`?")
                        });
                    self.report(Problem::new("pipeline::type", zone.span, message).hint(hint));
                }
                zone.value
            }
        };
        let max_lateness = fields.get("max_lateness").and_then(|late| self.duration(late, "max_lateness"));
        let Some(cron) = fields.get("cron") else {
            let message = "a schedule has no `cron`";
            self.report(Problem::new("pipeline::type", tree.span, message).hint("add `cron: \"0 0 * * 0\"`"));
            return None;
        };
        let cron = self.text(cron, "cron")?;
        if let Err(error) = Schedule::check_cron(&cron.value) {
            let message = format!("`cron`: expected five fields like `0 0 * * 0`, found `{}`: {error}", cron.value);
            let hint = "the fields are minute, hour, day of month, month and day of week: `0 6 * * 1` is Mondays at 6";
            self.report(Problem::new("pipeline::type", cron.span, message).hint(hint));
            return None;
        }
        Some(Schedule { cron: cron.value, timezone, max_lateness })
    }

    /// A program and its arguments.
    fn program(&mut self, tree: &Located<Yaml>) -> Option<Vec<Text>> {
        let argv = self.texts(Some(tree), "command");
        if matches!(&tree.value, Yaml::List(items) if items.is_empty()) {
            let message = "`command`: expected a program and its arguments, found an empty list";
            let problem = Problem::new("pipeline::type", tree.span, message);
            self.report(problem.hint("write `command: [mail, -s, done, me@example.org]`"));
            return None;
        }
        Some(argv)
    }

    pub(super) fn notify(&mut self, tree: &Located<Yaml>) -> Option<NotifyFile> {
        let fields = self.mapping(tree, "an entry of `notify`", keys::NOTIFY);
        let target = match (fields.get("webhook"), fields.get("command")) {
            (Some(url), None) => TargetFile::Webhook(self.text(url, "webhook")?),
            (None, Some(argv)) => TargetFile::Command(self.program(argv)?),
            _ => {
                let message = "an entry of `notify` has either `webhook` or `command`";
                self.report(
                    Problem::new("pipeline::type", tree.span, message)
                        .hint("write `webhook: \"${env.ALERT_WEBHOOK}\"` or `command: [mail, ...]`"),
                );
                return None;
            }
        };
        Some(NotifyFile {
            when: fields.get("when").and_then(|when| self.condition(when)),
            target,
            optional: self.flag(fields.get("optional"), "optional", false),
        })
    }
}
