//! C variadic functions
//!
//! A variadic function is defined with a signature that has a parameter for each argument register
//! its named parameters leave over. They are stored to save areas on the stack, which together with
//! the address of the arguments passed on the stack make up the `va_list` as the AAPCS64 has it:
//!
//! ```c
//! typedef struct {
//!     void *stack;  // next argument on the stack
//!     void *gr_top; // end of the save area of the general registers
//!     void *vr_top; // end of the save area of the FP/SIMD registers
//!     int gr_offs;  // from gr_top to the next argument in a general register
//!     int vr_offs;  // from vr_top to the next argument in a FP/SIMD register
//! } va_list;
//! ```
//!
//! <https://github.com/ARM-software/abi-aa/blob/main/aapcs64/aapcs64.rst#appendix-variable-argument-lists>

use cranelift_codegen::ir::ArgumentPurpose;

use crate::prelude::*;

/// General registers x0-x7 and FP/SIMD registers v0-v7 pass arguments.
const ARG_REGS: u32 = 8;
const GR_SIZE: u32 = 8;
const VR_SIZE: u32 = 16;

const VA_LIST_STACK: i64 = 0;
const VA_LIST_GR_TOP: i64 = 8;
const VA_LIST_VR_TOP: i64 = 16;
const VA_LIST_GR_OFFS: i64 = 24;
const VA_LIST_VR_OFFS: i64 = 28;

/// What the named parameters of a function take of each of the ways to pass an argument.
struct NamedParams {
    general_regs: u32,
    vector_regs: u32,
    stack_bytes: u32,
}

impl NamedParams {
    fn new(params: &[AbiParam]) -> Self {
        let mut named = NamedParams { general_regs: 0, vector_regs: 0, stack_bytes: 0 };
        for param in params {
            let size = param.value_type.bytes();
            let (used, needed) = match param.purpose {
                // Passed in x8
                ArgumentPurpose::StructReturn => continue,
                _ if param.value_type.is_int() => {
                    let needed = size.div_ceil(GR_SIZE);
                    named.general_regs = named.general_regs.next_multiple_of(needed);
                    (&mut named.general_regs, needed)
                }
                _ => (&mut named.vector_regs, 1),
            };
            if *used + needed <= ARG_REGS {
                *used += needed;
            } else {
                *used = ARG_REGS;
                let slot_size = size.max(8);
                named.stack_bytes = named.stack_bytes.next_multiple_of(slot_size) + slot_size;
            }
        }
        named
    }
}

/// Add a parameter to the signature of a variadic function for each register that may hold an
/// unnamed argument: first the general registers, then the FP/SIMD registers.
pub(super) fn add_unnamed_regs(sig: &mut Signature) {
    let named = NamedParams::new(&sig.params);
    sig.params.extend((named.general_regs..ARG_REGS).map(|_| AbiParam::new(types::I64)));
    sig.params.extend((named.vector_regs..ARG_REGS).map(|_| AbiParam::new(types::I8X16)));
}

/// Initialize the `VaList` of the current function. `unnamed_regs` are the values of the parameters
/// added by [`add_unnamed_regs`].
pub(super) fn codegen_va_start(
    fx: &mut FunctionCx<'_, '_, '_>,
    va_list: Pointer,
    unnamed_regs: &[Value],
) {
    let named = NamedParams::new(
        &super::clif_sig_from_fn_abi(fx.tcx, fx.target_config.default_call_conv, fx.fn_abi).params,
    );
    let general_regs = (ARG_REGS - named.general_regs) as usize;
    let (general_regs, vector_regs) = unnamed_regs.split_at(general_regs);

    let (gr_top, gr_offs) = save_regs(fx, general_regs, GR_SIZE);
    let (vr_top, vr_offs) = save_regs(fx, vector_regs, VR_SIZE);

    // A frame starts with the frame record of two registers, right below the stack arguments.
    let frame = fx.bcx.ins().get_frame_pointer(fx.pointer_type);
    let stack = fx.bcx.ins().iadd_imm(frame, 16 + i64::from(named.stack_bytes));

    for (offset, value) in [
        (VA_LIST_STACK, stack),
        (VA_LIST_GR_TOP, gr_top),
        (VA_LIST_VR_TOP, vr_top),
        (VA_LIST_GR_OFFS, gr_offs),
        (VA_LIST_VR_OFFS, vr_offs),
    ] {
        va_list.offset_i64(fx, offset).store(fx, value, MemFlags::trusted());
    }
}

