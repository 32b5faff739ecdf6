//! What executing costs in fuel: the one rule that every tier charges by.
//!
//! A body is cut into *segments* of operators that are executed one after the other. A segment is paid for as a
//! whole where it is entered, so that a trap in its middle leaves the same amount whoever compiled it:
//!
//! ```text
//!   local.get 0      ┐ entered with the function: 1 for the call and 3
//!   i32.load         │
//!   if               ┘
//!     call $f        ┐ 1          after a call begins a segment, so that whoever is called sees
//!     i32.const 7    ┐ 2          exactly what was executed until then
//!     drop           │ (nothing)
//!     br 1           ┘
//!   else
//!     nop            ┐ nothing: a segment that costs nothing is none
//!   end              ┘
//! ```
//! A segment begins with the function; behind `loop`, `if`, `else` and a branch that may not be taken; behind a
//! call; and behind an `end` to which anything branches, which that of an `if` always is and that of a `loop`
//! never. It ends with the operator behind which the next one begins, or where control goes elsewhere. Where a
//! function or a loop begins the fuel is checked too, once the segment is paid for, whatever that costs.
//!
//! All of this follows from the body's bytes alone. A compiler reads the [`FuelPlan`] of a body and asks it behind
//! each operator what begins there; code that it knows never to be reached it need not charge.

use crate::Body;
use wasmparser::{BrTable, Operator};

/// What no operator lies at: the function's own segment is behind none.
const NOWHERE: u64 = u64::MAX;

/// What a call costs the function that is called, whatever it does: even an empty one uses some fuel.
const ENTRY: u64 = 1;

/// Most that one segment costs: fits the immediate operands of instructions. A body of the largest size whose
/// operators cost 255 each stays below.
const MOST: u64 = i32::MAX as u64;

/// Operators that cost nothing unless a program says otherwise: they generate no code, or only end a path.
macro_rules! cost_of {
    (Nop) => {
        0
    };
    (Drop) => {
        0
    };
    (Block) => {
        0
    };
    (Loop) => {
        0
    };
    (Unreachable) => {
        0
    };
    (Return) => {
        0
    };
    (Else) => {
        0
    };
    (End) => {
        0
    };
    ($operator:ident) => {
        1
    };
}

macro_rules! operator_costs {
    ($(@$proposal:ident $operator:ident $({ $($arg:ident: $ty:ty),* })? => $visit:ident ($($annotation:tt)*))*) => {
        /// What each operator costs in fuel: a field an operator, named as in `wasmparser`.
        ///
        /// ```
        /// # use tenure_module::OperatorCost;
        /// let costs = OperatorCost { I64DivS: 20, ..OperatorCost::new() };
        /// assert_eq!((costs.I64DivS, costs.I64Add, costs.Nop), (20, 1, 0));
        /// ```
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        pub struct OperatorCost {
            $(
                #[doc = concat!("The cost of `", stringify!($operator), "`.")]
                pub $operator: u8,
            )*
            /// What operators cost by how much they do, beside the fields above.
            pub variable: VariableOperatorCost,
        }

        impl OperatorCost {
            /// 1 an operator, but nothing for `nop`, `drop`, `block`, `loop`, `unreachable`, `return`, `else` and
            /// `end`; and [`VariableOperatorCost::new`].
            pub const fn new() -> Self {
                Self {
                    $($operator: cost_of!($operator),)*
                    variable: VariableOperatorCost::new(),
                }
            }

            /// Every cost with its name, in the operators' order.
            pub fn rows(&self) -> impl Iterator<Item = (&'static str, u8)> {
                [$((stringify!($operator), self.$operator),)*].into_iter().chain(self.variable.rows())
            }

            /// Sets the cost called `name`; false when there is none of this name.
            pub fn set(&mut self, name: &str, cost: u8) -> bool {
                match name {
                    $(stringify!($operator) => self.$operator = cost,)*
                    _ => return self.variable.set(name, cost),
                }
                true
            }

            fn of(&self, op: &Operator<'_>) -> u8 {
                match op {
                    $(Operator::$operator $({ $($arg: _),* })? => self.$operator,)*
                    // The list above is that of the operators; the type may only grow.
                    _ => 1,
                }
            }
        }
    };
}

