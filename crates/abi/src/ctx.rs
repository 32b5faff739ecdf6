//! The block behind `vmctx`: where each record of an instance lies.
//!
//! ```text
//! 0          VmCtxHeader
//!            own memories      VmMem     each     ┐ hot first: short displacements
//!            own globals       VmGlobal  each     │
//!            own tables        VmTable   each     ┘
//!            imported memories, globals, tables   a pointer each, to the definer's record
//!            imported functions                   VmImport each
//!            funcrefs of own functions that escape VmFuncRef each
//! size()
//! ```
//! Indices are those of the module's index spaces (imports first); each accessor checks its index
//! against the shape, so an offset is always inside the block.

use crate::vm::{VmCtxHeader, VmFuncRef, VmGlobal, VmImport, VmMem, VmTable};
use tenure_types::{FuncIdx, GlobalIdx, MemIdx, TableIdx};

/// How many of each kind of record a module's instances have.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct CtxShape {
    /// Imported memories.
    pub imported_mems: u32,
    /// Defined memories.
    pub own_mems: u32,
    /// Imported tables.
    pub imported_tables: u32,
    /// Defined tables.
    pub own_tables: u32,
    /// Imported globals.
    pub imported_globals: u32,
    /// Defined globals.
    pub own_globals: u32,
    /// Imported functions.
    pub imported_funcs: u32,
    /// Defined functions that may become a funcref.
    pub escaping_funcs: u32,
}

/// Where a memory, table or global record is found.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Place {
    /// The record itself lies at this offset of the context.
    Own(i32),
    /// A pointer to the record lies at this offset of the context.
    Imported(i32),
}

/// Offsets of every record of a context. Bytes, from `vmctx`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CtxLayout {
    shape: CtxShape,
    own_mems: i32,
    own_globals: i32,
    own_tables: i32,
    imported_mems: i32,
    imported_globals: i32,
    imported_tables: i32,
    imports: i32,
    funcrefs: i32,
    size: i32,
}

/// A context would be larger than 2 GiB, or than 32-bit offsets reach.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct ContextTooLarge;

impl std::fmt::Display for ContextTooLarge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an instance of this module would need a context of more than 2 GiB")
    }
}

impl std::error::Error for ContextTooLarge {}

impl CtxLayout {
    /// Lays a context out.
    ///
    /// # Errors
    /// [`ContextTooLarge`] when an offset would not fit 31 bits.
    pub fn new(shape: CtxShape) -> Result<Self, ContextTooLarge> {
        let mut at: u64 = size_of::<VmCtxHeader>() as u64;
        let mut take = |count: u32, size: usize, align: u64| -> Result<i32, ContextTooLarge> {
            let start = at.next_multiple_of(align);
            at = start + u64::from(count) * size as u64;
            i32::try_from(at).map_err(|_| ContextTooLarge)?;
            i32::try_from(start).map_err(|_| ContextTooLarge)
        };
        let pointer = size_of::<*const u8>();
        let own_mems = take(shape.own_mems, size_of::<VmMem>(), 16)?;
        let own_globals = take(shape.own_globals, size_of::<VmGlobal>(), 16)?;
        let own_tables = take(shape.own_tables, size_of::<VmTable>(), 16)?;
        let imported_mems = take(shape.imported_mems, pointer, 8)?;
        let imported_globals = take(shape.imported_globals, pointer, 8)?;
        let imported_tables = take(shape.imported_tables, pointer, 8)?;
        let imports = take(shape.imported_funcs, size_of::<VmImport>(), 8)?;
        let funcrefs = take(shape.escaping_funcs, size_of::<VmFuncRef>(), 8)?;
        let size = take(0, 0, 16)?;
        Ok(Self {
            shape,
            own_mems,
            own_globals,
            own_tables,
            imported_mems,
            imported_globals,
            imported_tables,
            imports,
            funcrefs,
            size,
        })
    }

    /// How many of each record there are.
    pub fn shape(&self) -> &CtxShape {
        &self.shape
    }

    /// Bytes of the whole block, a multiple of [`CtxLayout::ALIGN`].
    pub fn size(&self) -> usize {
        self.size as usize
    }

