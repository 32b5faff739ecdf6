//! `tenure inspect`: what a module is made of, and what became of a function.

use std::fmt::Write as _;
use std::path::PathBuf;

use tenure::{ExternType, Module, Result, bail};

use super::engine_args::EngineArgs;
use crate::disassembler::disassemble;
use crate::input::Input;
use crate::{report, sections, types};

/// The strategies under which there is code to look at before anything runs.
const STRATEGIES: [&str; 2] = ["baseline", "optimizing"];

/// Show a module's imports, exports and sizes, or a function's machine code
#[derive(clap::Args)]
pub struct Inspect {
    /// Show the machine code of this function, by name, export or index, beside the offsets of its wasm
    #[arg(long, value_name = "FUNCTION")]
    asm: Option<String>,

    /// The compiler whose code to look at: `baseline` or `optimizing`; both if not given, but for --asm, which
    /// then shows the code of the optimizing compiler
    #[arg(long, value_name = "STRATEGY", value_parser = STRATEGIES)]
    strategy: Option<String>,

    #[command(flatten)]
    engine: EngineArgs,

    /// The module, as text or binary; `-` is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

impl Inspect {
    pub fn execute(self) -> Result<u8> {
        let input = Input::read(&self.file)?;
        let name = input.name.clone();
        let wasm = input.into_wasm()?;
        let module = |strategy| super::module(&self.engine.engine(strategy)?, &name, &wasm);
        let text = match (&self.asm, &self.strategy) {
            (Some(function), strategy) => {
                assembly(&module(strategy.as_deref().unwrap_or("optimizing"))?, &wasm, function)?
            }
            (None, Some(strategy)) => summary(&[(strategy, module(strategy)?)], &wasm, &name),
            (None, None) => {
                let modules = STRATEGIES.iter().map(|&strategy| Ok((strategy, module(strategy)?)));
                summary(&modules.collect::<Result<Vec<_>>>()?, &wasm, &name)
            }
        };
        report::print(&text)?;
        Ok(report::SUCCESS)
    }
}

/// What `wasm` is made of, and what became of it: `modules`, each with the strategy that made it.
fn summary(modules: &[(&str, Module)], wasm: &[u8], file: &str) -> String {
    let mut text = format!("{file}: {} bytes", wasm.len());
    let Some((_, module)) = modules.first() else { return text };
    if let Some(name) = module.name() {
        let _ = write!(text, ", module {name:?}");
    }
    text.push('\n');

    let imports = module
        .imports()
        .map(|import| [format!("{}::{}", import.module(), import.name()), types::describe(&import.ty())]);
    let exports = module.exports().map(|export| [export.name().to_owned(), types::describe(&export.ty())]);
    let sections = sections::sections(wasm).map(|section| {
        let entries = match section.entries() {
            None => String::new(),
            Some(1) => "1 entry".into(),
            Some(count) => format!("{count} entries"),
        };
        [
            section.title(),
            format!("{:#x}", section.offset),
            format!("{} bytes", section.content.len()),
            entries,
        ]
    });
    table(&mut text, "imports", imports);
    table(&mut text, "exports", exports);
    table(&mut text, "sections", sections);

    let code = modules.iter().map(|(strategy, module)| {
        let bytes: usize = module.functions().map(|function| function.len).sum();
        [(*strategy).to_owned(), format!("{bytes} bytes in {} functions", module.functions().len())]
    });
    table(&mut text, "machine code, by strategy", code);
    let handed_over = modules.iter().flat_map(|(_, module)| module.tiers().handed_over);
    let handed_over = handed_over.map(|function| {
        let name = function.name.map_or_else(String::new, |name| report::demangled(&name));
        [function.index.to_string(), name, function.why]
    });
    table(&mut text, "left to the optimizing compiler by the baseline compiler", handed_over);
    text
}

/// Rows under a title, each column as wide as it has to be.
fn table<const COLUMNS: usize>(
    text: &mut String,
    title: &str,
    rows: impl Iterator<Item = [String; COLUMNS]>,
) {
    let rows: Vec<_> = rows.collect();
    let _ = writeln!(text, "\n{title}: {}", rows.len());
    let widths: [usize; COLUMNS] =
        std::array::from_fn(|at| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0));
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "  {cell:<width$}");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
}

/// The machine code of `function` with the offset, in the binary, of what each stretch of it was made from.
fn assembly(module: &Module, wasm: &[u8], function: &str) -> Result<String> {
    let imported = module.imports().filter(|import| matches!(import.ty(), ExternType::Func(_))).count();
    let exported = sections::exported_function(wasm, function).map(|index| index as usize);
    let wanted = exported.or_else(|| function.parse().ok());
    if wanted.is_some_and(|index| index < imported) {
        bail!("function {function} is imported: its code is another's");
    }
    // Defined functions follow those that are imported.
    let mut functions = module.functions().enumerate().map(|(at, function)| (imported + at, function));
    let found = functions.find(|(index, defined)| {
        Some(*index) == wanted || (exported.is_none() && defined.name.as_deref() == Some(function))
    });
    let Some((index, found)) = found else {
        bail!("there is no function {function:?}: it has to be a name, an export or an index");
    };
    let Some(code) = found.offset.checked_add(found.len).and_then(|end| module.text().get(found.offset..end))
    else {
        bail!("the code of function {index} is not where it should be");
    };

    // Sorted by offset in the code; each holds up to the next.
    let origins: Vec<(usize, Option<u32>)> = module.address_map().into_iter().flatten().collect();
    let origin_of = |offset: usize| {
        let next = origins.partition_point(|(at, _)| *at <= offset);
        next.checked_sub(1).and_then(|at| origins.get(at)).and_then(|(_, wasm)| *wasm)
    };

    let mut text = format!("function {index}");
    if let Some(name) = &found.name {
        let _ = write!(text, " {name}");
    }
    let _ = writeln!(text, ": {} bytes of machine code\n\n{:>8}  {:>8}  code", found.len, "wasm", "code at");
    let bodies: Vec<_> = module.functions().map(|function| (function.body, function.index)).collect();
    let owner_of = |wasm: u32| {
        let next = bodies.partition_point(|(body, _)| body.start <= wasm as usize);
        next.checked_sub(1).map(|at| bodies[at].1)
    };
    let mut last = None;
    let mut owner = Some(found.index);
    for instruction in disassemble(code, found.offset as u64) {
        let at = found.offset + instruction.offset;
        let origin = origin_of(at);
        let shown = match origin {
            Some(wasm) if origin != last => format!("{wasm:#x}"),
            _ => String::new(),
        };
        last = origin;
        let now = origin.map_or(owner, owner_of);
        if now != owner {
            owner = now;
            let whose = match owner {
                Some(whose) if whose == found.index => "function itself".to_owned(),
                Some(whose) => format!("function {whose}, inlined"),
                None => "no function".to_owned(),
            };
            let _ = writeln!(text, "{:>8}  {whose}", "");
        }
        let bytes = code.get(instruction.offset..instruction.offset + instruction.len).unwrap_or_default();
        let bytes: Vec<String> = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        let at = format!("{at:#x}");
        let line = format!("{shown:>8}  {at:>8}  {:<30}  {}", bytes.join(" "), instruction.text);
        let _ = writeln!(text, "{}", line.trim_end());
    }
    Ok(text)
}
