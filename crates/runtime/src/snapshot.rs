//! Snapshots: the state of a quiet instance, to make others from.
//!
//! ```text
//! instance ──Store::snapshot──▶ Snapshot ──Store::create_from_snapshot──▶ instance, of any store of the engine
//!                                │    ▲    memories are mapped, and copied page by page as they are written to
//!                        serialize    deserialize
//! ```
//! The state is that of what the instance defines: memories, tables, globals, and which segments were dropped.
//! A function is named by its index, so a table or global can hold the instance's own functions and those it
//! imports. Bytes are not trusted: what they say is checked against the module, as instantiation would.

use crate::addr::{Handle, HandleError};
use crate::image::MemImage;
use crate::instance::ModuleInst;
use crate::loaded::LoadedModule;
use crate::memory_pool::MemoryPool;
use crate::store::Store;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use tenure_abi::ValRaw;
use tenure_abi::vm::VmFuncRef;
use tenure_code::wire::{Damaged, Header, HeaderError, Reader, Writer, checksum};
use tenure_module::{ImportType, Module};
use tenure_types::{FuncIdx, GlobalIdx, HeapType, MemIdx, MemType, RefType, TableIdx, TableType, ValType};

/// The state of an instance, as it was when this was made. Shared, and never changes.
#[derive(Clone)]
pub struct Snapshot {
    module: Arc<LoadedModule>,
    state: Arc<State>,
}

/// State by place among what the module defines, imports left out.
pub(crate) struct State {
    pub mems: Vec<MemState>,
    pub tables: Vec<Vec<FuncOrNull>>,
    pub globals: Vec<GlobalState>,
    /// Segments that were dropped, all of the module's.
    pub dropped_elems: Vec<bool>,
    pub dropped_datas: Vec<bool>,
}

pub(crate) struct MemState {
    pub pages: u64,
    /// What is not zero.
    pub image: Arc<MemImage>,
}

/// A reference that any instance of the module can have: null, or one of the functions in its index space.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct FuncOrNull(pub Option<FuncIdx>);

#[derive(Clone, Copy, Debug)]
pub(crate) enum GlobalState {
    /// A number or a vector.
    Value(ValRaw),
    Ref(FuncOrNull),
}

/// Why there is no snapshot of an instance.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum SnapshotError {
    /// Its handle cannot be used.
    Handle(HandleError),
    /// A call is active in its store.
    Active,
    /// It imports something whose state is not its own.
    Imported {
        /// What it imports.
        what: &'static str,
        /// The names of the import.
        import: (String, String),
    },
    /// A table holds something that other instances of the module cannot have.
    Element {
        /// The table's index in the module.
        table: u32,
        /// The element.
        at: u64,
        /// What it holds.
        what: &'static str,
    },
    /// A global holds something that other instances of the module cannot have.
    Global {
        /// The global's index in the module.
        global: u32,
        /// What it holds.
        what: &'static str,
    },
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handle(error) => error.fmt(f),
            Self::Active => f.write_str("a call is active in the store of the instance"),
            Self::Imported { what, import: (module, name) } => {
                write!(f, "the instance imports the {what} `{module}::{name}`, whose state is not its own")
            }
            Self::Element { table, at, what } => write!(f, "element {at} of table {table} is {what}"),
            Self::Global { global, what } => write!(f, "global {global} is {what}"),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl From<HandleError> for SnapshotError {
    fn from(error: HandleError) -> Self {
        Self::Handle(error)
    }
}

const FOREIGN_FUNC: &str = "a function that the instance neither defines nor imports";
const HOST_VALUE: &str = "a host reference";

