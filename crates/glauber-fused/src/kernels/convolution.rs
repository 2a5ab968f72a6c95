//! A convolution of two-dimensional feature maps.

use std::ops::Range;

use rayon::prelude::*;

use super::add_to;
use super::matmul::{Before, Matrix, MatrixMut, multiply};
use super::simd::{sum, vectorised};
use crate::operation::{Operation, Output};

/// Numbers that the patches of a tile of output rows may take: they stay in a core's cache.
const TILE: usize = 1 << 16;
/// Images whose weight gradients are summed in sequence. Fixed, so that rounding does not depend on threads.
const GROUP: usize = 4;

/// Inputs `x [batch, from, height, width]`, `weight [to, from, row, column]`, `bias [to]`, or an empty one for none.
///
/// The patches under the kernel become the columns of a matrix, some output rows at a time.
#[derive(Debug, Clone)]
pub(crate) struct Convolution {
    pub from: usize,
    pub to: usize,
    /// Height and width of the input.
    pub size: [usize; 2],
    /// Height and width of the kernel.
    pub kernel: [usize; 2],
    pub stride: usize,
    /// Rows of zeros above, columns of zeros to the left.
    pub padding: [usize; 2],
    /// Height and width of the output.
    pub out: [usize; 2],
}

impl Operation<3> for Convolution {
    fn forward(&self, [x, weight, bias]: [&[f32]; 3], _keep: bool) -> Output {
        let batch = x.len() / self.image();
        let mut values = vec![0.0; batch * self.output()];
        let images = values.par_chunks_mut(self.output()).zip(x.par_chunks(self.image()));
        images.for_each_init(Vec::new, |columns, (out, image)| {
            let before = if bias.is_empty() { Before::Overwritten } else { Before::Added };
            for (channel, &bias) in out.chunks_exact_mut(self.area()).zip(bias) {
                channel.fill(bias);
            }
            for rows in self.tiles() {
                let (place, patches) = (rows.start * self.out[1], self.patches(image, rows, columns));
                let out = MatrixMut::strided(&mut out[place..], self.to, patches.columns(), self.area());
                multiply(out, Matrix::new(weight, self.to, self.patch()), patches, before);
            }
        });
        Output { values, kept: Vec::new() }
    }

    fn backward(&self, [x, weight, bias]: [&[f32]; 3], _kept: &[f32], gradient: &[f32]) -> [Vec<f32>; 3] {
        let mut of_x = vec![0.0; x.len()];
        let groups = of_x.par_chunks_mut(GROUP * self.image()).zip(x.par_chunks(GROUP * self.image()));
        let groups = groups.zip(gradient.par_chunks(GROUP * self.output()));
        let parts: Vec<Vec<f32>> = groups.map(|((of_x, x), gradient)| self.back(of_x, x, weight, gradient)).collect();
        let of_weight = parts.into_iter().reduce(|mut sum, part| {
            add(&mut sum, &part);
            sum
        });
        let mut of_bias = vec![0.0; bias.len()];
        if !bias.is_empty() {
            for output in gradient.chunks_exact(self.output()) {
                channel_sums(&mut of_bias, output, self.area());
            }
        }
        [of_x, of_weight.unwrap_or_else(|| vec![0.0; weight.len()]), of_bias]
    }
}

impl Convolution {
    /// Numbers of an input image.
    fn image(&self) -> usize {
        self.from * self.size[0] * self.size[1]
    }

    /// Numbers of an output channel.
    fn area(&self) -> usize {
        self.out[0] * self.out[1]
    }

    /// Numbers of an output image.
    fn output(&self) -> usize {
        self.to * self.area()
    }

    /// Numbers under the kernel.
    fn patch(&self) -> usize {
        self.from * self.kernel[0] * self.kernel[1]
    }

    /// Whether patches are pixels, so that an image is the matrix of its patches.
    fn is_pointwise(&self) -> bool {
        self.kernel == [1, 1] && self.stride == 1 && self.padding == [0, 0] && self.out == self.size
    }

    /// Output rows, as many at a time as the tile allows.
    fn tiles(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let (rows, step) = (self.out[0], (TILE / (self.patch() * self.out[1])).max(1));
        let step = if self.is_pointwise() { rows } else { step };
        (0..rows).step_by(step).map(move |start| start..rows.min(start + step))
    }