/// Store registers of the given size to a save area. Returns the address of its end and the offset
/// of its start from there.
fn save_regs(fx: &mut FunctionCx<'_, '_, '_>, regs: &[Value], reg_size: u32) -> (Value, Value) {
    let area_size = ARG_REGS * reg_size;
    let area = fx.create_stack_slot(area_size, 16);
    let start = area_size - regs.len() as u32 * reg_size;
    for (i, &reg) in regs.iter().enumerate() {
        area.offset_i64(fx, i64::from(start) + i as i64 * i64::from(reg_size)).store(
            fx,
            reg,
            MemFlags::trusted(),
        );
    }

    let top = area.offset_i64(fx, i64::from(area_size)).get_addr(fx);
    let offs = fx.bcx.ins().iconst(types::I32, -i64::from(area_size - start));
    (top, offs)
}

/// Take the next argument from a `VaList`.
pub(crate) fn codegen_va_arg<'tcx>(
    fx: &mut FunctionCx<'_, '_, 'tcx>,
    va_list: Pointer,
    layout: TyAndLayout<'tcx>,
) -> CValue<'tcx> {
    let flags = MemFlags::trusted();
    let ty = fx.clif_type(layout.ty).expect("all instances of VaArgSafe are scalars");
    let align = i64::try_from(layout.align.bytes()).unwrap();
    let (top, offs, reg_size) = if ty.is_int() {
        (VA_LIST_GR_TOP, VA_LIST_GR_OFFS, GR_SIZE)
    } else {
        (VA_LIST_VR_TOP, VA_LIST_VR_OFFS, VR_SIZE)
    };
    let stack = va_list.offset_i64(fx, VA_LIST_STACK);
    let top = va_list.offset_i64(fx, top);
    let offs = va_list.offset_i64(fx, offs);

    let maybe_in_reg = fx.bcx.create_block();
    let in_reg = fx.bcx.create_block();
    let on_stack = fx.bcx.create_block();
    let done = fx.bcx.create_block();
    let addr = fx.bcx.append_block_param(done, fx.pointer_type);

    // The offset is negative as long as there are registers left.
    let mut reg_offs = offs.load(fx, types::I32, flags);
    let no_regs_left = fx.bcx.ins().icmp_imm(IntCC::SignedGreaterThanOrEqual, reg_offs, 0);
    fx.bcx.ins().brif(no_regs_left, on_stack, &[], maybe_in_reg, &[]);

    // Not enough of them may be left for this argument. Then none is used any more.
    fx.bcx.switch_to_block(maybe_in_reg);
    if ty.is_int() && align > i64::from(GR_SIZE) {
        reg_offs = fx.bcx.ins().iadd_imm(reg_offs, align - 1);
        reg_offs = fx.bcx.ins().band_imm(reg_offs, -align);
    }
    let next_offs =
        fx.bcx.ins().iadd_imm(reg_offs, i64::from(ty.bytes().next_multiple_of(reg_size)));
    offs.store(fx, next_offs, flags);
    let too_few_regs = fx.bcx.ins().icmp_imm(IntCC::SignedGreaterThan, next_offs, 0);
    fx.bcx.ins().brif(too_few_regs, on_stack, &[], in_reg, &[]);

    fx.bcx.switch_to_block(in_reg);
    let top = top.load(fx, fx.pointer_type, flags);
    let reg_offs = fx.bcx.ins().sextend(fx.pointer_type, reg_offs);
    let reg_addr = fx.bcx.ins().iadd(top, reg_offs);
    fx.bcx.ins().jump(done, &[reg_addr.into()]);

    fx.bcx.switch_to_block(on_stack);
    let mut stack_addr = stack.load(fx, fx.pointer_type, flags);
    if align > 8 {
        stack_addr = fx.bcx.ins().iadd_imm(stack_addr, align - 1);
        stack_addr = fx.bcx.ins().band_imm(stack_addr, -align);
    }
    let next_stack_addr =
        fx.bcx.ins().iadd_imm(stack_addr, i64::from(ty.bytes().next_multiple_of(8)));
    stack.store(fx, next_stack_addr, flags);
    fx.bcx.ins().jump(done, &[stack_addr.into()]);

    fx.bcx.switch_to_block(done);
    let value = Pointer::new(addr).load(fx, ty, flags);
    CValue::by_val(value, layout)
}
