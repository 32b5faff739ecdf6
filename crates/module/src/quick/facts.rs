//! What a module is to the bodies that are checked quickly: a byte a type.

use crate::module::Module;
use tenure_types::{Feature, Features, FuncType, HeapType, RefType, TypeIdx, ValType};

pub(super) const I32: u8 = 0x7f;
pub(super) const I64: u8 = 0x7e;
pub(super) const F32: u8 = 0x7d;
pub(super) const F64: u8 = 0x7c;
pub(super) const V128: u8 = 0x7b;

/// Whether `byte` is one of the types above, which is how the binary format writes them too.
#[inline]
pub(super) fn is_type(byte: u8) -> bool {
    (V128..=I32).contains(&byte)
}

/// The byte of `ty`, unless it is a reference.
fn byte(ty: ValType) -> Option<u8> {
    match ty {
        ValType::I32 => Some(I32),
        ValType::I64 => Some(I64),
        ValType::F32 => Some(F32),
        ValType::F64 => Some(F64),
        ValType::V128 => Some(V128),
        ValType::Ref(_) => None,
    }
}

/// The types of what a function or a construct takes and gives: a stretch of [`Facts::types`].
#[derive(Clone, Copy)]
pub(super) struct Sig {
    at: u32,
    params: u16,
    results: u16,
}

/// What [`Facts::types`] begins with, so that there is a stretch for each single type.
const SINGLE: [u8; 5] = [V128, F64, F32, I64, I32];

impl Sig {
    /// From nothing to nothing.
    pub(super) const EMPTY: Self = Self { at: 0, params: 0, results: 0 };

    /// From nothing to `ty`, which is a type.
    #[inline]
    pub(super) fn one(ty: u8) -> Self {
        Self { at: u32::from(ty - V128), params: 0, results: 1 }
    }

    /// From nothing to the same.
    pub(super) fn without_params(self) -> Self {
        Self { at: self.at + u32::from(self.params), params: 0, results: self.results }
    }
}

/// The proposals that have to be on. No other that is on makes anything wrong that is right without it.
const USUAL: [Feature; 7] = [
    Feature::SaturatingFloatToInt,
    Feature::SignExtension,
    Feature::MutableGlobal,
    Feature::MultiValue,
    Feature::BulkMemory,
    Feature::ReferenceTypes,
    Feature::Simd,
];

/// A module's types, globals, tables and memory.
pub(crate) struct Facts {
    types: Vec<u8>,
    /// By type; `None` where there are references.
    sigs: Vec<Option<Sig>>,
    /// By global: its type and whether it is mutable; `None` for references.
    globals: Vec<Option<(u8, bool)>>,
    /// By table: whether it holds functions at indices of 32 bits.
    tables: Vec<bool>,
    /// The type of addresses of memory 0.
    pub(super) memory: Option<u8>,
    /// How many data segments the section says that counts them before the bodies.
    pub(super) datas: u32,
}

impl Facts {
    /// What `module` is, under `features`; `None` if one of them is unusual. `datas` is what the module counts ahead.
    pub(crate) fn new(module: &Module, features: Features, datas: u32) -> Option<Self> {
        if !USUAL.iter().all(|&feature| features.has(feature)) {
            return None;
        }
        let mut types = SINGLE.to_vec();
        let sigs = module.func_types.iter().map(|ty| sig(ty, &mut types)).collect();
        let globals = module.globals.iter().map(|global| Some((byte(global.ty.content)?, global.ty.mutable)));
        let funcref = RefType { nullable: true, heap: HeapType::Func };
        let tables = module.tables.iter().map(|table| table.ty.element == funcref && !table.ty.is_64);
        let memory = module.mems.first().map(|mem| if mem.is_64 { I64 } else { I32 });
        Some(Self { sigs, globals: globals.collect(), tables: tables.collect(), memory, datas, types })
    }

    /// Function type `ty`.
    #[inline]
    pub(super) fn sig(&self, ty: TypeIdx) -> Option<Sig> {
        *self.sigs.get(ty.at())?
    }

    #[inline]
    pub(super) fn params(&self, sig: Sig) -> &[u8] {
        &self.types[sig.at as usize..][..sig.params.into()]
    }

    #[inline]
    pub(super) fn results(&self, sig: Sig) -> &[u8] {
        &self.types[sig.at as usize + usize::from(sig.params)..][..sig.results.into()]
    }

    /// The type of global `global`, and whether it is mutable.
    #[inline]
    pub(super) fn global(&self, global: u32) -> Option<(u8, bool)> {
        *self.globals.get(global as usize)?
    }

    /// Whether calls may go through table `table`, by an index of 32 bits.
    #[inline]
    pub(super) fn is_of_funcs(&self, table: u32) -> bool {
        self.tables.get(table as usize).is_some_and(|&is_of_funcs| is_of_funcs)
    }
}

/// Puts the types of `ty` at the end of `types`.
fn sig(ty: &FuncType, types: &mut Vec<u8>) -> Option<Sig> {
    let sig = Sig {
        at: u32::try_from(types.len()).ok()?,
        params: u16::try_from(ty.params().len()).ok()?,
        results: u16::try_from(ty.results().len()).ok()?,
    };
    for &ty in ty.params().iter().chain(ty.results()) {
        types.push(byte(ty)?);
    }
    Some(sig)
}
