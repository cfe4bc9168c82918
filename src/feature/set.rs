//! Ordered sets of features and the frames they fill.

use std::borrow::Cow;

use rayon::prelude::*;

use super::inputs::Inputs;
use crate::expression::{
    Bound, Column, Definition, EvaluationError, ExpressionError, Names, ParameterValues, Program, Type,
};
use crate::market::Bars;

/// How a feature is computed.
#[derive(Clone, Copy)]
pub(super) enum Source {
    /// By code; the formula is for people.
    Kernel(fn(&Inputs<'_>) -> Vec<f64>),
    /// By its formula, which is an expression.
    Expression,
}

/// One feature: what the reference page says about it, and how it is computed.
#[derive(Clone)]
pub struct FeatureSpec {
    /// Column name.
    pub name: Cow<'static, str>,
    /// An expression; or, where the feature [is a kernel](Self::is_kernel), a formula in terms of `o, h, l, c, v`, `x[-n]` for n bars
    /// ago, and indicators by name.
    pub formula: Cow<'static, str>,
    /// What it tells a model, with its source where there is one.
    pub doc: Cow<'static, str>,
    /// Bars before the current one that the first value needs: the first known row of a complete series.
    pub look_back: usize,
    pub(super) source: Source,
}

impl FeatureSpec {
    /// A feature that its formula computes.
    pub(super) fn expression(
        name: impl Into<Cow<'static, str>>,
        formula: impl Into<Cow<'static, str>>,
        doc: impl Into<Cow<'static, str>>,
    ) -> Self {
        // the look-back is that of the tree, known when the set is compiled
        Self { name: name.into(), formula: formula.into(), doc: doc.into(), look_back: 0, source: Source::Expression }
    }

    /// Whether it is computed by code and not by its formula.
    pub const fn is_kernel(&self) -> bool {
        matches!(self.source, Source::Kernel(_))
    }
}

impl std::fmt::Debug for FeatureSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FeatureSpec").field("name", &self.name).field("formula", &self.formula).finish_non_exhaustive()
    }
}

/// Why a feature set cannot be had.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FeatureError {
    /// No set has this name.
    #[error("unknown feature set `{name}`, expected one of {}", quoted(built))]
    UnknownSet {
        /// Set asked for.
        name: String,
        /// Sets that exist.
        built: Vec<&'static str>,
    },
    /// No feature has this name.
    #[error("unknown feature `{name}`")]
    UnknownFeature {
        /// Feature asked for.
        name: String,
    },
    /// A list names a feature twice.
    #[error("feature `{name}` is there twice: expected another name")]
    DuplicateFeature {
        /// The repeated feature.
        name: String,
    },
    /// Features that are defined by each other.
    #[error("features `{}` are defined by each other", .names.join("`, `"))]
    Circular {
        /// Them.
        names: Vec<String>,
    },
    /// A name that no column can have.
    #[error("`{name}`: expected a name of letters, digits and underscores that begins with a letter")]
    Name {
        /// What was written.
        name: String,
    },
    /// A period that is none.
    #[error("expected periods of at least 2 bars and at most 10000, found {0}")]
    Period(u32),
    /// A set without any feature.
    #[error("expected at least one feature, found none")]
    Empty,
    /// A formula that does not compile.
    #[error("{0}")]
    Expression(ExpressionError),
}

