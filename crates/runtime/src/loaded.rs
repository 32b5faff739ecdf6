//! A module that is ready to be instantiated, with the code that it has so far.
//!
//! ```text
//! slots     one a defined function: where calls of it go
//! budgets   one a defined function, if code may come later
//! image     code that was there from the start: of all functions, or of none
//! later     code that came while guests ran, in chunks: of any function, any number of times
//! ```
//! Code only ever comes. Better code takes the place of worse in the slot; frames may still run the worse, so
//! it stays as long as the module.

use crate::code_space::{CodeSpace, LoadError};
use crate::image::{MemImage, images};
use crate::template::Template;
use crate::tiers::{TierSummary, Tiers};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, Weak};
use tenure_abi::CtxLayout;
use tenure_abi::vm::CodeSlot;
use tenure_code::{Cell, CodeImage, CompiledFunc, FuncMeta, Reloc, Tier, Tunables};
use tenure_module::Module;
use tenure_types::FuncIdx;

/// The next module's [`LoadedModule::id`].
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// Bytes of code memory that a module takes at a time for code that comes later.
const CHUNK_BYTES: usize = 64 << 10;

/// A module with its code. Shared by its instances, immutable but for the code.
pub struct LoadedModule {
    id: AtomicU64,
    module: Module,
    layout: CtxLayout,
    tunables: Tunables,
    /// Code that was there from the start, but for its text: that is in code memory.
    image: CodeImage,
    text_len: usize,
    /// The same with its text, once somebody wants to look at it.
    whole: OnceLock<CodeImage>,
    type_ids: Box<[u32]>,
    /// Initial contents of the own memories, when they are known.
    images: Option<Box<[Option<Arc<MemImage>>]>>,
    /// What instances start from, once one was made.
    template: OnceLock<Template>,
    /// The same module for memories that reserve little, once it was needed.
    small: OnceLock<Arc<LoadedModule>>,
    /// Whether its debug information is one that may be read, once somebody wanted to.
    debug_is_kept: OnceLock<bool>,
    space: Arc<CodeSpace>,
    code_at: usize,
    slots_at: usize,
    lazy: Option<Lazy>,
}

/// What a module has whose code comes while guests run.
struct Lazy {
    tiers: Arc<dyn Tiers>,
    budgets_at: usize,
    chunks: Mutex<Vec<Chunk>>,
    /// Bytes of all chunks.
    bytes: AtomicUsize,
    /// By the address of the first byte.
    pieces: RwLock<BTreeMap<usize, Piece>>,
}

/// Code memory of which a part is in use.
struct Chunk {
    at: usize,
    used: usize,
    len: usize,
}

/// Code of one function that came later.
struct Piece {
    func: FuncIdx,
    tier: Tier,
    len: usize,
    meta: FuncMeta,
}

/// What lies at an address of a module's code.
#[derive(Clone, Copy, Debug)]
pub struct CodeAt<'a> {
    /// Whose code.
    pub func: FuncIdx,
    /// Which tier made it.
    pub tier: Tier,
    /// Where in the function's code, in bytes.
    pub at: u32,
    /// What is known of that code.
    pub meta: &'a FuncMeta,
}

impl LoadedModule {
    /// Maps `image`, the code of every function that `module` defines, and fills the code slots.
    ///
    /// # Errors
    /// [`LoadError::Full`] when code memory is used up, [`LoadError::Mismatch`] when the image is not this
    /// module's.
    pub fn load(
        space: &Arc<CodeSpace>,
        module: Module,
        layout: CtxLayout,
        mut image: CodeImage,
        tunables: Tunables,
    ) -> Result<Arc<Self>, LoadError> {
        if image.funcs.len() != module.defined_funcs() {
            return Err(LoadError::Mismatch("another number of functions"));
        }
        let mut text = std::mem::take(&mut image.text);
        let loaded = Self::with_slots(space, module, layout, (image, text.len()), tunables)?;
        let start = space.code_address(loaded.code_at);
        loaded.relocate(&mut text, &loaded.image.relocs, start)?;
        // SAFETY: the room was taken just now, and nobody knows of it yet.
        unsafe { space.write_code(loaded.code_at, &text)? };
        for (at, range) in loaded.image.funcs.iter().enumerate() {
            if range.func != loaded.module.defined_func(at) || (range.start + range.len) as usize > text.len()
            {
                return Err(LoadError::Mismatch("functions out of order"));
            }
            space.set_slot(loaded.slots_at, at, start + range.start as usize);
        }
        space.give_text(text);
        Ok(loaded.shared())
    }

