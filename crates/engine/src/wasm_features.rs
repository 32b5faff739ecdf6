//! Proposals by the names embedders know: one row each, with the switch that turns it on and what of it
//! exists.

use tenure_types::{Feature, Features};

macro_rules! proposals {
    ($($(#[$doc:meta])* $flag:ident = $bit:literal, $setter:tt, $title:literal, $is:expr, [$($needs:ident)*];)*) => {
        impl WasmFeatures {
            $($(#[$doc])* pub const $flag: Self = Self(1 << $bit);)*
        }

        /// Every proposal, in the order of the table.
        pub const PROPOSALS: &[Proposal] = &[$(Proposal {
            flag: WasmFeatures::$flag,
            option: proposals!(@name $setter),
            title: $title,
            is: $is,
            needs: WasmFeatures(0 $(| WasmFeatures::$needs.0)*),
        },)*];

        impl crate::Config {
            $(proposals!(@setter $flag, $setter, $(#[$doc])*);)*
        }
    };
    (@name _) => { None };
    (@name $setter:ident) => { Some(stringify!($setter)) };
    (@setter $flag:ident, _, $(#[$doc:meta])*) => {};
    (@setter $flag:ident, $setter:ident, $(#[$doc:meta])*) => {
        $(#[$doc])*
        ///
        /// `Engine::new` fails when this is turned on and Tenure does not have the proposal, or one it needs
        /// is off.
        pub fn $setter(&mut self, enable: bool) -> &mut Self {
            self.wasm_features(WasmFeatures::$flag, enable)
        }
    };
}

/// A set of WebAssembly proposals.
///
/// ```
/// use tenure_engine::WasmFeatures;
///
/// let vectors = WasmFeatures::SIMD | WasmFeatures::RELAXED_SIMD;
/// assert!(vectors.contains(WasmFeatures::SIMD));
/// assert!(!vectors.contains(WasmFeatures::GC));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct WasmFeatures(u64);

/// What is known of one proposal.
#[derive(Clone, Copy, Debug)]
pub struct Proposal {
    /// The set of it alone.
    pub flag: WasmFeatures,
    /// The method of [`Config`](crate::Config) that switches it; `None` for those that only
    /// [`Config::wasm_features`](crate::Config::wasm_features) reaches.
    pub option: Option<&'static str>,
    /// Its name, as its repository spells it.
    pub title: &'static str,
    /// What of it there is.
    pub is: Is,
    /// The proposals it builds on.
    pub needs: WasmFeatures,
}

/// What Tenure has of a proposal.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Is {
    /// A switch.
    Switch(Feature),
    /// Part of every module; it cannot be turned off.
    AlwaysOn,
    /// Not there yet; it cannot be turned on.
    Missing,
}

use Is::{AlwaysOn, Missing, Switch};

// flag = bit, setter, title, what there is, [needs]
proposals! {
    /// Floating-point types and operators.
    FLOATS = 0, _, "floats", AlwaysOn, [];
    /// Conversions that saturate instead of trapping.
    SATURATING_FLOAT_TO_INT = 1, _, "nontrapping-float-to-int-conversions", Switch(Feature::SaturatingFloatToInt), [];
    /// `i32.extend8_s` and its kin.
    SIGN_EXTENSION = 2, _, "sign-extension-ops", Switch(Feature::SignExtension), [];
    /// Exported and imported mutable globals.
    MUTABLE_GLOBAL = 3, _, "mutable-global", Switch(Feature::MutableGlobal), [];
    /// Functions and blocks with several results, and blocks with parameters. On by default.
    MULTI_VALUE = 4, wasm_multi_value, "multi-value", Switch(Feature::MultiValue), [];
    /// `memory.copy`, `table.init` and their kin, and passive segments. On by default.
    BULK_MEMORY = 5, wasm_bulk_memory, "bulk-memory-operations", Switch(Feature::BulkMemory), [];
    /// `funcref` and `externref` as values, and several tables. On by default.
    REFERENCE_TYPES = 6, wasm_reference_types, "reference-types", Switch(Feature::ReferenceTypes), [BULK_MEMORY];
    /// 128-bit vectors. On by default.
    SIMD = 7, wasm_simd, "simd", Switch(Feature::Simd), [];
    /// Vector operators whose edge cases may differ by machine. On by default.
    RELAXED_SIMD = 8, wasm_relaxed_simd, "relaxed-simd", Switch(Feature::RelaxedSimd), [SIMD];
    /// `return_call` and its kin. On by default.
    TAIL_CALL = 9, wasm_tail_call, "tail-call", Switch(Feature::TailCall), [];
    /// Several memories in one module. On by default.
    MULTI_MEMORY = 10, wasm_multi_memory, "multi-memory", Switch(Feature::MultiMemory), [];
    /// Memories and tables with 64-bit addresses. On by default.
    MEMORY64 = 11, wasm_memory64, "memory64", Switch(Feature::Memory64), [];
    /// Arithmetic in constant expressions. On by default.
    EXTENDED_CONST = 12, wasm_extended_const, "extended-const", Switch(Feature::ExtendedConst), [];
    /// Typed function references. On by default.
    FUNCTION_REFERENCES = 13, wasm_function_references, "function-references", Switch(Feature::FunctionReferences), [REFERENCE_TYPES];
    /// Memories with pages of one byte. Off by default.
    CUSTOM_PAGE_SIZES = 14, wasm_custom_page_sizes, "custom-page-sizes", Switch(Feature::CustomPageSizes), [];
    /// 128-bit arithmetic on pairs of `i64`. Off by default.
    WIDE_ARITHMETIC = 15, wasm_wide_arithmetic, "wide-arithmetic", Switch(Feature::WideArithmetic), [];
    /// Atomic operators and shared memories.
    THREADS = 16, wasm_threads, "threads", Missing, [];
    /// Everything else that threads could share.
    SHARED_EVERYTHING_THREADS = 17, wasm_shared_everything_threads, "shared-everything-threads", Missing, [];
    /// Tags, `throw` and `try_table`.
    EXCEPTIONS = 18, wasm_exceptions, "exception-handling", Missing, [];
    /// The exception operators of before the standard.
    LEGACY_EXCEPTIONS = 19, _, "legacy exception-handling", Missing, [];
    /// Structs, arrays and `i31`.
    GC = 20, wasm_gc, "gc", Missing, [];
    /// Suspending and resuming stacks.
    STACK_SWITCHING = 21, wasm_stack_switching, "stack-switching", Missing, [];
    /// Hints at which way a branch goes.
    BRANCH_HINTING = 22, wasm_branch_hinting, "branch-hinting", Missing, [];
    /// Discarding and protecting memory.
    MEMORY_CONTROL = 23, _, "memory-control", Missing, [];
    /// Descriptors of types, made by programs.
    CUSTOM_DESCRIPTORS = 24, _, "custom-descriptors", Missing, [];
    /// Components.
    COMPONENT_MODEL = 25, wasm_component_model, "component-model", Missing, [];
    /// Asynchronous components.
    CM_ASYNC = 26, wasm_component_model_async, "component-model-async", Missing, [];
}

impl WasmFeatures {
    /// No proposal.
    pub const fn empty() -> Self {
        Self(0)
    }

    /// Every proposal that has a name here.
    pub fn all() -> Self {
        PROPOSALS.iter().fold(Self::empty(), |set, row| set | row.flag)
    }

    /// Whether there is none in the set.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether every proposal of `other` is in the set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether any proposal of `other` is in the set.
    pub const fn intersects(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Adds those of `other`.
    pub fn insert(&mut self, other: Self) {
        self.0 |= other.0;
    }

    /// Takes those of `other` out.
    pub fn remove(&mut self, other: Self) {
        self.0 &= !other.0;
    }

    /// Adds those of `other`, or takes them out.
    pub fn set(&mut self, other: Self, on: bool) {
        if on { self.insert(other) } else { self.remove(other) }
    }

    /// One bit a proposal. The numbers are Tenure's own.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The rows of the table that are in the set.
    pub fn proposals(self) -> impl Iterator<Item = &'static Proposal> {
        PROPOSALS.iter().filter(move |row| self.contains(row.flag))
    }

    /// What is on when nobody says otherwise.
    pub fn defaults() -> Self {
        let mut set = Self::empty();
        for row in PROPOSALS {
            set.set(
                row.flag,
                match row.is {
                    Switch(feature) => feature.is_default(),
                    AlwaysOn => true,
                    Missing => false,
                },
            );
        }
        set
    }

    /// The set that validation and compilers work with.
    pub(crate) fn to_features(self) -> Features {
        let mut features = Features::NONE;
        for row in self.proposals() {
            if let Switch(feature) = row.is {
                features.set(feature, true);
            }
        }
        features
    }
}

impl std::ops::BitOr for WasmFeatures {
    type Output = Self;

    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}

impl std::ops::BitOrAssign for WasmFeatures {
    fn bitor_assign(&mut self, other: Self) {
        self.insert(other);
    }
}

impl std::ops::BitAnd for WasmFeatures {
    type Output = Self;

    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

impl std::ops::Sub for WasmFeatures {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
}

impl std::fmt::Debug for WasmFeatures {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.proposals().map(|row| format_args!("{}", row.title).to_string())).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tenure_types::FEATURES;

    #[test]
    fn every_feature_of_the_types_has_a_row() {
        for &feature in FEATURES {
            let rows: Vec<_> = PROPOSALS.iter().filter(|row| row.is == Switch(feature)).collect();
            assert_eq!(rows.len(), 1, "{feature:?}");
            assert_eq!(rows[0].title, feature.title());
        }
        assert_eq!(WasmFeatures::defaults().to_features(), Features::default());
    }

    #[test]
    fn no_two_rows_share_a_bit_and_needs_stand_above() {
        let mut seen = WasmFeatures::empty();
        for row in PROPOSALS {
            assert!(!seen.intersects(row.flag), "{}", row.title);
            assert!(seen.contains(row.needs), "{}", row.title);
            seen |= row.flag;
        }
    }
}
