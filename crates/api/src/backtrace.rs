//! Where a guest was when it was left: frames, names, files and lines.
//!
//! A walk notes only which code each frame was in ([`tenure_runtime::Backtrace`]); everything else is found
//! when somebody looks.

use crate::{AsContext, Engine, Error, Module, debug_bounds};
use addr2line::gimli::{self, EndianSlice, LittleEndian};
use std::fmt::{self, Write};
use std::sync::{Arc, OnceLock};
use tenure_runtime::{Backtrace, LoadedModule};
use tenure_types::FuncIdx;

/// The guest frames that were active when an error left WebAssembly, innermost first.
///
/// It is the context of such errors: `error.downcast_ref::<WasmBacktrace>()` has it, and printing an error
/// with `{:?}` shows it.
pub struct WasmBacktrace {
    engine: Engine,
    raw: Backtrace,
    frames: OnceLock<Vec<FrameInfo>>,
}

impl WasmBacktrace {
    /// The guest frames that are active in `store` now: for host functions. None when the engine has
    /// backtraces off.
    ///
    /// ```
    /// use tenure::{Caller, Engine, Func, Instance, Module, Store, WasmBacktrace};
    ///
    /// let engine = Engine::default();
    /// let mut store = Store::new(&engine, ());
    /// let look = Func::wrap(&mut store, |caller: Caller<'_, ()>| {
    ///     assert_eq!(WasmBacktrace::capture(&caller).frames()[0].func_name(), Some("run"));
    /// });
    /// let module = Module::new(&engine, r#"
    ///     (module (import "" "look" (func $look)) (func $run (export "run") (call $look)))
    /// "#)?;
    /// let instance = Instance::new(&mut store, &module, &[look.into()])?;
    /// instance.get_typed_func::<(), ()>(&mut store, "run")?.call(&mut store, ())?;
    /// # Ok::<(), tenure::Error>(())
    /// ```
    pub fn capture(store: impl AsContext) -> Self {
        let store = store.as_context();
        if store.0.runtime.config().backtraces {
            return Self::force_capture(store);
        }
        Self::new(&store.0.engine, Backtrace::default())
    }

    /// As [`WasmBacktrace::capture`], also when the engine has backtraces off.
    pub fn force_capture(store: impl AsContext) -> Self {
        let store = store.as_context().0;
        Self::new(&store.engine, store.runtime.backtrace())
    }

    /// The frames of `raw`, which code of `engine` had.
    pub(crate) fn new(engine: &Engine, raw: Backtrace) -> Self {
        Self { engine: engine.clone(), raw, frames: OnceLock::new() }
    }

    /// `error` with the frames of `raw` as its context, if there are any and it has none yet.
    pub(crate) fn attach(engine: &Engine, error: Error, raw: Option<Backtrace>) -> Error {
        match raw {
            Some(raw) if !raw.is_empty() && error.downcast_ref::<Self>().is_none() => {
                error.context(Self::new(engine, raw))
            }
            _ => error,
        }
    }

    /// The frames, innermost first, as many as
    /// [`Config::wasm_backtrace_max_frames`](crate::Config::wasm_backtrace_max_frames) allows.
    pub fn frames(&self) -> &[FrameInfo] {
        self.frames.get_or_init(|| {
            let options = self.engine.config().options();
            let most = options.wasm_backtrace_max_frames.map_or(usize::MAX, Into::into);
            let places = self.raw.frames().take(most).map(|frame| Place {
                module: Module::from_loaded(&self.engine, frame.module.clone()),
                func: frame.func,
                offset: frame.wasm_offset,
            });
            Trace::frames(places.collect(), options.wasm_backtrace_details.is_on())
        })
    }
}

impl fmt::Debug for WasmBacktrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WasmBacktrace").field("frames", &self.frames()).finish()
    }
}

impl fmt::Display for WasmBacktrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("error while executing at wasm backtrace:")?;
        for (at, frame) in self.frames().iter().enumerate() {
            write!(f, "\n{at:>5}: ")?;
            frame.write(f)?;
        }
        let left_out = self.raw.frames().len().saturating_sub(self.frames().len());
        if left_out > 0 {
            write!(f, "\n       ({left_out} more frames)")?;
        }
        Ok(())
    }
}

/// The frames of one backtrace, which look their symbols up together.
struct Trace {
    places: Vec<Place>,
    has_details: bool,
    symbols: OnceLock<Vec<Vec<FrameSymbol>>>,
}

/// Where a frame is.
struct Place {
    module: Module,
    func: FuncIdx,
    /// The operator, in bytes from the start of the module.
    offset: Option<u32>,
}

impl Trace {
    /// The frames at `places`.
    fn frames(places: Vec<Place>, has_details: bool) -> Vec<FrameInfo> {
        let count = places.len();
        let trace = Arc::new(Self { places, has_details, symbols: OnceLock::new() });
        (0..count).map(|at| FrameInfo { trace: trace.clone(), at }).collect()
    }

