//! What a script builds up, and what each directive does with it.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use tenure::{Error, Instance, Linker, Module, Store, Trap, Val};
use wast::lexer::Lexer;
use wast::parser::{self, ParseBuffer};
use wast::token::{Id, Span};
use wast::{QuoteWat, QuoteWatTest, Wast, WastDirective, WastExecute, WastInvoke, WastRet, Wat};

use crate::spectest::{self, Print};
use crate::{Failure, traps, values};

/// The state of a script: a store, and what directives defined and registered so far.
///
/// Scripts run one after the other in one context see each other's registered instances, as the specification's
/// interpreter has it; for scripts that are to know nothing of each other, make a context for each.
pub struct Context<T: 'static> {
    store: Store<T>,
    linker: Linker<T>,
    /// What a directive that names no instance means: the last module's, or none if that module failed.
    current: Option<Instance>,
    instances: HashMap<String, Instance>,
    current_definition: Option<Module>,
    definitions: HashMap<String, Module>,
}

/// What came of a script that was run to its end.
#[derive(Debug)]
#[non_exhaustive]
pub struct Outcome {
    /// How many directives were carried out, those that failed among them.
    pub directives: usize,
    /// The directives that failed, in the script's order.
    pub failures: Vec<Failure>,
}

/// Why a call or an instantiation did not give results.
enum Stop {
    /// The script asked for something that is not there; no assertion is about this.
    Script(String),
    /// The engine gave an error: a trap, an exception, a failure to link.
    Engine(Error),
}

impl From<String> for Stop {
    fn from(message: String) -> Self {
        Stop::Script(message)
    }
}

impl Stop {
    fn message(&self) -> String {
        match self {
            Stop::Script(message) => message.clone(),
            Stop::Engine(error) => format!("{error:#}"),
        }
    }
}

