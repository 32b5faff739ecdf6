//! The initial content of a module's memories, where it is known before any instance is made.

use std::ops::Range;
use std::sync::Arc;
use tenure_module::{ConstExpr, ConstOp, DataMode, ElemMode, Module};

/// What one memory of a module holds when an instance is made: data segments, in order.
///
/// Identity counts: two images are the same when they are one allocation.
#[derive(Debug)]
pub(crate) struct MemImage {
    segments: Box<[Placed]>,
    /// What the segments are parts of, when that is not the module.
    content: Option<Arc<[u8]>>,
}

#[derive(Debug)]
struct Placed {
    /// Where in the memory.
    at: usize,
    /// Which bytes of the module.
    bytes: Range<usize>,
}

impl MemImage {
    /// Writes the image to `memory`, which is as large as the module's type says or larger.
    pub fn write(&self, module: &[u8], memory: &mut [u8]) {
        let module = self.content.as_deref().unwrap_or(module);
        for segment in &self.segments {
            memory[segment.at..segment.at + segment.bytes.len()]
                .copy_from_slice(&module[segment.bytes.clone()]);
        }
    }

    /// An image of `parts` of `content`, each with where it lies in the memory: rising, none empty, none
    /// overlapping.
    pub fn of_parts(
        parts: Vec<(usize, Range<usize>)>,
        content: Arc<[u8]>,
        _pool: &Arc<crate::memory_pool::MemoryPool>,
    ) -> Self {
        let segments = parts.into_iter().map(|(at, bytes)| Placed { at, bytes }).collect();
        Self { segments, content: Some(content) }
    }

    /// The parts of an image that was made of parts.
    pub fn parts(&self) -> impl Iterator<Item = (usize, &[u8])> {
        let content = self.content.as_deref().unwrap_or_default();
        self.segments.iter().map(|segment| (segment.at, &content[segment.bytes.clone()]))
    }

    /// Writes zeros over the image.
    pub fn clear(&self, memory: &mut [u8]) {
        for segment in &self.segments {
            memory[segment.at..segment.at + segment.bytes.len()].fill(0);
        }
    }
}

/// The images of a module's own memories, or `None` when they are not known before instantiation, or
/// instantiation may fail before it comes to the data: then each instance applies the segments itself.
pub(crate) fn images(module: &Module) -> Option<Box<[Arc<MemImage>]>> {
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
        list.push(Placed { at, bytes: data.range.clone() });
    }
    for elem in &module.elems {
        let ElemMode::Active { table, offset } = &elem.mode else { continue };
        let ty = module.table_type(*table);
        let imported = table.0 < module.imported_tables;
        if imported || constant(offset, ty.is_64)?.checked_add(elem.items.len() as u64)? > ty.min {
            return None;
        }
    }
    Some(
        segments
            .into_iter()
            .map(|segments| Arc::new(MemImage { segments: segments.into(), content: None }))
            .collect(),
    )
}

/// The value of an offset that is one constant.
fn constant(offset: &ConstExpr, is_64: bool) -> Option<u64> {
    match (offset.ops(), is_64) {
        ([ConstOp::I32(value)], false) => Some(u64::from(*value as u32)),
        ([ConstOp::I64(value)], true) => Some(*value as u64),
        _ => None,
    }
}