    /// A module without code: `tiers` makes that of each function when it is called for the first time.
    ///
    /// # Errors
    /// [`LoadError::Full`] when code memory is used up.
    pub fn lazy(
        space: &Arc<CodeSpace>,
        module: Module,
        layout: CtxLayout,
        tunables: Tunables,
        tiers: Arc<dyn Tiers>,
    ) -> Result<Arc<Self>, LoadError> {
        let defined = module.defined_funcs();
        let mut loaded = Self::with_slots(space, module, layout, (CodeImage::default(), 0), tunables)?;
        loaded.lazy = Some(Lazy {
            tiers,
            budgets_at: space.take_budgets(defined)?,
            chunks: Mutex::default(),
            bytes: AtomicUsize::new(0),
            pieces: RwLock::default(),
        });
        space.set_first_calls(loaded.slots_at, defined)?;
        Ok(loaded.shared())
    }

    /// Takes the room that the module needs from the start, for a text of so many bytes. What is returned gives it back
    /// when dropped.
    fn with_slots(
        space: &Arc<CodeSpace>,
        module: Module,
        layout: CtxLayout,
        (image, text_len): (CodeImage, usize),
        tunables: Tunables,
    ) -> Result<Self, LoadError> {
        let defined = module.defined_funcs();
        space.check_module_code(text_len)?;
        let slots_at = space.take_slots(defined)?;
        let code_at = match space.take_code(text_len) {
            Ok(at) => at,
            Err(error) => {
                space.give_slots(slots_at, defined);
                return Err(error);
            }
        };
        let id = AtomicU64::new(NEXT_ID.fetch_add(1, Ordering::Relaxed));
        let type_ids = module.types.iter().map(|id| id.0).collect();
        let images = images(&module, space.memories());
        let space = space.clone();
        Ok(Self {
            id,
            module,
            layout,
            tunables,
            image,
            text_len,
            whole: OnceLock::new(),
            type_ids,
            images,
            template: OnceLock::new(),
            small: OnceLock::new(),
            debug_is_kept: OnceLock::new(),
            space,
            code_at,
            slots_at,
            lazy: None,
        })
    }

    fn shared(self) -> Arc<Self> {
        Arc::new_cyclic(|weak: &Weak<Self>| {
            if self.text_len > 0 {
                self.space.register(self.text_start(), weak.clone());
            }
            self
        })
    }

    /// Fills in the distances in `code`, which is to lie at address `start`.
    fn relocate(&self, code: &mut [u8], relocs: &[Reloc], start: usize) -> Result<(), LoadError> {
        for reloc in relocs {
            let at = reloc.at as usize;
            let place = self.module.body_index(reloc.func).filter(|&at| at < self.module.defined_funcs());
            let (Some(place), Some(bytes)) = (place, code.get_mut(at..at + 4)) else {
                return Err(LoadError::Mismatch("a relocation outside the module"));
            };
            let cell = match (reloc.cell, &self.lazy) {
                (Cell::Slot, _) => self.space.slot(self.slots_at, place) as i64,
                (Cell::Budget, Some(lazy)) => self.space.budget(lazy.budgets_at, place) as i64,
                (Cell::Budget, None) => return Err(LoadError::Mismatch("a budget that is not there")),
            };
            let target = cell + i64::from(reloc.addend);
            let distance = i32::try_from(target - (start + at) as i64)
                .map_err(|_| LoadError::Mismatch("a relocation out of reach"))?;
            bytes.copy_from_slice(&distance.to_le_bytes());
        }
        Ok(())
    }

    /// Puts more code of a function in memory, and says where. Calls do not go there before
    /// [`LoadedModule::publish`].
    ///
    /// # Errors
    /// [`LoadError::Full`] when code memory is used up; [`LoadError::Mismatch`] when the code is not this
    /// module's, or its code was complete from the start.
    pub fn add(self: &Arc<Self>, func: CompiledFunc) -> Result<usize, LoadError> {
        let CompiledFunc { func, tier, mut code, align, relocs, meta, homes: _ } = func;
        let Some(lazy) = &self.lazy else {
            return Err(LoadError::Mismatch("a module whose code is complete"));
        };
        let at = self.take_room(lazy, code.len(), align as usize)?;
        let start = self.space.code_address(at);
        self.relocate(&mut code, &relocs, start)?;
        // SAFETY: the room was taken just now, and nobody knows of it yet.
        unsafe { self.space.write_code(at, &code)? };
        let piece = Piece { func, tier, len: code.len(), meta };
        lazy.pieces.write().unwrap_or_else(PoisonError::into_inner).insert(start, piece);
        Ok(start)
    }

