//! Loads from the context and the records behind it. Where each lies is `tenure_abi`'s to say.
//!
//! What code may assume of a load, in Cranelift's words:
//! - *readonly, can move*: set before the instance ran code and the same for as long as it lives, so that
//!   the load may be hoisted and merged at will;
//! - otherwise it may change at any call, which Cranelift takes for granted, and only there.
//!
//! Each kind of place has an alias region of its own, so that a store to one forgets nothing of another.
//! Two imports may be one and the same thing: all imports of a kind share a region.

use crate::abi::{PTR, clif_type};
use crate::translate::Translator;
use cranelift_codegen::ir::{AliasRegion, AliasRegionData, InstBuilder, MemFlagsData, Value, types};
use std::borrow::Cow;
use tenure_abi::ValClass;
use tenure_abi::ctx::Place;
use tenure_abi::vm::{VmCtxHeader, VmMem, VmStore, VmTable};
use tenure_module::ConstOp;
use tenure_types::{GlobalIdx, MemIdx, TableIdx, TypeIdx};

/// Kinds of places that never overlap.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Region {
    /// Fields of records, which compiled code only reads.
    Records,
    /// The store's note of the last caller.
    Caller,
    /// Results that travel through memory.
    Results,
    /// The store's counter of fuel.
    Fuel,
    /// The store's stack limit, which other threads write.
    StackLimit,
    /// Bytes of a memory.
    Mem(MemIdx),
    /// Elements of a table.
    Table(TableIdx),
    /// A global's value.
    Global(GlobalIdx),
}

/// Regions of each kind. Two places of one kind may share a region, which only forgets more than needed;
/// Cranelift's tables of flags hold 65,535 rows a function.
const REGIONS_OF_A_KIND: u32 = 256;

/// Loads that may be merged and moved at will.
pub(crate) const FIXED: MemFlagsData = MemFlagsData::trusted().with_readonly().with_can_move();

