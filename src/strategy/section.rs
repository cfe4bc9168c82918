//! Sections of a strategy file, declared once: the declaration gives the struct, its defaults, its checks and its table.

use std::ops::RangeInclusive;

use super::StrategyError;

/// One parameter of a strategy, for reference pages, search-space bounds and suggestions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its section, as `exit` or `costs.commission`.
    pub section: &'static str,
    /// Its key in the section.
    pub name: &'static str,
    /// What it is when not given.
    pub default: &'static str,
    /// The allowed values, as a Rust range; `None` for words and flags.
    pub range: Option<&'static str>,
    /// What it does.
    pub doc: &'static str,
}

/// A value that may be a number; a word, a flag or an absent value has no range to leave.
pub(super) trait Measured {
    fn measure(&self) -> Option<f64>;
}

impl Measured for f64 {
    fn measure(&self) -> Option<f64> {
        Some(*self)
    }
}

impl Measured for u32 {
    fn measure(&self) -> Option<f64> {
        Some(f64::from(*self))
    }
}

impl Measured for Option<f64> {
    fn measure(&self) -> Option<f64> {
        *self
    }
}

/// Checks one value; NaN and infinities are in no range.
pub(super) fn within(
    section: &str,
    name: &str,
    value: &impl Measured,
    range: &RangeInclusive<f64>,
    expected: &'static str,
) -> Result<(), StrategyError> {
    match value.measure() {
        Some(found) if !range.contains(&found) => Err(StrategyError::OutOfRange {
            path: format!("{section}.{name}"),
            expected: expected.to_owned(),
            found: found.to_string(),
        }),
        _ => Ok(()),
    }
}

macro_rules! section {
    (
        $(#[$meta:meta])*
        $struct:ident at $section:literal {
            $($(#[doc = $doc:literal])+ $field:ident : $type:ty = $default:expr $(, in $range:expr)? ;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $struct {
            $(
                $(#[doc = $doc])+
                $(#[schemars(transform = $crate::base::schema::within($range))])?
                pub $field: $type,
            )+
        }

        impl Default for $struct {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $struct {
            /// Name, default, range and meaning of every parameter of the section.
            pub const PARAMETERS: &'static [$crate::strategy::Parameter] = &[$($crate::strategy::Parameter {
                section: $section,
                name: stringify!($field),
                default: stringify!($default),
                range: $crate::strategy::section::range_text!($($range)?),
                doc: concat!($($doc),+),
            },)+];

            pub(super) fn check(&self) -> Result<(), $crate::strategy::StrategyError> {
                $($(
                    $crate::strategy::section::within($section, stringify!($field), &self.$field, &($range), stringify!($range))?;
                )?)+
                Ok(())
            }
        }
    };
}

macro_rules! range_text {
    () => {
        None
    };
    ($range:expr) => {
        Some(stringify!($range))
    };
}

pub(super) use {range_text, section};
