//! Takes locals off the stack.
//!
//! MIR locals whose address is taken, and those of more than two scalars, get a stack slot. After MIR inlining
//! most of these addresses are only used by loads and stores in the same function, and most of these
//! structures are only read and written part by part. Cranelift itself leaves the stores, and forwards a
//! stored value to a load only when no other store comes in between.
//!
//! A part of a slot whose address goes nowhere else becomes an SSA value. In what is left a load takes the
//! value that was stored or loaded before, within blocks that can only be entered from one another.

use cranelift_codegen::Context;
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::flowgraph::{BlockPredecessor, ControlFlowGraph};
use cranelift_codegen::ir::{BlockArg, InstructionData, Opcode};
use rustc_data_structures::fx::FxHashMap;
use rustc_index::bit_set::DenseBitSet;

use crate::prelude::*;

/// Functions with more blocks times variables are left alone: the tables would get large.
const MAX_STATE: usize = 1 << 24;

/// As are those that would need more block parameters: Cranelift gives up on functions with too many values.
const MAX_BLOCK_PARAMS: usize = 1 << 16;

/// A load or store of a stack slot at a known offset.
#[derive(Clone, Copy)]
struct Access {
    slot: StackSlot,
    offset: i64,
    ty: Type,
    /// What is stored.
    data: Option<Value>,
}

impl Access {
    fn end(&self) -> i64 {
        self.offset + i64::from(self.ty.bytes())
    }

    fn overlaps(&self, other: &Access) -> bool {
        self.slot == other.slot && self.offset < other.end() && other.offset < self.end()
    }
}

pub(crate) fn optimize(ctx: &mut Context) {
    if ctx.func.sized_stack_slots.is_empty() {
        return;
    }
    ctx.func.dfg.resolve_all_aliases();
    let order = ctx.domtree.cfg_rpo().copied().collect::<Vec<_>>();
    let Some(uses) = SlotUses::collect(&ctx.func, &order) else { return };
    promote(ctx, &order, &uses);
    forward(ctx, &order, &uses);
}

/// How the stack slots of a function are used.
struct SlotUses {
    accesses: FxHashMap<Inst, Access>,
    /// Is the address used for more than loads and stores?
    escaped: SecondaryMap<StackSlot, bool>,
    /// Values that are the address of a place in a slot.
    addresses: FxHashMap<Value, (StackSlot, i64)>,
}

impl SlotUses {
    /// None for a function with exceptions.
    fn collect(func: &Function, order: &[Block]) -> Option<Self> {
        let mut uses = SlotUses {
            accesses: FxHashMap::default(),
            escaped: SecondaryMap::new(),
            addresses: FxHashMap::default(),
        };
        // Values are defined before they are used in this order.
        for &block in order {
            for inst in func.layout.block_insts(block) {
                if func.dfg.insts[inst].exception_table().is_some() {
                    return None;
                }
                uses.visit(func, inst);
            }
        }
        Some(uses)
    }

    fn visit(&mut self, func: &Function, inst: Inst) {
        let mut stored = None;
        let target = match func.dfg.insts[inst] {
            InstructionData::StackLoad { opcode, stack_slot, offset } => {
                let place = (stack_slot, i64::from(offset));
                if opcode == Opcode::StackAddr {
                    self.addresses.insert(func.dfg.first_result(inst), place);
                    return;
                }
                Some((place, None))
            }
            InstructionData::StackStore { arg, stack_slot, offset, .. } => {
                stored = Some(arg);
                Some(((stack_slot, i64::from(offset)), Some(arg)))
            }
            InstructionData::Load { opcode: Opcode::Load, arg, offset, .. } => {
                self.place(arg, offset.into()).map(|place| (place, None))
            }
            InstructionData::Store {
                opcode: Opcode::Store, args: [arg, address], offset, ..
            } => {
                stored = Some(arg);
                self.place(address, offset.into()).map(|place| (place, Some(arg)))
            }
            InstructionData::BinaryImm64 { opcode: Opcode::IaddImm, arg, imm } => {
                if let Some(place) = self.place(arg, imm.bits()) {
                    self.addresses.insert(func.dfg.first_result(inst), place);
                }
                return;
            }
            _ => {
                for value in func.dfg.inst_values(inst) {
                    self.escape(value);
                }
                return;
            }
        };
        if let Some(value) = stored {
            self.escape(value);
        }
        if let Some(((slot, offset), data)) = target {
            let value = data.unwrap_or_else(|| func.dfg.first_result(inst));
            let access = Access { slot, offset, ty: func.dfg.value_type(value), data };
            if offset < 0 || access.end() > i64::from(func.sized_stack_slots[slot].size) {
                self.escaped[slot] = true;
            }
            self.accesses.insert(inst, access);
        }
    }

    /// The place in a stack slot that is `offset` behind an address.
    fn place(&self, address: Value, offset: i64) -> Option<(StackSlot, i64)> {
        let &(slot, base) = self.addresses.get(&address)?;
        Some((slot, base.wrapping_add(offset)))
    }

