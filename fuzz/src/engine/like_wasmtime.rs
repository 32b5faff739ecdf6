// Included once for each crate that has this interface, as `api`: that both take the same text is a test too.

use crate::generate::FIRST;
use crate::lattice;
use crate::outcome::{self, Item, Outcome, TABLE_ELEMENTS};
use crate::rng::Rng;
use crate::value::{Type, Value};
use api::{
    AsContext, AsContextMut, Config, Extern, ExternRef, ExternType, Func, Global, Instance, Memory, Module,
    Ref, Store, Table, Val, ValType, WasmBacktrace,
};

/// An engine of the crate.
pub struct Api(api::Engine);

impl Api {
    /// The engine that `change` makes of the common configuration.
    pub fn new(change: fn(&mut Config)) -> Self {
        let mut config = Config::new();
        config
            .relaxed_simd_deterministic(true)
            .wasm_wide_arithmetic(true)
            .wasm_custom_page_sizes(true)
            .wasm_multi_memory(true)
            .wasm_memory64(true)
            .wasm_tail_call(true)
            .wasm_function_references(true)
            .wasm_gc(false)
            .wasm_exceptions(false);
        change(&mut config);
        Self(api::Engine::new(&config).expect("the configuration can be had"))
    }
}

impl super::Engine for Api {
    fn load(&self, modules: &[Vec<u8>]) -> Result<Box<dyn super::Program>, String> {
        let modules: Result<Vec<_>, _> =
            modules.iter().map(|wasm| Module::from_binary(&self.0, wasm)).collect();
        let modules = modules.map_err(|error| format!("{error:#}"))?;
        let mut store = Store::new(&self.0, Host::default());
        // Guests that ask are mostly asked to ask again at once, and now and then to go on until the next call.
        let mut asked = 0_u64;
        store.epoch_deadline_callback(move |_| {
            asked += 1;
            Ok(api::UpdateDeadline::Continue(asked.is_multiple_of(100).into()))
        });
        Ok(Box::new(Program { modules, store, instances: Vec::new(), given: 0 }))
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
    /// How often guests were given fuel.
    given: u64,
}

impl super::Program for Program {
    fn instantiate(&mut self) -> Outcome {
        self.instances.clear();
        self.store.data_mut().calls = 0;
        self.prepare();
        for at in 0..self.modules.len() {
            let result = self.imports(at).and_then(|imports| {
                let instance = Instance::new(&mut self.store, &self.modules[at], &imports)?;
                self.instances.push(instance);
                Ok(Vec::new())
            });
            if result.is_err() {
                self.note_fuel();
                return ended(result);
            }
        }
        self.note_fuel();
        Outcome::Values(Vec::new())
    }

    fn call(&mut self, of: usize, name: &str, arguments: &[Value]) -> Outcome {
        let found = self.instances.get(of).and_then(|instance| instance.get_func(&mut self.store, name));
        let Some(func) = found else {
            return Outcome::Error("no such function".to_string());
        };
        self.prepare();
        let mut lift = || {
            let arguments: Result<Vec<_>, _> =
                arguments.iter().map(|&value| lift(&mut self.store, value)).collect();
            let mut results = vec![Val::I32(0); func.ty(&self.store).results().len()];
            func.call(&mut self.store, &arguments?, &mut results)?;
            Ok(results.iter().map(|value| lower(&self.store, value)).collect())
        };
        let outcome = ended(lift());
        self.note_fuel();
        outcome
    }

    fn change(&mut self, of: usize, name: &str, number: u64) -> Outcome {
        let found = self.instances.get(of).and_then(|instance| instance.get_export(&mut self.store, name));
        let Some(found) = found else { return Outcome::Error("no such export".to_string()) };
        change(&mut self.store, found, number)
            .map_or_else(|error| Outcome::Error(error.to_string()), Outcome::Values)
    }

