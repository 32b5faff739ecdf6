//! Sets of named bits, declared as tables.

/// Declares a set of bits: a name, its integer, and one row a bit.
macro_rules! flags {
    ($(#[$doc:meta])* $vis:vis struct $name:ident: $repr:ty { $($(#[$row_doc:meta])* $row:ident = $bit:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash)]
        $vis struct $name($repr);

        #[allow(dead_code, reason = "every set has every operation and every bit, used or not")]
        impl $name {
            $($(#[$row_doc])* pub const $row: Self = Self(1 << $bit);)*

            const ROWS: &[(Self, &str)] = &[$((Self::$row, stringify!($row))),*];

            /// No bit.
            pub const fn empty() -> Self {
                Self(0)
            }

            /// Every bit that has a name.
            pub const fn all() -> Self {
                Self(0 $(| 1 << $bit)*)
            }

            /// The bits as a number.
            pub const fn bits(self) -> $repr {
                self.0
            }

            /// The set that `bits` stand for; `None` if one of them has no name.
            pub const fn from_bits(bits: $repr) -> Option<Self> {
                if bits & !Self::all().0 == 0 { Some(Self(bits)) } else { None }
            }

            /// The set of those of `bits` that have a name.
            pub const fn from_bits_truncate(bits: $repr) -> Self {
                Self(bits & Self::all().0)
            }

            /// Whether no bit is set.
            pub const fn is_empty(self) -> bool {
                self.0 == 0
            }

            /// Whether all bits of `other` are set.
            pub const fn contains(self, other: Self) -> bool {
                self.0 & other.0 == other.0
            }

            /// Whether at least one bit of `other` is set.
            pub const fn intersects(self, other: Self) -> bool {
                self.0 & other.0 != 0
            }

            /// The bits of both.
            pub const fn union(self, other: Self) -> Self {
                Self(self.0 | other.0)
            }

            /// The bits that `other` does not have.
            pub const fn difference(self, other: Self) -> Self {
                Self(self.0 & !other.0)
            }
        }

        impl std::ops::BitOr for $name {
            type Output = Self;
            fn bitor(self, other: Self) -> Self {
                self.union(other)
            }
        }

        impl std::ops::BitOrAssign for $name {
            fn bitor_assign(&mut self, other: Self) {
                *self = self.union(other);
            }
        }

        impl std::ops::BitAnd for $name {
            type Output = Self;
            fn bitand(self, other: Self) -> Self {
                Self(self.0 & other.0)
            }
        }

        impl std::ops::Sub for $name {
            type Output = Self;
            fn sub(self, other: Self) -> Self {
                self.difference(other)
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let set = Self::ROWS.iter().filter(|(bit, _)| self.contains(*bit));
                f.write_str(concat!(stringify!($name), "("))?;
                for (index, (_, name)) in set.enumerate() {
                    if index > 0 {
                        f.write_str(" | ")?;
                    }
                    f.write_str(name)?;
                }
                f.write_str(")")
            }
        }
    };
}