impl<T: 'static> Context<T> {
    /// A context over `store`, with the host module `spectest` defined. What scripts print is dropped.
    ///
    /// # Errors
    /// When the store has no room for what `spectest` exports.
    pub fn new(store: Store<T>) -> Result<Self, Error> {
        Self::printing(store, |_| {})
    }

    /// A context that gives each line that a script prints to `print`.
    ///
    /// # Errors
    /// As [`Context::new`].
    pub fn printing(store: Store<T>, print: impl Fn(&str) + Send + Sync + 'static) -> Result<Self, Error> {
        let print: Print = Arc::new(print);
        let mut store = store;
        let mut linker = Linker::new(store.engine());
        // A script may register two instances under one name; the later one counts.
        linker.allow_shadowing(true);
        spectest::define(&mut linker, &mut store, print)?;
        Ok(Self {
            store,
            linker,
            current: None,
            instances: HashMap::new(),
            current_definition: None,
            definitions: HashMap::new(),
        })
    }

    /// The names that scripts can import from; define host functions here before running one.
    pub fn linker(&mut self) -> &mut Linker<T> {
        &mut self.linker
    }

    /// The store that everything lives in.
    pub fn store(&mut self) -> &mut Store<T> {
        &mut self.store
    }

    /// Runs the script `text` until a directive fails. `file` is its name in messages.
    ///
    /// Returns how many directives there were.
    ///
    /// # Errors
    /// The first failure.
    pub fn run(&mut self, file: &str, text: &str) -> Result<usize, Failure> {
        let mut first = None;
        let directives = self.each(file, text, |failure| {
            first = Some(failure);
            ControlFlow::Break(())
        });
        first.map_or(Ok(directives), Err)
    }

    /// Runs every directive of the script `text`, whatever becomes of those before it.
    ///
    /// A module that fails leaves no current instance, so that directives about it fail too, instead of being
    /// held against an earlier module.
    pub fn run_all(&mut self, file: &str, text: &str) -> Outcome {
        let mut failures = Vec::new();
        let directives = self.each(file, text, |failure| {
            failures.push(failure);
            ControlFlow::Continue(())
        });
        Outcome { directives, failures }
    }

    /// Carries out each directive, tells `failed` of those that fail, and returns how many were carried out.
    fn each(&mut self, file: &str, text: &str, mut failed: impl FnMut(Failure) -> ControlFlow<()>) -> usize {
        let at = |span: Span, directive: &'static str, message: String| {
            let (line, column) = span.linecol_in(text);
            Failure { file: file.to_owned(), line: line + 1, column: column + 1, directive, message }
        };
        let unreadable = |error: wast::Error| at(error.span(), "script", error.message());

        let buffer = match buffer(text) {
            Ok(buffer) => buffer,
            Err(error) => {
                let _ = failed(unreadable(error));
                return 0;
            }
        };
        let directives = match parser::parse::<Wast<'_>>(&buffer) {
            Ok(script) => script.directives,
            Err(error) => {
                let _ = failed(unreadable(error));
                return 0;
            }
        };
        let mut done = 0;
        for directive in directives {
            done += 1;
            let (span, keyword) = (directive.span(), keyword(&directive));
            if let Err(message) = self.directive(directive)
                && failed(at(span, keyword, message)).is_break()
            {
                break;
            }
        }
        done
    }

    /// Carries out one directive; the error is the message of its failure.
    fn directive(&mut self, directive: WastDirective<'_>) -> Result<(), String> {
        match directive {
            WastDirective::Module(module) => self.module(module),
            WastDirective::ModuleDefinition(module) => {
                self.current_definition = None;
                self.define(module)?;
                Ok(())
            }
            WastDirective::ModuleInstance { instance, module, .. } => {
                self.current = None;
                let definition = match module {
                    Some(id) => self.definitions.get(id.name()),
                    None => self.current_definition.as_ref(),
                };
                let definition = definition.cloned().ok_or_else(|| no_such("module definition", module))?;
                self.instantiate_as(instance, &definition)
            }
            WastDirective::Register { name, module, .. } => {
                let instance = self.instance(module)?;
                self.linker.instance(&mut self.store, name, instance).map_err(text_of)?;
                Ok(())
            }
            WastDirective::Invoke(invoke) => match self.invoke(&invoke) {
                Ok(_) => Ok(()),
                Err(stop) => Err(stop.message()),
            },

            WastDirective::AssertReturn { exec, results, .. } => match self.execute(exec) {
                Ok(found) => self.compare(&found, &results),
                Err(stop) => Err(format!(
                    "expected {}, found an error: {}",
                    values::show_expected(&results),
                    stop.message()
                )),
            },
            WastDirective::AssertTrap { exec, message, .. }
            | WastDirective::AssertSuspension { exec, message, .. } => {
                let found = self.execute(exec);
                trapped(found, message)
            }
            WastDirective::AssertExhaustion { call, message, .. } => {
                let found = self.invoke(&call);
                trapped(found, message)
            }
            WastDirective::AssertException { exec, .. } => {
                let is_call = matches!(exec, WastExecute::Invoke(_));
                match self.execute(exec) {
                    Ok(found) => Err(format!("expected an exception, found {}", values::show_values(&found))),
                    // The arguments of a call were checked and `spectest` never fails, so an error that is no
                    // trap is an exception that nothing caught.
                    Err(Stop::Engine(error)) if is_call && error.downcast_ref::<Trap>().is_none() => Ok(()),
                    Err(stop) => Err(format!("expected an exception, found an error: {}", stop.message())),
                }
            }

            WastDirective::AssertMalformed { module, message, .. } => {
                self.refused(module, "malformed", message)
            }
            WastDirective::AssertInvalid { module, message, .. } => self.refused(module, "invalid", message),
            WastDirective::AssertMalformedCustom { module, message, .. } => {
                self.refused(module, "malformed in a custom section", message)
            }
            WastDirective::AssertInvalidCustom { module, message, .. } => {
                self.refused(module, "invalid in a custom section", message)
            }
            WastDirective::AssertUnlinkable { module, message, .. } => self.unlinkable(module, message),

            WastDirective::Thread(_) | WastDirective::Wait { .. } => {
                Err("threads in scripts are not supported".into())
            }
        }
    }

    /// `(module …)`: defines and instantiates.
    fn module(&mut self, module: QuoteWat<'_>) -> Result<(), String> {
        self.current = None;
        self.current_definition = None;
        let id = module.name();
        if let Some(id) = id {
            // Whoever names a module that failed is told so, and is not given an earlier one of that name.
            self.instances.remove(id.name());
        }
        let definition = self.define(module)?;
        self.instantiate_as(id, &definition)
    }

    fn define(&mut self, module: QuoteWat<'_>) -> Result<Module, String> {
        let id = module.name();
        if let Some(id) = id {
            self.definitions.remove(id.name());
        }
        let module = self.compile(module)?;
        if let Some(id) = id {
            self.definitions.insert(id.name().to_owned(), module.clone());
        }
        self.current_definition = Some(module.clone());
        Ok(module)
    }

    fn instantiate_as(&mut self, id: Option<Id<'_>>, definition: &Module) -> Result<(), String> {
        let instance = self.linker.instantiate(&mut self.store, definition).map_err(text_of)?;
        self.current = Some(instance);
        if let Some(id) = id {
            self.instances.insert(id.name().to_owned(), instance);
        }
        Ok(())
    }

    fn compile(&self, module: QuoteWat<'_>) -> Result<Module, String> {
        let bytes = encode(module)?;
        Module::new(self.store.engine(), bytes).map_err(text_of)
    }

    fn instance(&self, id: Option<Id<'_>>) -> Result<Instance, String> {
        match id {
            Some(id) => self.instances.get(id.name()).copied(),
            None => self.current,
        }
        .ok_or_else(|| no_such("instance", id))
    }

    fn execute(&mut self, exec: WastExecute<'_>) -> Result<Vec<Val>, Stop> {
        match exec {
            WastExecute::Invoke(invoke) => self.invoke(&invoke),
            WastExecute::Wat(module) => {
                let module = self.compile(QuoteWat::Wat(module))?;
                self.linker.instantiate(&mut self.store, &module).map_err(Stop::Engine)?;
                Ok(Vec::new())
            }
            WastExecute::Get { module, global, .. } => {
                let instance = self.instance(module)?;
                let found = instance
                    .get_global(&mut self.store, global)
                    .ok_or_else(|| format!("there is no exported global {global:?}"))?;
                Ok(vec![found.get(&mut self.store)])
            }
        }
    }

    fn invoke(&mut self, invoke: &WastInvoke<'_>) -> Result<Vec<Val>, Stop> {
        let instance = self.instance(invoke.module)?;
        let func = instance
            .get_func(&mut self.store, invoke.name)
            .ok_or_else(|| format!("there is no exported function {:?}", invoke.name))?;
        let ty = func.ty(&self.store);

        let mut args = Vec::with_capacity(invoke.args.len());
        for arg in &invoke.args {
            args.push(values::make(&mut self.store, arg)?);
        }
        if args.len() != ty.params().len() {
            let (found, expected) = (args.len(), ty.params().len());
            return Err(Stop::Script(format!("{found} arguments for a function of {expected} parameters")));
        }
        for (arg, param) in args.iter().zip(ty.params()) {
            if !arg.matches_ty(&self.store, &param).map_err(Stop::Engine)? {
                let found = values::show_values(std::slice::from_ref(arg));
                return Err(Stop::Script(format!("the argument {found} for a parameter of type {param}")));
            }
        }

        let mut results = vec![Val::I32(0); ty.results().len()];
        func.call(&mut self.store, &args, &mut results).map_err(Stop::Engine)?;
        Ok(results)
    }

    fn compare(&self, found: &[Val], expected: &[WastRet<'_>]) -> Result<(), String> {
        let mut same = found.len() == expected.len();
        for (found, expected) in found.iter().zip(expected) {
            same = same && values::is_expected(&self.store, found, expected)?;
        }
        if same {
            return Ok(());
        }
        Err(format!("expected {}, found {}", values::show_expected(expected), values::show_values(found)))
    }

    /// Holds a module to be refused before it can be instantiated.
    fn refused(&self, module: QuoteWat<'_>, how: &str, message: &str) -> Result<(), String> {
        match self.compile(module) {
            Ok(_) => Err(format!("expected a module that is {how} ({message}), but it is valid")),
            Err(_) => Ok(()),
        }
    }

    fn unlinkable(&mut self, module: Wat<'_>, message: &str) -> Result<(), String> {
        let module = self.compile(QuoteWat::Wat(module))?;
        let Err(error) = self.linker.instantiate(&mut self.store, &module) else {
            return Err(format!("expected a link error ({message}), but the module was instantiated"));
        };
        let found = format!("{error:#}");
        if error.downcast_ref::<Trap>().is_some() {
            return Err(format!("expected a link error ({message}), found a trap: {found}"));
        }
        if !found.contains(message) {
            return Err(format!("expected the link error {message:?}, found {found:?}"));
        }
        Ok(())
    }
}