    fn escape(&mut self, value: Value) {
        if let Some(&(slot, _)) = self.addresses.get(&value) {
            self.escaped[slot] = true;
        }
    }
}

/// The parts of stack slots, by slot and offset, that nothing but loads and stores of just this part touch,
/// each with the variable it becomes. Parts that are never read have no variable.
type Parts = FxHashMap<(StackSlot, i64), Option<usize>>;

/// Returns the types of the variables as well.
fn find_variables(uses: &SlotUses, order: &[Block], func: &Function) -> (Vec<Type>, Parts) {
    let mut accesses = order
        .iter()
        .flat_map(|&block| func.layout.block_insts(block))
        .filter_map(|inst| uses.accesses.get(&inst))
        .filter(|access| !uses.escaped[access.slot])
        .collect::<Vec<_>>();
    accesses.sort_by_key(|access| (access.slot, access.offset));

    let mut types = vec![];
    let mut parts = Parts::default();
    let mut rest = &accesses[..];
    while let Some(&first) = rest.first() {
        let mut end = first.end();
        let outside = |access: &&Access| {
            let outside = access.slot != first.slot || access.offset >= end;
            end = if outside { end } else { end.max(access.end()) };
            outside
        };
        let len = rest.iter().position(outside).unwrap_or(rest.len());
        let (group, others) = rest.split_at(len);
        rest = others;

        let is_same = |access: &&Access| {
            access.offset == first.offset
                && access.ty.bytes() == first.ty.bytes()
                && is_scalar(access.ty)
        };
        if group.iter().all(|access| access.data.is_some()) {
            parts.extend(group.iter().map(|access| ((access.slot, access.offset), None)));
        } else if group.iter().all(is_same) {
            parts.insert((first.slot, first.offset), Some(types.len()));
            types.push(first.ty);
        }
    }
    (types, parts)
}

fn is_scalar(ty: Type) -> bool {
    ty.is_int() || ty == types::F32 || ty == types::F64
}

fn promote(ctx: &mut Context, order: &[Block], uses: &SlotUses) {
    let (types, parts) = find_variables(uses, order, &ctx.func);
    if parts.is_empty() || order.len() * types.len() > MAX_STATE {
        return;
    }
    let promotion = Promotion { uses, types, parts };
    let live = promotion.live_at_start(ctx, order);
    let params =
        order.iter().filter(|&&block| is_join(&ctx.cfg, block)).map(|&block| live[block].count());
    if params.sum::<usize>() > MAX_BLOCK_PARAMS {
        return;
    }

    let mut at_end: SecondaryMap<Block, FxHashMap<usize, Value>> = SecondaryMap::new();
    for &block in order {
        let values = promotion.values_at_start(ctx, block, &live[block], &at_end);
        at_end[block] = promotion.replace_accesses(&mut ctx.func, block, values);
    }
    for &block in order.iter().filter(|&&block| is_join(&ctx.cfg, block)) {
        for BlockPredecessor { block: from, inst } in ctx.cfg.pred_iter(block) {
            let args = live[block].iter().map(|v| at_end[from][&v]).collect::<Vec<_>>();
            append_args(&mut ctx.func, inst, block, &args);
        }
    }
    promotion.free_slots(&mut ctx.func);
}

/// Can the block be entered from more than one?
fn is_join(cfg: &ControlFlowGraph, block: Block) -> bool {
    cfg.pred_iter(block).nth(1).is_some()
}

fn append_args(func: &mut Function, branch: Inst, to: Block, args: &[Value]) {
    let dfg = &mut func.dfg;
    let targets =
        dfg.insts[branch].branch_destination_mut(&mut dfg.jump_tables, &mut dfg.exception_tables);
    for target in targets {
        if target.block(&dfg.value_lists) == to {
            for &arg in args {
                target.append_argument(BlockArg::Value(arg), &mut dfg.value_lists);
            }
        }
    }
}

/// Parts of stack slots become SSA values.
struct Promotion<'a> {
    uses: &'a SlotUses,
    /// Of the variables.
    types: Vec<Type>,
    parts: Parts,
}