    /// Alignment of the block in bytes.
    pub const ALIGN: usize = 16;

    /// The [`VmMem`] of memory `mem`.
    ///
    /// # Panics
    /// When the module has no such memory.
    pub fn mem(&self, mem: MemIdx) -> Place {
        let s = &self.shape;
        place(mem.0, s.imported_mems, s.own_mems, self.imported_mems, self.own_mems, size_of::<VmMem>())
    }

    /// The [`VmGlobal`] of global `global`.
    ///
    /// # Panics
    /// When the module has no such global.
    pub fn global(&self, global: GlobalIdx) -> Place {
        let s = &self.shape;
        let size = size_of::<VmGlobal>();
        place(global.0, s.imported_globals, s.own_globals, self.imported_globals, self.own_globals, size)
    }

    /// The [`VmTable`] of table `table`.
    ///
    /// # Panics
    /// When the module has no such table.
    pub fn table(&self, table: TableIdx) -> Place {
        let s = &self.shape;
        let size = size_of::<VmTable>();
        place(table.0, s.imported_tables, s.own_tables, self.imported_tables, self.own_tables, size)
    }

    /// The [`VmImport`] of imported function `func`.
    ///
    /// # Panics
    /// When `func` is not imported.
    pub fn import(&self, func: FuncIdx) -> i32 {
        assert!(func.0 < self.shape.imported_funcs, "function {} is not imported", func.0);
        self.imports + func.0 as i32 * size_of::<VmImport>() as i32
    }

    /// The [`VmFuncRef`] of the own function that is number `escape` among those that escape.
    ///
    /// # Panics
    /// When there are not that many.
    pub fn funcref(&self, escape: u32) -> i32 {
        assert!(escape < self.shape.escaping_funcs, "no escaping function number {escape}");
        self.funcrefs + escape as i32 * size_of::<VmFuncRef>() as i32
    }
}

fn place(index: u32, imported: u32, own: u32, pointers: i32, records: i32, size: usize) -> Place {
    match index.checked_sub(imported) {
        None => Place::Imported(pointers + index as i32 * size_of::<*const u8>() as i32),
        Some(at) => {
            assert!(at < own, "index {index} is outside the module's {} entries", imported + own);
            Place::Own(records + at as i32 * size as i32)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn records_are_aligned_disjoint_and_inside(counts in prop::array::uniform8(0u32..5)) {
            let [a, b, c, d, e, f, g, h] = counts;
            let layout = CtxLayout::new(CtxShape {
                imported_mems: a, own_mems: b, imported_tables: c, own_tables: d,
                imported_globals: e, own_globals: f, imported_funcs: g, escaping_funcs: h,
            }).unwrap();
            let mut spans = vec![(0, size_of::<VmCtxHeader>(), 8)];
            let mut add = |place: Place, size, align| match place {
                Place::Own(at) => spans.push((at as usize, size, align)),
                Place::Imported(at) => spans.push((at as usize, 8, 8)),
            };
            for i in 0..a + b { add(layout.mem(MemIdx(i)), 16, 8); }
            for i in 0..c + d { add(layout.table(TableIdx(i)), 16, 8); }
            for i in 0..e + f { add(layout.global(GlobalIdx(i)), 16, 16); }
            for i in 0..g { add(Place::Own(layout.import(FuncIdx(i))), size_of::<VmImport>(), 8); }
            for i in 0..h { add(Place::Own(layout.funcref(i)), size_of::<VmFuncRef>(), 8); }
            spans.sort();
            for pair in spans.windows(2) {
                prop_assert!(pair[0].0 + pair[0].1 <= pair[1].0);
            }
            for (at, size, align) in spans {
                prop_assert_eq!(at % align, 0);
                prop_assert!(at + size <= layout.size());
            }
        }
    }

    #[test]
    fn a_context_beyond_31_bits_is_refused() {
        let shape = CtxShape { own_globals: u32::MAX, ..CtxShape::default() };
        assert_eq!(CtxLayout::new(shape), Err(ContextTooLarge));
    }
}