wasmparser::for_each_operator!(operator_costs);

impl Default for OperatorCost {
    fn default() -> Self {
        Self::new()
    }
}

macro_rules! variable_costs {
    ($($(#[$doc:meta])* $name:ident = $default:literal;)*) => {
        /// What operators cost in fuel by how much they do, beside their cost in [`OperatorCost`].
        ///
        /// Charged for what is asked, before anything is done, whether or not it succeeds then. The exception are
        /// growths that the type or the store's limits do not allow: they cost nothing more.
        #[derive(Clone, PartialEq, Eq, Hash, Debug)]
        pub struct VariableOperatorCost { $($(#[$doc])* pub $name: u8,)* }

        impl VariableOperatorCost {
            /// 1 a byte, an element, a page.
            pub const fn new() -> Self {
                Self { $($name: $default,)* }
            }

            fn set(&mut self, name: &str, cost: u8) -> bool {
                match name {
                    $(stringify!($name) => self.$name = cost,)*
                    _ => return false,
                }
                true
            }

            fn rows(&self) -> [(&'static str, u8); 16] {
                [$((stringify!($name), self.$name),)*]
            }
        }
    };
}

variable_costs! {
    /// For each byte of `memory.copy`.
    memory_copy_per_byte = 1;
    /// For each byte of `memory.fill`.
    memory_fill_per_byte = 1;
    /// For each byte of `memory.init`.
    memory_init_per_byte = 1;
    /// For each page of `memory.grow`.
    memory_grow_per_page = 1;
    /// For each element of `table.copy`.
    table_copy_per_element = 1;
    /// For each element of `table.fill`.
    table_fill_per_element = 1;
    /// For each element of `table.init`.
    table_init_per_element = 1;
    /// For each element of `table.grow`.
    table_grow_per_element = 1;
    /// For each element of `array.copy`; arrays are not there yet.
    array_copy_per_element = 1;
    /// For each element of `array.fill`; arrays are not there yet.
    array_fill_per_element = 1;
    /// For each element of `array.new_data`; arrays are not there yet.
    array_new_data_per_element = 1;
    /// For each element of `array.init_data`; arrays are not there yet.
    array_init_data_per_element = 1;
    /// For each element of `array.new_elem`; arrays are not there yet.
    array_new_elem_per_element = 1;
    /// For each element of `array.init_elem`; arrays are not there yet.
    array_init_elem_per_element = 1;
    /// For each element of `array.new_default`; arrays are not there yet.
    array_new_default_per_element = 1;
    /// For each element of `array.new`; arrays are not there yet.
    array_new_per_element = 1;
}

impl Default for VariableOperatorCost {
    fn default() -> Self {
        Self::new()
    }
}

/// Operators that are paid for together, where the first of them begins.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct FuelSegment {
    /// The operator behind which it begins, in bytes from the start of the module.
    after: u64,
    /// What it costs; below 2^31.
    pub cost: u32,
    /// Whether the fuel is checked once it is paid for.
    pub is_checked: bool,
}

/// The segments of one body, in order.
#[derive(Clone, Debug)]
pub struct FuelPlan {
    segments: Vec<FuelSegment>,
    /// The first that was not asked for.
    next: usize,
}

impl FuelPlan {
    /// The segments of `body` when operators cost `costs`. Of a body that is not valid, some.
    pub fn read(costs: &OperatorCost, body: &Body<'_>) -> Self {
        let mut reader = Reader::new(costs);
        if let Ok(mut operators) = body.code.get_operators_reader() {
            while !operators.eof()
                && let Ok((op, offset)) = operators.read_with_offset()
                && reader.operator(&op, offset)
            {}
        }
        let Reader { mut segments, .. } = reader;
        segments.retain(|segment| segment.cost > 0 || segment.is_checked);
        Self { segments, next: 0 }
    }

    /// The segment that begins with the function.
    pub fn entry(&mut self) -> FuelSegment {
        self.next = 1;
        self.segments[0]
    }

    /// The segment that begins behind the operator at `offset`, if one does. Operators are asked for in order; any
    /// may be left out.
    pub fn after(&mut self, offset: u64) -> Option<FuelSegment> {
        while let Some(&segment) = self.segments.get(self.next) {
            if segment.after > offset {
                return None;
            }
            self.next += 1;
            if segment.after == offset {
                return Some(segment);
            }
        }
        None
    }
}

/// A construct that has not ended.
struct Construct {
    is_loop: bool,
    /// Whether its end begins a segment: something branches there.
    is_joined: bool,
}

struct Reader<'a> {
    costs: &'a OperatorCost,
    segments: Vec<FuelSegment>,
    /// Whether control can come to the next operator, as the last of the segments.
    is_live: bool,
    /// Without the function itself.
    constructs: Vec<Construct>,
}

impl<'a> Reader<'a> {
    fn new(costs: &'a OperatorCost) -> Self {
        let mut this = Self { costs, segments: Vec::new(), is_live: true, constructs: Vec::new() };
        this.begin(NOWHERE, true);
        this.charge(ENTRY);
        this
    }

    /// Begins a segment behind the operator at `after`.
    fn begin(&mut self, after: u64, is_checked: bool) {
        self.segments.push(FuelSegment { after, cost: 0, is_checked });
        self.is_live = true;
    }

    fn charge(&mut self, cost: u64) {
        if let Some(last) = self.segments.last_mut() {
            last.cost = (u64::from(last.cost) + cost).min(MOST) as u32;
        }
    }

    /// Takes the next operator, which lies at `at`; whether the body goes on.
    fn operator(&mut self, op: &Operator<'_>, at: u64) -> bool {
        if self.is_live {
            self.charge(self.costs.of(op).into());
        }
        match *op {
            Operator::Block { .. } => self.construct(false, false),
            Operator::Loop { .. } => {
                self.construct(true, false);
                self.begin(at, true);
            }
            Operator::If { .. } => {
                self.construct(false, true);
                self.begin(at, false);
            }
            Operator::Else => self.begin(at, false),
            Operator::End => match self.constructs.pop() {
                Some(Construct { is_joined: true, .. }) => self.begin(at, false),
                Some(_) => {}
                None => return false,
            },
            Operator::Br { relative_depth } => {
                self.branch(relative_depth);
                self.is_live = false;
            }
            Operator::BrTable { ref targets } => {
                self.branch_by_table(targets);
                self.is_live = false;
            }
            Operator::BrIf { relative_depth }
            | Operator::BrOnNull { relative_depth }
            | Operator::BrOnNonNull { relative_depth }
            | Operator::BrOnCast { relative_depth, .. }
            | Operator::BrOnCastFail { relative_depth, .. } => {
                self.branch(relative_depth);
                self.begin_if_live(at);
            }
            Operator::Call { .. } | Operator::CallIndirect { .. } | Operator::CallRef { .. } => {
                self.begin_if_live(at);
            }
            Operator::Unreachable
            | Operator::Return
            | Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::ReturnCallRef { .. } => self.is_live = false,
            _ => {}
        }
        true
    }

    fn construct(&mut self, is_loop: bool, is_joined: bool) {
        self.constructs.push(Construct { is_loop, is_joined });
    }

    fn begin_if_live(&mut self, after: u64) {
        if self.is_live {
            self.begin(after, false);
        }
    }

    /// Notes a branch, if control can come to it.
    fn branch(&mut self, depth: u32) {
        let at = self.constructs.len().checked_sub(depth as usize + 1);
        if let Some(construct) = at.and_then(|at| self.constructs.get_mut(at))
            && self.is_live
        {
            construct.is_joined |= !construct.is_loop;
        }
    }

    fn branch_by_table(&mut self, targets: &BrTable<'_>) {
        for depth in targets.targets().flatten().chain([targets.default()]) {
            self.branch(depth);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use tenure_types::{Features, TypeRegistry};

    /// The segments of the first body of a module: a cost each, with a `?` if the fuel is checked.
    fn segments(costs: &OperatorCost, body: &str) -> String {
        let text = format!("(module (func $f (param i32) (result i32) {body}))");
        let bytes: Arc<[u8]> = wat::parse_str(text).unwrap().into();
        let types = Arc::new(TypeRegistry::default());
        let parsed = crate::parse(&bytes, Features::default(), &types).unwrap();
        let plan = FuelPlan::read(costs, &parsed.bodies[0]);
        let row =
            |segment: &FuelSegment| format!("{}{}", segment.cost, if segment.is_checked { "?" } else { "" });
        plan.segments.iter().map(row).collect::<Vec<_>>().join(" ")
    }

    #[track_caller]
    fn check(body: &str, expected: &str) {
        assert_eq!(segments(&OperatorCost::new(), body), expected, "{body}");
    }

    #[test]
    fn operators_in_a_row_are_one_segment() {
        check("(local.get 0)", "2?");
        check("nop nop (drop (i32.const 1)) (block nop) (local.get 0)", "3?");
    }

    #[test]
    fn a_segment_ends_where_control_may_go_two_ways_or_come_from_two() {
        // What was skipped is behind the `end` again.
        check("(block (br_if 0 (local.get 0)) (drop (i32.const 1))) (local.get 0)", "3? 1 1");
        check("(if (local.get 0) (then (drop (i32.const 1)))) (i32.const 2)", "3? 1 1");
        check("(if (result i32) (local.get 0) (then (i32.const 1)) (else (i32.const 2)))", "3? 1 1");
        check("(if (local.get 0) (then) (else)) (i32.const 2)", "3? 1");
    }

    #[test]
    fn a_loop_is_checked_whatever_it_costs_and_its_end_is_none() {
        check("(loop nop) (local.get 0)", "1? 1?");
        check("(loop (br_if 0 (local.get 0)) (drop (i32.const 1))) (local.get 0)", "1? 2? 2");
        check("(loop (loop)) (local.get 0)", "1? 0? 1?");
    }

    #[test]
    fn a_call_ends_a_segment() {
        check("(call $f (call $f (local.get 0)))", "3? 1");
        check("(drop (call $f (i32.const 1))) (local.get 0)", "3? 1");
        check("(return_call $f (local.get 0)) (i32.const 1)", "3?");
    }

    #[test]
    fn what_control_cannot_come_to_costs_nothing_and_ends_nothing() {
        check("(return (local.get 0)) (i32.const 1) (i32.const 2) drop drop", "2?");
        check("(block unreachable (br 0)) unreachable (i32.const 1)", "1?");
        check("(block (br 0) (i32.const 1) drop) (local.get 0)", "2? 1");
        check("(block (block (br_table 0 1 (local.get 0))) nop) (local.get 0)", "3? 1");
        check("(block (return (i32.const 1)) (loop (br 1))) (local.get 0)", "2? 1? 1");
    }

    #[test]
    fn costs_are_the_programs_to_set() {
        let costs = OperatorCost { LocalGet: 200, Nop: 3, ..OperatorCost::new() };
        assert_eq!(segments(&costs, "nop (local.get 0)"), "204?");
        assert_eq!(costs.rows().filter(|(_, cost)| *cost > 1).count(), 2);
        assert_eq!(costs.rows().filter(|(_, cost)| *cost == 0).count(), 7);
    }

    #[test]
    fn a_plan_is_asked_in_order() {
        let text = "(module (func (loop (br_if 0 (i32.const 1)) nop)))";
        let bytes: Arc<[u8]> = wat::parse_str(text).unwrap().into();
        let types = Arc::new(TypeRegistry::default());
        let parsed = crate::parse(&bytes, Features::default(), &types).unwrap();
        let mut plan = FuelPlan::read(&OperatorCost::new(), &parsed.bodies[0]);
        assert_eq!(plan.entry().cost, 1);
        let at = plan.segments[1].after;
        assert_eq!(plan.after(at - 1), None);
        assert_eq!(plan.after(at).map(|segment| segment.cost), Some(2));
        assert_eq!(plan.after(at), None);
    }
}
