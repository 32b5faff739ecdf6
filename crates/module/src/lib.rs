//! From bytes to a validated module. The only crate that drives wasmparser over a module's sections.
//!
//! ```text
//! bytes ──parse──▶ Parsed { module, bodies } ──each body validated──▶ ValidModule
//!                                    └─ by [`BodyChecker`]: quickly if it is common, else by wasmparser; or by
//!                                       a compiler, which drives wasmparser's validator as it reads operators
//! ```
//! [`parse`] checks everything but function bodies; a [`Body`] carries what checking it takes, so that
//! one decode can drive validation and translation together, on any thread.
//!
//! Start at [`parse`]; what is known of a module is [`Module`].

#![forbid(unsafe_code)]

mod body;
mod bytes;
mod const_expr;
mod error;
mod features;
mod fuel;
mod module;
mod names;
mod parse;
mod quick;
mod summary;
mod types;

pub use body::{Bodies, Body, BodyAllocations, BodyChecker, MAX_BR_TABLE_TARGETS, check_operator};
pub use const_expr::{ConstExpr, ConstOp};
pub use error::{ParseError, ValidateError};
pub use features::wasm_features;
pub use fuel::{FuelPlan, FuelSegment, OperatorCost, VariableOperatorCost};
pub use module::{
    DataMode, DataSegment, ElemItems, ElemMode, ElemSegment, Export, FuncDecl, GlobalDecl, Import,
    ImportType, Module, TableDecl,
};
pub use names::Names;
pub use parse::{Parsed, parse};
pub use quick::QuickCheck;
pub use summary::{BodyPart, Item, Summaries, Summary, Use};
