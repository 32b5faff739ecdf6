//! Register names.

use std::fmt;

/// A general register.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gpr(u8);

/// An SSE register.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Xmm(u8);

macro_rules! constants {
    ($type:ident: $($name:ident = $number:literal),*) => {
        impl $type {
            $(
                #[doc = concat!("Register number ", $number, ".")]
                pub const $name: $type = $type($number);
            )*

            /// All sixteen, by number.
            pub const ALL: [$type; 16] = [$($type::$name),*];

            /// The register of this number, if there is one (0 to 15).
            pub const fn from_number(number: u8) -> Option<$type> {
                if number < 16 { Some($type(number)) } else { None }
            }

            /// The register that the four lowest bits of `number` name.
            #[inline]
            pub const fn of_low_bits(number: u8) -> $type {
                $type(number & 15)
            }

            /// Its number in encodings, 0 to 15.
            #[inline]
            pub const fn number(self) -> u8 {
                self.0
            }

            /// Its name in lower case, at full width.
            pub fn name(self) -> String {
                const NAMES: [&str; 16] = [$(stringify!($name)),*];
                NAMES[usize::from(self.0)].to_ascii_lowercase()
            }
        }

        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.name())
            }
        }
    };
}

constants!(Gpr: RAX = 0, RCX = 1, RDX = 2, RBX = 3, RSP = 4, RBP = 5, RSI = 6, RDI = 7,
    R8 = 8, R9 = 9, R10 = 10, R11 = 11, R12 = 12, R13 = 13, R14 = 14, R15 = 15);
constants!(Xmm: XMM0 = 0, XMM1 = 1, XMM2 = 2, XMM3 = 3, XMM4 = 4, XMM5 = 5, XMM6 = 6, XMM7 = 7,
    XMM8 = 8, XMM9 = 9, XMM10 = 10, XMM11 = 11, XMM12 = 12, XMM13 = 13, XMM14 = 14, XMM15 = 15);
