//! wasmi: an interpreter that shares nothing with the compilers.

use crate::lattice;
use crate::outcome::{self, Item, Outcome, TABLE_ELEMENTS, Trap};
use crate::rng::Rng;
use crate::value::{Type, Value};
use wasmi::{
    AsContext, AsContextMut, Caller, Config, Error, Extern, ExternRef, ExternType, Func, Global, Instance,
    Memory, Module, Nullable, Ref, RefType, Store, Table, Val, ValType,
};

/// The engine.
pub struct Wasmi(wasmi::Engine);

impl Wasmi {
    /// With the proposals of the rig.
    pub fn new() -> Self {
        let mut config = Config::default();
        config.wasm_wide_arithmetic(true).wasm_custom_page_sizes(true);
        Self(wasmi::Engine::new(&config))
    }
}

impl super::Engine for Wasmi {
    fn load(&self, wasm: &[u8]) -> Result<Box<dyn super::Program>, String> {
        let module = Module::new(&self.0, wasm).map_err(|error| error.to_string())?;
        let store = Store::new(&self.0, Host::default());
        Ok(Box::new(Program { module, store, instance: None }))
    }
}

/// What host functions remember.
#[derive(Default)]
struct Host {
    trace: Vec<String>,
    calls: u64,
    /// How many calls of host functions are waiting for guests.
    depth: u32,
}

struct Program {
    module: Module,
    store: Store<Host>,
    instance: Option<Instance>,
}

impl super::Program for Program {
    fn instantiate(&mut self) -> Outcome {
        self.instance = None;
        self.store.data_mut().calls = 0;
        let result = self.imports().and_then(|imports| {
            self.instance = Some(Instance::new(&mut self.store, &self.module, &imports)?);
            Ok(Vec::new())
        });
        match ended(result) {
            // Segments that do not fit are errors of their own here.
            Outcome::Error(_) => Outcome::Trap(Trap { kind: None, place: None }),
            outcome => outcome,
        }
    }

    fn call(&mut self, name: &str, arguments: &[Value]) -> Outcome {
        let Some(func) = self.instance.and_then(|instance| instance.get_func(&self.store, name)) else {
            return Outcome::Error("no such function".to_string());
        };
        let arguments: Vec<_> = arguments.iter().map(|&value| lift(&mut self.store, value)).collect();
        let mut results: Vec<_> =
            func.ty(&self.store).results().iter().map(|&ty| Val::default_for_ty(ty)).collect();
        let result = func.call(&mut self.store, &arguments, &mut results);
        ended(result.map(|()| results.iter().map(|value| lower(&self.store, value)).collect()))
    }

    fn change(&mut self, name: &str, number: u64) -> Outcome {
        let found = self.instance.and_then(|instance| instance.get_export(&self.store, name));
        let Some(found) = found else { return Outcome::Error("no such export".to_string()) };
        change(&mut self.store, found, number)
            .map_or_else(|error| Outcome::Error(error.to_string()), Outcome::Values)
    }

    fn items(&mut self) -> Vec<(String, Item)> {
        let Some(instance) = self.instance else { return Vec::new() };
        let mut items = Vec::new();
        for export in self.module.exports() {
            let item = match instance.get_export(&self.store, export.name()) {
                Some(Extern::Global(global)) => Item::Global(lower(&self.store, &global.get(&self.store))),
                Some(Extern::Memory(memory)) => {
                    let bytes = memory.data(&self.store);
                    Item::Memory(bytes.len(), outcome::hash(bytes))
                }
                Some(Extern::Table(table)) => {
                    let len = table.size(&self.store);
                    let elements =
                        (0..len.min(TABLE_ELEMENTS)).map(|index| match table.get(&self.store, index) {
                            Some(Ref::Func(func)) => lower(&self.store, &Val::FuncRef(func)),
                            Some(Ref::Extern(value)) => lower(&self.store, &Val::ExternRef(value)),
                            None => Value::Other { is_null: true },
                        });
                    Item::Table(len, elements.collect())
                }
                _ => continue,
            };
            items.push((export.name().to_string(), item));
        }
        items
    }

    fn take_trace(&mut self) -> Vec<String> {
        std::mem::take(&mut self.store.data_mut().trace)
    }
}

impl Program {
    /// The same imports as the other engines get.
    fn imports(&mut self) -> Result<Vec<Extern>, Error> {
        let mut exports: Vec<String> =
            self.module.exports().map(|export| export.name().to_string()).collect();
        exports.sort();
        let mut imports = Vec::new();
        for import in self.module.imports() {
            // Not every engine keeps their order.
            let name = format!("{} {}", import.module(), import.name());
            let exports = exports.clone();
            imports.push(match import.ty() {
                ExternType::Func(ty) => {
                    let types: Vec<_> = ty.results().iter().map(|&ty| type_of(ty)).collect();
                    let func = move |mut caller: Caller<'_, Host>, arguments: &[Val], results: &mut [Val]| {
                        let arguments: Vec<_> = arguments.iter().map(|value| lower(&caller, value)).collect();
                        let host = caller.data_mut();
                        host.trace.push(format!("{name}: {arguments:?}"));
                        host.calls += 1;
                        let mut rng = Rng::new(host.calls, "host result");
                        act(&mut caller, &exports, &mut rng)?;
                        for (result, ty) in results.iter_mut().zip(&types) {
                            *result = lift(&mut caller, lattice::any(&mut rng, *ty));
                        }
                        Ok(())
                    };
                    Func::new(&mut self.store, ty.clone(), func).into()
                }
                ExternType::Global(ty) => {
                    let value = lattice::any(&mut Rng::new(0, &name), type_of(ty.content()));
                    let value = lift(&mut self.store, value);
                    Global::new(&mut self.store, value, ty.mutability()).into()
                }
                ExternType::Memory(ty) => Memory::new(&mut self.store, *ty)?.into(),
                ExternType::Table(ty) => {
                    let null = match ty.element() {
                        RefType::Func => Ref::Func(Nullable::Null),
                        RefType::Extern => Ref::Extern(Nullable::Null),
                    };
                    Table::new(&mut self.store, *ty, null)?.into()
                }
            });
        }
        Ok(imports)
    }
}

