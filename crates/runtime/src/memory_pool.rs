//! Address space of memories that went, kept to be used again: making a memory then takes no system call.
//!
//! ```text
//!          take                                 give
//! waiting ──────▶ content made what it is to be ────▶ what the guest wrote is undone ──▶ waiting
//!    ▲
//!    └ reserved anew, several at once when there are many
//! ```
//! What is reserved anew can be made accessible later, when somebody is about to look: that is a system call each.
//!
//! A slot that waits is clean: it holds zeros, or the initial content of one module's memory, which the next instance
//! of that module finds ready. What was written is undone before a slot waits, so nothing of one guest is ever seen by
//! another: by hand in a small memory, page by page in a larger one where the system tells which pages were written,
//! else by giving all of them back.

use crate::image::MemImage;
use std::collections::{BTreeMap, HashMap};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use tenure_sys::{PageScan, Reservation, quarantine};

/// Up to this many bytes a memory is cleared by writing all of it: what asking for written pages costs.
const CLEAR_BY_HAND: usize = 128 << 10;
/// Address space is reserved for at most so many slots at once.
const MOST_AT_ONCE: usize = 16;
/// Slots from this size on are counted.
const LARGE: usize = 1 << 30;
/// At most so many of them: each is two or three mappings of the 65,530 that Linux allows a process unless it is told
/// otherwise. Memories beyond are small ones.
const MOST_LARGE: usize = 20_000;
/// Files of images at most: each takes one of the process's descriptors.
const MOST_FILES: usize = 200;
/// Keys without slots are forgotten when there are more keys than this.
const MOST_KEYS: usize = 64;

/// How memories are kept.
#[derive(Clone, Debug)]
pub struct MemoryPoolConfig {
    /// Most slots that wait. Waiting costs address space.
    pub most_waiting: usize,
    /// Of those, how many keep pages of memory.
    pub most_warm: usize,
    /// Most bytes that each of them keeps.
    pub keep_resident: usize,
    /// Whether the system may be asked which pages were written.
    pub scan_pages: bool,
    /// Whether initial content may be mapped, copied on write.
    pub copy_on_write: bool,
}

impl Default for MemoryPoolConfig {
    fn default() -> Self {
        Self {
            most_waiting: 1000,
            most_warm: 100,
            keep_resident: 512 << 10,
            scan_pages: true,
            copy_on_write: true,
        }
    }
}

/// The slots of one engine.
pub(crate) struct MemoryPool {
    config: MemoryPoolConfig,
    waiting: Mutex<Waiting>,
    /// Slots that memories have.
    live: AtomicUsize,
    /// Slots of [`LARGE`] size.
    large: Arc<AtomicUsize>,
    images: AtomicU64,
    files: AtomicUsize,
    scan: OnceLock<Option<PageScan>>,
}

#[derive(Default)]
struct Waiting {
    slots: BTreeMap<Key, Vec<Slot>>,
    count: usize,
    /// Of those, how many keep pages.
    warm: usize,
    /// How many bytes they keep.
    resident: usize,
    /// Address space by its length.
    made: HashMap<usize, Made>,
}

/// What was reserved of one length.
#[derive(Default)]
struct Made {
    /// How many slots.
    count: usize,
    /// What nothing was done with yet.
    spare: Vec<Reservation>,
}

/// What two reservations must share to stand for each other.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Shape {
    /// Bytes of address space, with the guard.
    pub reserved: usize,
    /// Bytes from the start that can be accessed, whole pages of the system.
    pub committed: usize,
}

/// Where a slot waits: by shape, then by what it holds.
type Key = (Shape, u64);

/// Address space for a memory.
pub(crate) struct Slot {
    pub pages: Reservation,
    pub shape: Shape,
    content: Content,
    /// What was mapped from the file of an image, and is not all zeros when pages are given back.
    mapped: Range<usize>,
    /// Bytes of memory that it is known to keep.
    resident: usize,
    _large: Option<Large>,
}

/// A slot with much address space, as long as it is there.
struct Large(Arc<AtomicUsize>);

impl Large {
    fn new(count: &Arc<AtomicUsize>) -> io::Result<Self> {
        let large = Self(count.clone());
        if count.fetch_add(1, Ordering::Relaxed) >= MOST_LARGE {
            return Err(io::ErrorKind::OutOfMemory.into());
        }
        Ok(large)
    }
}

