//! Maps of all columns, and a model behind them.

use ndarray::{Array1, Array2, ArrayView2};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ColumnMap;
use crate::model::config::Model;
use crate::model::error::ModelError;

/// What is done to every feature.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Transform {
    /// Nothing.
    #[default]
    None,
    /// Mean 0, standard deviation 1.
    Standardise,
    /// Median 0, distance of the quartiles 1.
    Robust,
    /// Ranks, spread as a normal distribution.
    RankNormal,
    /// Tails are cut off at quantiles.
    Winsorise,
}

/// The fitted maps, one a feature of the model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    /// Format of this record.
    pub version: u32,
    /// In column order.
    pub columns: Vec<ColumnMap>,
}

impl Preparation {
    /// Fits the maps of all columns; `tail` is read by `winsorise`.
    pub fn fit(transform: Transform, tail: f64, features: ArrayView2<'_, f64>) -> Self {
        let columns = features.columns().into_iter();
        Self {
            version: 1,
            columns: columns.map(|column| ColumnMap::fit(transform, tail, column.iter().copied())).collect(),
        }
    }

    /// The maps that change nothing.
    pub fn identity(columns: usize) -> Self {
        Self { version: 1, columns: vec![ColumnMap::Keep; columns] }
    }

    /// Whether no map changes anything.
    pub fn is_identity(&self) -> bool {
        self.columns.iter().all(|column| *column == ColumnMap::Keep)
    }

    /// Maps every value.
    ///
    /// # Shape
    /// `features` has one column a map.
    pub fn apply(&self, features: ArrayView2<'_, f64>) -> Array2<f64> {
        let mut mapped = features.to_owned();
        for (mut column, map) in mapped.columns_mut().into_iter().zip(&self.columns) {
            column.mapv_inplace(|value| map.apply(value));
        }
        mapped
    }

    /// Refuses stored maps that contradict themselves or do not fit a model.
    ///
    /// # Errors
    /// Another version, another number of columns, a scale that is not positive, knots that do not rise.
    pub fn check(&self, columns: usize) -> Result<(), ModelError> {
        if self.version != 1 {
            return Err(ModelError::FormatVersion { found: self.version.into(), expected: 1 });
        }
        if self.columns.len() != columns {
            let found = self.columns.len();
            return Err(ModelError::Shape { what: "transforms and features", expected: columns, found });
        }
        match self.columns.iter().position(|column| !column.is_sound()) {
            Some(column) => Err(ModelError::Damaged(format!("the transform of column {column} contradicts itself"))),
            None => Ok(()),
        }
    }
}

/// A model behind the maps that its training rows went through.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Prepared {
    preparation: Preparation,
    model: Model,
}

impl Prepared {
    /// Joins a model and the maps of its features.
    ///
    /// # Errors
    /// What [`Preparation::check`] refuses.
    pub fn new(preparation: Preparation, model: Model) -> Result<Self, ModelError> {
        preparation.check(model.columns())?;
        Ok(Self { preparation, model })
    }

    /// A model whose features are taken as they are.
    pub fn plain(model: Model) -> Self {
        Self { preparation: Preparation::identity(model.columns()), model }
    }

    /// What [`Model::predict`] says of the mapped features.
    pub fn predict(&self, features: ArrayView2<'_, f64>) -> Array1<f64> {
        if self.preparation.is_identity() || features.ncols() != self.columns() {
            return self.model.predict(features);
        }
        self.model.predict(self.preparation.apply(features).view())
    }

    /// Number of features.
    pub fn columns(&self) -> usize {
        self.model.columns()
    }

    /// Refuses a table of another width.
    ///
    /// # Errors
    /// [`ModelError::Shape`].
    pub fn check_columns(&self, columns: usize) -> Result<(), ModelError> {
        self.model.check_columns(columns)
    }

    /// As [`Model::importance`].
    pub fn importance(&self) -> Vec<f64> {
        self.model.importance()
    }

    /// The name of the family.
    pub fn family(&self) -> &'static str {
        self.model.family()
    }

    /// How much the members of an ensemble disagree: the standard deviation of their probabilities of each row. `None` for
    /// a single model.
    pub fn disagreement(&self, features: ArrayView2<'_, f64>) -> Option<Vec<f64>> {
        self.model.disagreement(self.preparation.apply(features).view())
    }

    /// The model behind the maps.
    pub fn into_model(self) -> Model {
        self.model
    }

    /// The maps.
    pub const fn preparation(&self) -> &Preparation {
        &self.preparation
    }

    /// The model behind the maps: it reads mapped features.
    pub const fn model(&self) -> &Model {
        &self.model
    }
}
