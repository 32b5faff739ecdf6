//! Canonical identity of types: equal recursion groups get equal ids, engine-wide.
//!
//! A type may refer to itself and to others of its recursion group, so what is compared is a whole
//! group with references into the group written as positions (specification, "Rolling and Unrolling").

use crate::{FuncType, HeapType, RefType, TypeId, ValType};
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

/// Most distinct types of one engine. Ids leave the highest bit free.
pub const MAX_TYPES: u32 = 1 << 20;

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

/// The engine would have more than [`MAX_TYPES`] distinct types.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct TooManyTypes;

impl fmt::Display for TooManyTypes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "more than {MAX_TYPES} distinct function types in one engine")
    }
}

impl std::error::Error for TooManyTypes {}

/// Gives each distinct type its id. Shared by everything of one engine.
#[derive(Default)]
pub struct TypeRegistry(RwLock<Known>);

#[derive(Default)]
struct Known {
    groups: HashMap<RecGroup, TypeId>,
    types: Vec<Arc<FuncType>>,
}

impl TypeRegistry {
    /// The id of the group's first type; the others follow in order.
    ///
    /// # Errors
    /// [`TooManyTypes`] when a new group does not fit.
    pub fn register_group(&self, group: &RecGroup) -> Result<TypeId, TooManyTypes> {
        if let Some(&first) = self.read().groups.get(group) {
            return Ok(first);
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(&first) = known.groups.get(group) {
            return Ok(first);
        }
        let total = known.types.len() + group.0.len();
        let first = match u32::try_from(known.types.len()) {
            Ok(first) if total <= MAX_TYPES as usize => TypeId(first),
            _ => return Err(TooManyTypes),
        };
        for ty in &group.0 {
            let rolled_out = ty.map(|val| match val {
                ValType::Ref(RefType { nullable, heap: HeapType::Concrete(TypeId(id)) })
                    if id & IN_GROUP != 0 =>
                {
                    let heap = HeapType::Concrete(TypeId(first.0 + (id & !IN_GROUP)));
                    ValType::Ref(RefType { nullable, heap })
                }
                other => other,
            });
            known.types.push(Arc::new(rolled_out));
        }
        known.groups.insert(group.clone(), first);
        Ok(first)
    }

    /// The id of a function type that is no part of a larger group.
    ///
    /// # Errors
    /// [`TooManyTypes`] when a new type does not fit.
    pub fn register(&self, ty: &FuncType) -> Result<TypeId, TooManyTypes> {
        let mut group = RecGroup::default();
        group.push(ty.clone());
        self.register_group(&group)
    }

    /// The type of `id`; `None` when this registry never gave it out.
    pub fn get(&self, id: TypeId) -> Option<Arc<FuncType>> {
        self.read().types.get(id.0 as usize).cloned()
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Known> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
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
        assert_ne!(a, c);
    }

    #[test]
    fn a_recursive_type_is_itself_in_every_module() {
        let registry = TypeRegistry::default();
        let mut group = RecGroup::default();
        group.push(FuncType::new([to(RecGroup::inner(0))], []));
        let first = registry.register_group(&group).unwrap();
        assert_eq!(registry.register_group(&group).unwrap(), first);
        assert_eq!(registry.get(first).unwrap().params(), [to(first)]);
        // Unrolled once it is another type: identity is by group.
        assert_ne!(registry.register(&FuncType::new([to(first)], [])).unwrap(), first);
    }
}
