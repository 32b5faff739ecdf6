//! The proposals a module may use: a run-time set, one row a proposal.

macro_rules! features {
    ($($(#[$doc:meta])* $name:ident = $bit:literal, $title:literal, $default:literal;)*) => {
        /// A proposal beyond WebAssembly 1.0.
        #[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
        #[repr(u32)]
        pub enum Feature { $($(#[$doc])* $name = $bit,)* }

        /// Every [`Feature`], in the order of the table.
        pub const FEATURES: &[Feature] = &[$(Feature::$name,)*];

        impl Feature {
            /// The proposal's name, as its repository spells it.
            pub fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }

            /// Whether it is on when nobody says otherwise.
            pub fn is_default(self) -> bool {
                match self { $(Self::$name => $default,)* }
            }
        }
    };
}

// name = bit, title, on by default
features! {
    /// Conversions that saturate instead of trapping.
    SaturatingFloatToInt = 0, "nontrapping-float-to-int-conversions", true;
    /// `i32.extend8_s` and its kin.
    SignExtension = 1, "sign-extension-ops", true;
    /// Exported and imported mutable globals.
    MutableGlobal = 2, "mutable-global", true;
    /// Several results, block parameters.
    MultiValue = 3, "multi-value", true;
    /// `memory.copy`, `table.init` and their kin.
    BulkMemory = 4, "bulk-memory-operations", true;
    /// `funcref` and `externref` as values; several tables.
    ReferenceTypes = 5, "reference-types", true;
    /// 128-bit vectors.
    Simd = 6, "simd", true;
    /// Vector operators whose edge cases differ by machine.
    RelaxedSimd = 7, "relaxed-simd", true;
    /// `return_call` and its kin.
    TailCall = 8, "tail-call", true;
    /// Several memories.
    MultiMemory = 9, "multi-memory", true;
    /// 64-bit memories and tables.
    Memory64 = 10, "memory64", true;
    /// Arithmetic in constant expressions.
    ExtendedConst = 11, "extended-const", true;
    /// Typed function references.
    FunctionReferences = 12, "function-references", true;
    /// Memories with pages of one byte.
    CustomPageSizes = 13, "custom-page-sizes", false;
    /// 128-bit arithmetic on pairs of `i64`.
    WideArithmetic = 14, "wide-arithmetic", false;
}

/// A set of [`Feature`]s.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Features(u32);

impl Features {
    /// WebAssembly 1.0: no proposal.
    pub const NONE: Self = Self(0);

    /// Whether `feature` is in the set.
    pub fn has(self, feature: Feature) -> bool {
        self.0 & (1 << feature as u32) != 0
    }

    /// Puts `feature` in the set, or takes it out.
    pub fn set(&mut self, feature: Feature, on: bool) {
        let bit = 1 << feature as u32;
        self.0 = if on { self.0 | bit } else { self.0 & !bit };
    }

    /// The set as a number, for keys and headers.
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl Default for Features {
    fn default() -> Self {
        let mut set = Self::NONE;
        for &feature in FEATURES {
            set.set(feature, feature.is_default());
        }
        set
    }
}