impl Drop for Large {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What stands in a slot.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Content {
    /// Nothing: it cannot be accessed yet.
    Uncommitted,
    /// Zeros, but for the image with this id; 0 is none.
    Image(u64),
    /// Anything.
    Unknown,
}

const ZERO: Content = Content::Image(0);

/// Numbers of a pool, for whoever watches it.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MemoryPoolUse {
    /// Memories that live.
    pub live: usize,
    /// Slots that wait.
    pub waiting: usize,
    /// Slots that wait and keep pages of memory.
    pub warm: usize,
    /// Bytes of memory that they are known to keep.
    pub resident: usize,
}

impl MemoryPool {
    pub fn new(config: MemoryPoolConfig) -> Self {
        Self {
            config,
            waiting: Mutex::default(),
            live: AtomicUsize::new(0),
            large: Arc::default(),
            images: AtomicU64::new(0),
            files: AtomicUsize::new(0),
            scan: OnceLock::new(),
        }
    }

    /// A slot of `shape` that holds `image`, or zeros. When that may come `later`, one that was never accessible may
    /// still not be: [`MemoryPool::make_ready`] is to follow.
    ///
    /// # Errors
    /// When the system refuses, also after everything that waits was given back.
    pub fn take(&self, shape: Shape, image: Option<&MemImage>, later: bool) -> io::Result<Slot> {
        let taken = self.try_take(shape, image, later).or_else(|error| {
            if self.lock().reserved() < shape.reserved {
                return Err(error);
            }
            drop(std::mem::take(&mut *self.lock()));
            self.try_take(shape, image, later)
        });
        if taken.is_ok() {
            self.live.fetch_add(1, Ordering::Relaxed);
        }
        taken
    }

