//! The layers on the CPU device; each returns `None` if its inputs are not f32 or on another device.

use burn::backend::Flex;
use burn::tensor::{Int, Shape, Tensor};

use crate::array::Array;
use crate::kernels::{
    Convolution, FeedForward, GatedResidual, GroupNormSilu, Linear, LogProbability, ModulatedNorm, NewtonSchulz,
    Rotation, SelfAttention, Sites, StreamAttention, Tables,
};
use crate::operation::{Input, apply};
use crate::{Padding, Rotary};

pub fn linear(x: &Tensor<3>, weight: &Tensor<2>, bias: &Option<Tensor<1>>) -> Option<Tensor<3>> {
    let ([batch, sites, input], [rows, output]) = (x.dims(), weight.dims());
    let bias = bias.as_ref().map_or_else(|| Some(Input::none()), Input::new)?;
    assert!(input == rows, "a linear layer of {rows} inputs was given {input}");
    let inputs = [Input::new(x)?, Input::new(weight)?, bias];
    Some(apply(Linear { input, output }, inputs, [batch, sites, output]))
}

pub fn feed_forward(x: &Tensor<3>, up: &(Tensor<2>, Tensor<1>), down: &(Tensor<2>, Tensor<1>)) -> Option<Tensor<3>> {
    let (shape, [width, hidden]) = (x.dims(), up.0.dims());
    assert!(shape[2] == width && down.0.dims() == [hidden, width], "feed-forward weights that do not fit");
    let inputs = [Input::new(x)?, Input::new(&up.0)?, Input::new(&up.1)?, Input::new(&down.0)?, Input::new(&down.1)?];
    Some(apply(FeedForward { width, hidden }, inputs, shape))
}

pub fn modulated_norm(x: &Tensor<3>, shift: &Tensor<2>, scale: &Tensor<2>) -> Option<Tensor<3>> {
    let shape = x.dims();
    let inputs = [Input::new(x)?, Input::new(shift)?, Input::new(scale)?];
    Some(apply(ModulatedNorm(modulated(shape, [shift, scale])), inputs, shape))
}

pub fn gated_residual(x: &Tensor<3>, y: &Tensor<3>, gate: &Tensor<2>) -> Option<Tensor<3>> {
    let shape = x.dims();
    assert!(y.dims() == shape, "a residual of another shape than what it is added to");
    let inputs = [Input::new(x)?, Input::new(y)?, Input::new(gate)?];
    Some(apply(GatedResidual(modulated(shape, [gate, gate])), inputs, shape))
}

pub fn self_attention(
    projected: &Tensor<3>,
    heads: &usize,
    rotary: &&Rotary,
    bias: &Option<Tensor<4>>,
) -> Option<Tensor<3>> {
    let ([batch, sites, both], heads) = (projected.dims(), *heads);
    let width = both / 3;
    let bias = match bias {
        Some(bias) => bias_of(bias, batch, [sites, sites])?,
        None => Array::from_values(vec![0.0; sites * sites], Shape::from([sites * sites])),
    };
    let tables = tables(rotary, batch, sites, width / heads)?;
    let operation = SelfAttention { sites, width, heads, tables, bias };
    Some(apply(operation, [Input::new(projected)?], [batch, sites, width]))
}

pub fn rotated(x: &Tensor<3>, heads: &usize, rotary: &&Rotary) -> Option<Tensor<3>> {
    let (shape @ [batch, sites, width], head_width) = (x.dims(), rotary.cos.dims()[3]);
    assert!(heads * head_width <= width, "{heads} heads of {head_width} numbers in sites of {width}");
    let tables = tables(rotary, batch, sites, head_width)?;
    Some(apply(Rotation { sites, width, heads: *heads, head_width, tables }, [Input::new(x)?], shape))
}

pub fn stream_attention(queries: &Tensor<3>, stream: &Tensor<3>, heads: &usize, bias: &Tensor<4>) -> Option<Tensor<3>> {
    let operation = over_streams::<1>(queries, [stream], *heads, bias)?;
    Some(apply(operation, [Input::new(queries)?, Input::new(stream)?], queries.dims()))
}

pub fn merging_attention(
    queries: &Tensor<3>,
    streams: &[Tensor<3>; 2],
    heads: &usize,
    bias: &Tensor<4>,
) -> Option<Tensor<3>> {
    let operation = over_streams::<2>(queries, streams.each_ref(), *heads, bias)?;
    let inputs = [Input::new(queries)?, Input::new(&streams[0])?, Input::new(&streams[1])?];
    Some(apply(operation, inputs, queries.dims()))
}