/// Holds a call, or an instantiation, to have trapped as `expected` says.
fn trapped(found: Result<Vec<Val>, Stop>, expected: &str) -> Result<(), String> {
    match found {
        Ok(found) => Err(format!("expected the trap {expected:?}, found {}", values::show_values(&found))),
        Err(Stop::Engine(error)) => match error.downcast_ref::<Trap>() {
            Some(trap) if traps::is_meant(*trap, expected) => Ok(()),
            Some(trap) => Err(format!("expected the trap {expected:?}, found another: {trap}")),
            None => Err(format!("expected the trap {expected:?}, found an error: {error:#}")),
        },
        Err(Stop::Script(message)) => Err(message),
    }
}

/// The bytes of a module in any of its forms.
fn encode(mut module: QuoteWat<'_>) -> Result<Vec<u8>, String> {
    let bytes_or_text = module.to_test().map_err(|error| error.message())?;
    let text = match bytes_or_text {
        QuoteWatTest::Binary(bytes) => {
            // Only now, so that the text of a component is looked at as any other.
            if matches!(module, QuoteWat::Wat(Wat::Component(_))) {
                return Err("components are not supported".into());
            }
            return Ok(bytes);
        }
        QuoteWatTest::Text(text) => text,
    };
    let text = std::str::from_utf8(&text).map_err(|error| format!("malformed UTF-8 encoding: {error}"))?;
    buffer(text)
        .and_then(|buffer| parser::parse::<Wat<'_>>(&buffer)?.encode())
        .map_err(|error| error.message())
}

/// The tokens of `text`. Tests are full of characters that look like others; that is their point.
fn buffer(text: &str) -> Result<ParseBuffer<'_>, wast::Error> {
    let mut lexer = Lexer::new(text);
    lexer.allow_confusing_unicode(true);
    ParseBuffer::new_with_lexer(lexer)
}

