//! A value without its type.

use std::ffi::c_void;
use std::fmt;

/// A value without its type, as it travels to and from functions that are called unchecked.
///
/// 16 bytes. Which type it is must be known from elsewhere: reading it as another gives some value of that
/// type, and *using* a function reference that is none is undefined behaviour, which is why what takes these
/// is `unsafe`.
#[derive(Clone, Copy, Default)]
#[repr(transparent)]
pub struct ValRaw(tenure_abi::ValRaw);

impl ValRaw {
    /// Null, for every reference type.
    pub fn null() -> Self {
        Self::default()
    }

    /// An `i32`.
    #[inline]
    pub fn i32(value: i32) -> Self {
        Self(tenure_abi::ValRaw::i32(value))
    }

    /// An `i32`, from its unsigned reading.
    #[inline]
    pub fn u32(value: u32) -> Self {
        Self(tenure_abi::ValRaw::u32(value))
    }

    /// An `i64`.
    #[inline]
    pub fn i64(value: i64) -> Self {
        Self(tenure_abi::ValRaw::i64(value))
    }

    /// An `i64`, from its unsigned reading.
    #[inline]
    pub fn u64(value: u64) -> Self {
        Self(tenure_abi::ValRaw::u64(value))
    }

    /// An `f32`, by its bits.
    #[inline]
    pub fn f32(bits: u32) -> Self {
        Self(tenure_abi::ValRaw::f32(bits))
    }

    /// An `f64`, by its bits.
    #[inline]
    pub fn f64(bits: u64) -> Self {
        Self(tenure_abi::ValRaw::f64(bits))
    }

    /// A vector, lane 0 in the lowest bits.
    #[inline]
    pub fn v128(bits: u128) -> Self {
        Self(tenure_abi::ValRaw::v128(bits))
    }

    /// A function reference, as `Func::to_raw` gives it; null for null.
    #[inline]
    pub fn funcref(address: *mut c_void) -> Self {
        Self(tenure_abi::ValRaw::funcref(address.expose_provenance()))
    }

    /// A host reference, by its number in the store; 0 for null.
    #[inline]
    pub fn externref(number: u32) -> Self {
        Self(tenure_abi::ValRaw::externref(number))
    }

    /// A reference to the guest's own data, by its number in the store; 0 for null.
    #[inline]
    pub fn anyref(number: u32) -> Self {
        Self::u32(number)
    }

    /// An exception reference, by its number in the store; 0 for null.
    #[inline]
    pub fn exnref(number: u32) -> Self {
        Self::u32(number)
    }

    /// Reads an `i32`.
    #[inline]
    pub fn get_i32(&self) -> i32 {
        self.0.get_i32()
    }

    /// Reads an `i32` as unsigned.
    #[inline]
    pub fn get_u32(&self) -> u32 {
        self.0.get_u32()
    }

    /// Reads an `i64`.
    #[inline]
    pub fn get_i64(&self) -> i64 {
        self.0.get_i64()
    }

    /// Reads an `i64` as unsigned.
    #[inline]
    pub fn get_u64(&self) -> u64 {
        self.0.get_u64()
    }

    /// Reads an `f32`'s bits.
    #[inline]
    pub fn get_f32(&self) -> u32 {
        self.0.get_f32()
    }

    /// Reads an `f64`'s bits.
    #[inline]
    pub fn get_f64(&self) -> u64 {
        self.0.get_f64()
    }

    /// Reads a vector.
    #[inline]
    pub fn get_v128(&self) -> u128 {
        self.0.get_v128()
    }

    /// Reads a function reference.
    #[inline]
    pub fn get_funcref(&self) -> *mut c_void {
        std::ptr::with_exposed_provenance_mut(self.0.get_funcref())
    }

    /// Reads a host reference's number.
    #[inline]
    pub fn get_externref(&self) -> u32 {
        self.0.get_externref()
    }

    /// Reads the number of a reference to the guest's own data.
    #[inline]
    pub fn get_anyref(&self) -> u32 {
        self.get_u32()
    }

    /// Reads an exception reference's number.
    #[inline]
    pub fn get_exnref(&self) -> u32 {
        self.get_u32()
    }
}

impl From<tenure_abi::ValRaw> for ValRaw {
    fn from(raw: tenure_abi::ValRaw) -> Self {
        Self(raw)
    }
}

impl From<ValRaw> for tenure_abi::ValRaw {
    fn from(raw: ValRaw) -> Self {
        raw.0
    }
}

impl fmt::Debug for ValRaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ValRaw({:#x})", self.get_v128())
    }
}
