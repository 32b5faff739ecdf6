//! Operators of one byte: a row each, with the opcode, the validator's method and ours.
//!
//! From these rows come the fast ways of the driver, which never make an [`Operator`](wasmparser::Operator) of an
//! opcode.

use crate::func::FuncCompiler;
use crate::isa_x64::float::{ADD, DIV, FloatCompare, MUL, Rounding, SUB};
use crate::isa_x64::integer::Division;
use crate::stop::{Done, Stop};
use tenure_abi::ValClass::{F32, F64, I32, I64};
use tenure_asm::x64::{Alu, Cond, Count, Shift, Width};
use wasmparser::{MemArg, VisitOperator};

macro_rules! plain_operators {
    ($($opcode:literal $visit:ident => $method:ident($($arg:expr),*);)*) => {
        impl FuncCompiler<'_> {
            /// Checks and compiles an operator without immediates; says no to every other.
            #[inline]
            pub(crate) fn plain<'v>(
                &mut self,
                opcode: u8,
                mut validator: impl VisitOperator<'v, Output = wasmparser::Result<()>>,
            ) -> Result<bool, Stop> {
                match opcode {
                    $($opcode => {
                        validator.$visit()?;
                        if self.begin_operator() {
                            self.$method($($arg),*).done()?;
                        }
                    })*
                    _ => return Ok(false),
                }
                self.end_operator();
                Ok(true)
            }
        }
    };
}

