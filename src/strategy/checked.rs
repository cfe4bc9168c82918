//! A strategy that was checked, of whatever kind.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;

use super::file::{BREAKOUT, RULES};
use super::parameter::set;
use super::{
    AtEnd, CostRules, DataRules, FillAt, IndicatorCache, OnGap, Parameter, RiskRules, RulesFile, RulesStrategy,
    Signals, StopAnchor, StopTrigger, StrategyError, StrategyFile, StrategyLint, breakout, lint, rules,
};
use crate::base::yaml::{self, Yaml};
use crate::market::Bars;

/// A strategy whose every value is inside its range and whose every expression compiles.
#[derive(Clone, Debug, PartialEq)]
pub struct Strategy(Kind);

#[derive(Clone, Debug, PartialEq)]
enum Kind {
    Breakout(Box<StrategyFile>),
    Rules(Box<RulesStrategy>),
}

/// How orders become fills and when stops are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Execution {
    /// What stop and target are measured from.
    pub stop_anchor: StopAnchor,
    /// When a stop is looked at.
    pub stop_trigger: StopTrigger,
    /// When a market order fills.
    pub fill: FillAt,
    /// What becomes of an order whose open is at or beyond its stop.
    pub on_gap: OnGap,
    /// What becomes of positions that are open at the end.
    pub at_end: AtEnd,
}

impl Default for Strategy {
    /// The reference strategy.
    fn default() -> Self {
        Self(Kind::Breakout(Box::default()))
    }
}

impl TryFrom<StrategyFile> for Strategy {
    type Error = StrategyError;

    fn try_from(file: StrategyFile) -> Result<Self, StrategyError> {
        file.check()?;
        Ok(Self(Kind::Breakout(Box::new(file))))
    }
}

impl TryFrom<RulesFile> for Strategy {
    type Error = StrategyError;

    fn try_from(file: RulesFile) -> Result<Self, StrategyError> {
        Ok(Self(Kind::Rules(Box::new(RulesStrategy::from_file(file)?))))
    }
}

impl Serialize for Strategy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.0 {
            Kind::Breakout(file) => file.serialize(serializer),
            Kind::Rules(rules) => rules.file().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Strategy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let tree = Value::deserialize(deserializer)?;
        if tree["kind"] == RULES {
            let file: RulesFile = serde_json::from_value(tree).map_err(D::Error::custom)?;
            return Self::try_from(file).map_err(D::Error::custom);
        }
        let file: StrategyFile = serde_json::from_value(tree).map_err(D::Error::custom)?;
        Self::try_from(file).map_err(D::Error::custom)
    }
}

impl Strategy {
    /// Reads a strategy file.
    ///
    /// # Errors
    /// Text that does not read, names what does not exist, holds a value outside its range or an expression that does not
    /// compile; of a rules file every problem at its place.
    pub fn from_yaml(text: &str) -> Result<Self, StrategyError> {
        if let Ok(tree) = yaml::parse(text)
            && let Yaml::Map(fields) = &tree.value
            && let Some((_, kind)) = fields.iter().find(|(key, _)| key.value == "kind")
            && kind.value == Yaml::Text(RULES.to_owned())
        {
            return Ok(Self(Kind::Rules(Box::new(RulesStrategy::from_tree(text, &tree)?))));
        }
        let options = serde_saphyr::options! { strict_booleans: true, with_snippet: false };
        let file: StrategyFile = serde_saphyr::from_str_with_options(text, options)
            .map_err(|error| StrategyError::Unreadable(error.to_string()))?;
        Self::try_from(file)
    }

