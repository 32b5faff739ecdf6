//! The type section: wasmparser's types to canonical ones.

use crate::error::ParseError;
use std::sync::Arc;
use tenure_types::{
    FuncType, GlobalType, HeapType, MemType, RecGroup, RefType, TableType, TypeId, TypeIdx, TypeRegistry,
    TypesInUse, ValType,
};
use wasmparser::{AbstractHeapType, CompositeInnerType, UnpackedIndex};

/// The types of one module, as far as they were read.
pub(crate) struct ModuleTypes<'r> {
    registry: &'r TypeRegistry,
    pub(crate) ids: Vec<TypeId>,
    pub(crate) func_types: Vec<Arc<FuncType>>,
    /// Stands after the types.
    pub(crate) in_use: TypesInUse,
}

impl<'r> ModuleTypes<'r> {
    pub(crate) fn new(registry: &'r TypeRegistry) -> Self {
        Self { registry, ids: Vec::new(), func_types: Vec::new(), in_use: registry.use_by_module() }
    }

    /// The canonical id of the type section's type `idx`, which the validator has checked.
    pub(crate) fn id(&self, idx: TypeIdx, offset: u64) -> Result<TypeId, ParseError> {
        self.ids.get(idx.at()).copied().ok_or(ParseError::Unsupported { proposal: "gc", offset })
    }

    /// Reads one recursion group and registers it.
    pub(crate) fn push_group(&mut self, group: wasmparser::RecGroup, offset: u64) -> Result<(), ParseError> {
        let first = self.ids.len() as u32;
        let mut ours = RecGroup::default();
        for sub in group.types() {
            let gc = ParseError::Unsupported { proposal: "gc", offset };
            if !sub.is_final || !sub.supertype_idxs.is_empty() {
                return Err(gc);
            }
            let CompositeInnerType::Func(ty) = &sub.composite_type.inner else { return Err(gc) };
            let resolve = |list: &[wasmparser::ValType]| -> Result<Vec<ValType>, ParseError> {
                list.iter().map(|&ty| self.val_type_in(ty, offset, Some(first))).collect()
            };
            ours.push(FuncType::new(resolve(ty.params())?, resolve(ty.results())?));
        }
        let registered = self.registry.register_group(&ours)?;
        self.in_use.add(registered.len());
        for (id, ty) in registered {
            self.ids.push(id);
            self.func_types.push(ty);
        }
        Ok(())
    }

    /// Our heap type for wasmparser's; `group` is the first index of the group being read.
    fn heap_type_in(
        &self,
        ty: wasmparser::HeapType,
        offset: u64,
        group: Option<u32>,
    ) -> Result<HeapType, ParseError> {
        let unsupported = |proposal| Err(ParseError::Unsupported { proposal, offset });
        match ty {
            wasmparser::HeapType::Abstract { shared: false, ty } => match ty {
                AbstractHeapType::Func => Ok(HeapType::Func),
                AbstractHeapType::NoFunc => Ok(HeapType::NoFunc),
                AbstractHeapType::Extern => Ok(HeapType::Extern),
                AbstractHeapType::NoExtern => Ok(HeapType::NoExtern),
                AbstractHeapType::Exn | AbstractHeapType::NoExn => unsupported("exception-handling"),
                AbstractHeapType::Cont | AbstractHeapType::NoCont => unsupported("stack-switching"),
                _ => unsupported("gc"),
            },
            wasmparser::HeapType::Abstract { .. } => unsupported("shared-everything-threads"),
            wasmparser::HeapType::Concrete(UnpackedIndex::Module(idx)) => match group {
                Some(first) if idx >= first => Ok(HeapType::Concrete(RecGroup::inner(idx - first))),
                _ => Ok(HeapType::Concrete(self.id(TypeIdx(idx), offset)?)),
            },
            wasmparser::HeapType::Concrete(UnpackedIndex::RecGroup(position)) => {
                Ok(HeapType::Concrete(RecGroup::inner(position)))
            }
            _ => unsupported("custom-descriptors"),
        }
    }

    fn val_type_in(
        &self,
        ty: wasmparser::ValType,
        offset: u64,
        group: Option<u32>,
    ) -> Result<ValType, ParseError> {
        Ok(match ty {
            wasmparser::ValType::I32 => ValType::I32,
            wasmparser::ValType::I64 => ValType::I64,
            wasmparser::ValType::F32 => ValType::F32,
            wasmparser::ValType::F64 => ValType::F64,
            wasmparser::ValType::V128 => ValType::V128,
            wasmparser::ValType::Ref(ty) => ValType::Ref(RefType {
                nullable: ty.is_nullable(),
                heap: self.heap_type_in(ty.heap_type(), offset, group)?,
            }),
        })
    }

    pub(crate) fn heap_type(&self, ty: wasmparser::HeapType, offset: u64) -> Result<HeapType, ParseError> {
        self.heap_type_in(ty, offset, None)
    }

    pub(crate) fn val_type(&self, ty: wasmparser::ValType, offset: u64) -> Result<ValType, ParseError> {
        self.val_type_in(ty, offset, None)
    }

    pub(crate) fn ref_type(&self, ty: wasmparser::RefType, offset: u64) -> Result<RefType, ParseError> {
        Ok(RefType { nullable: ty.is_nullable(), heap: self.heap_type(ty.heap_type(), offset)? })
    }

    pub(crate) fn table(&self, ty: wasmparser::TableType, offset: u64) -> Result<TableType, ParseError> {
        if ty.shared {
            return Err(ParseError::Unsupported { proposal: "shared-everything-threads", offset });
        }
        Ok(TableType {
            element: self.ref_type(ty.element_type, offset)?,
            min: ty.initial,
            max: ty.maximum,
            is_64: ty.table64,
        })
    }

    pub(crate) fn global(&self, ty: wasmparser::GlobalType, offset: u64) -> Result<GlobalType, ParseError> {
        if ty.shared {
            return Err(ParseError::Unsupported { proposal: "shared-everything-threads", offset });
        }
        Ok(GlobalType { content: self.val_type(ty.content_type, offset)?, mutable: ty.mutable })
    }
}

pub(crate) fn mem(ty: wasmparser::MemoryType, offset: u64) -> Result<MemType, ParseError> {
    if ty.shared {
        return Err(ParseError::Unsupported { proposal: "threads", offset });
    }
    Ok(MemType {
        min: ty.initial,
        max: ty.maximum,
        is_64: ty.memory64,
        shared: false,
        page_size_log2: ty.page_size_log2.map_or(16, |log2| log2 as u8),
    })
}