fn quoted(names: &[&str]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

/// An ordered, named list of features, compiled.
#[derive(Clone, Debug)]
pub struct FeatureSet {
    name: String,
    specs: Vec<FeatureSpec>,
    /// Every feature that is an expression.
    expressions: Bound,
}

impl FeatureSet {
    /// Compiles features in the order given; a formula may use those before it that are expressions.
    ///
    /// # Errors
    /// [`FeatureError::DuplicateFeature`], [`FeatureError::Empty`], and the first problem of a formula.
    pub(super) fn compile(name: &str, mut specs: Vec<FeatureSpec>, names: &Names) -> Result<Self, FeatureError> {
        if specs.is_empty() {
            return Err(FeatureError::Empty);
        }
        for (place, spec) in specs.iter().enumerate() {
            if specs[..place].iter().any(|known| known.name == spec.name) {
                return Err(FeatureError::DuplicateFeature { name: spec.name.to_string() });
            }
        }
        let definitions: Vec<Definition> = specs
            .iter()
            .filter(|spec| !spec.is_kernel())
            .map(|spec| Definition::new(spec.name.as_ref(), spec.formula.as_ref()))
            .collect();
        let first = |errors: Vec<ExpressionError>| {
            errors.into_iter().next().map_or(FeatureError::Empty, FeatureError::Expression)
        };
        let program = Program::compile(&definitions, names).map_err(first)?;
        let expressions = program.bind(&ParameterValues::new()).map_err(first)?;
        for spec in specs.iter_mut().filter(|spec| !spec.is_kernel()) {
            spec.look_back = expressions.look_back_of(&spec.name).unwrap_or(0);
        }
        Ok(Self { name: name.to_owned(), specs, expressions })
    }

    /// Name of the set.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Features in column order.
    pub fn specs(&self) -> &[FeatureSpec] {
        &self.specs
    }

    /// The feature of a name.
    pub fn spec(&self, name: &str) -> Option<&FeatureSpec> {
        self.specs.iter().find(|spec| spec.name == name)
    }

    /// The features that are expressions, bound: their trees, types and reach.
    pub fn expressions(&self) -> &Bound {
        &self.expressions
    }

    /// Column names in order.
    pub fn names(&self) -> Vec<String> {
        self.specs.iter().map(|spec| spec.name.to_string()).collect()
    }

    /// First row of a complete series in which every feature is known.
    pub fn look_back(&self) -> usize {
        self.specs.iter().map(|spec| spec.look_back).max().unwrap_or(0)
    }

    /// Computes the features of every symbol, in parallel; the same bits for any number of threads.
    ///
    /// # Shape
    /// One frame a symbol, in their order; one column a feature, one value a bar.
    ///
    /// # NaN
    /// A value not yet known, or undefined by its formula (a bar without range, a window without volume). Never infinite. A feature
    /// that is true or false is 1 or 0.
    ///
    /// # Errors
    /// [`EvaluationError`] where a symbol does not carry a column that a formula reads.
    pub fn compute(&self, bars: &Bars) -> Result<Vec<FeatureFrame>, EvaluationError> {
        let mut expressions = self.expressions.evaluate(bars, None)?.into_columns().into_iter();
        let kernels: Vec<_> = self
            .specs
            .iter()
            .filter_map(|spec| match spec.source {
                Source::Kernel(kernel) => Some(kernel),
                Source::Expression => None,
            })
            .collect();
        let mut computed: Vec<std::vec::IntoIter<Column>> = bars
            .series
            .par_iter()
            .map(|series| {
                let inputs = Inputs::new(series, &bars.sessions);
                let finite = |value: f64| if value.is_finite() { value } else { f64::NAN };
                let column = |kernel: &fn(&Inputs<'_>) -> Vec<f64>| -> Column {
                    kernel(&inputs).into_iter().map(finite).collect::<Vec<f64>>().into()
                };
                kernels.iter().map(column).collect::<Vec<_>>().into_iter()
            })
            .collect();
        let mut frames = vec![FeatureFrame { names: self.names(), columns: Vec::new() }; bars.series.len()];
        for spec in &self.specs {
            match spec.source {
                Source::Kernel(_) => {
                    frames
                        .iter_mut()
                        .zip(&mut computed)
                        .for_each(|(frame, columns)| frame.columns.extend(columns.next()));
                }
                Source::Expression => {
                    let columns: Vec<Column> = expressions.next().map_or_else(Vec::new, |(_, _, columns)| columns);
                    frames.iter_mut().zip(columns).for_each(|(frame, column)| frame.columns.push(column));
                }
            }
        }
        Ok(frames)
    }

    /// Type of a feature: kernels give numbers.
    pub fn type_of(&self, name: &str) -> Type {
        self.expressions.outputs().find(|(known, _)| *known == name).map_or(Type::Number, |(_, of)| of)
    }
}

/// Features of one symbol, column by column.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FeatureFrame {
    /// Column names, in the order of the set.
    pub names: Vec<String>,
    /// One value a bar in each column; NaN where it is not yet known.
    pub columns: Vec<Column>,
}

impl FeatureFrame {
    /// The column of a feature.
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        let index = self.names.iter().position(|known| known == name)?;
        self.columns.get(index).map(|column| column.as_slice())
    }

    /// The features of one bar, in column order; empty past the end.
    pub fn row(&self, bar: usize) -> Vec<f64> {
        self.columns.iter().filter_map(|column| column.get(bar).copied()).collect()
    }
}