    fn items(&mut self) -> Vec<(String, Item)> {
        let mut items = Vec::new();
        let exports =
            self.modules.iter().zip(&self.instances).enumerate().flat_map(|(at, (module, instance))| {
                module.exports().map(move |export| (at, *instance, export.name()))
            });
        for (at, instance, name) in exports {
            let item = match instance.get_export(&mut self.store, name) {
                Some(Extern::Global(global)) => {
                    let value = global.get(&mut self.store);
                    Item::Global(lower(&self.store, &value))
                }
                Some(Extern::Memory(memory)) => {
                    let bytes = memory.data(&self.store);
                    Item::Memory(bytes.len(), outcome::hash(bytes))
                }
                Some(Extern::Table(table)) => {
                    let len = table.size(&self.store);
                    let elements = (0..len.min(TABLE_ELEMENTS)).map(|index| {
                        let element = table.get(&mut self.store, index).map(Val::from);
                        element.map_or(Value::Other { is_null: true }, |value| lower(&self.store, &value))
                    });
                    Item::Table(len, elements.collect())
                }
                _ => continue,
            };
            items.push((format!("{at} {name}"), item));
        }
        items
    }

    fn take_trace(&mut self) -> Vec<String> {
        std::mem::take(&mut self.store.data_mut().trace)
    }
}

impl Program {
    /// Starts an epoch, and gives the guest fuel, if that is counted: in half of all cases as much as there can be.
    fn prepare(&mut self) {
        self.store.engine().increment_epoch();
        if self.store.engine().get_consume_fuel() {
            self.given += 1;
            let mut rng = Rng::new(self.given, "fuel");
            let fuel = *rng.pick(&[u64::MAX, u64::MAX, u64::MAX, 5_000, 300, 20]);
            self.store.set_fuel(fuel).expect("fuel is counted");
        }
    }

    /// Puts what is left into the trace, if that is counted.
    fn note_fuel(&mut self) {
        if let Ok(left) = self.store.get_fuel() {
            self.store.data_mut().trace.push(format!("{left} units of fuel are left"));
        }
    }