plain_operators! {
    0x00 visit_unreachable => unreachable();
    0x01 visit_nop => nop();
    0x0f visit_return => return_();
    0x1a visit_drop => drop_operand();
    0x1b visit_select => select();

    0x45 visit_i32_eqz => eqz();
    0x46 visit_i32_eq => compare(Cond::Equal, I32);
    0x47 visit_i32_ne => compare(Cond::NotEqual, I32);
    0x48 visit_i32_lt_s => compare(Cond::Less, I32);
    0x49 visit_i32_lt_u => compare(Cond::Below, I32);
    0x4a visit_i32_gt_s => compare(Cond::Greater, I32);
    0x4b visit_i32_gt_u => compare(Cond::Above, I32);
    0x4c visit_i32_le_s => compare(Cond::LessEqual, I32);
    0x4d visit_i32_le_u => compare(Cond::BelowEqual, I32);
    0x4e visit_i32_ge_s => compare(Cond::GreaterEqual, I32);
    0x4f visit_i32_ge_u => compare(Cond::AboveEqual, I32);
    0x50 visit_i64_eqz => eqz();
    0x51 visit_i64_eq => compare(Cond::Equal, I64);
    0x52 visit_i64_ne => compare(Cond::NotEqual, I64);
    0x53 visit_i64_lt_s => compare(Cond::Less, I64);
    0x54 visit_i64_lt_u => compare(Cond::Below, I64);
    0x55 visit_i64_gt_s => compare(Cond::Greater, I64);
    0x56 visit_i64_gt_u => compare(Cond::Above, I64);
    0x57 visit_i64_le_s => compare(Cond::LessEqual, I64);
    0x58 visit_i64_le_u => compare(Cond::BelowEqual, I64);
    0x59 visit_i64_ge_s => compare(Cond::GreaterEqual, I64);
    0x5a visit_i64_ge_u => compare(Cond::AboveEqual, I64);
    0x5b visit_f32_eq => compare_floats(FloatCompare::Eq, F32);
    0x5c visit_f32_ne => compare_floats(FloatCompare::Ne, F32);
    0x5d visit_f32_lt => compare_floats(FloatCompare::Lt, F32);
    0x5e visit_f32_gt => compare_floats(FloatCompare::Gt, F32);
    0x5f visit_f32_le => compare_floats(FloatCompare::Le, F32);
    0x60 visit_f32_ge => compare_floats(FloatCompare::Ge, F32);
    0x61 visit_f64_eq => compare_floats(FloatCompare::Eq, F64);
    0x62 visit_f64_ne => compare_floats(FloatCompare::Ne, F64);
    0x63 visit_f64_lt => compare_floats(FloatCompare::Lt, F64);
    0x64 visit_f64_gt => compare_floats(FloatCompare::Gt, F64);
    0x65 visit_f64_le => compare_floats(FloatCompare::Le, F64);
    0x66 visit_f64_ge => compare_floats(FloatCompare::Ge, F64);

    0x67 visit_i32_clz => count(Count::Lzcnt, I32);
    0x68 visit_i32_ctz => count(Count::Tzcnt, I32);
    0x69 visit_i32_popcnt => count(Count::Popcnt, I32);
    0x6a visit_i32_add => alu(Alu::Add, I32);
    0x6b visit_i32_sub => alu(Alu::Sub, I32);
    0x6c visit_i32_mul => multiply(I32);
    0x6d visit_i32_div_s => divide(Division::DivS, I32);
    0x6e visit_i32_div_u => divide(Division::DivU, I32);
    0x6f visit_i32_rem_s => divide(Division::RemS, I32);
    0x70 visit_i32_rem_u => divide(Division::RemU, I32);
    0x71 visit_i32_and => alu(Alu::And, I32);
    0x72 visit_i32_or => alu(Alu::Or, I32);
    0x73 visit_i32_xor => alu(Alu::Xor, I32);
    0x74 visit_i32_shl => shift(Shift::Shl, I32);
    0x75 visit_i32_shr_s => shift(Shift::Sar, I32);
    0x76 visit_i32_shr_u => shift(Shift::Shr, I32);
    0x77 visit_i32_rotl => shift(Shift::Rol, I32);
    0x78 visit_i32_rotr => shift(Shift::Ror, I32);
    0x79 visit_i64_clz => count(Count::Lzcnt, I64);
    0x7a visit_i64_ctz => count(Count::Tzcnt, I64);
    0x7b visit_i64_popcnt => count(Count::Popcnt, I64);
    0x7c visit_i64_add => alu(Alu::Add, I64);
    0x7d visit_i64_sub => alu(Alu::Sub, I64);
    0x7e visit_i64_mul => multiply(I64);
    0x7f visit_i64_div_s => divide(Division::DivS, I64);
    0x80 visit_i64_div_u => divide(Division::DivU, I64);
    0x81 visit_i64_rem_s => divide(Division::RemS, I64);
    0x82 visit_i64_rem_u => divide(Division::RemU, I64);
    0x83 visit_i64_and => alu(Alu::And, I64);
    0x84 visit_i64_or => alu(Alu::Or, I64);
    0x85 visit_i64_xor => alu(Alu::Xor, I64);
    0x86 visit_i64_shl => shift(Shift::Shl, I64);
    0x87 visit_i64_shr_s => shift(Shift::Sar, I64);
    0x88 visit_i64_shr_u => shift(Shift::Shr, I64);
    0x89 visit_i64_rotl => shift(Shift::Rol, I64);
    0x8a visit_i64_rotr => shift(Shift::Ror, I64);

    0x8b visit_f32_abs => float_sign(F32, false);
    0x8c visit_f32_neg => float_sign(F32, true);
    0x8d visit_f32_ceil => round(Rounding::Ceil, F32);
    0x8e visit_f32_floor => round(Rounding::Floor, F32);
    0x8f visit_f32_trunc => round(Rounding::Trunc, F32);
    0x90 visit_f32_nearest => round(Rounding::Nearest, F32);
    0x91 visit_f32_sqrt => sqrt(F32);
    0x92 visit_f32_add => float_binary(ADD, F32);
    0x93 visit_f32_sub => float_binary(SUB, F32);
    0x94 visit_f32_mul => float_binary(MUL, F32);
    0x95 visit_f32_div => float_binary(DIV, F32);
    0x96 visit_f32_min => min_max(F32, true);
    0x97 visit_f32_max => min_max(F32, false);
    0x98 visit_f32_copysign => copysign(F32);
    0x99 visit_f64_abs => float_sign(F64, false);
    0x9a visit_f64_neg => float_sign(F64, true);
    0x9b visit_f64_ceil => round(Rounding::Ceil, F64);
    0x9c visit_f64_floor => round(Rounding::Floor, F64);
    0x9d visit_f64_trunc => round(Rounding::Trunc, F64);
    0x9e visit_f64_nearest => round(Rounding::Nearest, F64);
    0x9f visit_f64_sqrt => sqrt(F64);
    0xa0 visit_f64_add => float_binary(ADD, F64);
    0xa1 visit_f64_sub => float_binary(SUB, F64);
    0xa2 visit_f64_mul => float_binary(MUL, F64);
    0xa3 visit_f64_div => float_binary(DIV, F64);
    0xa4 visit_f64_min => min_max(F64, true);
    0xa5 visit_f64_max => min_max(F64, false);
    0xa6 visit_f64_copysign => copysign(F64);

    0xa7 visit_i32_wrap_i64 => wrap();
    0xa8 visit_i32_trunc_f32_s => truncate_float(F32, I32, true, false);
    0xa9 visit_i32_trunc_f32_u => truncate_float(F32, I32, false, false);
    0xaa visit_i32_trunc_f64_s => truncate_float(F64, I32, true, false);
    0xab visit_i32_trunc_f64_u => truncate_float(F64, I32, false, false);
    0xac visit_i64_extend_i32_s => sign_extend(Width::W32, I64);
    0xad visit_i64_extend_i32_u => extend_unsigned();
    0xae visit_i64_trunc_f32_s => truncate_float(F32, I64, true, false);
    0xaf visit_i64_trunc_f32_u => truncate_float(F32, I64, false, false);
    0xb0 visit_i64_trunc_f64_s => truncate_float(F64, I64, true, false);
    0xb1 visit_i64_trunc_f64_u => truncate_float(F64, I64, false, false);
    0xb2 visit_f32_convert_i32_s => convert_to_float(I32, true, F32);
    0xb3 visit_f32_convert_i32_u => convert_to_float(I32, false, F32);
    0xb4 visit_f32_convert_i64_s => convert_to_float(I64, true, F32);
    0xb5 visit_f32_convert_i64_u => convert_to_float(I64, false, F32);
    0xb6 visit_f32_demote_f64 => change_float_width(F32);
    0xb7 visit_f64_convert_i32_s => convert_to_float(I32, true, F64);
    0xb8 visit_f64_convert_i32_u => convert_to_float(I32, false, F64);
    0xb9 visit_f64_convert_i64_s => convert_to_float(I64, true, F64);
    0xba visit_f64_convert_i64_u => convert_to_float(I64, false, F64);
    0xbb visit_f64_promote_f32 => change_float_width(F64);
    0xbc visit_i32_reinterpret_f32 => reinterpret(I32);
    0xbd visit_i64_reinterpret_f64 => reinterpret(I64);
    0xbe visit_f32_reinterpret_i32 => reinterpret(F32);
    0xbf visit_f64_reinterpret_i64 => reinterpret(F64);
    0xc0 visit_i32_extend8_s => sign_extend(Width::W8, I32);
    0xc1 visit_i32_extend16_s => sign_extend(Width::W16, I32);
    0xc2 visit_i64_extend8_s => sign_extend(Width::W8, I64);
    0xc3 visit_i64_extend16_s => sign_extend(Width::W16, I64);
    0xc4 visit_i64_extend32_s => sign_extend(Width::W32, I64);
    0xd1 visit_ref_is_null => eqz();
    0xd4 visit_ref_as_non_null => ref_as_non_null();
}

