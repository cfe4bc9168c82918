//! What is audited: finding it by the words of a person, or by digests.

use std::collections::BTreeSet;

use super::evidence::Evidence;
use super::{AuditSubject, Root};
use crate::artifact::ArtifactRef;
use crate::base::Digest;
use crate::registry::{Entry, EntryAction, History, ModelVersion};

/// The word for everything.
const ALL: &str = "all";
/// What the champion is also called, where no alias has that name.
const PRODUCTION: &str = "production";
const CHAMPION: &str = "champion";

/// What is audited.
pub(super) struct Subject {
    pub(super) words: String,
    pub(super) roots: Vec<Root>,
    /// Runs whose decisions belong to it.
    pub(super) runs: Vec<usize>,
    /// Runs that belong to it and whose records are damaged, by place.
    pub(super) damaged: Vec<usize>,
    /// The registered models that it is about.
    pub(super) models: Vec<String>,
    /// The promotions that it is about; all of its models when empty.
    pub(super) slots: BTreeSet<u64>,
    /// Whether it is the whole store.
    pub(super) whole: bool,
}

impl Subject {
    fn new(words: String) -> Self {
        Self {
            words,
            roots: Vec::new(),
            runs: Vec::new(),
            damaged: Vec::new(),
            models: Vec::new(),
            slots: BTreeSet::new(),
            whole: false,
        }
    }

    /// Finds what is meant.
    pub(super) fn find(evidence: &Evidence, subject: &AuditSubject) -> Option<Self> {
        match subject {
            AuditSubject::Named(text) if text == ALL => Some(Self::everything(evidence)),
            AuditSubject::Named(text) => Self::model(evidence, text)
                .or_else(|| Self::run(evidence, text))
                .or_else(|| Self::digest(evidence, text)),
            AuditSubject::Artifacts(digests) => {
                let known = digests.iter().all(|digest| evidence.refs.contains_key(digest));
                known.then(|| Self::artifacts(evidence, digests))
            }
        }
    }

    /// A registered model, by name, slot or alias.
    fn model(evidence: &Evidence, text: &str) -> Option<Self> {
        let (name, which) = text.split_once('@').map_or((text, None), |(name, which)| (name, Some(which)));
        let history = match evidence.registry.get(name)? {
            Ok(history) => history,
            // which version is meant cannot be said, but what is wrong with it can
            Err(_) => return Some(Self { models: vec![name.to_owned()], ..Self::new(text.to_owned()) }),
        };
        let (slot, called) = slot_of(history, which)?;
        let entry = history.entries.iter().find(|entry| entry.slot == slot)?;
        let EntryAction::Promote { version, .. } = &entry.action else { return None };
        let words = format!("{name}{called}: slot {slot}, model {}", version.model.sha256.short());
        let mut found = Self::new(words);
        found.add_version(evidence, name, entry, version);
        Some(found)
    }

    fn add_version(&mut self, evidence: &Evidence, model: &str, entry: &Entry, version: &ModelVersion) {
        for (name, reference) in
            [("model", &version.model), ("strategy", &version.strategy), ("evaluation", &version.evaluation)]
        {
            self.add_root(name, reference.sha256);
        }
        self.add_run(evidence, &entry.by);
        if !self.models.iter().any(|known| known == model) {
            self.models.push(model.to_owned());
        }
        self.slots.insert(entry.slot);
    }

    fn add_root(&mut self, name: &str, sha256: Digest) {
        if self.roots.iter().all(|root| root.sha256 != sha256) {
            self.roots.push(Root { name: name.to_owned(), sha256 });
        }
    }

    /// Adds a run, readable or not.
    fn add_run(&mut self, evidence: &Evidence, id: &str) {
        let found = evidence.views.iter().position(|view| view.start.run == id);
        self.runs.extend(found.filter(|at| !self.runs.contains(at)));
        let damaged = evidence.damaged.iter().position(|damaged| damaged.run == id);
        self.damaged.extend(damaged.filter(|at| !self.damaged.contains(at)));
    }