    /// Which kind of strategy it is.
    pub const fn kind(&self) -> &'static str {
        match &self.0 {
            Kind::Breakout(_) => BREAKOUT,
            Kind::Rules(_) => RULES,
        }
    }

    /// The file of a breakout strategy, defaults filled in.
    pub const fn breakout(&self) -> Option<&StrategyFile> {
        match &self.0 {
            Kind::Breakout(file) => Some(file),
            Kind::Rules(_) => None,
        }
    }

    /// The rules of a strategy of the user's own.
    pub const fn rules(&self) -> Option<&RulesStrategy> {
        match &self.0 {
            Kind::Breakout(_) => None,
            Kind::Rules(rules) => Some(rules),
        }
    }

    /// How much is put at risk.
    pub const fn risk(&self) -> &RiskRules {
        match &self.0 {
            Kind::Breakout(file) => &file.risk,
            Kind::Rules(rules) => &rules.file().risk,
        }
    }

    /// What trading costs.
    pub const fn costs(&self) -> &CostRules {
        match &self.0 {
            Kind::Breakout(file) => &file.costs,
            Kind::Rules(rules) => &rules.file().costs,
        }
    }

    /// What happens when bars are missing.
    pub const fn data(&self) -> &DataRules {
        match &self.0 {
            Kind::Breakout(file) => &file.data,
            Kind::Rules(rules) => &rules.file().data,
        }
    }

    /// How orders become fills.
    pub fn execution(&self) -> Execution {
        match &self.0 {
            Kind::Breakout(file) => Execution {
                stop_anchor: file.exit.stop_anchor,
                stop_trigger: file.exit.stop_trigger,
                ..Execution::default()
            },
            Kind::Rules(rules) => {
                let file = rules.file();
                let stop = file.stop.as_ref();
                Execution {
                    stop_anchor: stop.map(|stop| stop.anchor).unwrap_or_default(),
                    stop_trigger: stop.map(|stop| stop.trigger).unwrap_or_default(),
                    fill: file.execution.fill,
                    on_gap: file.execution.on_gap,
                    at_end: file.execution.at_end,
                }
            }
        }
    }

    /// Every parameter of the breakout strategy, section by section.
    pub fn parameters() -> impl Iterator<Item = &'static Parameter> {
        StrategyFile::parameters()
    }

    /// Names and formulas of the features that the strategy itself adds at each signal.
    pub fn features(&self) -> Vec<(String, String)> {
        let rules = self.rules().map(|rules| rules.file().features.iter());
        rules.into_iter().flatten().map(|(name, rule)| (name.to_owned(), rule.text().into_owned())).collect()
    }

    /// This strategy with other values for some parameters, as `exit.hard_stop_atr_mult: 3.0` or `parameters.fast: 20`.
    ///
    /// # Errors
    /// A path that names no parameter, a value of the wrong type, or a value out of range.
    pub fn with_parameters(&self, values: &BTreeMap<String, Value>) -> Result<Self, StrategyError> {
        match &self.0 {
            Kind::Breakout(file) => {
                let known: Vec<Parameter> = StrategyFile::parameters().copied().collect();
                let values = values.iter().map(|(path, value)| (path.as_str(), value)).collect();
                Self::try_from(set(file.as_ref(), &known, &values)?)
            }
            Kind::Rules(rules) => Ok(Self(Kind::Rules(Box::new(rules.with_parameters(values)?)))),
        }
    }

    /// What a study searches where its own space says nothing: path and distribution of every declared parameter that has a
    /// range or a set of values.
    pub fn declared_space(&self) -> Vec<(String, Value)> {
        let declared = self.rules().map(|rules| rules.file().parameters.iter());
        declared
            .into_iter()
            .flatten()
            .filter_map(|(name, parameter)| Some((format!("parameters.{name}"), parameter.searched()?)))
            .collect()
    }

    /// Lists what is allowed and probably not meant.
    pub fn lints(&self) -> Vec<StrategyLint> {
        let own = match &self.0 {
            Kind::Breakout(file) => file.lints(),
            Kind::Rules(rules) => rules.lints(),
        };
        own.into_iter().chain(lint::shared(self.risk(), self.costs(), self.data())).collect()
    }

    /// [`Self::lints`], and what only the bars show: rules that never fire, triggers that decide nothing, stops beyond the price.
    pub fn lints_on(&self, bars: &Bars, found: &Signals, cache: &IndicatorCache) -> Vec<StrategyLint> {
        let on_bars = self.rules().map(|rules| rules.lints_on(bars, found, cache));
        self.lints().into_iter().chain(on_bars.unwrap_or_default()).collect()
    }
}

/// Computes the entry candidates and exit flags of every symbol.
///
/// A value at a bar depends on that bar and earlier ones only; the score also on the signals of other symbols in earlier
/// sessions, and a rule over a date on the other symbols of its session. The result does not depend on the number of threads.
///
/// # Errors
/// Rules that cannot be evaluated with these parameters on these bars.
pub fn signals(strategy: &Strategy, bars: &Bars, cache: &IndicatorCache) -> Result<Signals, StrategyError> {
    match &strategy.0 {
        Kind::Breakout(file) => Ok(breakout::signals(file, bars, cache)),
        Kind::Rules(own) => rules::signals(own, bars, cache),
    }
}

impl Parameter {
    /// Its dotted path.
    pub fn path(&self) -> String {
        format!("{}.{}", self.section, self.name)
    }
}
