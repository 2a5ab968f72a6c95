//! Who draws: the host, or the device that holds the network.

use anyhow::{Context, bail};
use glauber_chain::SiteConditional;
use glauber_train::DeviceSampler;

use crate::arguments::DrawPlace;
use crate::device::Name;
use crate::sampling::Sampling;
use crate::trained::Trained;

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

    /// Draws of a run where the flags say, by default on a device that is a card; what only the host can do is done there.
    pub fn of(
        trained: &'a Trained,
        sampling: &'a Sampling,
        (class, guidance): (Option<usize>, Option<f64>),
        place: Option<DrawPlace>,
        device: &str,
    ) -> anyhow::Result<Self> {
        let host = trained.conditional_of_class(sampling.schedule(), class, guidance)?;
        let is_cpu = device.parse() == Ok(Name::Cpu);
        if place == Some(DrawPlace::Host) || place.is_none() && is_cpu {
            return Ok(Self::Host(host));
        }
        let controls = match guidance.filter(|&weight| weight != 0.0) {
            None => sampling.heat_bath_controls().ok_or("`--sampler lazy` and `--sampler skip-ahead` draw on the host"),
            Some(_) => Err("`--guidance` draws on the host"),
        };
        match controls {
            Ok(controls) => {
                let (network, objective) = (&trained.network, trained.config.train.objective);
                let sampler = DeviceSampler::new(network, objective, sampling.schedule(), controls, &trained.device)?;
                Ok(Self::Device(Box::new(sampler.of_class(class).context("`--class`")?)))
            }
            Err(why) if place.is_some() => bail!("`--draw-on device`: {why}; leave one of the two out"),
            Err(why) => {
                tracing::info!("{why}: the network's answer comes back from the device at every step");
                Ok(Self::Host(host))
            }
        }
    }
}
