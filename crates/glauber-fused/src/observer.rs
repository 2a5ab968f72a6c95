//! Who hears of gradients.

use std::fmt;
use std::sync::Arc;

use burn::module::ParamId;
use burn::tensor::Device;

/// Who is told of gradients by weights before a backward pass is over: see [`observed`](crate::observed).
#[derive(Clone)]
#[cfg_attr(not(feature = "cpu"), allow(dead_code))] // nothing tells it anything then
pub struct GradientObserver(Arc<Tell>);

type Tell = dyn Fn(ParamId, &[f32]) + Send + Sync;

impl GradientObserver {
    /// `tell` is given a parameter and the entries of the gradient by it, row by row, on the thread that computes the backward pass.
    pub fn new(tell: impl Fn(ParamId, &[f32]) + Send + Sync + 'static) -> Self {
        Self(Arc::new(tell))
    }

    /// Whether it is told of anything that is computed on a device.
    pub fn hears_of(device: &Device) -> bool {
        #[cfg(feature = "cpu")]
        return burn::tensor::Tensor::<1>::zeros([1], device).try_into_primitive::<burn::backend::Flex>().is_ok();
        #[cfg(not(feature = "cpu"))]
        return {
            let _ = device;
            false
        };
    }

    #[cfg(feature = "cpu")]
    pub(crate) fn tell(&self, parameter: ParamId, gradient: &[f32]) {
        (self.0)(parameter, gradient);
    }
}

impl fmt::Debug for GradientObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GradientObserver").finish_non_exhaustive()
    }
}