fn text_of(error: Error) -> String {
    format!("{error:#}")
}

fn no_such(what: &str, id: Option<Id<'_>>) -> String {
    match id {
        Some(id) => format!("there is no {what} ${}", id.name()),
        None => format!("there is no current {what}"),
    }
}

/// The word a directive begins with.
fn keyword(directive: &WastDirective<'_>) -> &'static str {
    match directive {
        WastDirective::Module(_) => "module",
        WastDirective::ModuleDefinition(_) => "module definition",
        WastDirective::ModuleInstance { .. } => "module instance",
        WastDirective::Register { .. } => "register",
        WastDirective::Invoke(_) => "invoke",
        WastDirective::AssertReturn { .. } => "assert_return",
        WastDirective::AssertTrap { .. } => "assert_trap",
        WastDirective::AssertExhaustion { .. } => "assert_exhaustion",
        WastDirective::AssertException { .. } => "assert_exception",
        WastDirective::AssertSuspension { .. } => "assert_suspension",
        WastDirective::AssertMalformed { .. } => "assert_malformed",
        WastDirective::AssertMalformedCustom { .. } => "assert_malformed_custom",
        WastDirective::AssertInvalid { .. } => "assert_invalid",
        WastDirective::AssertInvalidCustom { .. } => "assert_invalid_custom",
        WastDirective::AssertUnlinkable { .. } => "assert_unlinkable",
        WastDirective::Thread(_) => "thread",
        WastDirective::Wait { .. } => "wait",
    }
}
