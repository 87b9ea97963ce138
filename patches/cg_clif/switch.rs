//! Lowers a switch to few instructions.
//!
//! [`Switch`] makes a jump table for any two neighbouring values, which takes nine instructions besides its
//! entries and three more for a 64-bit value. Most switches are on the discriminant of an enum: they have
//! few targets, and whatever is not listed is impossible.

use cranelift_codegen::ir::{InstructionData, Opcode, ValueDef};
use cranelift_frontend::Switch;
use rustc_middle::mir::SwitchTargets;

use crate::prelude::*;

/// A switch becomes comparisons unless they take more instructions than this.
const MAX_COMPARISON_COST: usize = 9;

/// All possible values from `first` to `last` lead to `block`.
#[derive(Clone, Copy)]
struct Range {
    first: u128,
    last: u128,
    block: Block,
}

pub(crate) fn codegen_switch(
    fx: &mut FunctionCx<'_, '_, '_>,
    discr: Value,
    targets: &SwitchTargets,
) {
    let mut cases =
        targets.iter().map(|(value, block)| (value, fx.get_block(block))).collect::<Vec<_>>();
    cases.sort_unstable_by_key(|&(value, _)| value);
    let otherwise = targets.otherwise();
    let otherwise = (cases.is_empty() || !fx.mir[otherwise].is_empty_unreachable())
        .then(|| fx.get_block(otherwise));
    let ty = fx.bcx.func.dfg.value_type(discr);
    let (_, max) = ty.bounds(false);

    if let Some((cond, values)) = select_of_constants(fx, discr) {
        let [if_true, if_false] = values.map(|value| {
            cases.iter().find(|case| case.0 == value & max).map(|case| case.1).or(otherwise)
        });
        // A value without a target is impossible.
        if let (Some(block), _) | (_, Some(block)) = (if_true, if_false) {
            fx.bcx.ins().brif(cond, if_true.unwrap_or(block), &[], if_false.unwrap_or(block), &[]);
            return;
        }
    }

    let ranges = collect_ranges(&cases, otherwise, max);
    if ty != types::I128 {
        let by_bounds = 2 * (ranges.len() - 1);
        let (default, by_equality) = cheapest_default(&ranges);
        if by_bounds.min(by_equality) <= MAX_COMPARISON_COST {
            // Cranelift would extend a small value again for each comparison.
            let discr =
                if ty.bits() < 32 { fx.bcx.ins().uextend(types::I64, discr) } else { discr };
            if by_equality <= by_bounds {
                compare_for_equality(fx, discr, &ranges, default);
            } else {
                compare_bounds(fx, discr, &ranges);
            }
            return;
        }
    }

    let mut switch = Switch::new();
    let last = ranges[ranges.len() - 1];
    let (discr, default) = match otherwise {
        Some(otherwise) => (discr, otherwise),
        None => {
            // What is left over goes where the last values go, and the upper half of a value says nothing.
            cases.truncate(cases.partition_point(|&(value, _)| value < last.first));
            let fits = ty.bits() > 32 && last.last <= u128::from(u32::MAX);
            let discr = if fits { fx.bcx.ins().ireduce(types::I32, discr) } else { discr };
            (discr, last.block)
        }
    };
    for (value, block) in cases {
        switch.set_entry(value, block);
    }
    switch.emit(&mut fx.bcx, discr, default);
}

/// Is the value a choice between two constants, as the discriminant of an enum with a niche is?
fn select_of_constants(fx: &FunctionCx<'_, '_, '_>, value: Value) -> Option<(Value, [u128; 2])> {
    let dfg = &fx.bcx.func.dfg;
    let inst = |value| match dfg.value_def(value) {
        ValueDef::Result(inst, 0) => Some(dfg.insts[inst]),
        _ => None,
    };
    let constant = |value| match inst(value) {
        Some(InstructionData::UnaryImm { opcode: Opcode::Iconst, imm }) => Some(imm.bits() as u128),
        _ => None,
    };
    match inst(value) {
        Some(InstructionData::Ternary { opcode: Opcode::Select, args: [cond, a, b] }) => {
            Some((cond, [constant(a)?, constant(b)?]))
        }
        _ => None,
    }
}

