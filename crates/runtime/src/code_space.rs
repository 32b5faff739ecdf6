//! An engine's executable memory: stubs, the code of loaded modules, and the slots that calls go through.

use crate::loaded::LoadedModule;
use crate::memory_pool::{MemoryPool, MemoryPoolConfig, MemoryPoolUse};
use crate::pooling::{Pooling, PoolingLimits};
use crate::ranges::Ranges;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, Weak};
use tenure_abi::call_conv::ValClass;
use tenure_abi::vm::{Budget, CodeSlot};
use tenure_abi::{Builtin, Leaf};
use tenure_sys::{CodePages, page_size, quarantine};
use tenure_types::FuncType;

/// Bytes of code an engine can hold, if the system lets it; halved until it does.
const CODE_BYTES: usize = 1 << 30;
/// The least that is tried.
const LEAST_CODE_BYTES: usize = 8 << 20;
/// One byte of slots for so many bytes of code: a function is rarely shorter than 64 bytes.
const CODE_PER_DATA: usize = 8;
/// One byte of signatures' stubs, which never go, for so many bytes of code: guests that have many signatures leave
/// room for others' code.
const CODE_PER_STUBS: usize = 2;

/// The largest buffer that is kept for the text of the next module, in bytes.
const MOST_TEXT: usize = 8 << 20;

/// How many stubs for functions without code are made at a time. Few, because the first are on a small module's time.
const FIRST_CALLS: usize = 64;

/// Executable memory shared by everything of one engine.
///
/// Code is given back when the last user of its module goes; stubs stay as long as the engine.
pub struct CodeSpace {
    pages: CodePages,
    free: Mutex<Free>,
    signatures: RwLock<Signatures>,
    builtins: Box<[usize]>,
    unwind: usize,
    fault: usize,
    /// Stubs of functions without code, in chunks of [`FIRST_CALLS`].
    first_calls: Mutex<Vec<usize>>,
    /// Address space of memories that went.
    memories: Arc<MemoryPool>,
    pooling: Option<Arc<Pooling>>,
    /// Bytes of code that one module may have.
    module_code_bytes: u64,
    /// An empty buffer for the text of the next module, whose pages the system has given already.
    text: Mutex<Vec<u8>>,
    /// Loaded modules by the address of their first byte of code.
    modules: RwLock<BTreeMap<usize, Weak<LoadedModule>>>,
}

/// How an engine's memories are kept and counted.
#[derive(Clone, Debug)]
pub struct SpaceConfig {
    /// Bytes of code that there is room for; less where the system refuses that.
    pub code_bytes: usize,
    /// Bytes of code that one module may have.
    pub module_code_bytes: u64,
    /// How address space is kept.
    pub memories: MemoryPoolConfig,
    /// What the instances of all stores may have together; no limits without.
    pub pooling: Option<PoolingLimits>,
}

impl Default for SpaceConfig {
    fn default() -> Self {
        Self {
            code_bytes: CODE_BYTES,
            module_code_bytes: u64::MAX,
            memories: MemoryPoolConfig::default(),
            pooling: None,
        }
    }
}

struct Free {
    code: Ranges,
    data: Ranges,
    /// Where the next stub goes, and how many bytes are left there.
    stubs: (usize, usize),
}

/// The signatures that have stubs.
#[derive(Default)]
struct Signatures {
    stubs: HashMap<SigKey, SigStubs>,
    /// Bytes of those stubs.
    bytes: usize,
}

/// What decides a signature's stubs: how its values travel.
type SigKey = (Box<[ValClass]>, Box<[ValClass]>);

/// The stubs of one signature. Valid as long as the engine's [`CodeSpace`].
#[derive(Clone, Copy, Debug)]
pub struct SigStubs {
    /// Host to guest.
    pub entry: usize,
    /// Guest to host: a code slot that holds the exit stub.
    pub exit: *const CodeSlot,
}

// SAFETY: the slot is in the engine's data pages, is written once before this value is made, and is atomic.
unsafe impl Send for SigStubs {}
// SAFETY: as above.
unsafe impl Sync for SigStubs {}

