//! From bytes to an image: sections, then bodies, on as many cores as the work is worth.
//!
//! ```text
//! bytes ──parse──▶ bodies ──chunks by bytes──▶ ┌ core 0: compile, compile, … ┐ ──▶ in order ──link──▶ CodeImage
//!                                              └ core 1: compile, …          ┘
//! ```
//! What comes out does not depend on the number of cores, nor does the error, which is that of the first bad
//! function.

use crate::error::ModuleError;
use crate::tuning::{CHECKING, COMPILING, Grain};
use crate::workers::{ALONE, Workers};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tenure_abi::CtxLayout;
use tenure_code::{CodeImage, CompileError, CompileUnit, Compiler, Tunables};
use tenure_module::{Bodies, Body, BodyChecker, Module, Parsed, Summaries, ValidateError, parse};
use tenure_types::{Features, FuncIdx, TypeRegistry};

/// How far a compilation has come.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// Functions that are done.
    pub done: usize,
    /// Functions of the module.
    pub total: usize,
}

/// Told of each function that is done, on whichever thread did it; may end the compilation.
pub type OnProgress<'a> = &'a (dyn Fn(Progress) -> ControlFlow<()> + Sync);

/// What the way from bytes to an image depends on.
pub(crate) struct Pipeline<'e> {
    pub(crate) features: Features,
    pub(crate) types: &'e TypeRegistry,
    pub(crate) tunables: &'e Tunables,
    /// Who helps; `None` works alone.
    pub(crate) workers: Option<&'e Workers>,
    /// Whether images keep the rows from code to operators.
    pub(crate) address_map: bool,
    pub(crate) time_limit: Option<Duration>,
    /// Whether bodies are left to whoever compiles them.
    pub(crate) lazy_validation: bool,
}

impl Pipeline<'_> {
    /// Checks `bytes`, bodies only if they are not to be checked later, without making code of them: what is known of
    /// the module, with summaries of the bodies that were checked, and what it takes to read them again, if there are any.
    ///
    /// # Errors
    /// The first thing that is wrong; [`ModuleError::Cancelled`] when `on_progress` says so.
    pub(crate) fn check(
        &self,
        bytes: &Arc<[u8]>,
        on_progress: OnProgress<'_>,
    ) -> Result<(Module, Option<Bodies>), ModuleError> {
        let Parsed { mut module, bodies } = parse(bytes, self.features, self.types)?;
        let again = bodies.first().map(Body::bodies);
        if self.lazy_validation {
            return Ok((module, again.map(Bodies::unchecked)));
        }
        let tally = Tally::new(bodies.len(), on_progress, self.time_limit);
        let (workers, chunks) = self.share(bodies, CHECKING);
        let summaries = workers.each(
            chunks,
            |chunk| chunk.bytes,
            |chunk, watch| {
                let mut checker = BodyChecker::default();
                for body in chunk.bodies {
                    if watch.is_over() || tally.is_over() {
                        break;
                    }
                    checker.check(&module, body)?;
                    tally.one_done();
                }
                Ok::<_, ValidateError>(checker.into_summaries())
            },
        )?;
        tally.finish()?;
        module.summaries = Summaries::join(summaries);
        Ok((module, again))
    }

    /// Checks `bytes` and compiles every function. `text` is an empty buffer for the image's text.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub(crate) fn compile(
        &self,
        bytes: &Arc<[u8]>,
        compiler: &dyn Compiler,
        on_progress: OnProgress<'_>,
        text: Vec<u8>,
    ) -> Result<(Module, CtxLayout, CodeImage), ModuleError> {
        let Parsed { module, bodies } = parse(bytes, self.features, self.types)?;
        let layout = tenure_code::layout(&module)?;
        let unit = CompileUnit { module: &module, layout: &layout, tunables: self.tunables, profile: None };
        let tally = Tally::new(bodies.len(), on_progress, self.time_limit);
        let (workers, mut chunks) = self.share(bodies, COMPILING);
        let one = |body: Body<'_>| {
            let func = body.func;
            let mut compiled = compiler.compile(unit, body).map_err(|error| (func, error))?;
            if !self.address_map {
                compiled.meta.forget_offsets();
            }
            tally.one_done();
            Ok(compiled)
        };
        let named = |(func, error): (FuncIdx, CompileError)| {
            let name = module.names.func(func).map(str::to_string);
            ModuleError::Compile { func, name, error }
        };
        let funcs = Vec::with_capacity(module.defined_funcs());
        let mut image = CodeImage { text, funcs, relocs: Vec::new() };
        if chunks.len() == 1 {
            // One after the other: the memory of each function's own code serves the next.
            for body in chunks.remove(0).bodies {
                if tally.is_over() {
                    break;
                }
                image.push(one(body).map_err(named)?)?;
            }
        } else {
            let compiled = workers.each(
                chunks,
                |chunk| chunk.bytes,
                |chunk, watch| {
                    let mut funcs = Vec::with_capacity(chunk.bodies.len());
                    for body in chunk.bodies {
                        if watch.is_over() || tally.is_over() {
                            break;
                        }
                        funcs.push(one(body)?);
                    }
                    Ok(funcs)
                },
            );
            for func in compiled.map_err(named)?.into_iter().flatten() {
                image.push(func)?;
            }
        }
        tally.finish()?;
        Ok((module, layout, image))
    }

    /// Cuts `bodies` in chunks that are worth another core's while, if they are, and says who does them.
    fn share<'a>(&self, bodies: Vec<Body<'a>>, grain: Grain) -> (&Workers, Vec<Chunk<'a>>) {
        let bytes = bodies.iter().map(Body::len).sum();
        match self.workers {
            Some(workers) if bytes >= grain.parallel => (workers, chunks(bodies, grain.piece)),
            _ => (&ALONE, vec![Chunk { bytes, bodies }]),
        }
    }
}

