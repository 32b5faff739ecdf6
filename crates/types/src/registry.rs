//! Canonical identity of types: equal recursion groups get equal ids, engine-wide.
//!
//! A type may refer to itself and to others of its recursion group, so what is compared is a whole
//! group with references into the group written as positions (specification, "Rolling and Unrolling").

use crate::{FuncType, HeapType, RefType, TypeId, ValType};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Most distinct types of one engine at a time. Ids leave the highest bit free.
pub const MAX_TYPES: u32 = 1 << 24;

/// So many types that nobody uses may stay.
const FEW: usize = 1 << 10;

/// Set in a [`TypeId`] of a [`RecGroup`] that means a position in the group itself.
const IN_GROUP: u32 = 1 << 31;

/// One recursion group, not yet registered.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Default)]
pub struct RecGroup(Vec<FuncType>);

impl RecGroup {
    /// What a reference to the group's own type at `position` is written as.
    pub fn inner(position: u32) -> TypeId {
        TypeId(position | IN_GROUP)
    }

    /// Adds a type; references to this group's types are written with [`RecGroup::inner`].
    pub fn push(&mut self, ty: FuncType) {
        self.0.push(ty);
    }
}

/// The engine would have more than [`MAX_TYPES`] distinct types, or has given every id out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooManyTypes;

impl fmt::Display for TooManyTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {MAX_TYPES} distinct function types in one engine")
    }
}

impl std::error::Error for TooManyTypes {}

/// Gives each distinct type its id. Shared by everything of one engine.
///
/// A type is in use as long as somebody else has the `Arc` that the registry gave out, or another type in use names
/// it; its whole group is then. Groups that nobody uses go from time to time: when there are twice as many types as
/// after the last time, and when a [`TypesInUse`] goes that was a large part. No id is ever given to a second type, so
/// one that outlives its type equals no other.
#[derive(Default)]
pub struct TypeRegistry(Arc<RwLock<Known>>);

/// A type and its id. Whoever keeps the id keeps the type.
pub type Registered = (TypeId, Arc<FuncType>);

/// Says that the types of one module may go, when it goes: to be dropped after them.
pub struct TypesInUse {
    known: Arc<RwLock<Known>>,
    count: usize,
}

#[derive(Default)]
struct Known {
    by_content: HashMap<Arc<RecGroup>, u32>,
    /// Groups by the id of their first type. A group names only types of groups before it.
    groups: BTreeMap<u32, Group>,
    /// The next id.
    next: u32,
    /// How many types there are.
    count: usize,
    /// How many there were after the last look for those that nobody uses.
    lived: usize,
    /// How many may have gone out of use since.
    let_go: usize,
}

struct Group {
    content: Arc<RecGroup>,
    types: Vec<Arc<FuncType>>,
    /// The types of other groups that these name.
    _names: Vec<Arc<FuncType>>,
}

impl TypeRegistry {
    /// The group's types, in order, with ids that follow each other. Types of other groups that it names are in use.
    ///
    /// # Errors
    /// [`TooManyTypes`] when a new group does not fit.
    pub fn register_group(&self, group: &RecGroup) -> Result<Vec<Registered>, TooManyTypes> {
        if group.0.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(known) = read(&self.0).find(group) {
            return Ok(known);
        }
        let mut known = write(&self.0);
        match known.find(group) {
            Some(known) => Ok(known),
            None => known.add(group),
        }
    }

    /// A function type that is no part of a larger group, and its id.
    ///
    /// # Errors
    /// [`TooManyTypes`] when a new type does not fit.
    pub fn register(&self, ty: &FuncType) -> Result<Registered, TooManyTypes> {
        let mut group = RecGroup::default();
        group.push(ty.clone());
        Ok(self.register_group(&group)?.swap_remove(0))
    }

    /// The type of `id`; `None` when this registry never gave it out, or its type is gone.
    pub fn get(&self, id: TypeId) -> Option<Arc<FuncType>> {
        read(&self.0).get(id).cloned()
    }

    /// The type that `ty` names by its id, if it does and that is there.
    pub fn named_by(&self, ty: ValType) -> Option<Arc<FuncType>> {
        match ty {
            ValType::Ref(RefType { heap: HeapType::Concrete(id), .. }) => self.get(id),
            _ => None,
        }
    }

