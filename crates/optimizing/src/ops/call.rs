//! Calls: of own functions in place or through their slots, of imports and references through their records, of builtins.
//!
//! Every way comes down to code, context, results pointer, arguments. A call that may leave the instance
//! notes first who calls.

use crate::abi::{PTR, clif_type};
use crate::records::Region;
use crate::translate::Translator;
use crate::traps::trap_code;
use cranelift_codegen::ir::{FuncRef, InstBuilder, MemFlagsData, SigRef, Value, condcodes::IntCC, types};
use tenure_abi::call_conv::{ValClass, results_in_memory};
use tenure_abi::vm::{VmCtxHeader, VmFuncRef, VmImport};
use tenure_abi::{Builtin, Leaf, ValRaw};
use tenure_code::CompileError;
use tenure_types::{FuncIdx, FuncType, HeapType, TableIdx, Trap, TypeIdx};

/// Loads of what never changes that must stay behind the checks before them.
const FIXED_HERE: MemFlagsData = MemFlagsData::trusted().with_readonly();

/// What is called, with the context it takes.
#[derive(Clone, Copy)]
enum Callee {
    /// A function that the module defines, in this instance.
    Own(FuncRef),
    /// Code of this signature, and its context.
    Code { signature: SigRef, code: Value, vmctx: Value },
}

