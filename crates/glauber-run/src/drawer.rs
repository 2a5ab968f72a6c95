//! Drawing on the host, or on the network's device.

use glauber_chain::SiteConditional;
use glauber_train::DeviceSampler;

use crate::error::{Context, Result, bail};
use crate::sampling::Sampling;
use crate::trained::Trained;

/// Where heat bath draws tokens. Guidance and the other samplers draw on the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DrawPlace {
    /// On the host, in double precision; logits are copied back at every step.
    #[default]
    Host,
    /// On the network's device, in single precision; tokens stay on the device. Settings that need the host are an
    /// error.
    Device,
    /// On the device, except for settings that need the host.
    DeviceWherePossible,
}

/// The executor of a reverse chain.
pub enum Drawer<'a> {
    /// Conditionals, with draws on the host.
    Host(Box<dyn SiteConditional + 'a>),
    /// A network with draws on its device.
    Device(Box<DeviceSampler<'a>>),
}

impl<'a> Drawer<'a> {
    /// Draws on the host.
    pub fn host(conditional: &'a dyn SiteConditional) -> Self {
        Self::Host(Box::new(conditional))
    }

    /// Draws of a run in the given place.
    ///
    /// # Errors
    /// If the network lacks the class, or the settings need the host but the place is the device.
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
            None if trained.constraint(sampling.schedule())?.is_some() => {
                Err("a target with a constraint draws on the host".to_owned())
            }
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