    /// The symbols of each place; looked up when first asked for.
    fn symbols(&self) -> &[Vec<FrameSymbol>] {
        self.symbols.get_or_init(|| {
            if !self.has_details {
                return self.places.iter().map(|_| Vec::new()).collect();
            }
            // Neighbouring frames are mostly of one module.
            let mut last: Option<(&Module, Option<DebugInfo<'_>>)> = None;
            let symbols = self.places.iter().map(|place| {
                let info = match last.take() {
                    Some((module, info)) if Module::same(module, &place.module) => info,
                    _ => DebugInfo::new(place.module.loaded()),
                };
                let symbols = match (&info, place.offset) {
                    (Some(info), Some(offset)) => info.symbols(offset),
                    _ => Vec::new(),
                };
                last = Some((&place.module, info));
                symbols
            });
            symbols.collect()
        })
    }
}

/// One guest frame of a [`WasmBacktrace`].
pub struct FrameInfo {
    trace: Arc<Trace>,
    at: usize,
}

impl FrameInfo {
    fn place(&self) -> &Place {
        // Made with places that the trace has.
        &self.trace.places[self.at]
    }

    /// The function's index in its module, imported functions counted.
    pub fn func_index(&self) -> u32 {
        self.place().func.0
    }

    /// The module whose code was running.
    pub fn module(&self) -> &Module {
        &self.place().module
    }

    /// The function's name, if the module has one for it: in its name section, or as an export.
    pub fn func_name(&self) -> Option<&str> {
        let place = self.place();
        place.module.func_name(place.func)
    }

    /// The operator that was running, in bytes from the start of the module's binary; `None` when the engine
    /// keeps no address map.
    pub fn module_offset(&self) -> Option<usize> {
        self.place().offset.map(|offset| offset as usize)
    }

    /// The operator that was running, in bytes from the start of the function's body.
    pub fn func_offset(&self) -> Option<usize> {
        let Place { module, func, offset } = self.place();
        let body = module.core().bodies.get(module.core().body_index(*func)?)?;
        (*offset)?.checked_sub(u32::try_from(body.start).ok()?).map(|offset| offset as usize)
    }

    /// The source functions at this place, innermost first: several where the guest's compiler inlined calls,
    /// none where the module has no debug information or reading it is off.
    pub fn symbols(&self) -> &[FrameSymbol] {
        self.trace.symbols().get(self.at).map_or(&[], Vec::as_slice)
    }

    /// One line for the frame, and one or more for each symbol.
    fn write(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(offset) = self.module_offset() {
            write!(f, "{offset:>#6x} - ")?;
        }
        let module = self.module().name().unwrap_or("<unknown>");
        let Some((first, inlined_into)) = self.symbols().split_first() else {
            write!(f, "{module}!")?;
            return self.write_func(f);
        };
        match first.name() {
            Some(name) => write!(f, "{}", demangled(name))?,
            None => self.write_func(f)?,
        }
        first.write_source(f)?;
        for symbol in inlined_into {
            write!(f, "\n              - {}", demangled(symbol.name().unwrap_or("<inlined function>")))?;
            symbol.write_source(f)?;
        }
        Ok(())
    }

    fn write_func(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.func_name() {
            Some(name) => write!(f, "{}", demangled(name)),
            None => write!(f, "<wasm function {}>", self.func_index()),
        }
    }
}

impl fmt::Debug for FrameInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FrameInfo")
            .field("module", &self.module().name())
            .field("func_index", &self.func_index())
            .field("func_name", &self.func_name())
            .field("module_offset", &self.module_offset())
            .field("func_offset", &self.func_offset())
            .finish()
    }
}

/// The name without what Rust's compiler adds to it; `{:#}` leaves its hash out. One that stands for far more text
/// than it has itself stays as it is.
fn demangled(name: &str) -> impl fmt::Display {
    let mut text = Bounded { text: String::new(), most: 1024 + 4 * name.len() };
    match write!(text, "{:#}", rustc_demangle::demangle(name)) {
        Ok(()) => text.text,
        Err(fmt::Error) => name.to_string(),
    }
}

/// Text of so many bytes at most.
struct Bounded {
    text: String,
    most: usize,
}

impl fmt::Write for Bounded {
    fn write_str(&mut self, more: &str) -> fmt::Result {
        if self.text.len() + more.len() > self.most {
            return Err(fmt::Error);
        }
        self.text.push_str(more);
        Ok(())
    }
}

/// A function of the source code that a frame was in.
#[derive(Clone, Debug)]
pub struct FrameSymbol {
    name: Option<String>,
    file: Option<String>,
    line: Option<u32>,
    column: Option<u32>,
}

impl FrameSymbol {
    /// The function's name, as the guest's compiler wrote it.
    pub fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// The source file.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// The line, from 1.
    pub fn line(&self) -> Option<u32> {
        self.line
    }

    /// The column, from 1.
    pub fn column(&self) -> Option<u32> {
        self.column
    }

    fn write_source(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(file) = self.file() else { return Ok(()) };
        write!(f, "\n                    at {file}")?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        Ok(())
    }
}

/// The debug information of one module (DWARF in custom sections, as `clang` and `rustc` write it).
///
/// It comes from the guest: what cannot be read counts as absent.
struct DebugInfo<'m> {
    context: addr2line::Context<EndianSlice<'m, LittleEndian>>,
    code_start: u64,
}