    /// Makes `slot`, which was taken for `image`, accessible.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn make_ready(&self, slot: &mut Slot, image: Option<&MemImage>) -> io::Result<()> {
        match slot.is_ready() {
            true => Ok(()),
            false => slot.prepare(image, self.config.copy_on_write),
        }
    }

    fn try_take(&self, shape: Shape, image: Option<&MemImage>, later: bool) -> io::Result<Slot> {
        let waiting = self.lock().take(shape, image.map_or(0, MemImage::id));
        let fresh = || -> io::Result<Slot> {
            let large = (shape.reserved >= LARGE).then(|| Large::new(&self.large)).transpose()?;
            Ok(Slot {
                pages: self.reserve(shape)?,
                shape,
                content: if shape.is_all_committed() { ZERO } else { Content::Uncommitted },
                mapped: 0..0,
                resident: 0,
                _large: large,
            })
        };
        let mut slot = waiting.map_or_else(fresh, Ok)?;
        if slot.is_ready() || !later {
            slot.prepare(image, self.config.copy_on_write)?;
        }
        Ok(slot)
    }

    /// Address space of `shape`: more at once the more there are.
    fn reserve(&self, shape: Shape) -> io::Result<Reservation> {
        let count = match self.lock().take_spare(shape.reserved) {
            Ok(spare) => return Ok(spare),
            Err(made) => (made / 8).clamp(1, MOST_AT_ONCE),
        };
        let block = shape.reserved.checked_mul(count).map(Reservation::new);
        let (mut block, count) = match block {
            Some(Ok(block)) => (block, count),
            _ => (Reservation::new(shape.reserved)?, 1),
        };
        if shape.is_all_committed() {
            block.commit(0, block.len())?;
        }
        let mut spare = Vec::with_capacity(count);
        for _ in 1..count {
            let (first, rest) = block.split(shape.reserved)?;
            spare.push(first);
            block = rest;
        }
        let mut waiting = self.lock();
        let made = waiting.made.entry(shape.reserved).or_default();
        made.count += count;
        made.spare.append(&mut spare);
        Ok(block)
    }

    /// Keeps `slot`, which a memory that started as `image` with `committed` bytes had, for the next; or gives it
    /// back to the system. `is_clean` when nothing was written to it.
    pub fn give(&self, mut slot: Slot, committed: usize, image: Option<&MemImage>, is_clean: bool) {
        self.live.fetch_sub(1, Ordering::Relaxed);
        if quarantine::is_on() {
            // Where it cannot be protected it goes.
            let _ = quarantine::retire(slot.pages);
            return;
        }
        let is_clean = is_clean || !slot.is_ready();
        if slot.shape.committed > committed {
            // What it grew by faults again.
            if slot.pages.decommit(committed, slot.shape.committed - committed).is_err() {
                return;
            }
            slot.shape.committed = committed;
        }
        let may_stay_warm = {
            let waiting = self.lock();
            if waiting.count >= self.config.most_waiting && !waiting.has_other(slot.shape) {
                return;
            }
            waiting.warm < self.config.most_warm
        };
        let outcome = match (is_clean, may_stay_warm) {
            (true, true) => Ok(()),
            (true, false) if slot.resident == 0 => Ok(()),
            (false, true) => self.undo(&mut slot, image),
            (_, false) => slot.give_pages_back(),
        };
        // Where the system refuses, all of it goes.
        if outcome.is_ok() {
            self.keep(slot);
        }
    }

    fn keep(&self, slot: Slot) {
        let mut waiting = self.lock();
        // Goes when the lock is free again.
        let _too_much =
            if waiting.count < self.config.most_waiting { None } else { waiting.take_other(slot.shape) };
        if waiting.count < self.config.most_waiting {
            waiting.push(slot);
        }
        drop(waiting);
    }

    /// Undoes what was written to `slot`, which started as `image`.
    fn undo(&self, slot: &mut Slot, image: Option<&MemImage>) -> io::Result<()> {
        let (committed, keep) = (slot.shape.committed, self.config.keep_resident);
        let whole = 0..committed;
        if committed <= CLEAR_BY_HAND.min(keep) {
            slot.restore(whole, image);
            slot.resident = committed;
        } else {
            let mut written = Vec::new();
            let found = self.scan().map(|scan| scan.written(&slot.pages, whole, keep, &mut written));
            if !matches!(found, Some(Ok(true))) {
                return slot.give_pages_back();
            }
            slot.resident = written.iter().map(Range::len).sum();
            for part in written {
                slot.restore(part, image);
            }
        }
        slot.content = Content::Image(image.map_or(0, MemImage::id));
        Ok(())
    }

    fn scan(&self) -> Option<&PageScan> {
        let open = || self.config.scan_pages.then(|| PageScan::new().ok()).flatten();
        self.scan.get_or_init(open).as_ref()
    }

    /// The image with this id is gone: what waits with it is no more ready than anything else.
    pub fn forget(&self, image: u64) {
        let mut waiting = self.lock();
        let keys: Vec<Key> = waiting.slots.keys().filter(|key| key.1 == image).copied().collect();
        for key in keys {
            let slots = waiting.slots.remove(&key).unwrap_or_default();
            let others = waiting.slots.entry((key.0, 0)).or_default();
            others.splice(0..0, slots.into_iter().map(|slot| Slot { content: Content::Unknown, ..slot }));
        }
    }

    /// An id for an image.
    pub fn next_image(&self) -> u64 {
        self.images.fetch_add(1, Ordering::Relaxed) + 1
    }

    /// Whether another image may have a file; [`MemoryPool::give_file`] is to follow then.
    pub fn take_file(&self) -> bool {
        let more = |files| (files < MOST_FILES).then_some(files + 1);
        self.files.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    pub fn give_file(&self) {
        self.files.fetch_sub(1, Ordering::Relaxed);
    }

    /// What it has now.
    pub fn in_use(&self) -> MemoryPoolUse {
        let waiting = self.lock();
        MemoryPoolUse {
            live: self.live.load(Ordering::Relaxed),
            waiting: waiting.count,
            warm: waiting.warm,
            resident: waiting.resident,
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Waiting {
    /// Address space of `len` bytes that was reserved with others; else how many slots of it were made.
    fn take_spare(&mut self, len: usize) -> Result<Reservation, usize> {
        if self.made.len() > MOST_KEYS {
            self.made.retain(|_, made| !made.spare.is_empty());
        }
        let Some(made) = self.made.get_mut(&len) else { return Err(0) };
        made.spare.pop().ok_or(made.count)
    }

    /// A slot of `shape`: one that holds `image`, if there is one, and the last that came.
    fn take(&mut self, shape: Shape, image: u64) -> Option<Slot> {
        let last = |slots: &mut Vec<Slot>| slots.pop();
        let slot = self.slots.get_mut(&(shape, image)).and_then(last).or_else(|| {
            let others = self.slots.range_mut((shape, 0)..=(shape, u64::MAX));
            others.rev().find_map(|(_, slots)| slots.pop())
        })?;
        self.leaves(&slot);
        if self.slots.len() > MOST_KEYS {
            self.slots.retain(|_, slots| !slots.is_empty());
        }
        Some(slot)
    }

    /// Bytes of address space that nobody uses.
    fn reserved(&self) -> usize {
        let waiting = self.slots.iter().map(|(key, slots)| key.0.reserved * slots.len());
        let spare = self.made.iter().map(|(len, made)| len * made.spare.len());
        waiting.chain(spare).fold(0, usize::saturating_add)
    }

    fn push(&mut self, slot: Slot) {
        self.count += 1;
        self.warm += usize::from(slot.resident > 0);
        self.resident += slot.resident;
        let image = match slot.content {
            Content::Image(id) => id,
            Content::Uncommitted | Content::Unknown => 0,
        };
        self.slots.entry((slot.shape, image)).or_default().push(slot);
    }

    /// `slot` was taken out.
    fn leaves(&mut self, slot: &Slot) {
        self.count -= 1;
        self.warm -= usize::from(slot.resident > 0);
        self.resident -= slot.resident;
    }

    fn has_other(&self, shape: Shape) -> bool {
        self.slots.iter().any(|(key, slots)| key.0 != shape && !slots.is_empty())
    }

    /// A slot of another shape, to make room.
    fn take_other(&mut self, shape: Shape) -> Option<Slot> {
        let slot =
            self.slots.iter_mut().filter(|(key, _)| key.0 != shape).find_map(|(_, slots)| slots.pop())?;
        self.leaves(&slot);
        Some(slot)
    }
}

impl Shape {
    /// Whether all of it can be accessed: code that uses it checks everything.
    fn is_all_committed(self) -> bool {
        self.reserved == self.committed
    }
}

impl Slot {
    /// Whether it can be accessed.
    pub fn is_ready(&self) -> bool {
        self.content != Content::Uncommitted
    }

    /// Makes what can be accessed zeros and `image`.
    fn prepare(&mut self, image: Option<&MemImage>, copy_on_write: bool) -> io::Result<()> {
        let wanted = Content::Image(image.map_or(0, MemImage::id));
        if self.content == wanted {
            return Ok(());
        }
        let file = image.filter(|_| copy_on_write).and_then(|image| image.to_map(self.shape.committed));
        let before = std::mem::replace(&mut self.content, Content::Unknown);
        match before {
            ZERO => {}
            Content::Uncommitted => {
                if file.is_none_or(|file| file.part.len() < self.shape.committed) {
                    self.pages.commit(0, self.shape.committed)?;
                }
            }
            Content::Image(_) if !self.mapped.is_empty() => self.unmap()?,
            Content::Image(_) if self.shape.committed <= CLEAR_BY_HAND => self.bytes().fill(0),
            Content::Image(_) | Content::Unknown => {
                self.pages.reset(0, self.shape.committed)?;
                self.unmap()?;
            }
        }
        match (image, file) {
            (None, _) => {}
            (Some(image), None) => {
                image.write(self.bytes());
                self.resident += image.len();
            }
            (Some(_), Some(file)) => {
                file.file.map_at(&self.pages, file.part.start)?;
                self.mapped = file.part.clone();
            }
        }
        self.content = wanted;
        Ok(())
    }

    /// Puts zeros where a file was mapped.
    fn unmap(&mut self) -> io::Result<()> {
        let mapped = std::mem::take(&mut self.mapped);
        self.pages.zero(mapped.start, mapped.len())
    }

    /// Gives its pages back to the system: it holds what is mapped there again, or zeros.
    fn give_pages_back(&mut self) -> io::Result<()> {
        let before = std::mem::replace(&mut self.content, Content::Unknown);
        self.pages.reset(0, self.shape.committed)?;
        self.content = match (before, self.mapped.is_empty()) {
            (_, true) => ZERO,
            (Content::Image(id), false) => Content::Image(id),
            (before, false) => before,
        };
        self.resident = 0;
        Ok(())
    }

    /// Puts a part back to `image`, or zeros.
    fn restore(&mut self, part: Range<usize>, image: Option<&MemImage>) {
        match image {
            Some(image) => image.restore(part, self.bytes()),
            None => self.bytes()[part].fill(0),
        }
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the committed bytes are readable and writable, and the slot is nobody else's.
        unsafe { std::slice::from_raw_parts_mut(self.pages.base(), self.shape.committed) }
    }
}