    /// The patches of some output rows: `[patch, place]`.
    fn patches<'a>(&self, image: &'a [f32], rows: Range<usize>, columns: &'a mut Vec<f32>) -> Matrix<'a> {
        let count = rows.len() * self.out[1];
        if self.is_pointwise() {
            return Matrix::new(image, self.from, count);
        }
        columns.resize(self.patch() * count, 0.0);
        self.each_line(rows, |at, line| {
            let to = &mut columns[at * self.out[1]..][..self.out[1]];
            let Some(Line { first, last, start }) = line else {
                to.fill(0.0);
                return;
            };
            to[..first].fill(0.0);
            to[last..].fill(0.0);
            let to = &mut to[first..last];
            match self.stride {
                1 => to.copy_from_slice(&image[start..start + to.len()]),
                stride => {
                    let from = image[start..].iter().step_by(stride);
                    to.iter_mut().zip(from).for_each(|(to, &from)| *to = from);
                }
            }
        });
        Matrix::new(columns, self.patch(), count)
    }

    /// Adds the gradients by the patches of some output rows to those by the image.
    fn put_back(&self, of_image: &mut [f32], rows: Range<usize>, columns: &[f32]) {
        self.each_line(rows, |at, line| {
            let Some(Line { first, last, start }) = line else { return };
            let from = &columns[at * self.out[1]..][first..last];
            match self.stride {
                1 => add_to(&mut of_image[start..start + from.len()], from),
                stride => {
                    let to = of_image[start..].iter_mut().step_by(stride);
                    to.zip(from).for_each(|(to, &from)| *to += from);
                }
            }
        });
    }

    /// What each line of patches, one output row under one number of the kernel, shows of the image; none where all is padding.
    #[inline]
    fn each_line(&self, rows: Range<usize>, mut visit: impl FnMut(usize, Option<Line>)) {
        let [height, width] = self.size;
        let [above, left] = self.padding;
        let mut at = 0;
        for (channel, down, across) in self.cells() {
            let first = left.saturating_sub(across).div_ceil(self.stride);
            let last = (width + left).saturating_sub(across).div_ceil(self.stride).min(self.out[1]);
            for row in rows.clone() {
                let from = (row * self.stride + down).checked_sub(above).filter(|&from| from < height && first < last);
                let start = |from: usize| (channel * height + from) * width + first * self.stride + across - left;
                visit(at, from.map(|from| Line { first, last, start: start(from) }));
                at += 1;
            }
        }
    }

    /// The numbers under the kernel: channel, row, column.
    fn cells(&self) -> impl Iterator<Item = (usize, usize, usize)> + use<> {
        let (channels, [rows, columns]) = (self.from, self.kernel);
        let within =
            move |channel| (0..rows).flat_map(move |row| (0..columns).map(move |column| (channel, row, column)));
        (0..channels).flat_map(within)
    }

    /// The gradient by the weights of some images, and into `of_x` those by the images.
    fn back(&self, of_x: &mut [f32], x: &[f32], weight: &[f32], gradient: &[f32]) -> Vec<f32> {
        let mut of_weight = vec![0.0; weight.len()];
        let (mut columns, mut of_columns) = (Vec::new(), Vec::new());
        let weight = Matrix::new(weight, self.to, self.patch()).transposed();
        let images = of_x.chunks_exact_mut(self.image()).zip(x.chunks_exact(self.image()));
        for ((of_image, image), gradient) in images.zip(gradient.chunks_exact(self.output())) {
            for rows in self.tiles() {
                let (place, count) = (rows.start * self.out[1], rows.len() * self.out[1]);
                let gradient = Matrix::strided(&gradient[place..], self.to, count, self.area());
                let patches = self.patches(image, rows.clone(), &mut columns).transposed();
                let out = MatrixMut::new(&mut of_weight, self.to, self.patch());
                multiply(out, gradient, patches, Before::Added);
                if self.is_pointwise() {
                    let out = MatrixMut::new(of_image, self.patch(), count);
                    multiply(out, weight, gradient, Before::Overwritten);
                    continue;
                }
                of_columns.resize(self.patch() * count, 0.0);
                let out = MatrixMut::new(&mut of_columns, self.patch(), count);
                multiply(out, weight, gradient, Before::Overwritten);
                self.put_back(of_image, rows, &of_columns);
            }
        }
        of_weight
    }
}

/// A part of an image's row.
struct Line {
    /// The first column of the output that sees the image and no padding.
    first: usize,
    /// The one after the last.
    last: usize,
    /// Where the first of them sees it.
    start: usize,
}

vectorised! {
    fn add<'a>(sum: &'a mut [f32], part: &'a [f32]) {
        add_to(sum, part);
    }

    fn channel_sums<'a>(sums: &'a mut [f32], output: &'a [f32], area: usize) {
        for (total, channel) in sums.iter_mut().zip(output.chunks_exact(area)) {
            *total += sum(channel, |x| x);
        }
    }
}
