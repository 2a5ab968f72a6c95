//! Plain loops, compiled for every instruction set and run on the widest that the processor has.

/// Partial sums of a reduction: fixed, so that a sum's rounding does not depend on the processor.
const LANES: usize = 16;

/// Makes functions of loops that run with the widest instructions there are.
///
/// The body becomes a function that is always inlined into one caller for each instruction set, and so must be what it calls. (A closure
/// would stay a function of its own, compiled for the oldest processor.)
macro_rules! vectorised {
    ($($(#[$attribute:meta])* $vis:vis fn $name:ident<$a:lifetime>($($argument:ident: $type:ty),* $(,)?) $body:block)*) => {$(
        $(#[$attribute])*
        $vis fn $name<$a>($($argument: $type),*) {
            struct Loops<$a> {
                $($argument: $type),*
            }
            impl<$a> pulp::NullaryFnOnce for Loops<$a> {
                type Output = ();

                #[inline(always)]
                fn call(self) {
                    let Self { $($argument),* } = self;
                    $body
                }
            }
            pulp::Arch::new().dispatch(Loops { $($argument),* });
        }
    )*};
}
pub(crate) use vectorised;

/// `Σ f(a_i)`.
#[inline(always)]
pub(crate) fn sum(a: &[f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = a.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &a) in lanes.iter_mut().zip(chunk) {
            *lane += f(a);
        }
    }
    for (lane, &a) in lanes.iter_mut().zip(rest) {
        *lane += f(a);
    }
    add_up(lanes)
}

/// `Σ f(a_i, b_i)`.
#[inline(always)]
pub(crate) fn sum_2(a: &[f32], b: &[f32], f: impl Fn(f32, f32) -> f32) -> f32 {
    let mut lanes = [0.0; LANES];
    let (a_chunks, a_rest) = a.as_chunks::<LANES>();
    let (b_chunks, b_rest) = b.as_chunks::<LANES>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += f(a, b);
        }
    }
    for ((lane, &a), &b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane += f(a, b);
    }
    add_up(lanes)
}

/// `Σ a_i · b_i` of vectors as short as a head, of half as many partial sums.
#[inline(always)]
pub(crate) fn dot(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0; LANES / 2];
    let (a_chunks, a_rest) = a.as_chunks::<{ LANES / 2 }>();
    let (b_chunks, b_rest) = b.as_chunks::<{ LANES / 2 }>();
    for (a, b) in a_chunks.iter().zip(b_chunks) {
        for ((lane, &a), &b) in lanes.iter_mut().zip(a).zip(b) {
            *lane += a * b;
        }
    }
    for ((lane, &a), &b) in lanes.iter_mut().zip(a_rest).zip(b_rest) {
        *lane += a * b;
    }
    add_up(lanes)
}

/// The largest of the numbers, `−∞` of none.
#[inline(always)]
pub(crate) fn maximum(a: &[f32]) -> f32 {
    let larger = |x: f32, y: f32| if y > x { y } else { x };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let (chunks, rest) = a.as_chunks::<LANES>();
    for chunk in chunks {
        for (lane, &a) in lanes.iter_mut().zip(chunk) {
            *lane = larger(*lane, a);
        }
    }
    for (lane, &a) in lanes.iter_mut().zip(rest) {
        *lane = larger(*lane, a);
    }
    lanes.into_iter().fold(f32::NEG_INFINITY, larger)
}

#[inline(always)]
fn add_up<const N: usize>(mut lanes: [f32; N]) -> f32 {
    let mut half = N / 2;
    while half > 0 {
        for at in 0..half {
            lanes[at] += lanes[at + half];
        }
        half /= 2;
    }
    lanes[0]
}

/// `eˣ` for `x ≤ 88`, to two units in the last place; exactly 0 below −87, so that what is masked weighs nothing.
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    /// Adding it leaves the nearest integer in the low bits of the mantissa.
    const SHIFT: f32 = 12_582_912.0;
    /// ln 2 in two parts, the first with few enough digits that its products with integers are exact.
    const LN_2_HIGH: f32 = 0.693_359_4;
    const LN_2_LOW: f32 = -2.121_944_4e-4;
    let held = if x > -87.0 { x } else { -87.0 };
    let shifted = held * std::f32::consts::LOG2_E + SHIFT;
    let power = (shifted.to_bits().wrapping_sub(SHIFT.to_bits())).wrapping_add(127) << 23;
    let whole = shifted - SHIFT;
    let r = (held - whole * LN_2_HIGH) - whole * LN_2_LOW;
    // Taylor's series to the seventh power: |r| ≤ ln 2 / 2, where the next term is below 3e-8.
    let series = 1.0 / 5040.0;
    let series = series * r + 1.0 / 720.0;
    let series = series * r + 1.0 / 120.0;
    let series = series * r + 1.0 / 24.0;
    let series = series * r + 1.0 / 6.0;
    let series = series * r + 0.5;
    let series = (series * r) * r + r + 1.0;
    let value = series * f32::from_bits(power);
    if x > -87.0 { value } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_close_and_exactly_zero_far_below() {
        for at in -86_000..88_000 {
            let x = at as f32 * 1e-3;
            let exact = f64::from(x).exp();
            assert!((f64::from(exp(x)) / exact - 1.0).abs() < 2.5e-7, "{x}: {} for {exact}", exp(x));
        }
        assert_eq!([exp(0.0), exp(-88.0), exp(f32::NEG_INFINITY)], [1.0, 0.0, 0.0]);
    }

    #[test]
    fn reductions_take_every_element() {
        for len in [0, 1, 15, 16, 17, 40] {
            let a: Vec<f32> = (0..len).map(|i| i as f32).collect();
            assert_eq!(sum(&a, |a| 2.0 * a), (len * len.max(1) - len) as f32);
            assert_eq!(sum_2(&a, &a, |a, b| a - b + 1.0), len as f32);
            assert_eq!(dot(&a, &a), a.iter().map(|a| a * a).sum::<f32>());
            assert_eq!(maximum(&a), if len == 0 { f32::NEG_INFINITY } else { (len - 1) as f32 });
        }
    }
}