/// Why code could not be loaded.
#[derive(Debug)]
pub enum LoadError {
    /// The engine's code memory is full.
    Full {
        /// Bytes that were asked for.
        wanted: usize,
    },
    /// The stubs of the engine's signatures take as much of that as they may.
    Signatures {
        /// How many signatures have stubs.
        count: usize,
        /// Bytes that their stubs may take.
        limit: usize,
    },
    /// One module would have more code than it may.
    Limit {
        /// Bytes that it would have.
        wanted: u64,
        /// Bytes that it may have.
        limit: u64,
    },
    /// The system refused.
    Os(io::Error),
    /// The system refused the pages of a memory.
    Memory(io::Error),
    /// The image does not fit the module: only damaged artifacts do that.
    Mismatch(&'static str),
}

impl fmt::Display for LoadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full { wanted } => write!(f, "no room for {wanted} bytes in the engine's code memory"),
            Self::Signatures { count, limit } => write!(
                f,
                "no room for one more signature: stubs of {count} take nearly the {limit} bytes of the engine's code \
                 memory that are for them"
            ),
            Self::Limit { wanted, limit } => write!(
                f,
                "{wanted} bytes of code would be above the limit `code_bytes` of {limit} for a module; raise it with \
                 `Config::limits`"
            ),
            Self::Os(error) => write!(f, "code memory: {error}"),
            Self::Memory(error) => write!(f, "a memory could not be made accessible: {error}"),
            Self::Mismatch(what) => write!(f, "compiled code does not fit its module: {what}"),
        }
    }
}

impl std::error::Error for LoadError {}

impl From<io::Error> for LoadError {
    fn from(error: io::Error) -> Self {
        Self::Os(error)
    }
}

impl CodeSpace {
    /// Code memory with the stubs that every store needs, and everything else at its default.
    ///
    /// # Errors
    /// When the system has no memory that can be executed.
    pub fn new() -> Result<Arc<Self>, LoadError> {
        Self::with(SpaceConfig::default())
    }

    /// As [`CodeSpace::new`], with memories kept and counted as `config` says.
    ///
    /// # Errors
    /// As [`CodeSpace::new`].
    pub fn with(config: SpaceConfig) -> Result<Arc<Self>, LoadError> {
        let mut bytes = config.code_bytes.clamp(LEAST_CODE_BYTES, CODE_BYTES).next_multiple_of(page_size());
        let pages = loop {
            match CodePages::new(bytes, bytes / CODE_PER_DATA) {
                Ok(pages) => break pages,
                Err(error) if bytes == LEAST_CODE_BYTES => return Err(error.into()),
                Err(_) => bytes = (bytes / 2).next_multiple_of(page_size()).max(LEAST_CODE_BYTES),
            }
        };
        let free =
            Free { code: Ranges::new(pages.code_len()), data: Ranges::new(pages.data_len()), stubs: (0, 0) };
        let mut space = Self {
            pages,
            free: Mutex::new(free),
            signatures: RwLock::default(),
            builtins: Box::default(),
            unwind: 0,
            fault: 0,
            first_calls: Mutex::default(),
            memories: Arc::new(MemoryPool::new(config.memories)),
            pooling: config.pooling.map(Pooling::new),
            module_code_bytes: config.module_code_bytes,
            text: Mutex::default(),
            modules: RwLock::default(),
        };
        space.unwind = space.add_stub(&tenure_stubs::unwind())?;
        space.fault = space.add_stub(&tenure_stubs::fault(crate::fault::landing as *const () as usize))?;
        let mut builtins = Vec::with_capacity(Builtin::ALL.len() + Leaf::ALL.len());
        for &builtin in Builtin::ALL {
            let target = crate::builtins::address(builtin);
            builtins.push(space.add_stub(&match builtin.keeps_registers() {
                true => tenure_stubs::builtin_keeping_registers(target),
                false => tenure_stubs::builtin(target),
            })?);
        }
        builtins.extend(Leaf::ALL.iter().map(|&leaf| crate::builtins::leaf_address(leaf)));
        space.builtins = builtins.into();
        Ok(Arc::new(space))
    }

