//! wasmi: an interpreter that shares nothing with the compilers.

use crate::generate::FIRST;
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
    fn load(&self, modules: &[Vec<u8>]) -> Result<Box<dyn super::Program>, String> {
        let modules: Result<Vec<_>, _> =
            modules.iter().map(|wasm| Module::new(&self.0, wasm.as_slice())).collect();
        let modules = modules.map_err(|error| format!("{error:#}"))?;
        let store = Store::new(&self.0, Host::default());
        Ok(Box::new(Program { modules, store, instances: Vec::new() }))
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
    modules: Vec<Module>,
    store: Store<Host>,
    /// Of as many modules as have one.
    instances: Vec<Instance>,
}

impl super::Program for Program {
    fn instantiate(&mut self) -> Outcome {
        self.instances.clear();
        self.store.data_mut().calls = 0;
        for at in 0..self.modules.len() {
            let result = self.imports(at).and_then(|imports| {
                let instance = Instance::new(&mut self.store, &self.modules[at], &imports)?;
                self.instances.push(instance);
                Ok(Vec::new())
            });
            match ended(result) {
                Outcome::Values(_) => {}
                // Segments that do not fit are errors of their own here.
                Outcome::Error(_) => return Outcome::Trap(Trap { kind: None, frames: Vec::new() }),
                outcome => return outcome,
            }
        }
        Outcome::Values(Vec::new())
    }

    fn call(&mut self, of: usize, name: &str, arguments: &[Value]) -> Outcome {
        let found = self.instances.get(of).and_then(|instance| instance.get_func(&self.store, name));
        let Some(func) = found else {
            return Outcome::Error("no such function".to_string());
        };
        let arguments: Vec<_> = arguments.iter().map(|&value| lift(&mut self.store, value)).collect();
        let mut results: Vec<_> =
            func.ty(&self.store).results().iter().map(|&ty| Val::default_for_ty(ty)).collect();
        let result = func.call(&mut self.store, &arguments, &mut results);
        ended(result.map(|()| results.iter().map(|value| lower(&self.store, value)).collect()))
    }

    fn change(&mut self, of: usize, name: &str, number: u64) -> Outcome {
        let found = self.instances.get(of).and_then(|instance| instance.get_export(&self.store, name));
        let Some(found) = found else { return Outcome::Error("no such export".to_string()) };
        change(&mut self.store, found, number)
            .map_or_else(|error| Outcome::Error(error.to_string()), Outcome::Values)
    }

    fn items(&mut self) -> Vec<(String, Item)> {
        let mut items = Vec::new();
        let exports =
            self.modules.iter().zip(&self.instances).enumerate().flat_map(|(at, (module, instance))| {
                module.exports().map(move |export| (at, *instance, export))
            });
        for (at, instance, export) in exports {
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
            items.push((format!("{at} {}", export.name()), item));
        }
        items
    }

    fn take_trace(&mut self) -> Vec<String> {
        std::mem::take(&mut self.store.data_mut().trace)
    }
}

impl Program {
    /// For module `at`, the same imports as the other engines give.
    fn imports(&mut self, at: usize) -> Result<Vec<Extern>, Error> {
        let mut exports: Vec<String> =
            self.modules[at].exports().map(|export| export.name().to_string()).collect();
        exports.sort();
        let mut imports = Vec::new();
        for import in self.modules[at].imports() {
            if import.module() == FIRST
                && let Some(first) = self.instances.first()
                && let Some(found) = first.get_export(&self.store, import.name())
            {
                imports.push(found);
                continue;
            }
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
        Extern::Memory(memory) if number.is_multiple_of(2) => memory.grow(&mut store, number / 2 % 3)?,
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
            Some(code) => Outcome::trap(format!("{code:?}"), Vec::new()),
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
