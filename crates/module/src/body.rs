//! Function bodies, and what checking them takes.

use crate::quick::QuickCheck;
use crate::summary::{Summaries, Summary};
use crate::{Module, ValidateError};
use tenure_types::FuncIdx;
use wasmparser::{
    BinaryReader, FuncToValidate, FuncValidator, FuncValidatorAllocations, FunctionBody, Operator,
    ValidatorResources,
};

/// The validator's buffers, to be used again for the next body.
pub type BodyAllocations = FuncValidatorAllocations;

/// A function body of a parsed module, with what checking it takes. Independent of the other bodies.
pub struct Body<'a> {
    /// Which function it is.
    pub func: FuncIdx,
    /// Locals and operators.
    pub code: FunctionBody<'a>,
    pub(crate) to_validate: FuncToValidate<ValidatorResources>,
    pub(crate) is_checked: bool,
    pub(crate) summary: Option<&'a [u8]>,
}

/// What it takes to read the bodies of a module again later, one at a time.
#[derive(Clone)]
pub struct Bodies {
    resources: ValidatorResources,
    features: wasmparser::WasmFeatures,
    are_checked: bool,
}

impl Bodies {
    /// The same, when nobody has checked them: what is read is to be checked.
    pub fn unchecked(self) -> Self {
        Self { are_checked: false, ..self }
    }

    /// The body of `func`, a function that `module` defines; `module` is the one that this came from.
    pub fn body<'m>(&self, module: &'m Module, func: FuncIdx) -> Option<Body<'m>> {
        let at = module.body_index(func)?;
        let range = module.bodies.get(at)?.clone();
        let mut reader = BinaryReader::new(module.bytes.get(range.clone())?, range.start as u64);
        reader.set_features(self.features);
        let to_validate = FuncToValidate {
            resources: self.resources.clone(),
            index: func.0,
            ty: module.funcs.get(func.at())?.ty.0,
            features: self.features,
        };
        let summary = module.summaries.get(at).filter(|_| self.are_checked);
        let code = FunctionBody::new(reader);
        Some(Body { func, code, to_validate, is_checked: self.are_checked, summary })
    }
}

impl<'a> Body<'a> {
    /// What it takes to read this and the other bodies of its module again. What is read from it counts as checked:
    /// for who goes on only if all bodies of the module turn out valid.
    pub fn bodies(&self) -> Bodies {
        let FuncToValidate { resources, features, .. } = &self.to_validate;
        Bodies { resources: resources.clone(), features: *features, are_checked: true }
    }

    /// Size in bytes.
    pub fn len(&self) -> usize {
        (self.code.range().end - self.code.range().start) as usize
    }

    /// Whether it has no bytes; a body always has some.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether it was found valid before, so that there is no need to check it again.
    pub fn is_checked(&self) -> bool {
        self.is_checked
    }

    /// The bytes of its summary, for [`Summary::read`], if they were kept when it was checked.
    pub fn summary(&self) -> Option<&'a [u8]> {
        self.summary
    }

    /// The proposals that its operators may come from.
    pub fn features(&self) -> wasmparser::WasmFeatures {
        self.to_validate.features
    }

    /// The same body once more: for a second compiler, when the first does not do it.
    pub fn again(&self) -> Self {
        let FuncToValidate { resources, index, ty, features } = &self.to_validate;
        let to_validate =
            FuncToValidate { resources: resources.clone(), index: *index, ty: *ty, features: *features };
        Self { code: self.code.clone(), to_validate, ..*self }
    }

    /// The validator for this body and the body itself, so that one decode drives validation and translation:
    /// feed it every local declaration and operator in order, and have it
    /// check the end when they are through.
    pub fn into_validator(
        self,
        allocations: BodyAllocations,
    ) -> (FuncValidator<ValidatorResources>, FunctionBody<'a>) {
        (self.to_validate.into_validator(allocations), self.code)
    }

    /// Has wasmparser check the body, and gives the buffers back.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn validate(self, allocations: BodyAllocations) -> Result<BodyAllocations, ValidateError> {
        let (mut validator, code) = self.into_validator(allocations);
        validator.validate(&code)?;
        // Each target is a byte at least: few bodies have to be looked through.
        if code.range().end - code.range().start > u64::from(MAX_BR_TABLE_TARGETS)
            && may_have_large_br_table(code.as_bytes())
        {
            check_br_tables(&code)?;
        }
        Ok(validator.into_allocations())
    }
}

/// Checks bodies one after the other, in buffers that are used again, and keeps their summaries.
#[derive(Default)]
pub struct BodyChecker {
    quick: QuickCheck,
    allocations: BodyAllocations,
    summary: Summary,
    summaries: Summaries,
}

impl BodyChecker {
    /// Checks `body`, one of those of `module`.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&mut self, module: &Module, body: Body<'_>) -> Result<(), ValidateError> {
        let len = body.code.as_bytes().len();
        if !self.quick.accepts(module, &body, &mut self.summary) {
            self.allocations = body.validate(std::mem::take(&mut self.allocations))?;
        }
        self.summaries.push(&self.summary, len);
        Ok(())
    }

    /// The summaries of the bodies that were checked.
    pub fn into_summaries(self) -> Summaries {
        self.summaries
    }
}

/// Checks the operator at `offset` of the module. Compiled here once, instead of in each crate that drives a validator.
///
/// # Errors
/// When it may not stand there.
pub fn check_operator(
    validator: &mut FuncValidator<ValidatorResources>,
    offset: u64,
    operator: &Operator<'_>,
) -> Result<(), ValidateError> {
    Ok(validator.op(offset, operator)?)
}

/// Most targets of a `br_table` besides the default: more is refused by other engines too, and costs much to
/// compile.
pub const MAX_BR_TABLE_TARGETS: u32 = 65_520;

/// Whether anything in `bytes` looks like a `br_table` with too many targets: sooner found out than by reading
/// operators.
fn may_have_large_br_table(bytes: &[u8]) -> bool {
    const BR_TABLE: u8 = 0x0e;
    let is_large = |rest: &[u8]| {
        let count = BinaryReader::new(rest, 0).read_var_u32();
        count.is_ok_and(|count| count > MAX_BR_TABLE_TARGETS)
    };
    bytes.iter().enumerate().any(|(at, &byte)| byte == BR_TABLE && is_large(&bytes[at + 1..]))
}

fn check_br_tables(code: &FunctionBody<'_>) -> Result<(), ValidateError> {
    let mut operators = code.get_operators_reader()?;
    while !operators.eof() {
        let (operator, offset) = operators.read_with_offset()?;
        if let Operator::BrTable { targets } = operator
            && targets.len() > MAX_BR_TABLE_TARGETS
        {
            let message =
                format!("too many targets of one br_table: at most {MAX_BR_TABLE_TARGETS} are allowed");
            return Err(ValidateError { message, offset });
        }
    }
    Ok(())
}