    /// Something for each import of module `at`: what the first module exports, or functions that log their calls and return boundary values, globals with such
    /// values, memories and tables as small as may be.
    fn imports(&mut self, at: usize) -> Result<Vec<Extern>, api::Error> {
        let mut exports: Vec<String> =
            self.modules[at].exports().map(|export| export.name().to_string()).collect();
        exports.sort();
        let mut imports = Vec::new();
        for import in self.modules[at].imports() {
            if import.module() == FIRST
                && let Some(first) = self.instances.first()
                && let Some(found) = first.get_export(&mut self.store, import.name())
            {
                imports.push(found);
                continue;
            }
            // Not every engine keeps their order.
            let name = format!("{} {}", import.module(), import.name());
            let exports = exports.clone();
            imports.push(match import.ty() {
                ExternType::Func(ty) => {
                    let types: Vec<_> = ty.results().map(|ty| type_of(&ty)).collect();
                    let func = move |mut caller: api::Caller<'_, Host>,
                                     arguments: &[Val],
                                     results: &mut [Val]| {
                        let arguments: Vec<_> = arguments.iter().map(|value| lower(&caller, value)).collect();
                        let left = caller.get_fuel().ok();
                        let host = caller.data_mut();
                        host.trace.push(match left {
                            Some(left) => format!("{name}: {arguments:?}, {left} units of fuel are left"),
                            None => format!("{name}: {arguments:?}"),
                        });
                        host.calls += 1;
                        let mut rng = Rng::new(host.calls, "host result");
                        act(&mut caller, &exports, &mut rng)?;
                        for (result, ty) in results.iter_mut().zip(&types) {
                            *result = lift(&mut caller, lattice::any(&mut rng, *ty))?;
                        }
                        Ok(())
                    };
                    Func::new(&mut self.store, ty, func).into()
                }
                ExternType::Global(ty) => {
                    let value = lattice::any(&mut Rng::new(0, &name), type_of(ty.content()));
                    let value = lift(&mut self.store, value)?;
                    Global::new(&mut self.store, ty, value)?.into()
                }
                ExternType::Memory(ty) => Memory::new(&mut self.store, ty)?.into(),
                ExternType::Table(ty) => {
                    let null = Ref::null(ty.element().heap_type());
                    Table::new(&mut self.store, ty, null)?.into()
                }
                _ => return Err(api::format_err!("an import of a kind that the rig does not know")),
            });
        }
        Ok(imports)
    }
}

/// Changes `what` as `number` says.
fn change(
    mut store: impl AsContextMut<Data = Host>,
    what: Extern,
    number: u64,
) -> Result<Vec<Value>, api::Error> {
    let old = match what {
        Extern::Memory(memory) if number.is_multiple_of(2) => memory.grow(&mut store, number / 2 % 3)?,
        Extern::Memory(memory) => {
            let bytes = memory.data_mut(&mut store);
            let at = (number / 2).checked_rem(bytes.len() as u64).unwrap_or(0);
            let byte = bytes.get_mut(at as usize).ok_or_else(|| api::format_err!("an empty memory"))?;
            std::mem::replace(byte, (number >> 32) as u8).into()
        }
        Extern::Table(table) => {
            let null = Ref::null(table.ty(&store).element().heap_type());
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
            let value = lift(&mut store, value)?;
            global.set(&mut store, value)?;
            0
        }
        _ => 0,
    };
    Ok(vec![Value::I64(old)])
}

/// What a host function does besides returning values: mostly nothing, at times it changes something that the guest
/// exports, calls back, or fails.
fn act(caller: &mut api::Caller<'_, Host>, exports: &[String], rng: &mut Rng) -> Result<(), api::Error> {
    let (kind, number) = (rng.below(12), rng.next());
    if kind == 0 {
        return Err(api::format_err!("the host does not like it"));
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
    for ty in ty.params() {
        let value = lattice::any(rng, type_of(&ty));
        arguments.push(lift(&mut *caller, value)?);
    }
    let mut results = vec![Val::I32(0); ty.results().len()];
    caller.data_mut().depth += 1;
    let result = func.call(&mut *caller, &arguments, &mut results);
    caller.data_mut().depth -= 1;
    result
}

/// What a result means to the rig.
fn ended(result: Result<Vec<Value>, api::Error>) -> Outcome {
    let error = match result {
        Ok(values) => return Outcome::Values(values),
        Err(error) => error,
    };
    let Some(trap) = error.downcast_ref::<api::Trap>() else {
        return Outcome::Error(format!("{error:#}"));
    };
    let frames = error.downcast_ref::<WasmBacktrace>().map_or(&[][..], |backtrace| backtrace.frames());
    let frames = frames.iter().take(outcome::FRAMES);
    let frames = frames.map(|frame| (frame.func_index(), frame.module_offset())).collect();
    Outcome::trap(format!("{trap:?}"), frames)
}

/// The type, which the rig's own proposals make one of these.
fn type_of(ty: &ValType) -> Type {
    match ty {
        ValType::I32 => Type::I32,
        ValType::I64 => Type::I64,
        ValType::F32 => Type::F32,
        ValType::F64 => Type::F64,
        ValType::V128 => Type::V128,
        ValType::Ref(ty) if matches!(ty.heap_type(), api::HeapType::Extern) => Type::Extern,
        ValType::Ref(_) => Type::Func,
    }
}

fn lift(mut store: impl AsContextMut, value: Value) -> Result<Val, api::Error> {
    Ok(match value {
        Value::I32(bits) => Val::I32(bits as i32),
        Value::I64(bits) => Val::I64(bits as i64),
        Value::F32(bits) => Val::F32(bits),
        Value::F64(bits) => Val::F64(bits),
        Value::V128(bits) => Val::V128(bits.into()),
        Value::Extern(Some(number)) => Val::ExternRef(Some(ExternRef::new(store.as_context_mut(), number)?)),
        Value::Extern(None) => Val::ExternRef(None),
        Value::NullFunc | Value::Func | Value::Other { .. } => Val::FuncRef(None),
    })
}

fn lower(store: impl AsContext, value: &Val) -> Value {
    match value {
        Val::I32(value) => Value::I32(*value as u32),
        Val::I64(value) => Value::I64(*value as u64),
        Val::F32(bits) => Value::F32(*bits),
        Val::F64(bits) => Value::F64(*bits),
        Val::V128(value) => Value::V128(value.as_u128()),
        Val::FuncRef(None) => Value::NullFunc,
        Val::FuncRef(Some(_)) => Value::Func,
        Val::ExternRef(None) => Value::Extern(None),
        Val::ExternRef(Some(reference)) => {
            let value = reference.data(store.as_context()).ok().flatten();
            let number = value.and_then(|value| value.downcast_ref::<u32>());
            number.map_or(Value::Other { is_null: false }, |&number| Value::Extern(Some(number)))
        }
        _ => Value::Other { is_null: false },
    }
}
