//! A value at rest: how arguments and results lie in memory between host and guest.

/// One value of any type, 16 bytes, little-endian, unused upper bytes unspecified.
///
/// Which type it is stands elsewhere (in the function's type). A funcref is the pointer to its
/// [`VmFuncRef`](crate::vm::VmFuncRef), a host reference is its 32-bit number; null is 0 for both.
#[repr(C, align(16))]
#[derive(Clone, Copy, Default)]
pub struct ValRaw([u8; 16]);

const _: () = assert!(size_of::<ValRaw>() == ValRaw::SIZE && align_of::<ValRaw>() == 16);

impl ValRaw {
    /// Bytes of a value in an argument array.
    pub const SIZE: usize = 16;

    #[inline]
    fn with<const N: usize>(bytes: [u8; N]) -> Self {
        let mut raw = [0; 16];
        raw[..N].copy_from_slice(&bytes);
        Self(raw)
    }

    #[inline]
    fn first<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        bytes.copy_from_slice(&self.0[..N]);
        bytes
    }

    /// An `i32`.
    #[inline]
    pub fn i32(value: i32) -> Self {
        Self::with(value.to_le_bytes())
    }

    /// An `i32`, from its unsigned reading.
    #[inline]
    pub fn u32(value: u32) -> Self {
        Self::with(value.to_le_bytes())
    }

    /// An `i64`.
    #[inline]
    pub fn i64(value: i64) -> Self {
        Self::with(value.to_le_bytes())
    }

    /// An `i64`, from its unsigned reading.
    #[inline]
    pub fn u64(value: u64) -> Self {
        Self::with(value.to_le_bytes())
    }

    /// An `f32`, by its bits.
    #[inline]
    pub fn f32(bits: u32) -> Self {
        Self::with(bits.to_le_bytes())
    }

    /// An `f64`, by its bits.
    #[inline]
    pub fn f64(bits: u64) -> Self {
        Self::with(bits.to_le_bytes())
    }

    /// A vector, lane 0 in the lowest bits.
    #[inline]
    pub fn v128(value: u128) -> Self {
        Self(value.to_le_bytes())
    }

    /// A funcref, by the address of its record; 0 is null.
    #[inline]
    pub fn funcref(address: usize) -> Self {
        Self::with(address.to_le_bytes())
    }

    /// A host reference, by its number; 0 is null.
    #[inline]
    pub fn externref(number: u32) -> Self {
        Self::u32(number)
    }

    /// Reads an `i32`.
    #[inline]
    pub fn get_i32(&self) -> i32 {
        i32::from_le_bytes(self.first())
    }

    /// Reads an `i32` as unsigned.
    #[inline]
    pub fn get_u32(&self) -> u32 {
        u32::from_le_bytes(self.first())
    }

    /// Reads an `i64`.
    #[inline]
    pub fn get_i64(&self) -> i64 {
        i64::from_le_bytes(self.first())
    }

    /// Reads an `i64` as unsigned.
    #[inline]
    pub fn get_u64(&self) -> u64 {
        u64::from_le_bytes(self.first())
    }

    /// Reads an `f32`'s bits.
    #[inline]
    pub fn get_f32(&self) -> u32 {
        self.get_u32()
    }

    /// Reads an `f64`'s bits.
    #[inline]
    pub fn get_f64(&self) -> u64 {
        self.get_u64()
    }

    /// Reads a vector.
    #[inline]
    pub fn get_v128(&self) -> u128 {
        u128::from_le_bytes(self.0)
    }

    /// Reads a funcref: the address of its record, or 0.
    #[inline]
    pub fn get_funcref(&self) -> usize {
        usize::from_le_bytes(self.first())
    }

    /// Reads a host reference: its number, or 0.
    #[inline]
    pub fn get_externref(&self) -> u32 {
        self.get_u32()
    }
}

impl std::fmt::Debug for ValRaw {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ValRaw({:#x})", self.get_v128())
    }
}
