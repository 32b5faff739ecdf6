//! `tenure run`: instantiates a module with WASI and calls it.

use std::convert::Infallible;
use std::path::PathBuf;

use clap::ValueEnum;
use tenure::{
    Engine, Error, ExternType, Func, Instance, InstancePre, Linker, Module, Result, Store, Trap,
    UnknownImportError, Val, bail,
};
use tenure_wasi::p1::{self, WasiP1Ctx};
use tenure_wasi::{FsPerms, WasiCtxBuilder};

use super::engine_args::EngineArgs;
use super::precompiled;
use crate::input::Input;
use crate::tiers::Recorder;
use crate::{report, types, values};

/// Run a module: its `_start`, or the function that --invoke names
#[derive(clap::Args)]
pub struct Run {
    /// Give the guest a directory; GUEST is what it is called there, HOST if not given
    #[arg(long = "dir", value_name = "HOST[::GUEST]", value_parser = preopen)]
    dirs: Vec<Preopen>,

    /// Set a variable in the guest's environment; without a value, to what it is here, if it is
    #[arg(long = "env", value_name = "NAME[=VAL]", value_parser = variable)]
    variables: Vec<Variable>,

    /// Call this export with ARGS, read by its type, and print its results, one a line
    #[arg(long, value_name = "FUNCTION")]
    invoke: Option<String>,

    /// What the guest sees as its own name, instead of FILE
    #[arg(long, value_name = "NAME")]
    argv0: Option<String>,

    /// What to do with imports that nothing provides
    #[arg(long, value_enum, value_name = "POLICY", default_value_t = UnknownImports::Error)]
    unknown_imports: UnknownImports,

    /// Same as --unknown-imports trap
    #[arg(long, conflicts_with_all = ["unknown_imports", "unknown_imports_default"])]
    unknown_imports_trap: bool,

    /// Same as --unknown-imports default
    #[arg(long, conflicts_with = "unknown_imports")]
    unknown_imports_default: bool,

    /// When code is made, and by which compiler: `tiered` at the first call, and better once it is hot;
    /// `optimizing` or `baseline` before anything runs; `auto` is `tiered`
    #[arg(long, value_name = "STRATEGY", default_value = "auto")]
    strategy: String,

    /// Give the guest so much fuel, about an operator a unit; it traps when that is used up
    #[arg(long, value_name = "N")]
    fuel: Option<u64>,

    /// Same as --fuel N
    #[arg(short = 'W', long = "wasm", value_name = "fuel=N", value_parser = wasm_option, conflicts_with = "fuel")]
    wasm_option: Option<u64>,

    #[command(flatten)]
    engine: EngineArgs,

    /// Tell on standard error what is compiled when, by which tier, and why: a line each
    #[arg(long)]
    tier_log: bool,

    /// Draw what is compiled when, and write the picture, an SVG, to this file when the run is over
    #[arg(long, value_name = "SVG")]
    timeline: Option<PathBuf>,

    /// Run what `tenure compile` wrote; it is machine code and nothing checks it
    #[arg(long)]
    allow_precompiled: bool,

    /// The module, as text or binary; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Arguments for the guest
    #[arg(value_name = "ARGS", trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<String>,
}

/// What becomes of an import that neither WASI nor anything else provides.
#[derive(Clone, Copy, ValueEnum)]
enum UnknownImports {
    /// The module is not run
    Error,
    /// A function that traps when it is called; other imports are an error
    Trap,
    /// A function that returns zeros and nulls; memories, tables and globals of the type asked for
    Default,
}

#[derive(Clone)]
struct Preopen {
    host: String,
    guest: String,
}

fn preopen(text: &str) -> Result<Preopen, Infallible> {
    let (host, guest) = text.split_once("::").unwrap_or((text, text));
    Ok(Preopen { host: host.to_owned(), guest: guest.to_owned() })
}

#[derive(Clone)]
struct Variable {
    name: String,
    /// None: what it is in our own environment.
    value: Option<String>,
}