/// The targets of all values from 0 to `max`. Values that are impossible may be in any range or in none.
fn collect_ranges(cases: &[(u128, Block)], otherwise: Option<Block>, max: u128) -> Vec<Range> {
    let mut ranges: Vec<Range> = vec![];
    let mut push = |first, last, block| match ranges.last_mut() {
        Some(range) if range.block == block => range.last = last,
        _ => ranges.push(Range { first, last, block }),
    };
    let mut next = Some(0);
    for &(value, block) in cases {
        if let (Some(otherwise), Some(next)) = (otherwise, next)
            && next < value
        {
            push(next, value - 1, otherwise);
        }
        push(value, value, block);
        next = value.checked_add(1);
    }
    if let (Some(otherwise), Some(next)) = (otherwise, next)
        && next <= max
    {
        push(next, max, otherwise);
    }
    ranges
}

/// The block to go to when the value is in no other block's range, and what comparing with those costs.
fn cheapest_default(ranges: &[Range]) -> (Block, usize) {
    let cost = |default| {
        (0..ranges.len())
            .filter(|&i| ranges[i].block != default)
            .map(|i| match ranges[i] {
                Range { first, last, .. } if first == last => 2,
                _ if i == 0 || i == ranges.len() - 1 => 2,
                _ => 3,
            })
            .sum()
    };
    ranges
        .iter()
        .map(|range| (range.block, cost(range.block)))
        .min_by_key(|&(_, cost)| cost)
        .unwrap()
}

fn compare_for_equality(
    fx: &mut FunctionCx<'_, '_, '_>,
    discr: Value,
    ranges: &[Range],
    default: Block,
) {
    let mut tests = (0..ranges.len()).filter(|&i| ranges[i].block != default).peekable();
    if tests.peek().is_none() {
        fx.bcx.ins().jump(default, &[]);
    }
    while let Some(i) = tests.next() {
        let Range { first, last, block } = ranges[i];
        let next = if tests.peek().is_some() { fx.bcx.create_block() } else { default };
        if first == last && first == 0 {
            fx.bcx.ins().brif(discr, next, &[], block, &[]);
        } else {
            let (cond, value, bound) = if first == last {
                (IntCC::Equal, discr, first)
            } else if i == 0 {
                (IntCC::UnsignedLessThanOrEqual, discr, last)
            } else if i == ranges.len() - 1 {
                (IntCC::UnsignedGreaterThanOrEqual, discr, first)
            } else {
                let offset = fx.bcx.ins().iadd_imm(discr, (first as i64).wrapping_neg());
                (IntCC::UnsignedLessThanOrEqual, offset, last - first)
            };
            let is_in_range = fx.bcx.ins().icmp_imm(cond, value, bound as i64);
            fx.bcx.ins().brif(is_in_range, block, &[], next, &[]);
        }
        if next != default {
            fx.bcx.switch_to_block(next);
        }
    }
}

fn compare_bounds(fx: &mut FunctionCx<'_, '_, '_>, discr: Value, ranges: &[Range]) {
    let (last, lower) = ranges.split_last().unwrap();
    for (i, range) in lower.iter().enumerate() {
        let next = if i + 1 < lower.len() { fx.bcx.create_block() } else { last.block };
        let cond = IntCC::UnsignedLessThanOrEqual;
        let is_in_range = fx.bcx.ins().icmp_imm(cond, discr, range.last as i64);
        fx.bcx.ins().brif(is_in_range, range.block, &[], next, &[]);
        if i + 1 < lower.len() {
            fx.bcx.switch_to_block(next);
        }
    }
}
