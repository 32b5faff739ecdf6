//! A module whose code is in memory, ready to be instantiated.

use crate::code_space::{CodeSpace, LoadError};
use crate::image::{MemImage, images};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use tenure_abi::CtxLayout;
use tenure_abi::vm::CodeSlot;
use tenure_code::{CodeImage, FuncRange, Tunables};
use tenure_module::Module;
use tenure_types::FuncIdx;

/// The next module's [`LoadedModule::id`].
static NEXT_ID: AtomicU64 = AtomicU64::new(0);

/// A module with its code. Shared by its instances, immutable but for the code slots.
pub struct LoadedModule {
    id: u64,
    module: Module,
    layout: CtxLayout,
    tunables: Tunables,
    image: CodeImage,
    type_ids: Box<[u32]>,
    /// Initial contents of the own memories, when they are known.
    images: Option<Box<[Arc<MemImage>]>>,
    space: Arc<CodeSpace>,
    code_at: usize,
    slots_at: usize,
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
        image: CodeImage,
        tunables: Tunables,
    ) -> Result<Arc<Self>, LoadError> {
        let defined = module.defined_funcs();
        if image.funcs.len() != defined {
            return Err(LoadError::Mismatch("another number of functions"));
        }
        let slots_at = space.take_slots(defined)?;
        let code_at = match space.take_code(image.text.len()) {
            Ok(at) => at,
            Err(error) => {
                space.give_slots(slots_at, defined);
                return Err(error);
            }
        };
        let images = images(&module);
        let type_ids = module.types.iter().map(|id| id.0).collect();
        let id = NEXT_ID.fetch_add(1, Ordering::Relaxed);
        // From here on dropping `loaded` gives everything back.
        let loaded = Self {
            id,
            module,
            layout,
            tunables,
            image,
            type_ids,
            images,
            space: space.clone(),
            code_at,
            slots_at,
        };
        let text = loaded.relocated()?;
        // SAFETY: the room was taken just now, and nobody knows of it yet.
        unsafe { space.write_code(code_at, &text)? };
        for (at, range) in loaded.image.funcs.iter().enumerate() {
            if range.func != loaded.module.defined_func(at) || (range.start + range.len) as usize > text.len()
            {
                return Err(LoadError::Mismatch("functions out of order"));
            }
            space.set_slot(slots_at, at, space.code_address(code_at) + range.start as usize);
        }
        Ok(Arc::new_cyclic(|weak: &Weak<Self>| {
            space.register(space.code_address(code_at), weak.clone());
            loaded
        }))
    }

    /// The text with the distance to each code slot filled in.
    fn relocated(&self) -> Result<Vec<u8>, LoadError> {
        let mut text = self.image.text.clone();
        let base = self.space.code_address(self.code_at) as i64;
        for reloc in &self.image.relocs {
            let at = reloc.at as usize;
            let slot = self.module.body_index(reloc.func).filter(|&slot| slot < self.module.defined_funcs());
            let (Some(slot), Some(bytes)) = (slot, text.get_mut(at..at + 4)) else {
                return Err(LoadError::Mismatch("a relocation outside the module"));
            };
            let target = self.space.slot(self.slots_at, slot) as i64 + i64::from(reloc.addend);
            let distance = i32::try_from(target - (base + at as i64))
                .map_err(|_| LoadError::Mismatch("a relocation out of reach"))?;
            bytes.copy_from_slice(&distance.to_le_bytes());
        }
        Ok(text)
    }

    /// A number that no other module of this process has or had.
    pub fn id(&self) -> u64 {
        self.id
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

    /// The code as data. Its relocations are not applied.
    pub fn image(&self) -> &CodeImage {
        &self.image
    }

    /// The engine's code memory.
    pub fn space(&self) -> &Arc<CodeSpace> {
        &self.space
    }

    /// The initial contents of its own memories, in order, when they are known before instantiation.
    pub(crate) fn images(&self) -> Option<&[Arc<MemImage>]> {
        self.images.as_deref()
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

    /// First address of the code.
    pub fn text_start(&self) -> usize {
        self.space.code_address(self.code_at)
    }

    /// The offset of `pc` in the text, if it lies there.
    pub fn text_offset(&self, pc: usize) -> Option<u32> {
        let offset = pc.checked_sub(self.text_start())?;
        (offset < self.image.text.len()).then_some(offset as u32)
    }

    /// The function whose code holds `offset` of the text.
    pub fn func_at(&self, offset: u32) -> Option<&FuncRange> {
        self.image.find(offset)
    }
}

impl Drop for LoadedModule {
    fn drop(&mut self) {
        self.space.unregister(self.text_start());
        // SAFETY: instances hold the module, and code of it runs only in calls into its instances; the
        // last of them is gone.
        unsafe { self.space.give_code(self.code_at, self.image.text.len()) };
        self.space.give_slots(self.slots_at, self.module.defined_funcs());
    }
}

impl std::fmt::Debug for LoadedModule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoadedModule").field("name", &self.module.names.module()).finish_non_exhaustive()
    }
}
