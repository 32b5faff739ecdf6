//! The types of imports and exports, as text.

use std::fmt::Write as _;

use tenure::{ExternType, FuncType, MemoryType, Mutability, TableType};

/// What kind of thing it is and its type, such as `func (i32, i32) -> i32`.
pub fn describe(ty: &ExternType) -> String {
    match ty {
        ExternType::Func(ty) => format!("func {}", signature(ty)),
        ExternType::Table(ty) => table(ty),
        ExternType::Memory(ty) => memory(ty),
        ExternType::Global(ty) => match ty.mutability() {
            Mutability::Const => format!("global {}", ty.content()),
            Mutability::Var => format!("global mut {}", ty.content()),
        },
        ExternType::Tag(ty) => format!("tag {}", signature(ty.ty())),
    }
}

/// A function's parameters and results: `(i32, i32) -> i32`.
pub fn signature(ty: &FuncType) -> String {
    let list = |types: Vec<String>| types.join(", ");
    let params = list(ty.params().map(|ty| ty.to_string()).collect());
    match ty.results().len() {
        0 => format!("({params})"),
        1 => format!("({params}) -> {}", list(ty.results().map(|ty| ty.to_string()).collect())),
        _ => format!("({params}) -> ({})", list(ty.results().map(|ty| ty.to_string()).collect())),
    }
}

fn table(ty: &TableType) -> String {
    let mut text = format!("table {}", limits(ty.minimum(), ty.maximum()));
    let _ = write!(text, " {}", ty.element());
    if ty.is_64() {
        text.push_str(", 64-bit");
    }
    text
}

fn memory(ty: &MemoryType) -> String {
    let mut text = format!("memory {} pages", limits(ty.minimum(), ty.maximum()));
    if ty.page_size() != 65_536 {
        let _ = write!(text, " of {} bytes", ty.page_size());
    }
    if ty.is_64() {
        text.push_str(", 64-bit");
    }
    if ty.is_shared() {
        text.push_str(", shared");
    }
    text
}

/// `2..` or `2..=10`, as ranges are written in Rust: the maximum is allowed.
fn limits(minimum: u64, maximum: Option<u64>) -> String {
    match maximum {
        None => format!("{minimum}.."),
        Some(maximum) => format!("{minimum}..={maximum}"),
    }
}