    /// Room for `len` bytes in a chunk.
    fn take_room(self: &Arc<Self>, lazy: &Lazy, len: usize, align: usize) -> Result<usize, LoadError> {
        let align = align.clamp(16, CodeImage::ALIGN);
        let mut chunks = lazy.chunks.lock().unwrap_or_else(PoisonError::into_inner);
        let taken: usize = chunks.iter().map(|chunk| chunk.used).sum();
        if let Some(chunk) = chunks.last_mut() {
            let used = chunk.used.next_multiple_of(align);
            if used + len <= chunk.len {
                self.space.check_module_code(taken.saturating_add(len))?;
                chunk.used = used + len;
                return Ok(chunk.at + used);
            }
        }
        // The first is small: most modules call few of their functions.
        let wanted = if chunks.is_empty() { CHUNK_BYTES / 4 } else { CHUNK_BYTES };
        let room = wanted.max(len);
        self.space.check_module_code(taken.saturating_add(len))?;
        let at = self.space.take_code(room)?;
        chunks.push(Chunk { at, used: len, len: room });
        lazy.bytes.fetch_add(room, Ordering::Relaxed);
        self.space.register(self.space.code_address(at), Arc::downgrade(self));
        Ok(at)
    }

    /// Makes calls of `func` go to `code`, which [`LoadedModule::add`] returned for it.
    pub fn publish(&self, func: FuncIdx, code: usize) {
        if let Some(at) = self.module.body_index(func) {
            self.space.set_slot(self.slots_at, at, code);
        }
    }

    /// What `func` may execute in the baseline tier from now on before it asks for better code, in bytes of
    /// WebAssembly. Threads that run it may not notice at once.
    pub fn set_budget(&self, func: FuncIdx, budget: i32) {
        if let (Some(lazy), Some(at)) = (&self.lazy, self.module.body_index(func)) {
            self.space.set_budget(lazy.budgets_at, at, budget);
        }
    }

    /// What is left of the budget of `func`, if its code comes while guests run.
    pub fn budget(&self, func: FuncIdx) -> Option<i32> {
        let lazy = self.lazy.as_ref()?;
        let at = self.module.body_index(func).filter(|&at| at < self.module.defined_funcs())?;
        Some(self.space.budget_left(lazy.budgets_at, at))
    }

    /// Who makes code while guests run, if the code was not complete from the start.
    pub fn tiers(&self) -> Option<&Arc<dyn Tiers>> {
        self.lazy.as_ref().map(|lazy| &lazy.tiers)
    }

    /// How far its functions have come. Of code that was complete from the start, nothing tells here why a
    /// function is in one tier or the other.
    pub fn tier_summary(&self) -> TierSummary {
        if let Some(lazy) = &self.lazy {
            return lazy.tiers.summary();
        }
        let compilations = self.image.funcs.len();
        let baseline = self.image.funcs.iter().filter(|range| range.tier == Tier::Baseline).count();
        TierSummary { baseline, optimized: compilations - baseline, compilations, ..TierSummary::default() }
    }

    /// A number that no other module of this process has or had, but the same module for other memories.
    pub fn id(&self) -> u64 {
        self.id.load(Ordering::Relaxed)
    }

    /// The same module for memories that reserve little address space, which `make` makes if it is not there yet.
    ///
    /// # Errors
    /// That of `make`.
    pub fn small<E>(&self, make: impl FnOnce() -> Result<Arc<Self>, E>) -> Result<&Arc<Self>, E> {
        if let Some(small) = self.small.get() {
            return Ok(small);
        }
        let small = make()?;
        small.id.store(self.id(), Ordering::Relaxed);
        // Whoever was first has made it.
        Ok(self.small.get_or_init(|| small))
    }