    /// First address of code, and one past the last.
    pub(crate) fn code_range(&self) -> (usize, usize) {
        let start = self.pages.exec_base() as usize;
        (start, start + self.pages.code_len())
    }

    /// Where memories come from, and go.
    pub(crate) fn memories(&self) -> &Arc<MemoryPool> {
        &self.memories
    }

    /// The limits of the engine's pool, if it has one.
    pub fn pooling(&self) -> Option<&Arc<Pooling>> {
        self.pooling.as_ref()
    }

    /// How much address space of memories is in use, and waits to be.
    pub fn memories_in_use(&self) -> MemoryPoolUse {
        self.memories.in_use()
    }

    /// Builtins' stubs by number; lives as long as `self`.
    pub(crate) fn builtins(&self) -> *const usize {
        self.builtins.as_ptr()
    }

    /// Address of the unwind stub.
    pub(crate) fn unwind(&self) -> usize {
        self.unwind
    }

    /// Address of the stub where faults go on.
    pub(crate) fn fault(&self) -> usize {
        self.fault
    }

    /// The stubs for functions of type `ty`, made when they are first asked for.
    ///
    /// # Errors
    /// When code memory is full, or the part of it that stubs may have.
    pub fn sig_stubs(&self, ty: &FuncType) -> Result<SigStubs, LoadError> {
        let classes = |list: &[tenure_types::ValType]| list.iter().map(|&ty| ValClass::of(ty)).collect();
        let key: SigKey = (classes(ty.params()), classes(ty.results()));
        if let Some(&stubs) = self.signatures.read().unwrap_or_else(PoisonError::into_inner).stubs.get(&key) {
            return Ok(stubs);
        }
        let mut known = self.signatures.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(&stubs) = known.stubs.get(&key) {
            return Ok(stubs);
        }
        let (entry, exit) = (tenure_stubs::entry(ty), tenure_stubs::exit(ty));
        let (bytes, limit) = (known.bytes + entry.len() + exit.len(), self.pages.code_len() / CODE_PER_STUBS);
        if bytes > limit {
            return Err(LoadError::Signatures { count: known.stubs.len(), limit });
        }
        let (entry, exit) = (self.add_stub(&entry)?, self.add_stub(&exit)?);
        let slots = self.take_slots(1)?;
        self.set_slot(slots, 0, exit);
        let stubs = SigStubs { entry, exit: self.slot(slots, 0) };
        known.stubs.insert(key, stubs);
        known.bytes = bytes;
        Ok(stubs)
    }

    /// The module whose code holds address `pc`.
    pub fn find(&self, pc: usize) -> Option<Arc<LoadedModule>> {
        let modules = self.modules.read().unwrap_or_else(PoisonError::into_inner);
        let module = modules.range(..=pc).next_back()?.1.upgrade();
        // Whoever drops the last use of a module takes this lock.
        drop(modules);
        module.filter(|module| module.look_at(pc, |_| ()).is_some())
    }

    pub(crate) fn register(&self, start: usize, module: Weak<LoadedModule>) {
        self.modules.write().unwrap_or_else(PoisonError::into_inner).insert(start, module);
    }

    pub(crate) fn unregister(&self, start: usize) {
        self.modules.write().unwrap_or_else(PoisonError::into_inner).remove(&start);
    }

    /// Whether one module may have so many bytes of code.
    pub(crate) fn check_module_code(&self, bytes: usize) -> Result<(), LoadError> {
        let (wanted, limit) = (bytes as u64, self.module_code_bytes);
        if wanted <= limit { Ok(()) } else { Err(LoadError::Limit { wanted, limit }) }
    }

    /// Room for `len` bytes of code, whole pages; the offset in the code part.
    pub(crate) fn take_code(&self, len: usize) -> Result<usize, LoadError> {
        let len = len.max(1).next_multiple_of(page_size());
        self.free().code.take(len, page_size()).ok_or(LoadError::Full { wanted: len })
    }

    /// Address of offset `at` of the code part.
    pub(crate) fn code_address(&self, at: usize) -> usize {
        self.pages.exec_base() as usize + at
    }

