//! Address space of memories that went, kept to be used again: making a memory then takes no system call.
//!
//! A slot remembers what stands in its bytes. When nothing ran since a module's initial data was put there,
//! the next instance of the same module finds its memory ready; otherwise what may have been written is
//! cleared first, so nothing of one guest is ever seen by another.

use crate::image::MemImage;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tenure_sys::Reservation;

/// Most slots that wait, of all shapes.
const MOST_WAITING: usize = 128;
/// Up to this many bytes a memory is cleared by writing zeros; beyond, its pages are given back.
const CLEAR_BY_HAND: usize = 256 << 10;
/// A memory with more than this much committed is not kept: its pages would be held for nothing.
const MOST_KEPT: usize = 16 << 20;

/// The waiting slots of one engine.
#[derive(Default)]
pub(crate) struct MemoryPool {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    slots: HashMap<Shape, Vec<Slot>>,
    count: usize,
}

/// What two reservations must share to stand for each other.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub(crate) struct Shape {
    /// Bytes of address space, with the guard.
    pub reserved: usize,
    /// Bytes from the start that can be accessed, whole pages of the system.
    pub committed: usize,
}

/// Address space for a memory.
pub(crate) struct Slot {
    pub pages: Reservation,
    pub shape: Shape,
    /// What the committed bytes are.
    pub content: Content,
}

/// What stands in a slot.
#[derive(Clone)]
pub(crate) enum Content {
    /// Zeros.
    Zero,
    /// This image, and zeros around it.
    Image(Arc<MemImage>),
    /// Anything.
    Unknown,
}

impl MemoryPool {
    /// A slot of `shape`. If there is a choice, one that holds `image` already.
    ///
    /// # Errors
    /// When none waits and the system refuses a new one.
    pub fn take(&self, shape: Shape, image: Option<&Arc<MemImage>>) -> io::Result<Slot> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slots) = waiting.slots.get_mut(&shape) {
            let ready = slots.iter().rposition(|slot| slot.holds(image));
            let at = ready.or_else(|| slots.len().checked_sub(1));
            if let Some(slot) = at.map(|at| slots.swap_remove(at)) {
                waiting.count -= 1;
                return Ok(slot);
            }
        }
        drop(waiting);
        let pages = Reservation::new(shape.reserved)?;
        pages.commit(0, shape.committed)?;
        Ok(Slot { pages, shape, content: Content::Zero })
    }

    /// Keeps `slot` for the next, or gives it back to the system.
    pub fn give(&self, slot: Slot) {
        if slot.shape.committed > MOST_KEPT {
            return;
        }
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.count < MOST_WAITING {
            waiting.count += 1;
            waiting.slots.entry(slot.shape).or_default().push(slot);
        }
    }
}

impl Slot {
    fn holds(&self, image: Option<&Arc<MemImage>>) -> bool {
        match (&self.content, image) {
            (Content::Zero, None) => true,
            (Content::Image(held), Some(image)) => Arc::ptr_eq(held, image),
            _ => false,
        }
    }

    /// Makes the committed bytes zeros, with `image` in its place. `module` has the image's bytes.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn prepare(&mut self, image: Option<&Arc<MemImage>>, module: &[u8]) -> io::Result<()> {
        if self.holds(image) {
            return Ok(());
        }
        match std::mem::replace(&mut self.content, Content::Unknown) {
            Content::Zero => {}
            Content::Image(held) => held.clear(self.bytes()),
            Content::Unknown if self.shape.committed <= CLEAR_BY_HAND => self.bytes().fill(0),
            Content::Unknown => self.pages.reset(0, self.shape.committed)?,
        }
        self.content = Content::Zero;
        if let Some(image) = image {
            image.write(module, self.bytes());
            self.content = Content::Image(image.clone());
        }
        Ok(())
    }

    fn bytes(&mut self) -> &mut [u8] {
        // SAFETY: the committed bytes are readable and writable, and the slot is nobody else's.
        unsafe { std::slice::from_raw_parts_mut(self.pages.base(), self.shape.committed) }
    }
}