    /// Whether its debug information may be read, by what `look` finds: asked once.
    pub fn is_debug_kept(&self, look: impl FnOnce() -> bool) -> bool {
        *self.debug_is_kept.get_or_init(look)
    }

    /// What is known of the module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// Where each record of an instance's context lies.
    pub fn layout(&self) -> &CtxLayout {
        &self.layout
    }

    /// What the code relies on.
    pub fn tunables(&self) -> &Tunables {
        &self.tunables
    }

    /// The code that was there from the start, as data; empty when code comes later. Its relocations are not
    /// applied. Made when it is first asked for.
    pub fn image(&self) -> &CodeImage {
        self.whole.get_or_init(|| {
            let mut image = self.image.clone();
            // SAFETY: the room is the module's, and was written before anyone had the module.
            image.text = unsafe { self.space.read_code(self.code_at, self.text_len) };
            image.clear_relocs();
            image
        })
    }

    /// Bytes of code memory that it takes now.
    pub fn code_bytes(&self) -> usize {
        self.text_len + self.lazy.as_ref().map_or(0, |lazy| lazy.bytes.load(Ordering::Relaxed))
    }

    /// The engine's code memory.
    pub fn space(&self) -> &Arc<CodeSpace> {
        &self.space
    }

    /// The initial contents of its own memories, in order, when they are known before instantiation.
    pub(crate) fn images(&self) -> Option<&[Option<Arc<MemImage>>]> {
        self.images.as_deref()
    }

    /// What instances start from.
    pub(crate) fn template(&self) -> &Template {
        self.template.get_or_init(|| Template::new(self))
    }

    pub(crate) fn type_ids(&self) -> *const u32 {
        self.type_ids.as_ptr()
    }

    /// The code slot of `func`.
    ///
    /// # Panics
    /// When the module does not define `func`.
    pub(crate) fn slot(&self, func: FuncIdx) -> *const CodeSlot {
        let at = self.module.body_index(func).expect("an imported function has its slot elsewhere");
        assert!(at < self.module.defined_funcs());
        self.space.slot(self.slots_at, at)
    }

    /// Where calls of `func`, which the module defines, go now.
    pub fn code_of(&self, func: FuncIdx) -> usize {
        // SAFETY: the slot lies in the engine's data pages, which live as long as `self.space`; it is atomic.
        unsafe { (*self.slot(func)).load(Ordering::Acquire) }.expose_provenance()
    }

    /// First address of the code that was there from the start.
    pub fn text_start(&self) -> usize {
        self.space.code_address(self.code_at)
    }

    /// What `look` says of the code at address `pc`; `None` if no function's code lies there.
    pub fn look_at<R>(&self, pc: usize, look: impl FnOnce(CodeAt<'_>) -> R) -> Option<R> {
        if let Some(offset) = pc.checked_sub(self.text_start())
            && let Ok(offset) = u32::try_from(offset)
            && let Some(range) = self.image.find(offset)
        {
            let code =
                CodeAt { func: range.func, tier: range.tier, at: offset - range.start, meta: &range.meta };
            return Some(look(code));
        }
        let pieces = self.lazy.as_ref()?.pieces.read().unwrap_or_else(PoisonError::into_inner);
        let (&start, piece) = pieces.range(..=pc).next_back()?;
        let at = pc - start;
        let code = CodeAt { func: piece.func, tier: piece.tier, at: at as u32, meta: &piece.meta };
        (at < piece.len).then(|| look(code))
    }
}

impl Drop for LoadedModule {
    fn drop(&mut self) {
        let defined = self.module.defined_funcs();
        self.space.unregister(self.text_start());
        // SAFETY: instances hold the module, and code of it runs only in calls into its instances; the
        // last of them is gone.
        unsafe { self.space.give_code(self.code_at, self.text_len) };
        self.space.give_slots(self.slots_at, defined);
        let Some(lazy) = &mut self.lazy else { return };
        self.space.give_budgets(lazy.budgets_at, defined);
        for chunk in lazy.chunks.get_mut().unwrap_or_else(PoisonError::into_inner) {
            self.space.unregister(self.space.code_address(chunk.at));
            // SAFETY: as above.
            unsafe { self.space.give_code(chunk.at, chunk.len) };
        }
    }
}

impl std::fmt::Debug for LoadedModule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedModule").field("name", &self.module.names.module()).finish_non_exhaustive()
    }
}