    /// Puts `code` where [`CodeSpace::take_code`] or a stub's place said.
    ///
    /// # Safety
    /// The room is the caller's and nobody runs code there.
    pub(crate) unsafe fn write_code(&self, at: usize, code: &[u8]) -> Result<(), LoadError> {
        // SAFETY: the caller owns the room and nobody uses it yet.
        unsafe { self.pages.write(at, code)? };
        Ok(())
    }

    /// The code there.
    ///
    /// # Safety
    /// Nobody writes there during the call.
    pub(crate) unsafe fn read_code(&self, at: usize, len: usize) -> Vec<u8> {
        assert!(
            at.checked_add(len).is_some_and(|end| end <= self.pages.code_len()),
            "{len} bytes of code at {at}"
        );
        // SAFETY: the bytes lie in the view that code is executed in, which can be read as long as `self` lives; the
        // caller vouches that they do not change.
        unsafe { std::slice::from_raw_parts(self.pages.exec_base().wrapping_add(at), len) }.to_vec()
    }

    /// An empty buffer for a module's text.
    pub fn take_text(&self) -> Vec<u8> {
        std::mem::take(&mut *self.text.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps `text` for the next module, if it is no larger than is worth keeping.
    pub(crate) fn give_text(&self, mut text: Vec<u8>) {
        if text.capacity() <= MOST_TEXT {
            text.clear();
            *self.text.lock().unwrap_or_else(PoisonError::into_inner) = text;
        }
    }

    /// Takes back what [`CodeSpace::take_code`] gave.
    ///
    /// # Safety
    /// Nobody runs or will run code there.
    pub(crate) unsafe fn give_code(&self, at: usize, len: usize) {
        let len = len.max(1).next_multiple_of(page_size());
        if quarantine::is_on() {
            // Whoever goes there faults.
            let traps = tenure_stubs::TRAP.repeat(len / tenure_stubs::TRAP.len());
            // SAFETY: the caller gives the room up.
            let _ = unsafe { self.write_code(at, &traps) };
            return;
        }
        // SAFETY: whole pages that the caller gives up. Where the system refuses, the pages merely keep
        // their memory until they are written again.
        let _ = unsafe { self.pages.discard(at, len) };
        self.free().code.give(at, len);
    }

    /// Room for `count` code slots; the offset in the data part.
    pub(crate) fn take_slots(&self, count: usize) -> Result<usize, LoadError> {
        let bytes = count.max(1) * size_of::<CodeSlot>();
        self.free().data.take(bytes, align_of::<CodeSlot>()).ok_or(LoadError::Full { wanted: bytes })
    }

    /// Takes back what [`CodeSpace::take_slots`] gave.
    pub(crate) fn give_slots(&self, at: usize, count: usize) {
        if quarantine::is_on() {
            // A call through one goes nowhere.
            return (0..count).for_each(|index| self.set_slot(at, index, 0));
        }
        self.free().data.give(at, count.max(1) * size_of::<CodeSlot>());
    }

    /// The address of slot `index` of those at `at`.
    pub(crate) fn slot(&self, at: usize, index: usize) -> *const CodeSlot {
        let offset = at + index * size_of::<CodeSlot>();
        assert!(offset + size_of::<CodeSlot>() <= self.pages.data_len(), "slot {index} is in the data part");
        self.pages.data_base().wrapping_add(offset).cast::<CodeSlot>().cast_const()
    }

    /// Publishes `code` in slot `index` of those at `at`.
    pub(crate) fn set_slot(&self, at: usize, index: usize, code: usize) {
        let slot = self.slot(at, index);
        // SAFETY: `slot` checked that the address is inside the data part, which is mapped as long as `self`
        // and readable and writable; the type is atomic.
        unsafe { (*slot).store(std::ptr::with_exposed_provenance_mut(code), Ordering::Release) };
    }

    /// Room for the budgets of `count` functions; the offset in the data part.
    pub(crate) fn take_budgets(&self, count: usize) -> Result<usize, LoadError> {
        let bytes = count.max(1) * size_of::<Budget>();
        self.free().data.take(bytes, align_of::<Budget>()).ok_or(LoadError::Full { wanted: bytes })
    }

    /// Takes back what [`CodeSpace::take_budgets`] gave.
    pub(crate) fn give_budgets(&self, at: usize, count: usize) {
        self.free().data.give(at, count.max(1) * size_of::<Budget>());
    }

    /// The address of budget `index` of those at `at`.
    pub(crate) fn budget(&self, at: usize, index: usize) -> *const Budget {
        let offset = at + index * size_of::<Budget>();
        assert!(offset + size_of::<Budget>() <= self.pages.data_len(), "budget {index} is in the data part");
        self.pages.data_base().wrapping_add(offset).cast::<Budget>().cast_const()
    }

    /// Sets budget `index` of those at `at`.
    pub(crate) fn set_budget(&self, at: usize, index: usize, budget: i32) {
        let cell = self.budget(at, index);
        // SAFETY: `budget` checked that the address is inside the data part, which is mapped as long as `self`
        // and readable and writable; the type is atomic, and code that subtracts from it without a lock only
        // loses counts.
        unsafe { (*cell).store(budget, Ordering::Relaxed) };
    }

    /// What is left of budget `index` of those at `at`.
    pub(crate) fn budget_left(&self, at: usize, index: usize) -> i32 {
        let cell = self.budget(at, index);
        // SAFETY: as in `set_budget`.
        unsafe { (*cell).load(Ordering::Relaxed) }
    }

    /// Points the `count` slots at `at`, those of a module's functions in order, to stubs that have their code
    /// made.
    pub(crate) fn set_first_calls(&self, at: usize, count: usize) -> Result<(), LoadError> {
        let mut chunks = self.first_calls.lock().unwrap_or_else(PoisonError::into_inner);
        while chunks.len() * FIRST_CALLS < count {
            let first = (chunks.len() * FIRST_CALLS) as u32;
            let target = crate::builtins::address(Builtin::FirstCall);
            chunks.push(self.add_stub(&tenure_stubs::first_calls(first, FIRST_CALLS as u32, target))?);
        }
        for index in 0..count {
            let stub = chunks[index / FIRST_CALLS] + index % FIRST_CALLS * tenure_stubs::FIRST_CALL_LEN;
            self.set_slot(at, index, stub);
        }
        Ok(())
    }

    fn add_stub(&self, code: &[u8]) -> Result<usize, LoadError> {
        let mut free = self.free();
        let len = code.len().next_multiple_of(32);
        if free.stubs.1 < len {
            let room = len.max(4 * page_size()).next_multiple_of(page_size());
            let at = free.code.take(room, page_size()).ok_or(LoadError::Full { wanted: room })?;
            free.stubs = (at, room);
        }
        let (at, left) = free.stubs;
        free.stubs = (at + len, left - len);
        drop(free);
        // SAFETY: these bytes were never handed out before.
        unsafe { self.write_code(at, code)? };
        Ok(self.code_address(at))
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for CodeSpace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodeSpace").field("pages", &self.pages).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_types::ValType;

    #[test]
    fn signatures_leave_room_for_code() {
        let config = SpaceConfig { code_bytes: LEAST_CODE_BYTES, ..SpaceConfig::default() };
        let space = CodeSpace::with(config).unwrap();
        let ty = |number: usize| {
            let params = (0..24).map(|bit| if number >> bit & 1 == 1 { ValType::I64 } else { ValType::F32 });
            FuncType::new(params.collect::<Vec<_>>(), [])
        };
        let refused = (0..100_000).find_map(|number| Some((number, space.sig_stubs(&ty(number)).err()?)));
        let (count, error) = refused.expect("not all have room");
        assert!(count > 1000 && matches!(error, LoadError::Signatures { .. }), "{count}: {error}");
        space.sig_stubs(&ty(count + 1)).unwrap_err();
        // Those that are there stay, and code has room.
        space.sig_stubs(&ty(count - 1)).unwrap();
        space.take_code(LEAST_CODE_BYTES / 8 * 3).unwrap();
    }
}