    /// How many types are in use. Those that are not go.
    pub fn in_use(&self) -> usize {
        let mut known = write(&self.0);
        known.sweep();
        known.count
    }

    /// To be kept by a module, and dropped after its types.
    pub fn use_by_module(&self) -> TypesInUse {
        TypesInUse { known: self.0.clone(), count: 0 }
    }
}

impl TypesInUse {
    /// The module has so many types more.
    pub fn add(&mut self, count: usize) {
        self.count += count;
    }
}

impl Drop for TypesInUse {
    fn drop(&mut self) {
        let mut known = write(&self.known);
        known.let_go += self.count;
        if known.let_go >= FEW.max(known.count / 2) {
            known.sweep();
        }
    }
}

impl fmt::Debug for TypesInUse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypesInUse").field(&self.count).finish()
    }
}

impl Known {
    fn find(&self, group: &RecGroup) -> Option<Vec<Registered>> {
        let &first = self.by_content.get(group)?;
        Some(registered(first, &self.groups.get(&first)?.types))
    }

    fn get(&self, id: TypeId) -> Option<&Arc<FuncType>> {
        let (first, group) = self.groups.range(..=id.0).next_back()?;
        group.types.get((id.0 - first) as usize)
    }

    fn add(&mut self, group: &RecGroup) -> Result<Vec<Registered>, TooManyTypes> {
        let added = group.0.len();
        if self.count + added > FEW.max(2 * self.lived) {
            self.sweep();
        }
        let first = self.next;
        let next = u32::try_from(added).ok().and_then(|added| first.checked_add(added));
        let next = next.filter(|&next| next <= IN_GROUP && self.count + added <= MAX_TYPES as usize);
        let next = next.ok_or(TooManyTypes)?;
        let mut names = Vec::new();
        let types = group.0.iter().map(|ty| {
            let rolled_out = ty.map(|val| match val {
                ValType::Ref(RefType { nullable, heap: HeapType::Concrete(TypeId(id)) })
                    if id & IN_GROUP != 0 =>
                {
                    let heap = HeapType::Concrete(TypeId(first + (id & !IN_GROUP)));
                    ValType::Ref(RefType { nullable, heap })
                }
                ValType::Ref(RefType { heap: HeapType::Concrete(id), .. }) => {
                    names.extend(self.get(id).cloned());
                    val
                }
                other => other,
            });
            Arc::new(rolled_out)
        });
        let types: Vec<_> = types.collect();
        let content = Arc::new(group.clone());
        let registered = registered(first, &types);
        self.by_content.insert(content.clone(), first);
        self.groups.insert(first, Group { content, types, _names: names });
        self.next = next;
        self.count += added;
        Ok(registered)
    }

    /// Forgets the groups that nobody uses.
    fn sweep(&mut self) {
        // From the last on: what only a group that goes has named goes with it.
        let firsts: Vec<u32> = self.groups.keys().rev().copied().collect();
        for first in firsts {
            let Some(group) = self.groups.get(&first) else { continue };
            // Nobody gets hold of a type meanwhile: that takes the lock.
            if group.types.iter().all(|ty| Arc::strong_count(ty) == 1) {
                self.count -= group.types.len();
                self.by_content.remove(&group.content);
                self.groups.remove(&first);
            }
        }
        self.lived = self.count;
        self.let_go = 0;
    }
}

/// `types`, whose ids follow each other from `first` on.
fn registered(first: u32, types: &[Arc<FuncType>]) -> Vec<Registered> {
    (first..).map(TypeId).zip(types.iter().cloned()).collect()
}

fn read(known: &RwLock<Known>) -> RwLockReadGuard<'_, Known> {
    known.read().unwrap_or_else(PoisonError::into_inner)
}