impl Promotion<'_> {
    /// What an instruction accesses if it is to go, and the variable, if it ever is read.
    fn access(&self, inst: Inst) -> Option<(Access, Option<usize>)> {
        let access = *self.uses.accesses.get(&inst)?;
        Some((access, *self.parts.get(&(access.slot, access.offset))?))
    }

    /// The variables that are read in a block or behind it before they are written.
    fn live_at_start(
        &self,
        ctx: &Context,
        order: &[Block],
    ) -> SecondaryMap<Block, DenseBitSet<usize>> {
        let none = DenseBitSet::new_empty(self.types.len());
        let mut live = SecondaryMap::with_default(none.clone());
        let mut written = SecondaryMap::with_default(none.clone());
        for &block in order {
            for inst in ctx.func.layout.block_insts(block) {
                let Some((access, Some(v))) = self.access(inst) else { continue };
                if access.data.is_some() {
                    written[block].insert(v);
                } else if !written[block].contains(v) {
                    live[block].insert(v);
                }
            }
        }
        let mut changed = true;
        while changed {
            changed = false;
            for &block in order.iter().rev() {
                let mut behind = none.clone();
                for successor in ctx.cfg.succ_iter(block) {
                    behind.union(&live[successor]);
                }
                behind.subtract(&written[block]);
                changed |= live[block].union(&behind);
            }
        }
        live
    }

    fn values_at_start(
        &self,
        ctx: &mut Context,
        block: Block,
        live: &DenseBitSet<usize>,
        at_end: &SecondaryMap<Block, FxHashMap<usize, Value>>,
    ) -> FxHashMap<usize, Value> {
        if is_join(&ctx.cfg, block) {
            let dfg = &mut ctx.func.dfg;
            return live
                .iter()
                .map(|v| (v, dfg.append_block_param(block, self.types[v])))
                .collect();
        }
        match ctx.cfg.pred_iter(block).next() {
            Some(from) => live.iter().map(|v| (v, at_end[from.block][&v])).collect(),
            // Read but never written, as padding is.
            None => {
                let mut pos = FuncCursor::new(&mut ctx.func).at_first_insertion_point(block);
                live.iter().map(|v| (v, zero(&mut pos, self.types[v]))).collect()
            }
        }
    }

    /// Returns the values at the end of the block.
    fn replace_accesses(
        &self,
        func: &mut Function,
        block: Block,
        mut values: FxHashMap<usize, Value>,
    ) -> FxHashMap<usize, Value> {
        let mut pos = FuncCursor::new(func).at_top(block);
        while let Some(inst) = pos.next_inst() {
            match self.access(inst) {
                Some((Access { data: Some(data), .. }, Some(v))) => {
                    let data = pos.func.dfg.resolve_aliases(data);
                    let data = cast(&mut pos, data, self.types[v]);
                    values.insert(v, data);
                }
                Some((access, Some(v))) => {
                    let value = cast(&mut pos, values[&v], access.ty);
                    replace_result(pos.func, inst, value);
                }
                Some((_, None)) => {}
                None => continue,
            }
            pos.remove_inst_and_step_back();
        }
        values
    }

    /// Slots that nothing is left of take no room.
    fn free_slots(&self, func: &mut Function) {
        let mut in_use: SecondaryMap<StackSlot, bool> = SecondaryMap::new();
        for access in self.uses.accesses.values() {
            in_use[access.slot] |= !self.parts.contains_key(&(access.slot, access.offset));
        }
        for (slot, _) in self.parts.keys() {
            if !in_use[*slot] {
                func.sized_stack_slots[*slot].size = 0;
            }
        }
    }
}

fn replace_result(func: &mut Function, inst: Inst, value: Value) {
    let result = func.dfg.first_result(inst);
    func.dfg.clear_results(inst);
    func.dfg.change_to_alias(result, value);
}

fn zero(pos: &mut FuncCursor<'_>, ty: Type) -> Value {
    if ty == types::I128 {
        let zero = pos.ins().iconst(types::I64, 0);
        return pos.ins().uextend(ty, zero);
    }
    let zero = pos.ins().iconst(ty.as_int(), 0);
    cast(pos, zero, ty)
}

/// The same bytes as another type.
fn cast(pos: &mut FuncCursor<'_>, value: Value, ty: Type) -> Value {
    if pos.func.dfg.value_type(value) == ty {
        value
    } else {
        pos.ins().bitcast(ty, MemFlags::new(), value)
    }
}

/// What is known to be in the stack slots.
type Known = FxHashMap<StackSlot, Vec<(Access, Value)>>;

/// Let loads take what was stored or loaded before.
fn forward(ctx: &mut Context, order: &[Block], uses: &SlotUses) {
    let mut at_end: SecondaryMap<Block, Known> = SecondaryMap::new();
    for &block in order {
        let mut known = match ctx.cfg.pred_iter(block).next() {
            Some(from) if !is_join(&ctx.cfg, block) => at_end[from.block].clone(),
            _ => Known::default(),
        };

        let mut pos = FuncCursor::new(&mut ctx.func).at_top(block);
        while let Some(inst) = pos.next_inst() {
            let Some(&access) = uses.accesses.get(&inst) else {
                let opcode = pos.func.dfg.insts[inst].opcode();
                if opcode.can_store() || opcode.is_call() || opcode.other_side_effects() {
                    known.retain(|&slot, _| !uses.escaped[slot]);
                }
                continue;
            };
            let known = known.entry(access.slot).or_default();
            if let Some(data) = access.data {
                known.retain(|(other, _)| !access.overlaps(other));
                known.push((access, pos.func.dfg.resolve_aliases(data)));
                continue;
            }
            let is_same = |(other, _): &&(Access, Value)| {
                other.offset == access.offset && other.ty == access.ty
            };
            if let Some(&(_, value)) = known.iter().find(is_same) {
                replace_result(pos.func, inst, value);
                pos.remove_inst_and_step_back();
            } else {
                known.push((access, pos.func.dfg.first_result(inst)));
            }
        }

        if ctx.cfg.succ_iter(block).any(|successor| !is_join(&ctx.cfg, successor)) {
            at_end[block] = known;
        }
    }
}