/// Changes `what` as `number` says.
fn change(mut store: impl AsContextMut<Data = Host>, what: Extern, number: u64) -> Result<Vec<Value>, Error> {
    let old = match what {
        Extern::Memory(memory) if number % 2 == 0 => memory.grow(&mut store, number / 2 % 3)?,
        Extern::Memory(memory) => {
            let bytes = memory.data_mut(&mut store);
            let at = (number / 2).checked_rem(bytes.len() as u64).unwrap_or(0);
            let byte = bytes.get_mut(at as usize).ok_or_else(|| Error::new("an empty memory"))?;
            std::mem::replace(byte, (number >> 32) as u8).into()
        }
        Extern::Table(table) => {
            let null = Ref::null(table.ty(&store).element());
            match number % 2 {
                0 => table.grow(&mut store, number / 2 % 3, null)?,
                _ => {
                    table.set(&mut store, number / 2 % 16, null)?;
                    0
                }
            }
        }
        Extern::Global(global) => {
            let ty = global.ty(&store);
            let value = lattice::any(&mut Rng::new(number, "change"), type_of(ty.content()));
            let value = lift(&mut store, value);
            global.set(&mut store, value)?;
            0
        }
        Extern::Func(_) => 0,
    };
    Ok(vec![Value::I64(old)])
}

/// What the other engines' host functions do too.
fn act(caller: &mut Caller<'_, Host>, exports: &[String], rng: &mut Rng) -> Result<(), Error> {
    let (kind, number) = (rng.below(12), rng.next());
    if kind == 0 {
        return Err(Error::new("the host does not like it"));
    }
    if kind > 4 || exports.is_empty() || caller.data().depth > 1 {
        return Ok(());
    }
    let Some(found) = caller.get_export(rng.pick(exports).as_str()) else { return Ok(()) };
    let Extern::Func(func) = found else {
        // Texts differ.
        let old = change(&mut *caller, found, number).ok();
        caller.data_mut().trace.push(format!("changed: {old:?}"));
        return Ok(());
    };
    let ty = func.ty(&*caller);
    let mut arguments = Vec::new();
    for &ty in ty.params() {
        let value = lattice::any(rng, type_of(ty));
        arguments.push(lift(&mut *caller, value));
    }
    let mut results: Vec<_> = ty.results().iter().map(|&ty| Val::default_for_ty(ty)).collect();
    caller.data_mut().depth += 1;
    let result = func.call(&mut *caller, &arguments, &mut results);
    caller.data_mut().depth -= 1;
    result
}

/// What a result means to the rig.
fn ended(result: Result<Vec<Value>, Error>) -> Outcome {
    match result {
        Ok(values) => Outcome::Values(values),
        Err(error) => match error.as_trap_code() {
            Some(code) => Outcome::trap(format!("{code:?}"), None),
            None => Outcome::Error(error.to_string()),
        },
    }
}

fn type_of(ty: ValType) -> Type {
    match ty {
        ValType::I32 => Type::I32,
        ValType::I64 => Type::I64,
        ValType::F32 => Type::F32,
        ValType::F64 => Type::F64,
        ValType::V128 => Type::V128,
        ValType::FuncRef => Type::Func,
        ValType::ExternRef => Type::Extern,
    }
}

fn lift(mut store: impl AsContextMut, value: Value) -> Val {
    match value {
        Value::I32(bits) => Val::I32(bits as i32),
        Value::I64(bits) => Val::I64(bits as i64),
        Value::F32(bits) => Val::F32(wasmi::F32::from_bits(bits)),
        Value::F64(bits) => Val::F64(wasmi::F64::from_bits(bits)),
        Value::V128(bits) => Val::V128(bits.into()),
        Value::Extern(Some(number)) => {
            Val::ExternRef(Nullable::Val(ExternRef::new(store.as_context_mut(), number)))
        }
        Value::Extern(None) => Val::ExternRef(Nullable::Null),
        Value::NullFunc | Value::Func | Value::Other { .. } => Val::FuncRef(Nullable::Null),
    }
}

fn lower(store: impl AsContext, value: &Val) -> Value {
    match value {
        Val::I32(value) => Value::I32(*value as u32),
        Val::I64(value) => Value::I64(*value as u64),
        Val::F32(value) => Value::F32(value.to_bits()),
        Val::F64(value) => Value::F64(value.to_bits()),
        Val::V128(value) => Value::V128(value.as_u128()),
        Val::FuncRef(Nullable::Null) => Value::NullFunc,
        Val::FuncRef(Nullable::Val(_)) => Value::Func,
        Val::ExternRef(Nullable::Null) => Value::Extern(None),
        Val::ExternRef(Nullable::Val(reference)) => {
            let number = reference.data(store.as_context()).downcast_ref::<u32>();
            number.map_or(Value::Other { is_null: false }, |&number| Value::Extern(Some(number)))
        }
    }
}