    /// A run and the runs of its nodes, by id, the end of it, or `latest`.
    fn run(evidence: &Evidence, text: &str) -> Option<Self> {
        let views = evidence.views.iter().map(|view| view.start.run.as_str());
        let damaged = evidence.damaged.iter().map(|damaged| damaged.run.as_str());
        let id = if text == "latest" {
            // ids sort by time; a run that is a node of another is not what a person did last
            let own = evidence.views.iter().filter(|view| view.start.parent.is_none());
            own.map(|view| view.start.run.as_str()).chain(damaged).max()?
        } else {
            let mut found = views.chain(damaged).filter(|id| id.ends_with(text));
            match (found.next(), found.next()) {
                (Some(only), None) => only,
                _ => return None,
            }
        };
        let mut found = Self::new(format!("run {id}"));
        found.add_run(evidence, id);
        if let [only] = found.runs[..] {
            let start = &evidence.views[only].start;
            found.words = format!("run {id} of {}, as of {}", start.pipeline, start.as_of);
        }
        let mut next = 0;
        while let Some(&run) = found.runs.get(next) {
            found.add_outputs(evidence, run);
            next += 1;
        }
        Some(found)
    }

    /// Adds what the nodes of a run made, and the runs of those that are pipelines.
    fn add_outputs(&mut self, evidence: &Evidence, run: usize) {
        for (at, node) in evidence.views[run].nodes.iter().enumerate() {
            for (port, output) in &node.outputs {
                self.add_root(&format!("{}.{port}", node.node), output.sha256);
            }
            let children: Vec<usize> = evidence.children((run, at)).filter(|at| !self.runs.contains(at)).collect();
            self.runs.extend(children);
        }
    }

    fn digest(evidence: &Evidence, digits: &str) -> Option<Self> {
        evidence.by_digits(digits).map(|digest| Self::artifacts(evidence, &[digest]))
    }

    /// Artifacts; a model that was promoted is audited as that version, the record of a run as that run.
    fn artifacts(evidence: &Evidence, digests: &[Digest]) -> Self {
        let kind = |digest: &Digest| evidence.refs.get(digest).map(|found: &ArtifactRef| found.kind.to_string());
        let words: Vec<String> =
            digests.iter().map(|digest| format!("{} {}", kind(digest).unwrap_or_default(), digest.short())).collect();
        let mut found = Self::new(words.join(", "));
        for digest in digests {
            found.add_root(&kind(digest).unwrap_or_default(), *digest);
            for (model, history) in &evidence.registry {
                let Ok(history) = history else { continue };
                for entry in &history.entries {
                    if let EntryAction::Promote { version, .. } = &entry.action
                        && version.model.sha256 == *digest
                    {
                        found.words = format!("{}, {model} slot {}", found.words, entry.slot);
                        found.add_version(evidence, model, entry, version);
                    }
                }
            }
            let runs: Vec<usize> =
                evidence.runs_behind(*digest).into_iter().filter(|run| !found.runs.contains(run)).collect();
            found.runs.extend(runs);
        }
        found
    }

    fn everything(evidence: &Evidence) -> Self {
        let runs: Vec<usize> = (0..evidence.views.len()).filter(|run| evidence.asked_by != Some(*run)).collect();
        let (count, models) = (runs.len(), evidence.registry.len());
        let mut found = Self::new(format!("everything in the store: {count} runs, {models} registered models"));
        found.whole = true;
        found.runs = runs;
        found.damaged = (0..evidence.damaged.len()).collect();
        found.models = evidence.registry.keys().cloned().collect();
        for (digest, reference) in &evidence.refs {
            found.add_all(reference, *digest);
        }
        found
    }

    /// Adds one of very many, each of which is met once.
    fn add_all(&mut self, reference: &ArtifactRef, sha256: Digest) {
        self.roots.push(Root { name: reference.kind.to_string(), sha256 });
    }
}

/// The slot that is meant, and how it was called.
fn slot_of(history: &History, which: Option<&str>) -> Option<(u64, String)> {
    let champion = |alias: &str| history.champion(alias).map(|champion| champion.slot);
    match which {
        None => champion(CHAMPION).map(|slot| (slot, format!("@{CHAMPION}"))),
        Some(which) => match which.parse::<u64>() {
            Ok(slot) => Some((slot, String::new())),
            Err(_) if which == PRODUCTION && champion(PRODUCTION).is_none() => {
                champion(CHAMPION).map(|slot| (slot, format!("@{CHAMPION}")))
            }
            Err(_) => champion(which).map(|slot| (slot, format!("@{which}"))),
        },
    }
}
