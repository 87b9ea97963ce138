// What is passed by value: structures of all sizes up to beyond four registers, those the ABI puts into vector
// registers (one to four equal floats) and those it does not, mixtures.

/// A deterministic change that touches every byte, without a path that panics.
pub trait Twist: Copy {
    fn twist(self, n: u8) -> Self;
}

macro_rules! integers {
    ($($t:ident)*) => { $(impl Twist for $t {
        fn twist(self, n: u8) -> $t {
            (self ^ n as $t).rotate_left(3).wrapping_add(n as $t)
        }
    })* };
}

integers!(u8 u16 u32 u64 u128 i8 i16 i32 i64 i128);

impl Twist for f32 {
    fn twist(self, n: u8) -> f32 {
        self * 1.25 - n as f32
    }
}

impl Twist for f64 {
    fn twist(self, n: u8) -> f64 {
        self * 1.125 + n as f64
    }
}

impl Twist for bool {
    fn twist(self, n: u8) -> bool {
        self ^ (n & 1 == 1)
    }
}

impl<T: Twist, const N: usize> Twist for [T; N] {
    fn twist(mut self, n: u8) -> Self {
        let mut i = n;
        for x in &mut self {
            *x = x.twist(i);
            i = i.wrapping_add(7);
        }
        self
    }
}

/// Expands $then with every type that is passed, by a name in lower case.
macro_rules! all_shapes {
    ($then:ident) => {
        $then! {
            byte: u8, signed_byte: i8, short: u16, signed_short: i16, word: u32, signed_word: i32, long: u64, wide: u128, signed_wide: i128,
            truth: bool, single: f32, double: f64,
            one: One, two: Two, three: Three, four: Four, five: Five, six: Six, seven: Seven, eight: Eight, nine: Nine, twelve: Twelve,
            fifteen: Fifteen, sixteen: Sixteen, seventeen: Seventeen, twenty_four: TwentyFour, thirty_two: ThirtyTwo, forty: Forty,
            hundred: Hundred, float1: Float1, float2: Float2, float3: Float3, float4: Float4, float5: Float5, double1: Double1, double2: Double2,
            double3: Double3, double4: Double4, double5: Double5, nested_floats: NestedFloats, float_and_int: FloatAndInt, int_and_float: IntAndFloat,
            float_and_double: FloatAndDouble, small_mixed: SmallMixed, large_mixed: LargeMixed, with_wide: WithWide, only_wide: OnlyWide,
            aligned: Aligned, packed: Packed, two_longs: TwoLongs, long_and_byte: LongAndByte,
        }
    };
}

macro_rules! shapes {
    ($($(#[$attribute:meta])* $name:ident { $($field:ident: $t:ty),* })*) => { $(
        $(#[$attribute])*
        #[derive(Clone, Copy, Debug, PartialEq, Default)]
        pub struct $name { $(pub $field: $t),* }

        impl Twist for $name {
            fn twist(self, n: u8) -> Self {
                $(let $field = self.$field.twist(n.wrapping_add(stringify!($field).len() as u8));)*
                $name { $($field),* }
            }
        }
    )* };
}

shapes! {
    #[repr(C)] One { a: [u8; 1] }
    #[repr(C)] Two { a: [u8; 2] }
    #[repr(C)] Three { a: [u8; 3] }
    #[repr(C)] Four { a: [u8; 4] }
    #[repr(C)] Five { a: [u8; 5] }
    #[repr(C)] Six { a: [u16; 3] }
    #[repr(C)] Seven { a: [u8; 7] }
    #[repr(C)] Eight { a: u32, bb: [u8; 4] }
    #[repr(C)] Nine { a: [u8; 9] }
    #[repr(C)] Twelve { a: u32, bb: i32, ccc: u32 }
    #[repr(C)] Fifteen { a: [u8; 15] }
    #[repr(C)] Sixteen { a: [i16; 8] }
    #[repr(C)] Seventeen { a: [u8; 17] }
    #[repr(C)] TwentyFour { a: [u64; 3] }
    #[repr(C)] ThirtyTwo { a: [i32; 8] }
    #[repr(C)] Forty { a: [u8; 20], bb: [u16; 10] }
    #[repr(C)] Hundred { a: [u8; 32], bb: [u8; 32], ccc: [u32; 9] }
    #[repr(C)] Float1 { a: f32 }
    #[repr(C)] Float2 { a: f32, bb: f32 }
    #[repr(C)] Float3 { a: [f32; 3] }
    #[repr(C)] Float4 { a: f32, bb: [f32; 3] }
    #[repr(C)] Float5 { a: [f32; 5] }
    #[repr(C)] Double1 { a: f64 }
    #[repr(C)] Double2 { a: f64, bb: f64 }
    #[repr(C)] Double3 { a: f64, bb: f64, ccc: f64 }
    #[repr(C)] Double4 { a: [f64; 4] }
    #[repr(C)] Double5 { a: [f64; 5] }
    #[repr(C)] NestedFloats { a: Float1, bb: Float2 }
    #[repr(C)] FloatAndInt { a: f32, bb: u32 }
    #[repr(C)] IntAndFloat { a: i64, bb: f64 }
    #[repr(C)] FloatAndDouble { a: f32, bb: f64 }
    #[repr(C)] SmallMixed { a: u8, bb: u16, ccc: bool }
    #[repr(C)] LargeMixed { a: u8, bb: f64, ccc: u16, dddd: f32, eeeee: i128 }
    #[repr(C)] WithWide { a: u8, bb: u128 }
    #[repr(C)] OnlyWide { a: u128 }
    #[repr(C, align(16))] Aligned { a: u64 }
    #[repr(C)] TwoLongs { a: i64, bb: u64 }
    #[repr(C)] LongAndByte { a: u64, bb: u8 }
}

/// Its fields may not be borrowed, so it is written out.
#[derive(Clone, Copy, Debug, PartialEq, Default)]
#[repr(C, packed)]
pub struct Packed {
    pub a: u8,
    pub bb: u32,
    pub ccc: f32,
    pub dddd: u16,
}

impl Twist for Packed {
    fn twist(self, n: u8) -> Self {
        Packed { a: self.a.twist(n), bb: { self.bb }.twist(n), ccc: { self.ccc }.twist(n), dddd: { self.dddd }.twist(n) }
    }
}
