//! The keys of a pipeline file and what they mean: one table for the reader, its suggestions and the JSON Schema.

/// A key and its meaning.
pub(super) type Key = (&'static str, &'static str);

/// One of a closed set of words: its name, what it stands for, and its meaning.
pub(super) type Word<T> = (&'static str, T, &'static str);

pub(super) const TOP: &[Key] = &[
    ("version", "Version of the language: 1."),
    ("name", "Name of the pipeline, shown in `runs`; runs of one name are compared with each other."),
    ("description", "For people."),
    ("as_of", "End of the data window, exclusive: a date or a time in UTC."),
    ("schedule", "When it should run; gives the default of `as_of`. Nothing is started by it."),
    ("concurrency", "Which runs must not run at the same time."),
    ("params", "What a caller may change, with type, default and bounds."),
    ("sources", "What is read from outside: read and hashed once, when the run starts."),
    ("defaults", "`timeout`, `retry`, `cache` and `pool` of nodes that do not say their own."),
    ("pools", "Pool: how many of its nodes may run at once."),
    ("nodes", "The steps; their order means nothing."),
    ("notify", "Who is told when a run has ended."),
];

pub(super) const NODE: &[Key] = &[
    ("kind", "What it does; `walkforward kinds` lists them."),
    ("inputs", "Port: `node.output`, `node[*].output` for all instances, or `sources.name`."),
    ("needs", "Nodes that must have ended well before, beside those in `inputs` and `when`."),
    ("when", "Condition; when it is false the node is skipped."),
    ("with", "Settings of the kind."),
    ("matrix", "One instance for each combination of values."),
    ("for_each", "One instance for each instance of that node."),
    ("retry", "When a failed attempt is made again."),
    ("timeout", "How long one attempt may take, as `90s`, `10m` or `2h`."),
    ("pool", "The pool that limits how many of its nodes run at once."),
    ("cache", "`default` reuses stored results, `refresh` replaces them, `off` neither reads nor writes them."),
    ("publish", "Output: path of a copy outside the store."),
];

pub(super) const INPUT: &[Key] = &[
    ("from", "`node.output`, `node[*].output` or `sources.name`."),
    ("optional", "Whether the node runs without it."),
];

pub(super) const SOURCE: &[Key] = &[
    ("path", "A file, a folder, `s3://bucket/prefix`, or, for bars, a pattern as `data/**/*.csv`."),
    ("schema", "What is there: `ohlcv@1`, `strategy@1` or `file@1`."),
    ("read", "How the files become bars: names of columns, time zone, adjustment, longer bars, tables to join."),
    ("registry", "A registered model."),
    ("alias", "Which of its versions; default `champion`."),
    ("part", "`model` or `strategy`; default `model`."),
    ("optional", "Whether the run goes on without it."),
];

pub(super) const PARAM: &[Key] = &[
    ("type", "What it is."),
    ("default", "Its value where a caller gives none."),
    ("min", "The least value."),
    ("max", "The greatest value."),
    ("values", "The words that it can be."),
];

pub(super) const SCHEDULE: &[Key] = &[
    ("cron", "Five fields: minute, hour, day of month, month, day of week."),
    ("timezone", "Time zone of the fields, as `Europe/Berlin`; default UTC."),
    ("max_lateness", "How long after a tick a run may start before the tick counts as missed; default: the next tick."),
];

pub(super) const CONCURRENCY: &[Key] = &[
    ("group", "Runs of one group on one store exclude each other; default: the pipeline's name."),
    ("on_conflict", "`skip` (end well, doing nothing), `wait`, or `fail` (exit code 75); default `fail`."),
    ("wait_timeout", "How long `wait` waits; default `1h`."),
];

pub(super) const MATRIX: &[Key] = &[
    ("axes", "Axis: list of values, names with values, `${params.list}`, or `{range: {from, to, step}}`."),
    ("include", "Further combinations; each gives a value for every axis."),
    ("exclude", "Combinations to leave out; one that names some axes leaves out all that match."),
    ("max_parallel", "How many instances may run at once."),
    ("fail_fast", "Whether the first instance that fails stops the others; default true."),
];

pub(super) const RANGE: &[Key] = &[
    ("from", "First value: a whole number or a date."),
    ("to", "Last value, included if a step meets it."),
    ("step", "Distance: a whole number, or days as `1w`; default 1 or `1d`."),
];

pub(super) const RETRY: &[Key] = &[
    ("max_attempts", "Attempts in all, the first included."),
    ("backoff", "How long the pauses between attempts are."),
    ("retry_on", "Failures that are tried again: `io`, `timeout`, `exit`, `other`; default the first three."),
];

pub(super) const BACKOFF: &[Key] = &[
    ("initial", "Pause after the first attempt; default `10s`."),
    ("factor", "By what each further pause is longer; default 2."),
    ("max", "The longest pause; default `5m`."),
    ("jitter", "Whether a pause is drawn between half and the whole of its length; default true."),
];

pub(super) const DEFAULTS: &[Key] =
    &[("timeout", "As in a node."), ("retry", "As in a node."), ("cache", "As in a node."), ("pool", "As in a node.")];

pub(super) const NOTIFY: &[Key] = &[
    ("when", "Condition on the ended run, as `run.status == \"failed\"`; without it always."),
    ("webhook", "Address to POST the report to; usually `${env.NAME}`."),
    ("command", "Program with arguments; it reads the report on stdin."),
    ("optional", "Whether a variable of the environment that is not set switches this entry off."),
];

pub(super) const PROJECT: &[Key] = &[
    ("store", "Where artifacts, run records and the registry live: a folder or `s3://bucket/prefix`."),
    ("signing_key", "The Ed25519 key that promotions are signed with: a file with a private key in PEM."),
];

/// The names of a table.
pub(super) fn names(keys: &'static [Key]) -> impl Iterator<Item = &'static str> + Clone {
    keys.iter().map(|(name, _)| *name)
}
