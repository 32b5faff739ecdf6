//! What stands between decoding an operator and compiling it: the validator, or nothing for a body that was
//! checked before.

use wasmparser::{
    BinaryReader, FrameKind, FuncValidator, Operator, ValType, ValidatorResources, VisitOperator,
    WasmFeatures,
};

/// Checks operators before they are compiled.
pub(crate) trait Checks {
    /// A visitor that checks the operator at `offset` of the module.
    fn visitor<'this, 'v: 'this>(
        &'this mut self,
        offset: u64,
    ) -> impl VisitOperator<'v, Output = wasmparser::Result<()>> + 'this;

    /// Checks the operator at `offset` of the module.
    fn operator(&mut self, offset: u64, op: &Operator<'_>) -> wasmparser::Result<()>;

    /// Checks the declaration, at `offset` of the module, of `count` locals.
    fn locals(&mut self, offset: u64, count: u32, ty: ValType) -> wasmparser::Result<()>;

    /// Whether the body goes on: its last `end` takes the last construct off.
    fn is_open(&self) -> bool;

    /// Checks that the body ends as it must, with what is left of its bytes after the last operator.
    fn end(&mut self, rest: BinaryReader<'_>) -> wasmparser::Result<()>;

    /// Whether the innermost construct may have an `else`.
    fn is_in_if(&self) -> bool;

    /// The proposals that operators may come from.
    fn features(&self) -> WasmFeatures;
}

impl Checks for FuncValidator<ValidatorResources> {
    #[inline]
    fn visitor<'this, 'v: 'this>(
        &'this mut self,
        offset: u64,
    ) -> impl VisitOperator<'v, Output = wasmparser::Result<()>> + 'this {
        FuncValidator::visitor(self, offset)
    }

    fn operator(&mut self, offset: u64, op: &Operator<'_>) -> wasmparser::Result<()> {
        self.op(offset, op)
    }

    fn locals(&mut self, offset: u64, count: u32, ty: ValType) -> wasmparser::Result<()> {
        self.define_locals(offset, count, ty)
    }

    #[inline]
    fn is_open(&self) -> bool {
        self.control_stack_height() > 0
    }

    fn end(&mut self, mut rest: BinaryReader<'_>) -> wasmparser::Result<()> {
        let mut visitor = FuncValidator::visitor(self, rest.original_position());
        if !rest.eof() {
            // Says what is wrong with that.
            rest.visit_operator(&mut visitor)??;
        }
        rest.finish_expression(&visitor)
    }

    fn is_in_if(&self) -> bool {
        self.get_control_frame(0).is_some_and(|frame| frame.kind == FrameKind::If)
    }

    fn features(&self) -> WasmFeatures {
        *FuncValidator::features(self)
    }
}

/// Has nothing to say to a body that was checked before: its bytes end where its operators do.
pub(crate) struct Checked(pub WasmFeatures);

impl Checks for Checked {
    #[inline]
    fn visitor<'this, 'v: 'this>(
        &'this mut self,
        _offset: u64,
    ) -> impl VisitOperator<'v, Output = wasmparser::Result<()>> + 'this {
        Silent
    }

    fn operator(&mut self, _offset: u64, _op: &Operator<'_>) -> wasmparser::Result<()> {
        Ok(())
    }

    fn locals(&mut self, _offset: u64, _count: u32, _ty: ValType) -> wasmparser::Result<()> {
        Ok(())
    }

    #[inline]
    fn is_open(&self) -> bool {
        true
    }

    fn end(&mut self, _rest: BinaryReader<'_>) -> wasmparser::Result<()> {
        Ok(())
    }

    fn is_in_if(&self) -> bool {
        true
    }

    fn features(&self) -> WasmFeatures {
        self.0
    }
}

/// Takes every operator for right.
struct Silent;

macro_rules! take_for_right {
    ($(@$proposal:ident $op:ident $({ $($arg:ident: $ty:ty),* })? => $visit:ident ($($annotation:tt)*))*) => {
        $(
            #[inline]
            fn $visit(&mut self $($(, _: $ty)*)?) -> wasmparser::Result<()> {
                Ok(())
            }
        )*
    };
}

impl<'a> VisitOperator<'a> for Silent {
    type Output = wasmparser::Result<()>;

    wasmparser::for_each_visit_operator!(take_for_right);
}
