//! Values that know where in a text they stand, and problems found there.

/// A range of bytes in a source text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// Number of bytes.
    pub len: usize,
}

/// A value and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Located<T> {
    /// What was written.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> Located<T> {
    /// Joins a value and its place.
    pub const fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// Something wrong in a source text: what, where, and the edit that mends it.
#[derive(Clone, Debug, PartialEq)]
pub struct Problem {
    /// Stable code, as `pipeline::unknown_kind`.
    pub code: &'static str,
    /// What is wrong, what was expected and what was found.
    pub message: String,
    /// Where.
    pub span: Span,
    /// A short word for the place itself.
    pub label: String,
    /// The edit or command that mends it.
    pub hint: Option<String>,
}

impl Problem {
    /// Describes a problem at a place.
    pub fn new(code: &'static str, span: Span, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), span, label: "here".to_owned(), hint: None }
    }

    /// Names the place.
    #[must_use]
    pub fn label(mut self, label: impl Into<String>) -> Self {
        self.label = label.into();
        self
    }

    /// Adds the edit that mends it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// Adds "did you mean", or the whole closed set when nothing is near.
    #[must_use]
    pub fn suggest<'a>(self, found: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<&str> = known.into_iter().collect();
        match nearest(found, known.iter().copied()) {
            Some(near) => self.hint(format!("did you mean `{near}`?")),
            None if known.is_empty() => self.hint("none is known here: declare what this names, or remove it"),
            None => self.hint(format!("known: {}", known.join(", "))),
        }
    }
}

/// The word of a closed set that the writer most likely meant; `None` when nothing is near.
pub fn nearest<'a>(found: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    known
        .into_iter()
        .map(|word| (strsim::jaro_winkler(found, word), word))
        .filter(|(score, _)| *score > 0.8)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, word)| word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_finger_is_recognised() {
        let kinds = ["accumulate", "train", "evaluate"];
        assert_eq!(nearest("acumulate", kinds), Some("accumulate"));
        assert_eq!(nearest("zebra", kinds), None);
    }
}