fn write(known: &RwLock<Known>) -> RwLockWriteGuard<'_, Known> {
    known.write().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn to(id: TypeId) -> ValType {
        ValType::Ref(RefType { nullable: true, heap: HeapType::Concrete(id) })
    }

    #[test]
    fn equal_types_have_one_id_and_different_ones_have_two() {
        let registry = TypeRegistry::default();
        let a = registry.register(&FuncType::new([ValType::I32], [])).unwrap();
        let b = registry.register(&FuncType::new([ValType::I32], [])).unwrap();
        let c = registry.register(&FuncType::new([], [ValType::I32])).unwrap();
        assert_eq!(a, b);
        assert_ne!(a.0, c.0);
    }

    /// The group of a type that takes itself.
    fn of_itself() -> RecGroup {
        let mut group = RecGroup::default();
        group.push(FuncType::new([to(RecGroup::inner(0))], []));
        group
    }

    #[test]
    fn a_recursive_type_is_itself_in_every_module() {
        let registry = TypeRegistry::default();
        let first = registry.register_group(&of_itself()).unwrap();
        assert_eq!(registry.register_group(&of_itself()).unwrap(), first);
        let id = first[0].0;
        assert_eq!(registry.get(id).unwrap().params(), [to(id)]);
        // Unrolled once it is another type: identity is by group.
        assert_ne!(registry.register(&FuncType::new([to(id)], [])).unwrap().0, id);
    }

    #[test]
    fn a_group_may_be_empty() {
        let registry = TypeRegistry::default();
        assert_eq!(registry.register_group(&RecGroup::default()), Ok(Vec::new()));
        let first = registry.register(&FuncType::new([], [])).unwrap();
        assert_eq!(registry.register_group(&RecGroup::default()), Ok(Vec::new()));
        assert_eq!(registry.get(first.0), Some(first.1));
    }

    #[test]
    fn types_go_when_nobody_uses_them_and_their_ids_do_not_come_back() {
        let registry = TypeRegistry::default();
        let plain = registry.register(&FuncType::new([ValType::I32], [])).unwrap();
        let itself = registry.register_group(&of_itself()).unwrap();
        let names = registry.register(&FuncType::new([to(plain.0), to(itself[0].0)], [])).unwrap();
        assert_eq!(registry.in_use(), 3);
        let ids = [plain.0, itself[0].0];
        drop((plain, itself));
        assert_eq!(registry.in_use(), 3, "another type names them");
        assert_eq!(ids.map(|id| registry.get(id).is_some()), [true, true]);
        drop(names);
        assert_eq!(registry.in_use(), 0);
        assert_eq!(ids.map(|id| registry.get(id)), [None, None]);
        let again = registry.register(&FuncType::new([ValType::I32], [])).unwrap();
        assert!(!ids.contains(&again.0));
    }

    #[test]
    fn a_group_is_in_use_as_long_as_one_of_its_types() {
        let registry = TypeRegistry::default();
        let mut group = RecGroup::default();
        group.push(FuncType::new([to(RecGroup::inner(1))], []));
        group.push(FuncType::new([], [to(RecGroup::inner(0))]));
        let mut types = registry.register_group(&group).unwrap();
        let second = types.pop().unwrap();
        drop(types);
        assert_eq!(registry.in_use(), 2);
        let TypeId(id) = second.0;
        assert_eq!(registry.get(TypeId(id - 1)).unwrap().params(), [to(second.0)]);
        drop(second);
        assert_eq!(registry.in_use(), 0);
    }

    /// Distinct types from `start` on.
    fn distinct(start: usize) -> impl Iterator<Item = FuncType> {
        (start..).map(|number| {
            let bits = (0..usize::BITS).map(|bit| number >> bit & 1 == 1);
            FuncType::new(
                bits.map(|bit| if bit { ValType::I64 } else { ValType::I32 }).collect::<Vec<_>>(),
                [],
            )
        })
    }

    #[test]
    fn few_stay_that_nobody_uses() {
        let registry = TypeRegistry::default();
        let kept: Vec<_> = distinct(0).take(10).map(|ty| registry.register(&ty).unwrap()).collect();
        for ty in distinct(100).take(20 * FEW) {
            registry.register(&ty).unwrap();
            assert!(read(&registry.0).count <= FEW);
        }
        assert_eq!(registry.in_use(), 10);
        assert!(kept.iter().all(|(id, ty)| registry.get(*id).as_ref() == Some(ty)));
        // When a module goes its types go at once, if they are many.
        let mut uses = registry.use_by_module();
        let types: Vec<_> = distinct(100).take(2 * FEW).map(|ty| registry.register(&ty).unwrap()).collect();
        uses.add(types.len());
        drop(types);
        assert_eq!(read(&registry.0).count, 10 + 2 * FEW);
        drop(uses);
        assert_eq!(read(&registry.0).count, 10);
    }
}
