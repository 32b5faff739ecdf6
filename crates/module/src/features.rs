//! Our feature set in wasmparser's terms.

use tenure_types::{Feature, Features};
use wasmparser::WasmFeatures;

/// The validator's features for `features`. Floats are always on, and so are the reference types that
/// WebAssembly 2.0 has when [`Feature::ReferenceTypes`] is.
pub fn wasm_features(features: Features) -> WasmFeatures {
    let mut set = WasmFeatures::FLOATS;
    let rows = [
        (Feature::SaturatingFloatToInt, WasmFeatures::SATURATING_FLOAT_TO_INT),
        (Feature::SignExtension, WasmFeatures::SIGN_EXTENSION),
        (Feature::MutableGlobal, WasmFeatures::MUTABLE_GLOBAL),
        (Feature::MultiValue, WasmFeatures::MULTI_VALUE),
        (Feature::BulkMemory, WasmFeatures::BULK_MEMORY),
        (Feature::BulkMemory, WasmFeatures::BULK_MEMORY_OPT),
        (Feature::ReferenceTypes, WasmFeatures::REFERENCE_TYPES),
        (Feature::ReferenceTypes, WasmFeatures::CALL_INDIRECT_OVERLONG),
        // `externref` counts as a type of the collector's there.
        (Feature::ReferenceTypes, WasmFeatures::GC_TYPES),
        (Feature::Simd, WasmFeatures::SIMD),
        (Feature::RelaxedSimd, WasmFeatures::RELAXED_SIMD),
        (Feature::TailCall, WasmFeatures::TAIL_CALL),
        (Feature::MultiMemory, WasmFeatures::MULTI_MEMORY),
        (Feature::Memory64, WasmFeatures::MEMORY64),
        (Feature::ExtendedConst, WasmFeatures::EXTENDED_CONST),
        (Feature::FunctionReferences, WasmFeatures::FUNCTION_REFERENCES),
        // Version 3.0 has recursion groups of function types, and constant expressions that read the module's own
        // globals; they need no collector. What does is refused as it is read.
        (Feature::FunctionReferences, WasmFeatures::GC),
        (Feature::CustomPageSizes, WasmFeatures::CUSTOM_PAGE_SIZES),
        (Feature::WideArithmetic, WasmFeatures::WIDE_ARITHMETIC),
    ];
    for (feature, flag) in rows {
        if features.has(feature) {
            set |= flag;
        }
    }
    set
}