/// Taking.
impl Store {
    /// The state of `instance`.
    ///
    /// # Errors
    /// [`SnapshotError`] when a call is active, or the state is not the instance's alone.
    pub fn snapshot(&self, instance: Handle<ModuleInst>) -> Result<Snapshot, SnapshotError> {
        let inst = self.instance(instance)?;
        if self.is_active() {
            return Err(SnapshotError::Active);
        }
        let module = inst.module().clone();
        let parsed = module.module();
        for import in &parsed.imports {
            let what = match import.ty {
                ImportType::Mem(_) => "memory",
                ImportType::Table(_) => "table",
                ImportType::Global(ty) if ty.mutable => "mutable global",
                ImportType::Func(_) | ImportType::Global(_) => continue,
            };
            let import = (import.module.to_string(), import.name.to_string());
            return Err(SnapshotError::Imported { what, import });
        }
        let names = FuncNames::of(inst);
        let tables = (parsed.imported_tables..).zip(&inst.tables[parsed.imported_tables as usize..]);
        let tables = tables.map(|(index, &addr)| {
            let table = self.tables.get(addr).expect("an instance's tables live as long as it");
            let heap = table.ty().element.heap;
            let elements = (0..table.size()).map(|at| {
                let raw = table.get(at).expect("inside the table");
                let what = |what| SnapshotError::Element { table: index, at, what };
                names.name(heap, raw).map_err(what)
            });
            elements.collect()
        });
        let tables = tables.collect::<Result<_, _>>()?;
        let globals = (parsed.imported_globals..).zip(&inst.globals[parsed.imported_globals as usize..]);
        let globals = globals.map(|(index, &addr)| {
            let global = self.globals.get(addr).expect("an instance's globals live as long as it");
            let value = global.get();
            let ValType::Ref(ty) = global.ty().content else { return Ok(GlobalState::Value(value)) };
            let raw = if ty.heap.is_func() { value.get_u64() } else { value.get_externref().into() };
            let what = |what| SnapshotError::Global { global: index, what };
            names.name(ty.heap, raw).map(GlobalState::Ref).map_err(what)
        });
        let globals = globals.collect::<Result<_, _>>()?;
        let mems = inst.mems.iter().map(|&addr| {
            let mem = self.mems.get(addr).expect("an instance's memories live as long as it");
            let image = match (mem.is_ready(), mem.image()) {
                (true, _) => Arc::new(image_of(mem.data(), self.space().memories())),
                (false, Some(first)) => {
                    // As it will be: the same state has the same bytes.
                    let mut bytes = vec![0; mem.bytes()];
                    first.write(&mut bytes);
                    Arc::new(image_of(&bytes, self.space().memories()))
                }
                (false, None) => Arc::new(image_of(&[], self.space().memories())),
            };
            MemState { pages: mem.size(), image }
        });
        let state = State {
            mems: mems.collect(),
            tables,
            globals,
            dropped_elems: inst.dropped_elems.to_vec(),
            dropped_datas: inst.dropped_datas.to_vec(),
        };
        Ok(Snapshot { state: Arc::new(state), module })
    }
}

/// Which functions an instance can name.
struct FuncNames<'a> {
    inst: &'a ModuleInst,
    imports: HashMap<usize, FuncIdx>,
}

impl<'a> FuncNames<'a> {
    fn of(inst: &'a ModuleInst) -> Self {
        let layout = inst.module().layout();
        // Backwards, so that of several imports of one function the first counts.
        let imports = (0..inst.module().module().imported_funcs).rev().map(FuncIdx);
        let imports = imports.map(|func| (inst.ctx.imported_funcref(layout, func).as_ptr().addr(), func));
        Self { inst, imports: imports.collect() }
    }

    /// What the raw reference is called, or what else it is.
    fn name(&self, heap: HeapType, raw: u64) -> Result<FuncOrNull, &'static str> {
        if raw == 0 {
            return Ok(FuncOrNull(None));
        }
        match heap {
            HeapType::Func | HeapType::Concrete(_) | HeapType::NoFunc => {
                let func = self.imports.get(&(raw as usize)).copied().or_else(|| self.own(raw as usize));
                func.map(|func| FuncOrNull(Some(func))).ok_or(FOREIGN_FUNC)
            }
            HeapType::Extern | HeapType::NoExtern => Err(HOST_VALUE),
        }
    }

    fn own(&self, raw: usize) -> Option<FuncIdx> {
        let module = self.inst.module().module();
        if module.escaping.is_empty() {
            return None;
        }
        let first = self.inst.ctx.own_funcref(self.inst.module().layout(), 0).as_ptr().addr();
        module.escaping.get(raw.checked_sub(first)? / size_of::<VmFuncRef>()).copied()
    }
}

/// Bytes that are looked at together: parts that are zero are left out of an image.
const PART: usize = 4096;

/// An image of what is not zero in `bytes`.
fn image_of(bytes: &[u8], pool: &Arc<MemoryPool>) -> MemImage {
    let mut parts: Vec<(usize, Range<usize>)> = Vec::new();
    let mut content = Vec::new();
    for (part, at) in bytes.chunks(PART).zip((0..).step_by(PART)) {
        if is_zero(part) {
            continue;
        }
        let range = content.len()..content.len() + part.len();
        content.extend_from_slice(part);
        match parts.last_mut() {
            Some((start, last)) if *start + last.len() == at => last.end = range.end,
            _ => parts.push((at, range)),
        }
    }
    MemImage::of_parts(parts, content.into(), pool)
}

