//! The initial content of a module's memories, where it is known before any instance is made.
//!
//! ```text
//! memory    0 ....[ segment ]..[ segment ]............... committed
//! file           |══════ a copy of these pages ══════|              mapped, copied page by page as it is written to
//! ```
//! Small content of a module that few instances are made of is copied; otherwise a file is made of it once, and
//! mapped. What a memory was mapped from stays in it when it is used again.

use crate::memory_pool::MemoryPool;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use tenure_module::{ConstExpr, ConstOp, DataMode, ElemMode, Module};
use tenure_sys::{Image, page_size};

/// Up to so many bytes of data are copied into the first memories; a file costs about as much as copying this.
const LITTLE_DATA: usize = 64 << 10;
/// So many memories get little data copied before a file is made for the rest.
const COPIES: u32 = 2;
/// A memory up to this size is mapped whole: one system call, and no page of its own until it is written to.
const SMALL_MEMORY: usize = 1 << 20;

/// What one memory of a module holds when an instance is made.
pub(crate) struct MemImage {
    /// No other image of the pool has or had it; never 0.
    id: u64,
    /// Rising, none empty, none overlapping.
    segments: Box<[Placed]>,
    /// Bytes of them all.
    len: usize,
    /// What the segments are parts of: the module, or a snapshot.
    content: Arc<[u8]>,
    pool: Arc<MemoryPool>,
    /// Memories that got a copy.
    copies: AtomicU32,
    file: OnceLock<Option<MappedImage>>,
}

struct Placed {
    /// Where in the memory.
    at: usize,
    /// Which bytes of the module.
    bytes: Range<usize>,
}

impl Placed {
    fn end(&self) -> usize {
        self.at + self.bytes.len()
    }
}

/// An image as a file, and the pages that it is for.
pub(crate) struct MappedImage {
    pub file: Image,
    /// Bytes of the memory, whole pages.
    pub part: Range<usize>,
}

impl MemImage {
    fn new(segments: Box<[Placed]>, content: Arc<[u8]>, pool: &Arc<MemoryPool>) -> Self {
        Self {
            id: pool.next_image(),
            len: segments.iter().map(|segment| segment.bytes.len()).sum(),
            segments,
            content,
            pool: pool.clone(),
            copies: AtomicU32::new(0),
            file: OnceLock::new(),
        }
    }

    /// An image of `parts` of `content`, each with where it lies in the memory: rising, none empty, none
    /// overlapping.
    pub fn of_parts(parts: Vec<(usize, Range<usize>)>, content: Arc<[u8]>, pool: &Arc<MemoryPool>) -> Self {
        Self::new(parts.into_iter().map(|(at, bytes)| Placed { at, bytes }).collect(), content, pool)
    }

    /// Its parts, each with where it lies.
    pub fn parts(&self) -> impl Iterator<Item = (usize, &[u8])> {
        self.segments.iter().map(|segment| (segment.at, &self.content[segment.bytes.clone()]))
    }

    pub fn id(&self) -> u64 {
        self.id
    }

    /// Bytes of data.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Writes the content to zeroed `memory`, which is as large as the module's type says or larger.
    pub fn write(&self, memory: &mut [u8]) {
        for segment in &self.segments {
            memory[segment.at..segment.end()].copy_from_slice(&self.content[segment.bytes.clone()]);
        }
    }

    /// Puts the bytes `part` of `memory` back to the content.
    pub fn restore(&self, part: Range<usize>, memory: &mut [u8]) {
        memory[part.clone()].fill(0);
        let first = self.segments.partition_point(|segment| segment.end() <= part.start);
        for segment in self.segments[first..].iter().take_while(|segment| segment.at < part.end) {
            let (start, end) = (segment.at.max(part.start), segment.end().min(part.end));
            let from = segment.bytes.start + (start - segment.at);
            memory[start..end].copy_from_slice(&self.content[from..from + (end - start)]);
        }
    }

    /// The file to map into a memory with `committed` bytes that has none of the content yet; without one the
    /// content is to be copied.
    pub fn to_map(&self, committed: usize) -> Option<&MappedImage> {
        if self.len <= LITTLE_DATA && self.copies.fetch_add(1, Ordering::Relaxed) < COPIES {
            return None;
        }
        let file = self.file.get_or_init(|| self.make_file(committed)).as_ref()?;
        (file.part.end <= committed).then_some(file)
    }

    fn make_file(&self, committed: usize) -> Option<MappedImage> {
        let (first, last) = (self.segments.first()?, self.segments.last()?);
        let part = if committed <= SMALL_MEMORY {
            0..committed
        } else {
            first.at - first.at % page_size()..last.end().next_multiple_of(page_size())
        };
        // Data far apart would make a large file of zeros.
        if part.len() > SMALL_MEMORY.saturating_add(2 * self.len) || !self.pool.take_file() {
            return None;
        }
        let mut content = vec![0; part.len()];
        for segment in &self.segments {
            content[segment.at - part.start..segment.end() - part.start]
                .copy_from_slice(&self.content[segment.bytes.clone()]);
        }
        let file = Image::new(&content);
        if file.is_err() {
            self.pool.give_file();
        }
        Some(MappedImage { file: file.ok()?, part })
    }
}

impl Drop for MemImage {
    fn drop(&mut self) {
        if let Some(Some(_)) = self.file.take() {
            self.pool.give_file();
        }
        self.pool.forget(self.id);
    }
}

/// The images of a module's own memories, nothing for one without data; or `None` when they are not known before
/// instantiation, or instantiation may fail before it comes to the data: then each instance applies the segments
/// itself.
pub(crate) fn images(module: &Module, pool: &Arc<MemoryPool>) -> Option<Box<[Option<Arc<MemImage>>]>> {
    let own = module.imported_mems as usize..module.mems.len();
    let mut segments: Vec<Vec<Placed>> = own.clone().map(|_| Vec::new()).collect();
    for data in &module.datas {
        let DataMode::Active { mem, offset } = &data.mode else { continue };
        let ty = module.mem_type(*mem);
        let at = usize::try_from(constant(offset, ty.is_64)?).ok()?;
        let list = segments.get_mut(mem.at().checked_sub(own.start)?)?;
        let size = ty.min.checked_mul(ty.page_size())?;
        if at.checked_add(data.range.len())? as u64 > size {
            return None;
        }
        if !data.range.is_empty() {
            list.push(Placed { at, bytes: data.range.clone() });
        }
    }
    for elem in &module.elems {
        let ElemMode::Active { table, offset } = &elem.mode else { continue };
        let ty = module.table_type(*table);
        let imported = table.0 < module.imported_tables;
        if imported || constant(offset, ty.is_64)?.checked_add(elem.items.len() as u64)? > ty.min {
            return None;
        }
    }
    let mut images = Vec::with_capacity(segments.len());
    for mut segments in segments {
        segments.sort_by_key(|segment| segment.at);
        if !segments.is_sorted_by(|left, right| left.end() <= right.at) {
            // One over another: which comes last decides, as when they are applied.
            return None;
        }
        let has_data = !segments.is_empty();
        images.push(has_data.then(|| Arc::new(MemImage::new(segments.into(), module.bytes.clone(), pool))));
    }
    Some(images.into())
}

/// The value of an offset that is one constant.
pub(crate) fn constant(offset: &ConstExpr, is_64: bool) -> Option<u64> {
    match (offset.ops(), is_64) {
        ([ConstOp::I32(value)], false) => Some(u64::from(*value as u32)),
        ([ConstOp::I64(value)], true) => Some(*value as u64),
        _ => None,
    }
}
