//! Who draws: the host, or the device that holds the network.

use glauber_chain::SiteConditional;
use glauber_train::DeviceSampler;

use crate::error::{Context, Result, bail};
use crate::sampling::Sampling;
use crate::trained::Trained;

/// Where heat bath draws tokens. Guidance and the other samplers draw on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DrawPlace {
    /// In double precision on the host: the network's answer comes back at every step.
    #[default]
    Host,
    /// In single precision on the device that holds the network: tokens stay there. What only the host can do is refused.
    Device,
    /// On the device, but for what only the host can do.
    DeviceWherePossible,
}

/// What undoes the steps of a chain.
pub enum Drawer<'a> {
    /// Conditionals, which the host draws from.
    Host(Box<dyn SiteConditional + 'a>),
    /// A network that draws on its device.
    Device(Box<DeviceSampler<'a>>),
}

impl<'a> Drawer<'a> {
    /// Draws on the host.
    pub fn host(conditional: &'a dyn SiteConditional) -> Self {
        Self::Host(Box::new(conditional))
    }

    /// Draws of a run in a place.
    ///
    /// # Errors
    /// When the network knows no such class, or draws on the device are asked for that only the host can make.
    pub fn of(
        trained: &'a Trained,
        sampling: &'a Sampling,
        (class, guidance): (Option<usize>, Option<f64>),
        place: DrawPlace,
    ) -> Result<Self> {
        let host = trained.conditional_of_class(sampling.schedule(), class, guidance)?;
        if place == DrawPlace::Host {
            return Ok(Self::Host(host));
        }
        let controls = match guidance.filter(|&weight| weight != 0.0) {
            None if sampling.repairs() => Err("`--repair` draws on the host".to_owned()),
            None => sampling
                .heat_bath_controls()
                .ok_or_else(|| format!("`--sampler {}` draws on the host", sampling.name())),
            Some(_) => Err("`--guidance` draws on the host".to_owned()),
        };
        match controls {
            Ok(controls) => {
                let (network, objective) = (&trained.network, trained.config.train.objective);
                let sampler = DeviceSampler::new(network, objective, sampling.schedule(), controls, &trained.device)?;
                Ok(Self::Device(Box::new(sampler.of_class(class).context("`--class`")?)))
            }
            Err(why) if place == DrawPlace::Device => bail!("`--draw-on device`: {why}; leave one of the two out"),
            Err(why) => {
                tracing::info!("{why}: the logits are copied from the device at every step");
                Ok(Self::Host(host))
            }
        }
    }
}