fn variable(text: &str) -> Result<Variable, String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    if name.is_empty() {
        Err("a variable needs a name".into())
    } else {
        Ok(Variable { name: name.to_owned(), value })
    }
}

/// The fuel that `-W` gives.
fn wasm_option(text: &str) -> Result<u64, String> {
    match text.split_once('=') {
        Some(("fuel", fuel)) => fuel.parse().map_err(|error| format!("{fuel:?}: {error}")),
        _ => Err("the only option there is is `fuel=N`".into()),
    }
}

impl Run {
    pub fn execute(self) -> Result<u8> {
        let recorder = (self.tier_log || self.timeline.is_some()).then(|| Recorder::new(self.tier_log));
        if let Some(recorder) = &recorder {
            recorder.listen();
        }
        let ran = self.run();
        if let (Some(recorder), Some(file)) = (&recorder, &self.timeline) {
            let title = format!("Tiers of {}", self.file.display());
            let written = std::fs::write(file, recorder.timeline(&title))
                .map_err(|error| Error::new(error).context(format!("cannot write {}", file.display())));
            match (&ran, written) {
                // What happened to the guest comes first.
                (Err(_), Err(error)) => report::note(&format!("error: {error:#}")),
                (Ok(_), Err(error)) => return Err(error),
                (_, Ok(())) => {}
            }
        }
        ran
    }

    fn run(&self) -> Result<u8> {
        let input = Input::read(&self.file)?;
        let name = input.name.clone();
        let fuel = self.fuel.or(self.wasm_option);
        let engine = self.engine.engine_with(&self.strategy, |config| {
            config.consume_fuel(fuel.is_some());
        })?;
        let module = match precompiled::load(&engine, &input, self.allow_precompiled)? {
            Some(module) => module,
            None => super::module(&engine, &name, &input.into_wasm()?)?,
        };

        let mut store = Store::new(&engine, self.wasi(&name)?);
        let linked = self.link(&engine, &mut store, &module, &name)?;
        if let Some(fuel) = fuel {
            store.set_fuel(fuel)?;
        }
        let ran = linked.instantiate(&mut store).and_then(|instance| match &self.invoke {
            Some(function) => self.invoke(&mut store, &module, instance, function),
            None => start(&mut store, &module, instance, &name),
        });
        // The process ends: the system takes back what a store holds all at once.
        std::mem::forget(store);
        match (ran, fuel) {
            (Err(error), Some(fuel)) if error.downcast_ref() == Some(&Trap::OutOfFuel) => {
                Err(error.context(format!("the guest has used up its {fuel} units of fuel")))
            }
            (ran, _) => ran.map(|()| report::SUCCESS),
        }
    }

    /// What the guest may reach: its arguments and environment, our standard streams, the directories given.
    fn wasi(&self, name: &str) -> Result<WasiP1Ctx> {
        let mut wasi = WasiCtxBuilder::new();
        wasi.inherit_stdio();
        wasi.arg(self.argv0.as_deref().unwrap_or(name));
        if self.invoke.is_none() {
            wasi.args(&self.args);
        }
        for variable in &self.variables {
            match &variable.value {
                Some(value) => {
                    wasi.env(&variable.name, value);
                }
                None => match std::env::var(&variable.name) {
                    Ok(value) => {
                        wasi.env(&variable.name, value);
                    }
                    Err(std::env::VarError::NotPresent) => {}
                    Err(error) => return Err(Error::new(error).context(format!("--env {}", variable.name))),
                },
            }
        }
        for dir in &self.dirs {
            wasi.preopened_dir(&dir.host, &dir.guest, FsPerms::ReadWrite).map_err(|error| {
                error.context(format!("cannot open the directory {} for the guest", dir.host))
            })?;
        }
        Ok(wasi.build_p1())
    }