impl Translator<'_> {
    fn region(&mut self, region: Region) -> AliasRegion {
        let module = self.unit.module;
        let own = |index: u32, imported: u32| match index.checked_sub(imported) {
            None => 0,
            Some(own) => 1 + own % (REGIONS_OF_A_KIND - 1),
        };
        let (kind, index, description) = match region {
            Region::Records => (0, 0, "records"),
            Region::Caller => (0, 1, "caller"),
            Region::Results => (0, 2, "results"),
            Region::Fuel => (0, 3, "fuel"),
            Region::StackLimit => (0, 4, "stack limit"),
            Region::Mem(mem) => (1, own(mem.0, module.imported_mems), "memory"),
            Region::Table(table) => (2, own(table.0, module.imported_tables), "table"),
            Region::Global(global) => (3, own(global.0, module.imported_globals), "global"),
        };
        let user_id = kind * REGIONS_OF_A_KIND + index;
        let data = AliasRegionData { user_id, description: Cow::Borrowed(description) };
        self.builder.func.dfg.alias_regions.insert(data)
    }

    /// Flags of an aligned access that cannot fault, to a place of `region`.
    pub(crate) fn trusted(&mut self, region: Region) -> MemFlagsData {
        MemFlagsData::trusted().with_alias_region(Some(self.region(region)))
    }

    /// Flags of an unaligned access to a place of `region` that may fault; `notrap` is the caller's to add.
    pub(crate) fn guest_access(&mut self, region: Region) -> MemFlagsData {
        MemFlagsData::new().with_alias_region(Some(self.region(region)))
    }

    /// Loads a pointer that never changes.
    pub(crate) fn fixed_ptr(&mut self, base: Value, offset: i32) -> Value {
        self.builder.ins().load(PTR, FIXED, base, offset)
    }

    /// The store's context.
    pub(crate) fn store_ctx(&mut self) -> Value {
        self.fixed_ptr(self.vmctx, VmCtxHeader::STORE)
    }

    /// Notes in the store that this instance makes the next call: that is how a host function knows its caller.
    pub(crate) fn note_caller(&mut self) {
        let store = self.store_ctx();
        let flags = self.trusted(Region::Caller);
        self.builder.ins().store(flags, self.vmctx, store, VmStore::CALLER);
    }

    /// The canonical id of the module's type `ty`, as an `i32`.
    pub(crate) fn type_id(&mut self, ty: TypeIdx) -> Value {
        let ids = self.fixed_ptr(self.vmctx, VmCtxHeader::TYPE_IDS);
        // Type indices are below 1,000,000, so that offsets fit.
        self.builder.ins().load(types::I32, FIXED, ids, (ty.0 * size_of::<u32>() as u32) as i32)
    }

    /// Base and offset of a record.
    fn record(&mut self, place: Place) -> (Value, i32) {
        match place {
            Place::Own(at) => (self.vmctx, at),
            Place::Imported(at) => (self.fixed_ptr(self.vmctx, at), 0),
        }
    }

    /// The address of the first byte of `mem`.
    pub(crate) fn mem_base(&mut self, mem: MemIdx) -> Value {
        if let Some(calm) = self.calm.filter(|_| mem == MemIdx(0)) {
            return self.builder.use_var(calm.base);
        }
        let may_move = self.unit.tunables.memory_plan(self.unit.module.mem_type(mem)).may_move;
        let (record, at) = self.record(self.unit.layout.mem(mem));
        let flags = if may_move { self.trusted(Region::Records) } else { FIXED };
        self.builder.ins().load(PTR, flags, record, at + VmMem::BASE)
    }

    /// The size of `mem` in bytes, as an `i64`.
    pub(crate) fn mem_bytes(&mut self, mem: MemIdx) -> Value {
        let ty = self.unit.module.mem_type(mem);
        if ty.max == Some(ty.min)
            && let Ok(bytes) = i64::try_from(ty.min.saturating_mul(ty.page_size()))
        {
            return self.builder.ins().iconst(types::I64, bytes);
        }
        if let Some(calm) = self.calm.filter(|_| mem == MemIdx(0)) {
            return self.builder.use_var(calm.bytes);
        }
        let (record, at) = self.record(self.unit.layout.mem(mem));
        let flags = self.trusted(Region::Records);
        self.builder.ins().load(types::I64, flags, record, at + VmMem::BYTES)
    }

    /// The address of the first element of `table`.
    pub(crate) fn table_base(&mut self, table: TableIdx) -> Value {
        let ty = self.unit.module.table_type(table);
        let (record, at) = self.record(self.unit.layout.table(table));
        // A table that cannot grow stays where it is.
        let flags = if ty.max == Some(ty.min) { FIXED } else { self.trusted(Region::Records) };
        self.builder.ins().load(PTR, flags, record, at + VmTable::BASE)
    }

    /// How many elements `table` has, as an `i64`.
    pub(crate) fn table_len(&mut self, table: TableIdx) -> Value {
        let ty = self.unit.module.table_type(table);
        if ty.max == Some(ty.min)
            && let Ok(len) = i64::try_from(ty.min)
        {
            return self.builder.ins().iconst(types::I64, len);
        }
        let (record, at) = self.record(self.unit.layout.table(table));
        let flags = self.trusted(Region::Records);
        self.builder.ins().load(types::I64, flags, record, at + VmTable::LEN)
    }

    /// Reads a global.
    pub(crate) fn global(&mut self, global: GlobalIdx) -> Value {
        let decl = &self.unit.module.globals[global.at()];
        let init = decl.init.as_ref().filter(|_| !decl.ty.mutable);
        if let Some([op]) = init.map(|init| init.ops()) {
            match *op {
                ConstOp::I32(value) => return self.builder.ins().iconst(types::I32, i64::from(value as u32)),
                ConstOp::I64(value) => return self.builder.ins().iconst(types::I64, value),
                ConstOp::F32(bits) => return self.f32_const(bits),
                ConstOp::F64(bits) => return self.f64_const(bits),
                ConstOp::V128(bits) => return self.v128_const(bits),
                _ => {}
            }
        }
        let ty = clif_type(ValClass::of(decl.ty.content));
        let (record, at) = self.record(self.unit.layout.global(global));
        let flags = if decl.ty.mutable { self.trusted(Region::Global(global)) } else { FIXED };
        self.builder.ins().load(ty, flags, record, at)
    }

    /// Writes a global.
    pub(crate) fn set_global(&mut self, global: GlobalIdx, value: Value) {
        let value = self.canonical(value);
        let (record, at) = self.record(self.unit.layout.global(global));
        let flags = self.trusted(Region::Global(global));
        self.builder.ins().store(flags, value, record, at);
    }
}
