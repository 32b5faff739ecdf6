//! Function types.

use crate::ValType;
use std::fmt;

/// Parameters and results of a function, in order.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct FuncType {
    params: Box<[ValType]>,
    results: Box<[ValType]>,
}

impl FuncType {
    /// The type `params -> results`.
    pub fn new(params: impl Into<Box<[ValType]>>, results: impl Into<Box<[ValType]>>) -> Self {
        Self { params: params.into(), results: results.into() }
    }

    /// Parameter types, first to last.
    pub fn params(&self) -> &[ValType] {
        &self.params
    }

    /// Result types, first to last.
    pub fn results(&self) -> &[ValType] {
        &self.results
    }

    /// The same type with every value type replaced by what `change` makes of it.
    pub fn map(&self, mut change: impl FnMut(ValType) -> ValType) -> Self {
        Self {
            params: self.params.iter().map(|&ty| change(ty)).collect(),
            results: self.results.iter().map(|&ty| change(ty)).collect(),
        }
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(func")?;
        for (word, list) in [("param", &self.params), ("result", &self.results)] {
            if !list.is_empty() {
                write!(f, " ({word}")?;
                for ty in list {
                    write!(f, " {ty}")?;
                }
                f.write_str(")")?;
            }
        }
        f.write_str(")")
    }
}