    /// `module` with everything that it imports, by the policy for what nothing provides.
    fn link(
        &self,
        engine: &Engine,
        store: &mut Store<WasiP1Ctx>,
        module: &Module,
        name: &str,
    ) -> Result<InstancePre<WasiP1Ctx>> {
        let mut linker = Linker::new(engine);
        p1::add_imports_to_linker_sync(&mut linker, module, |wasi: &mut WasiP1Ctx| wasi)?;
        match self.unknown_imports() {
            UnknownImports::Trap => linker.define_unknown_imports_as_traps(module)?,
            UnknownImports::Default => {
                linker.define_unknown_imports_as_default_values(&mut *store, module)?
            }
            UnknownImports::Error => {}
        }
        let linked = linker.instantiate_pre(module);
        if !linked.as_ref().is_err_and(Error::is::<UnknownImportError>) {
            return linked;
        }
        // That was the first.
        let mut unknown = String::new();
        for import in module.imports() {
            if linker.get_by_import(&mut *store, &import).is_none() {
                let ty = types::describe(&import.ty());
                unknown += &format!("\n  {}::{}: {ty}", import.module(), import.name());
            }
        }
        bail!(
            "{name} has unknown imports:{unknown}\n\
             --unknown-imports default makes them functions that do nothing, and trap functions that trap"
        );
    }

    fn unknown_imports(&self) -> UnknownImports {
        if self.unknown_imports_trap {
            UnknownImports::Trap
        } else if self.unknown_imports_default {
            UnknownImports::Default
        } else {
            self.unknown_imports
        }
    }

    /// Calls the export `function` with the arguments of the command line and prints its results.
    fn invoke(
        &self,
        store: &mut Store<WasiP1Ctx>,
        module: &Module,
        instance: Instance,
        function: &str,
    ) -> Result<()> {
        let func = match module.get_export(function) {
            Some(ExternType::Func(_)) => instance.get_func(&mut *store, function),
            Some(other) => bail!("{function:?} is no function but a {}", types::describe(&other)),
            None => None,
        };
        let Some(func) = func else {
            bail!("there is no exported function {function:?}; {}", offer(module));
        };
        let ty = func.ty(&*store);
        if self.args.len() != ty.params().len() {
            let (given, signature) = (self.args.len(), types::signature(&ty));
            bail!("{function}{signature} needs {} arguments, {given} given", ty.params().len());
        }
        let mut args = Vec::with_capacity(self.args.len());
        for (at, (text, ty)) in self.args.iter().zip(ty.params()).enumerate() {
            let arg = values::parse(text, &ty);
            args.push(arg.map_err(|error| error.context(format!("argument {} of {function}", at + 1)))?);
        }

        // A library that is no program sets itself up first.
        if module.get_export("_initialize").is_some() && function != "_initialize" {
            instance.get_typed_func::<(), ()>(&mut *store, "_initialize")?.call(&mut *store, ())?;
        }
        let mut results = vec![Val::I32(0); ty.results().len()];
        func.call(&mut *store, &args, &mut results)?;
        report::print(&results.iter().map(|result| values::show(result) + "\n").collect::<String>())
    }
}

/// Calls the program's start. A module without one has done all it can when it is instantiated.
fn start(store: &mut Store<WasiP1Ctx>, module: &Module, instance: Instance, name: &str) -> Result<()> {
    let mut start: Option<Func> = None;
    for entry in ["_start", ""] {
        start = start.or_else(|| instance.get_func(&mut *store, entry));
    }
    match start {
        Some(start) => start.typed::<(), ()>(&*store)?.call(&mut *store, ()),
        None => {
            if module.exports().any(|export| matches!(export.ty(), ExternType::Func(_))) {
                report::note(&format!("note: {name} has no function `_start` to run; {}", offer(module)));
            }
            Ok(())
        }
    }
}

/// The functions there are to invoke.
fn offer(module: &Module) -> String {
    const SHOWN: usize = 8;
    let mut functions: Vec<String> = module
        .exports()
        .filter(|export| matches!(export.ty(), ExternType::Func(_)))
        .map(|export| export.name().to_owned())
        .collect();
    if functions.is_empty() {
        return "it exports no function".into();
    }
    let more = functions.len().saturating_sub(SHOWN);
    functions.truncate(SHOWN);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("--invoke can name {}{more}", functions.join(", "))
}