fn over_streams<const STREAMS: usize>(
    queries: &Tensor<3>,
    streams: [&Tensor<3>; STREAMS],
    heads: usize,
    bias: &Tensor<4>,
) -> Option<StreamAttention<STREAMS>> {
    let [batch, asked, width] = queries.dims();
    let sites = streams[0].dims()[1];
    let fits = |stream: &&Tensor<3>| stream.dims() == [batch, sites, 2 * width];
    assert!(streams.iter().all(fits), "streams that do not fit the queries");
    let bias = bias_of(bias, batch, [asked, STREAMS * sites])?;
    Some(StreamAttention { queries: asked, sites, width, heads, bias })
}

pub fn log_probability(logits: &Tensor<3>, token: &Tensor<2, Int>) -> Option<Tensor<2>> {
    let [batch, sites, vocab] = logits.dims();
    let inputs = [Input::new(logits)?];
    let tokens: Vec<usize> = token.clone().into_data().iter::<i64>().map(|token| token as usize).collect();
    assert!(tokens.len() == batch * sites && tokens.iter().all(|&token| token < vocab), "labels that do not fit");
    Some(apply(LogProbability { vocab, tokens }, inputs, [batch, sites]))
}

pub fn convolution(
    x: &Tensor<4>,
    weight: &Tensor<4>,
    bias: &Option<Tensor<1>>,
    stride: &usize,
    padding: &Padding,
) -> Option<Tensor<4>> {
    let ([batch, from, height, width], [to, channels, rows, columns]) = (x.dims(), weight.dims());
    assert!(channels == from, "a convolution of {channels} channels was given {from}");
    assert!(bias.as_ref().is_none_or(|bias| bias.dims() == [to]), "a convolution's bias of another width");
    let out = padding.output([height, width], [rows, columns], *stride);
    let bias = bias.as_ref().map_or_else(|| Some(Input::none()), Input::new)?;
    let operation = Convolution {
        from,
        to,
        size: [height, width],
        kernel: [rows, columns],
        stride: *stride,
        padding: [padding.above, padding.left],
        out,
    };
    Some(apply(operation, [Input::new(x)?, Input::new(weight)?, bias], [batch, to, out[0], out[1]]))
}

pub fn group_norm_silu(
    x: &Tensor<4>,
    scale: &Tensor<1>,
    shift: &Tensor<1>,
    groups: &usize,
    epsilon: &f64,
) -> Option<Tensor<4>> {
    let shape @ [_, channels, height, width] = x.dims();
    assert!(scale.dims() == [channels] && shift.dims() == [channels], "a group norm of another width");
    assert!(*groups > 0 && channels.is_multiple_of(*groups), "{channels} channels in {groups} groups");
    let operation = GroupNormSilu { channels, groups: *groups, area: height * width, epsilon: *epsilon as f32 };
    Some(apply(operation, [Input::new(x)?, Input::new(scale)?, Input::new(shift)?], shape))
}

pub fn newton_schulz(x: &Tensor<2>, coefficients: &[f64; 3], iterations: &usize) -> Option<Tensor<2>> {
    let shape @ [rows, columns] = x.dims();
    // Of a matrix that requires gradients none would be recorded here.
    let array = Array::new(x.clone().try_into_primitive::<Flex>().ok()?)?;
    let steps = NewtonSchulz { coefficients: coefficients.map(|number| number as f32), iterations: *iterations };
    let values = steps.run(&array, rows, columns);
    Some(Tensor::from_primitive::<Flex>(Array::from_values(values, Shape::from(shape)).into_tensor()))
}

fn modulated([batch, sites, width]: [usize; 3], vectors: [&Tensor<2>; 2]) -> Sites {
    assert!(vectors.iter().all(|vector| vector.dims() == [batch, width]), "modulation of another shape");
    Sites { sites, width }
}

fn bias_of(bias: &Tensor<4>, batch: usize, [queries, keys]: [usize; 2]) -> Option<Array> {
    let [rows, one, asked, over] = bias.dims();
    assert!(
        (rows == 1 || rows == batch) && [one, asked, over] == [1, queries, keys],
        "an attention bias of another shape"
    );
    Array::constant(bias.clone())
}

fn tables(rotary: &Rotary, batch: usize, sites: usize, head_width: usize) -> Option<Tables> {
    let [rows, of, _, width] = rotary.cos.dims();
    assert!((rows == 1 || rows == batch) && of == sites && width == head_width, "rotary tables of another shape");
    assert!(rotary.sin.dims() == rotary.cos.dims(), "rotary tables of two shapes");
    let (cos, sin) = (Array::constant(rotary.cos.clone())?, Array::constant(rotary.sin.clone())?);
    Some(Tables { cos, sin, row: sites * width })
}