/// Counts what is done, and hears whether to stop.
struct Tally<'p> {
    done: AtomicUsize,
    total: usize,
    is_stopped: AtomicBool,
    on_progress: OnProgress<'p>,
    started: Instant,
    limit: Option<Duration>,
}

impl<'p> Tally<'p> {
    fn new(total: usize, on_progress: OnProgress<'p>, limit: Option<Duration>) -> Self {
        let (done, is_stopped) = (AtomicUsize::new(0), AtomicBool::new(false));
        Self { done, total, is_stopped, on_progress, started: Instant::now(), limit }
    }

    fn one_done(&self) {
        let done = self.done.fetch_add(1, Ordering::Relaxed) + 1;
        if (self.on_progress)(Progress { done, total: self.total }).is_break() {
            self.is_stopped.store(true, Ordering::Relaxed);
        }
    }

    fn is_late(&self) -> Option<Duration> {
        self.limit.filter(|&limit| self.started.elapsed() > limit)
    }

    /// Whether what is not begun is to be left.
    fn is_over(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed) || self.is_late().is_some()
    }

    fn finish(self) -> Result<(), ModuleError> {
        let progress = Progress { done: self.done.load(Ordering::Relaxed), total: self.total };
        match self.is_late() {
            _ if self.is_stopped.load(Ordering::Relaxed) => Err(ModuleError::Cancelled),
            Some(limit) if progress.done < progress.total => Err(ModuleError::TimeLimit { limit, progress }),
            _ => Ok(()),
        }
    }
}

/// Neighbouring bodies.
struct Chunk<'a> {
    bytes: usize,
    bodies: Vec<Body<'a>>,
}

fn chunks(bodies: Vec<Body<'_>>, most: usize) -> Vec<Chunk<'_>> {
    let mut chunks = Vec::new();
    let mut chunk = Chunk { bytes: 0, bodies: Vec::new() };
    for body in bodies {
        if chunk.bytes > 0 && chunk.bytes + body.len() > most {
            chunks.push(std::mem::replace(&mut chunk, Chunk { bytes: 0, bodies: Vec::new() }));
        }
        chunk.bytes += body.len();
        chunk.bodies.push(body);
    }
    chunks.push(chunk);
    chunks
}