macro_rules! accesses {
    ($($opcode:literal $visit:ident $align:literal => $method:ident($($arg:expr),*);)*) => {
        impl FuncCompiler<'_> {
            /// Checks and compiles a load or store; says no to every other operator. `memarg` lacks the natural
            /// alignment.
            #[inline]
            pub(crate) fn access<'v>(
                &mut self,
                opcode: u8,
                memarg: MemArg,
                mut validator: impl VisitOperator<'v, Output = wasmparser::Result<()>>,
            ) -> Result<bool, Stop> {
                match opcode {
                    $($opcode => {
                        let memarg = MemArg { max_align: $align, ..memarg };
                        validator.$visit(memarg)?;
                        if self.begin_operator() {
                            self.$method(&memarg, $($arg),*);
                        }
                    })*
                    _ => return Ok(false),
                }
                self.end_operator();
                Ok(true)
            }

            /// Compiles a load or store that was checked; says no to every other operator.
            pub(crate) fn checked_access(&mut self, opcode: u8, memarg: &MemArg) -> bool {
                match opcode {
                    $($opcode => self.$method(memarg, $($arg),*),)*
                    _ => return false,
                }
                true
            }
        }
    };
}

accesses! {
    0x28 visit_i32_load 2 => load(I32);
    0x29 visit_i64_load 3 => load(I64);
    0x2a visit_f32_load 2 => load(F32);
    0x2b visit_f64_load 3 => load(F64);
    0x2c visit_i32_load8_s 0 => load_part(Width::W8, true, I32);
    0x2d visit_i32_load8_u 0 => load_part(Width::W8, false, I32);
    0x2e visit_i32_load16_s 1 => load_part(Width::W16, true, I32);
    0x2f visit_i32_load16_u 1 => load_part(Width::W16, false, I32);
    0x30 visit_i64_load8_s 0 => load_part(Width::W8, true, I64);
    0x31 visit_i64_load8_u 0 => load_part(Width::W8, false, I64);
    0x32 visit_i64_load16_s 1 => load_part(Width::W16, true, I64);
    0x33 visit_i64_load16_u 1 => load_part(Width::W16, false, I64);
    0x34 visit_i64_load32_s 2 => load_part(Width::W32, true, I64);
    0x35 visit_i64_load32_u 2 => load_part(Width::W32, false, I64);
    0x36 visit_i32_store 2 => store(I32);
    0x37 visit_i64_store 3 => store(I64);
    0x38 visit_f32_store 2 => store(F32);
    0x39 visit_f64_store 3 => store(F64);
    0x3a visit_i32_store8 0 => store_part(Width::W8);
    0x3b visit_i32_store16 1 => store_part(Width::W16);
    0x3c visit_i64_store8 0 => store_part(Width::W8);
    0x3d visit_i64_store16 1 => store_part(Width::W16);
    0x3e visit_i64_store32 2 => store_part(Width::W32);
}

impl FuncCompiler<'_> {
    fn nop(&mut self) {}

    fn drop_operand(&mut self) {
        self.pop();
    }
}