fn is_zero(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<16>();
    words.iter().all(|&word| u128::from_ne_bytes(word) == 0) && rest.iter().all(|&byte| byte == 0)
}

impl Snapshot {
    /// The module of the instance.
    pub fn module(&self) -> &Arc<LoadedModule> {
        &self.module
    }

    /// Bytes that it keeps of memories.
    pub fn memory_bytes(&self) -> usize {
        self.state.mems.iter().flat_map(|mem| mem.image.parts()).map(|(_, bytes)| bytes.len()).sum()
    }

    pub(crate) fn state(&self) -> &State {
        &self.state
    }
}

impl State {
    /// The type of defined memory `at`, which is made as large as it was.
    pub fn mem_type(&self, module: &Module, at: usize) -> MemType {
        let ty = *module.mem_type(MemIdx(module.imported_mems + at as u32));
        MemType { min: self.mems[at].pages, ..ty }
    }

    /// The type of defined table `at`, which is made as large as it was.
    pub fn table_type(&self, module: &Module, at: usize) -> TableType {
        let ty = *module.table_type(TableIdx(module.imported_tables + at as u32));
        TableType { min: self.tables[at].len() as u64, ..ty }
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("module", &self.module).finish_non_exhaustive()
    }
}

/// The format changes whenever what follows it does.
const HEADER: Header = Header { magic: *b"\0tsnap\r\n", format: 1 };

/// Why bytes are no snapshot of a module.
#[derive(Clone, PartialEq, Eq, Debug)]
#[non_exhaustive]
pub enum ReadSnapshotError {
    /// They do not begin like one.
    NotASnapshot,
    /// Another version of Tenure wrote them.
    Format {
        /// The format that was found.
        found: u32,
    },
    /// They are of an instance of another module.
    OtherModule,
    /// They are not what was written.
    Damaged(Damaged),
}

impl fmt::Display for ReadSnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotASnapshot => f.write_str("not a snapshot: the bytes do not start with its magic"),
            Self::Format { found } => {
                write!(
                    f,
                    "a snapshot of format {found}; this version of tenure reads format {}",
                    HEADER.format
                )
            }
            Self::OtherModule => f.write_str("a snapshot of an instance of another module"),
            Self::Damaged(damaged) => write!(f, "a snapshot that cannot be read: {damaged}"),
        }
    }
}

impl std::error::Error for ReadSnapshotError {}

impl From<HeaderError> for ReadSnapshotError {
    fn from(error: HeaderError) -> Self {
        match error {
            HeaderError::Magic => Self::NotASnapshot,
            HeaderError::Format { found } => Self::Format { found },
            HeaderError::Damaged(damaged) => Self::Damaged(damaged),
        }
    }
}

impl From<Damaged> for ReadSnapshotError {
    fn from(damaged: Damaged) -> Self {
        Self::Damaged(damaged)
    }
}

/// Bytes, for a disk.
///
/// ```text
/// 0    magic "\0tsnap\r\n"
/// 8    format number, u32 little-endian
/// 12   checksum of everything behind it, u64 little-endian
/// 20   the module: length and checksum of its bytes
///      memories: pages, and what is not zero in them
///      tables: functions, by index plus 1; 0 is null
///      globals: 16 bytes, or as an element
///      segments that were dropped
/// ```
impl Snapshot {
    /// It as bytes. The module is not among them.
    pub fn serialize(&self) -> Vec<u8> {
        let module = self.module.module();
        let mut body = Writer::default();
        body.num(module.bytes.len() as u64);
        body.num(checksum(&module.bytes));
        for mem in &self.state.mems {
            body.num(mem.pages);
            body.len(mem.image.parts().count());
            for (at, bytes) in mem.image.parts() {
                body.num(at as u64);
                body.bytes(bytes);
            }
        }
        for table in &self.state.tables {
            body.len(table.len());
            table.iter().for_each(|&element| write_func(&mut body, element));
        }
        for global in &self.state.globals {
            match *global {
                GlobalState::Value(value) => body.bytes(&value.get_v128().to_le_bytes()),
                GlobalState::Ref(func) => write_func(&mut body, func),
            }
        }
        let dropped = self.state.dropped_elems.iter().chain(&self.state.dropped_datas);
        dropped.for_each(|&dropped| body.num(u64::from(dropped)));
        HEADER.write(&body.into_bytes())
    }

