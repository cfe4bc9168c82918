//! Parameters declared once: the declaration gives the struct, its defaults, its checks and its documentation.

/// One parameter of a model family, for reference pages, search-space bounds and suggestions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Its key.
    pub name: &'static str,
    /// What it is when not given.
    pub default: &'static str,
    /// The allowed values, as a Rust range; `None` for words.
    pub range: Option<&'static str>,
    /// What it does.
    pub doc: &'static str,
}

/// Declares the parameters of a family: the input struct, its `Default`, `check` and the table `PARAMETERS`.
macro_rules! parameters {
    (
        $(#[$meta:meta])*
        $name:ident {
            $($(#[doc = $doc:literal])+ $field:ident : $type:ty = $default:expr $(, in $range:expr)? ;)+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields, default)]
        pub struct $name {
            $(
                $(#[doc = $doc])+
                $(#[schemars(transform = $crate::base::schema::within($range))])?
                pub $field: $type,
            )+
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)+ }
            }
        }

        impl $name {
            /// Name, default, range and meaning of every parameter.
            pub const PARAMETERS: &'static [$crate::model::Parameter] = &[$($crate::model::Parameter {
                name: stringify!($field),
                default: stringify!($default),
                range: $crate::model::parameter::range_text!($($range)?),
                doc: concat!($($doc),+).trim_ascii(),
            },)+];

            /// Checks every range.
            ///
            /// # Errors
            /// The first parameter outside its range.
            pub fn check(&self) -> Result<(), $crate::model::ModelError> {
                $($(
                    if !($range).contains(&self.$field) {
                        return Err($crate::model::ModelError::OutOfRange {
                            name: stringify!($field),
                            expected: stringify!($range),
                            found: self.$field.to_string(),
                        });
                    }
                )?)+
                Ok(())
            }
        }
    };
}

/// The text of an optional range.
macro_rules! range_text {
    () => {
        None
    };
    ($range:expr) => {
        Some(stringify!($range))
    };
}

pub(super) use {parameters, range_text};