impl<'m> DebugInfo<'m> {
    fn new(loaded: &'m LoadedModule) -> Option<Self> {
        let module = loaded.module();
        if module.debug_sections.is_empty() {
            return None;
        }
        let section = |id: gimli::SectionId| -> Result<_, gimli::Error> {
            let place = module.debug_sections.iter().find(|(name, _)| name == id.name());
            let bytes = place.and_then(|(_, range)| module.bytes.get(range.clone())).unwrap_or_default();
            Ok(EndianSlice::new(bytes, LittleEndian))
        };
        let mut dwarf = gimli::Dwarf::load(section).ok()?;
        // To look it through takes as long as to read it, and the answer stays the same.
        let look = || debug_bounds::are_kept(&mut dwarf, |id| section(id).unwrap_or_default());
        if !loaded.is_debug_kept(look) {
            return None;
        }
        debug_bounds::keep_abbreviations(&mut dwarf);
        let context = addr2line::Context::from_dwarf(dwarf).ok()?;
        Some(Self { context, code_start: module.code_start as u64 })
    }

    /// The source functions at `offset` of the module, innermost first.
    fn symbols(&self, offset: u32) -> Vec<FrameSymbol> {
        let mut symbols = Vec::new();
        let Some(at) = u64::from(offset).checked_sub(self.code_start) else { return symbols };
        let Ok(mut frames) = self.context.find_frames(at).skip_all_loads() else { return symbols };
        while let Ok(Some(frame)) = frames.next() {
            let name = frame.function.and_then(|name| Some(name.raw_name().ok()?.into_owned()));
            let (file, line, column) = match frame.location {
                Some(place) => (place.file.map(str::to_string), place.line, place.column),
                None => (None, None, None),
            };
            symbols.push(FrameSymbol { name, file, line, column });
        }
        symbols
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An engine that makes all code before anything runs, each function's for itself.
    fn ahead() -> Engine {
        let mut config = crate::Config::new();
        config.strategy(crate::Strategy::Optimizing).compiler_inlining(crate::Inlining::No);
        Engine::new(&config).unwrap()
    }

    /// The backtrace of a trap at the first division of each function of `wasm`, in the order of the
    /// functions.
    fn at_divisions(wasm: &[u8], has_details: bool) -> WasmBacktrace {
        let engine = ahead();
        let module = Module::new(&engine, wasm).unwrap();
        let image = module.loaded().image();
        let places = image.funcs.iter().filter_map(|range| {
            let code = range.meta.traps.first()?.code;
            Some(Place { module: module.clone(), func: range.func, offset: range.meta.wasm_offset_at(code) })
        });
        let frames = OnceLock::from(Trace::frames(places.collect(), has_details));
        WasmBacktrace { engine, raw: Backtrace::default(), frames }
    }

    #[test]
    fn frames_have_offsets_and_names() {
        let wasm = wat::parse_str(
            r#"(module $m
                (func $named (drop (i32.div_u (i32.const 1) (i32.const 0))))
                (func (export "exported") (drop (i32.div_u (i32.const 1) (i32.const 0))))
                (func (drop (i32.div_u (i32.const 1) (i32.const 0)))))"#,
        );
        let trace = at_divisions(&wasm.unwrap(), true);
        let named = &trace.frames()[0];
        assert_eq!((named.func_index(), named.func_name()), (0, Some("named")));
        let offset = named.module_offset().unwrap();
        assert_eq!(named.func_offset(), Some(5), "after the locals and two constants");
        let expected = format!(
            "error while executing at wasm backtrace:\n    0: {:>#6x} - m!named\n    1: {:>#6x} - m!exported\n    \
             2: {:>#6x} - m!<wasm function 2>",
            offset,
            offset + 9,
            offset + 18,
        );
        assert_eq!(trace.to_string(), expected);
    }

    #[test]
    fn debug_information_gives_files_lines_and_inlined_calls() {
        let wasm = include_bytes!("../tests/dwarf/inlined.wasm");
        let trace = at_divisions(wasm, true);
        let shown = trace.to_string();
        let (_, after_offset) = shown.split_once(" - ").unwrap();
        assert_eq!(
            after_offset,
            "inner\n                    at ./inlined.c:5:14\n              - middle\n                    at ./inlined.c:9:12"
        );
        let plain = at_divisions(wasm, false);
        assert!(plain.frames()[0].symbols().is_empty());
        assert!(plain.to_string().ends_with("<unknown>!middle"));
    }

    #[test]
    fn damaged_debug_information_counts_as_absent() {
        let wasm = include_bytes!("../tests/dwarf/inlined.wasm");
        let start = wasm.windows(11).position(|bytes| bytes == b".debug_info").unwrap();
        for at in (start + 11..wasm.len() - 100).step_by(3) {
            let mut damaged = wasm.to_vec();
            damaged[at] ^= 0x55;
            let engine = ahead();
            // Damage may hit a section's length, and then this is no module.
            if Module::new(&engine, &damaged).is_ok() {
                let _ = at_divisions(&damaged, true).to_string();
            }
        }
    }
}