impl<'a> Translator<'a> {
    fn type_at(&self, ty: TypeIdx) -> &'a FuncType {
        &self.unit.module.func_types[ty.at()]
    }

    pub(super) fn call(&mut self, func: FuncIdx) -> Result<(), CompileError> {
        if !self.inline(func)? {
            let callee = self.callee(func);
            self.make_call(self.unit.module.func_type(func), callee);
        }
        Ok(())
    }

    pub(super) fn return_call(&mut self, func: FuncIdx) {
        let callee = self.callee(func);
        self.make_return_call(self.unit.module.func_type(func), callee);
    }

    pub(super) fn call_indirect(&mut self, ty: TypeIdx, table: TableIdx) {
        let callee = self.callee_in_table(ty, table);
        self.make_call(self.type_at(ty), callee);
    }

    pub(super) fn return_call_indirect(&mut self, ty: TypeIdx, table: TableIdx) {
        let callee = self.callee_in_table(ty, table);
        self.make_return_call(self.type_at(ty), callee);
    }

    pub(super) fn call_ref(&mut self, ty: TypeIdx) {
        let funcref = self.pop();
        let callee = self.callee_behind(ty, funcref, Some(Trap::NullReference));
        self.make_call(self.type_at(ty), callee);
    }

    pub(super) fn return_call_ref(&mut self, ty: TypeIdx) {
        let funcref = self.pop();
        let callee = self.callee_behind(ty, funcref, Some(Trap::NullReference));
        self.make_return_call(self.type_at(ty), callee);
    }

    /// Function `func` of the module.
    fn callee(&mut self, func: FuncIdx) -> Callee {
        if !self.unit.module.is_imported_func(func) {
            return Callee::Own(self.func_ref(func));
        }
        self.note_caller();
        let import = self.unit.layout.import(func);
        let signature = self.signature(self.unit.module.funcs[func.at()].ty);
        let slot = self.fixed_ptr(self.vmctx, import + VmImport::SLOT);
        let vmctx = self.fixed_ptr(self.vmctx, import + VmImport::VMCTX);
        Callee::Code { signature, code: self.code_in(slot), vmctx }
    }

    /// The function at the index on the stack of `table`, once it is known to be of type `ty`.
    fn callee_in_table(&mut self, ty: TypeIdx, table: TableIdx) -> Callee {
        let index = self.pop();
        let funcref = self.table_element(index, table);
        let element = self.unit.module.table_type(table).element;
        let id = self.unit.module.types[ty.at()];
        let null = element.nullable.then_some(Trap::IndirectCallToNull);
        if element.heap == HeapType::Concrete(id) {
            return self.callee_behind(ty, funcref, null);
        }
        let flags = self.readable(funcref, null);
        let found = self.builder.ins().load(types::I32, flags, funcref, VmFuncRef::TYPE_ID);
        let wanted = self.type_id(ty);
        let differs = self.builder.ins().icmp(IntCC::NotEqual, found, wanted);
        self.trap_if(differs, Trap::BadSignature);
        self.callee_behind(ty, funcref, None)
    }

    /// The function behind `funcref`, which is of type `ty`. A null raises `null`, if it may be one.
    fn callee_behind(&mut self, ty: TypeIdx, funcref: Value, null: Option<Trap>) -> Callee {
        // Before the loads, so that the callee's context can go straight to its register.
        self.note_caller();
        let signature = self.signature(ty);
        let flags = self.readable(funcref, null);
        let slot = self.builder.ins().load(PTR, flags, funcref, VmFuncRef::SLOT);
        let vmctx = self.builder.ins().load(PTR, FIXED_HERE, funcref, VmFuncRef::VMCTX);
        Callee::Code { signature, code: self.code_in(slot), vmctx }
    }

    /// Flags for the first read of the record behind `funcref`; a null raises `null`, by the read itself
    /// where faults may stand for traps: the first page of the address space is never mapped.
    fn readable(&mut self, funcref: Value, null: Option<Trap>) -> MemFlagsData {
        match null {
            Some(trap) if self.unit.tunables.signals => FIXED_HERE.with_trap_code(Some(trap_code(trap))),
            Some(trap) => {
                self.trap_if_zero(funcref, trap);
                FIXED_HERE
            }
            None => FIXED_HERE,
        }
    }

    /// The code that `slot` holds now.
    fn code_in(&mut self, slot: Value) -> Value {
        // Code is replaced by better code at any time; which one a call takes does not matter.
        let flags = self.trusted(Region::Records);
        self.builder.ins().load(PTR, flags, slot, 0)
    }

    /// Pops the arguments of a call of type `ty`, behind what every call takes.
    fn call_args(&mut self, ty: &FuncType, callee: Callee, results: Option<Value>) -> Vec<Value> {
        let count = ty.params().len();
        self.canonical_top(count);
        let mut values = std::mem::take(&mut self.values);
        values.clear();
        values.push(match callee {
            Callee::Own(_) => self.vmctx,
            Callee::Code { vmctx, .. } => vmctx,
        });
        values.extend(results);
        let from = self.stack.len() - count;
        values.extend(self.stack.drain(from..));
        values
    }

    fn make_call(&mut self, ty: &FuncType, callee: Callee) {
        self.calls = true;
        self.extents.sizes_change();
        let count = ty.results().len();
        let results = results_in_memory(ty).then(|| {
            let slot = self.results_slot(count);
            self.builder.ins().stack_addr(PTR, slot, 0)
        });
        let values = self.call_args(ty, callee, results);
        let call = match callee {
            Callee::Own(func) => self.builder.ins().call(func, &values),
            Callee::Code { signature, code, .. } => {
                self.builder.ins().call_indirect(signature, code, &values)
            }
        };
        self.values = values;
        match results {
            None => self.stack.extend_from_slice(self.builder.func.dfg.inst_results(call)),
            Some(pointer) => {
                let flags = self.trusted(Region::Results);
                for (at, &ty) in ty.results().iter().enumerate() {
                    let ty = clif_type(ValClass::of(ty));
                    let value = self.builder.ins().load(ty, flags, pointer, (at * ValRaw::SIZE) as i32);
                    self.push(value);
                }
            }
        }
    }

    fn make_return_call(&mut self, ty: &FuncType, callee: Callee) {
        self.calls = true;
        // The callee's results are ours, and go where ours go.
        let values = self.call_args(ty, callee, self.results_pointer);
        match callee {
            Callee::Own(func) => drop(self.builder.ins().return_call(func, &values)),
            Callee::Code { signature, code, .. } => {
                self.builder.ins().return_call_indirect(signature, code, &values);
            }
        }
        self.values = values;
        self.reachable = false;
    }

    /// Calls a leaf with these arguments.
    pub(crate) fn leaf(&mut self, leaf: Leaf, args: &[Value]) {
        let signature = self.leaf_signature(leaf);
        let stubs = self.fixed_ptr(self.vmctx, VmCtxHeader::BUILTINS);
        let code = self.fixed_ptr(stubs, leaf.offset());
        self.builder.ins().call_indirect(signature, code, args);
    }

    /// Calls a builtin with these arguments after the context; its value, if it has one.
    pub(crate) fn builtin(&mut self, builtin: Builtin, args: &[Value]) -> Option<Value> {
        if builtin != Builtin::RaiseTrap {
            self.extents.sizes_change();
        }
        let signature = self.builtin_signature(builtin);
        // Read here, not in front of a loop, where the stub would take a register for what hardly ever happens.
        let flags = self.trusted(Region::Records);
        let stubs = self.builder.ins().load(PTR, flags, self.vmctx, VmCtxHeader::BUILTINS);
        let stub = self.builder.ins().load(PTR, flags, stubs, builtin.offset());
        let mut values = std::mem::take(&mut self.values);
        values.clear();
        values.push(self.vmctx);
        values.extend_from_slice(args);
        let call = self.builder.ins().call_indirect(signature, stub, &values);
        self.values = values;
        self.builder.func.dfg.inst_results(call).first().copied()
    }
}