    /// The snapshot of an instance of `module` that [`Snapshot::serialize`] wrote.
    ///
    /// # Errors
    /// [`ReadSnapshotError`] when the bytes are no snapshot, are damaged, or of another module.
    pub fn deserialize(module: &Arc<LoadedModule>, bytes: &[u8]) -> Result<Self, ReadSnapshotError> {
        let mut body = HEADER.read(bytes)?;
        let parsed = module.module();
        let identity = (body.num::<u64>()?, body.num::<u64>()?);
        if identity != (parsed.bytes.len() as u64, checksum(&parsed.bytes)) {
            return Err(ReadSnapshotError::OtherModule);
        }
        let state = read_state(&mut body, module)?;
        body.end()?;
        Ok(Self { module: module.clone(), state: Arc::new(state) })
    }
}

fn write_func(body: &mut Writer, func: FuncOrNull) {
    body.num(func.0.map_or(0, |func| func.0 + 1));
}

fn read_state(body: &mut Reader<'_>, module: &Arc<LoadedModule>) -> Result<State, Damaged> {
    let parsed = module.module();
    // What is imported is not in it: `Store::snapshot` refuses instances for which that would matter.
    let mut state = State {
        mems: Vec::new(),
        tables: Vec::new(),
        globals: Vec::new(),
        dropped_elems: Vec::new(),
        dropped_datas: Vec::new(),
    };
    body.check(parsed.imported_mems == 0 && parsed.imported_tables == 0)?;
    for ty in &parsed.mems {
        state.mems.push(read_memory(body, ty, module.space().memories())?);
    }
    for table in &parsed.tables {
        let ty = table.ty;
        let elements = body.list(|body| read_func(body, parsed, ty.element))?;
        body.check(elements.len() as u64 >= ty.min && elements.len() as u64 <= ty.max.unwrap_or(u64::MAX))?;
        state.tables.push(elements);
    }
    for at in parsed.imported_globals..parsed.globals.len() as u32 {
        state.globals.push(match parsed.global_type(GlobalIdx(at)).content {
            ValType::Ref(ty) => GlobalState::Ref(read_func(body, parsed, ty)?),
            _ => {
                let value = body.bytes()?.first_chunk().ok_or(body.damaged())?;
                GlobalState::Value(ValRaw::v128(u128::from_le_bytes(*value)))
            }
        });
    }
    for _ in &parsed.elems {
        state.dropped_elems.push(read_flag(body)?);
    }
    for _ in &parsed.datas {
        state.dropped_datas.push(read_flag(body)?);
    }
    Ok(state)
}

fn read_memory(body: &mut Reader<'_>, ty: &MemType, pool: &Arc<MemoryPool>) -> Result<MemState, Damaged> {
    let pages = body.num::<u64>()?;
    body.check(pages >= ty.min && pages <= ty.max.unwrap_or(u64::MAX))?;
    let size = pages.checked_mul(ty.page_size()).filter(|&size| size <= ty.max_bytes());
    let size = size.and_then(|size| usize::try_from(size).ok()).ok_or(body.damaged())?;
    let mut content = Vec::new();
    let mut free_from = 0;
    let parts = body.list(|body| {
        let at = body.num::<usize>()?;
        let bytes = body.bytes()?;
        let end = at.checked_add(bytes.len()).filter(|&end| end <= size).ok_or(body.damaged())?;
        body.check(at >= free_from && !bytes.is_empty())?;
        free_from = end;
        content.extend_from_slice(bytes);
        Ok((at, content.len() - bytes.len()..content.len()))
    })?;
    Ok(MemState { pages, image: Arc::new(MemImage::of_parts(parts, content.into(), pool)) })
}

/// A function that a reference of type `ty` may be.
fn read_func(body: &mut Reader<'_>, module: &Module, ty: RefType) -> Result<FuncOrNull, Damaged> {
    let Some(index) = body.num::<u32>()?.checked_sub(1) else {
        body.check(ty.nullable)?;
        return Ok(FuncOrNull(None));
    };
    let decl = module.funcs.get(index as usize).ok_or(body.damaged())?;
    let has_record = decl.escape.is_some() || module.is_imported_func(FuncIdx(index));
    body.check(has_record && HeapType::Concrete(decl.id).matches(ty.heap))?;
    Ok(FuncOrNull(Some(FuncIdx(index))))
}

fn read_flag(body: &mut Reader<'_>) -> Result<bool, Damaged> {
    let flag = body.num::<u8>()?;
    body.check(flag <= 1)?;
    Ok(flag == 1)
}
