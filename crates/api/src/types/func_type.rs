//! The type of a function.

use super::ValType;
use crate::{Engine, Result, bail, ensure};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use tenure_types as core;
use tenure_types::TypeId;

/// Whether a type may have subtypes that are declared as such.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Finality {
    /// It may not.
    Final,
    /// It may.
    NonFinal,
}

impl Finality {
    /// Whether this is [`Finality::Final`].
    pub fn is_final(&self) -> bool {
        *self == Self::Final
    }

    /// Whether this is [`Finality::NonFinal`].
    pub fn is_non_final(&self) -> bool {
        *self == Self::NonFinal
    }
}

/// The type of a function: parameters and results, in order.
///
/// It belongs to an engine, in which equal types are one type.
///
/// ```
/// use tenure::{Engine, FuncType, ValType};
///
/// let engine = Engine::default();
/// let ty = FuncType::new(&engine, [ValType::I32, ValType::I64], [ValType::F64]);
/// assert_eq!(ty.params().len(), 2);
/// assert!(ty.result(0).unwrap().is_f64());
/// assert_eq!(ty.to_string(), "(type (func (param i32 i64) (result f64)))");
/// assert!(ty.matches(&FuncType::new(&engine, ty.params(), ty.results())));
/// ```
#[derive(Clone)]
pub struct FuncType {
    engine: Engine,
    id: TypeId,
    ty: Arc<core::FuncType>,
}

impl FuncType {
    /// The type `params -> results`.
    ///
    /// # Panics
    /// When [`FuncType::try_new`] gives an error.
    pub fn new(
        engine: &Engine,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> Self {
        Self::try_new(engine, params, results)
            .unwrap_or_else(|error| panic!("no such function type: {error:#}"))
    }

    /// The type `params -> results`.
    ///
    /// # Errors
    /// When a value type belongs to another engine, needs a proposal that is not there yet, or the engine has
    /// too many types.
    pub fn try_new(
        engine: &Engine,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> Result<Self> {
        // The types that they name are in use until this one is.
        let (params, results): (Vec<_>, Vec<_>) =
            (params.into_iter().collect(), results.into_iter().collect());
        let to_core =
            |types: &[ValType]| types.iter().map(|ty| ty.to_core(engine)).collect::<Result<Box<[_]>>>();
        Self::register(engine, &core::FuncType::new(to_core(&params)?, to_core(&results)?))
    }

    /// The type `params -> results` with a place among its super- and subtypes.
    ///
    /// # Errors
    /// As [`FuncType::try_new`]; and when `finality` or `supertype` say more than that the type stands alone,
    /// which needs the gc proposal.
    pub fn with_finality_and_supertype(
        engine: &Engine,
        finality: Finality,
        supertype: Option<&Self>,
        params: impl IntoIterator<Item = ValType>,
        results: impl IntoIterator<Item = ValType>,
    ) -> Result<Self> {
        if finality.is_non_final() || supertype.is_some() {
            bail!("function types that have subtypes need the gc proposal, which is not supported yet");
        }
        Self::try_new(engine, params, results)
    }

    /// The engine that it belongs to.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether other types may be declared as its subtypes.
    pub fn finality(&self) -> Finality {
        Finality::Final
    }

    /// The type that it was declared as a subtype of.
    pub fn supertype(&self) -> Option<Self> {
        None
    }

    /// Parameter `i`.
    pub fn param(&self, i: usize) -> Option<ValType> {
        self.ty.params().get(i).map(|&ty| ValType::from_core(&self.engine, ty))
    }

    /// The parameters, first to last.
    pub fn params(&self) -> impl ExactSizeIterator<Item = ValType> + '_ {
        self.ty.params().iter().map(|&ty| ValType::from_core(&self.engine, ty))
    }

    /// Result `i`.
    pub fn result(&self, i: usize) -> Option<ValType> {
        self.ty.results().get(i).map(|&ty| ValType::from_core(&self.engine, ty))
    }

    /// The results, first to last.
    pub fn results(&self) -> impl ExactSizeIterator<Item = ValType> + '_ {
        self.ty.results().iter().map(|&ty| ValType::from_core(&self.engine, ty))
    }

    /// Whether every function of this type is one of `other`.
    ///
    /// # Panics
    /// When they belong to different engines.
    pub fn matches(&self, other: &Self) -> bool {
        Self::eq(self, other)
    }

    /// Whether `a` and `b` are the same type.
    ///
    /// # Panics
    /// When they belong to different engines.
    #[expect(clippy::should_implement_trait, reason = "`==` could not refuse another engine's")]
    pub fn eq(a: &Self, b: &Self) -> bool {
        assert!(Engine::same(&a.engine, &b.engine), "function types of different engines cannot be compared");
        a.id == b.id
    }

    /// The canonical id of a core function type in `engine`.
    pub(crate) fn register(engine: &Engine, ty: &core::FuncType) -> Result<Self> {
        let (id, ty) = engine.inner().types().register(ty)?;
        Ok(Self { engine: engine.clone(), id, ty })
    }

    /// The canonical id, for use with `engine`.
    ///
    /// # Errors
    /// When the type belongs to another engine.
    pub(crate) fn to_core(&self, engine: &Engine) -> Result<TypeId> {
        ensure!(
            Engine::same(&self.engine, engine),
            "the function type `{self}` belongs to another engine than the one it is used with"
        );
        Ok(self.id)
    }

    /// The type of id `id`, which `engine` gave out and something still uses.
    pub(crate) fn from_core(engine: &Engine, id: TypeId) -> Self {
        let ty = engine
            .inner()
            .types()
            .get(id)
            .expect("ids come from the engine they are used with, and from what uses their types");
        Self { engine: engine.clone(), id, ty }
    }

    /// Parameters and results in their core form.
    pub(crate) fn as_core(&self) -> &Arc<core::FuncType> {
        &self.ty
    }

    pub(super) fn core_heap_type(&self) -> core::HeapType {
        core::HeapType::Concrete(self.id)
    }
}

impl Hash for FuncType {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
    }
}

impl fmt::Display for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "(type {})", self.ty)
    }
}

impl fmt::Debug for FuncType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
