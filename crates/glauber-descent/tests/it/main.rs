//! Modules that are no network of this workspace are trained, alone and among ranks.

use std::rc::Rc;

use burn::module::{Module, ModuleMapper, Param};
use burn::nn::{Linear, LinearConfig};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor, TensorData};
use glauber_descent::{
    DescentError, Exchange, LearningRateSchedule, Optimiser, OptimiserConstants, ParamGroups, Replicas, Settings,
    Stream, TRAINER_FILES, Task, Trainer, UpdateRule, fingerprint, moving_average,
};
use glauber_ranks::{Alone, Threads, World};

const ROWS: usize = 4;
const CONSTANTS: OptimiserConstants = OptimiserConstants { beta_1: 0.9, beta_2: 0.99, weight_decay: 0.1 };

#[derive(Module, Debug)]
struct TwoLayers {
    first: Linear,
    second: Linear,
}

impl TwoLayers {
    /// Equal weights at every call.
    fn new() -> Self {
        struct Fill;
        impl ModuleMapper for Fill {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                param.map(|old| {
                    let values = (0..old.shape().num_elements()).map(|at| 0.3 * (0.7 * at as f32).sin());
                    Tensor::from_data(TensorData::new(values.collect(), old.shape()), &old.device())
                })
            }
        }
        let device = Device::flex();
        let layer = |from, to| LinearConfig::new(from, to).init(&device);
        Self { first: layer(3, 8), second: layer(8, 1) }.map(&mut Fill)
    }

    /// The matrices follow Muon, the biases AdamW.
    fn groups(&self) -> ParamGroups {
        ParamGroups::all(self, UpdateRule::AdamW).with([self.first.weight.id, self.second.weight.id], UpdateRule::Muon)
    }

    /// How far it is from the sums of rows.
    fn loss_and_gradients(&self, rows: &[f32]) -> (f64, GradientsParams) {
        let module = self.clone().train();
        let x = Tensor::<2>::from_data(TensorData::new(rows.to_vec(), [ROWS, 3]), &Device::flex().autodiff());
        let found = module.second.forward(module.first.forward(x.clone()).tanh());
        let loss = (found - x.sum_dim(1)).square().mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &module);
        (loss.into_data().iter::<f64>().sum(), gradients)
    }
}

/// Losses, and hashes of weights and average after some steps of three micro-batches.
fn train(ranks: Rc<dyn World>) -> (Vec<f64>, [u64; 2]) {
    let mut module = TwoLayers::new();
    let mut average = module.clone();
    let mut optimiser = Optimiser::new(&module, module.groups(), CONSTANTS);
    let mut replicas = Replicas::new(1);
    replicas.set_exchange(Exchange::sharded(&module, Rc::clone(&ranks)));
    let mut losses = Vec::new();
    for at in 0..30 {
        let rows = |micro| (0..3 * ROWS).map(|entry| ((at * 3 + micro) as f32 + 1.3 * entry as f32).sin()).collect();
        let batches: Vec<Vec<f32>> = ranks.share(3).map(rows).collect();
        let step = replicas.step(&module, &batches, 0.5, |rows| module.loss_and_gradients(rows));
        let exchange = replicas.exchange();
        module = exchange.all_gather(optimiser.step(module.clone(), step.gradients, 0.02));
        average = moving_average(average, &module, exchange, 0.9, at);
        losses.push(step.loss);
    }
    (losses, [fingerprint(&module), fingerprint(&replicas.exchange().all_gather(average))])
}

#[test]
fn ranks_train_a_module_as_one_does() {
    let (losses, weights) = train(Rc::new(Alone));
    assert!(losses[29] < 0.7 * losses[0], "{losses:?}");
    std::thread::scope(|scope| {
        let ranks = Threads::world(3).into_iter().map(|rank| scope.spawn(move || train(Rc::new(rank))));
        for rank in ranks.collect::<Vec<_>>() {
            assert_eq!(rank.join().expect("a rank"), (losses.clone(), weights));
        }
    });
}

/// The network learns the sums of rows.
struct Sums;

impl Task for Sums {
    type Model = TwoLayers;
    type Batch = Vec<f32>;
    type Error = DescentError;

    fn batch(&self, _: &TwoLayers, stream: Stream) -> Result<Vec<f32>, DescentError> {
        Ok((0..3 * ROWS).map(|entry| (stream.number as f32 + 1.3 * entry as f32).sin()).collect())
    }

    fn loss(&self, module: &TwoLayers, rows: &Vec<f32>, device: &Device) -> Tensor<1> {
        let x = Tensor::<2>::from_data(TensorData::new(rows.clone(), [ROWS, 3]), device);
        let found = module.second.forward(module.first.forward(x.clone()).tanh());
        (found - x.sum_dim(1)).square().mean()
    }
}

#[test]
fn a_trainer_without_an_average_steps_alike_and_goes_on_from_what_it_saved() {
    let course = LearningRateSchedule { peak: 0.02, warmup_steps: 2, steps: 6, minimum: 0.1 };
    let module = TwoLayers::new();
    let begin = |average_decay| {
        let settings = Settings { average_decay, micro_batches: 2, ..Settings::new(course, 0) };
        Trainer::new(module.clone(), module.groups(), settings, &Device::flex(), 1)
    };
    let (mut plain, mut averaged) = (begin(None).with_threads(2), begin(Some(0.9)));
    for step in 0..6 {
        let found = plain.step(&Sums).unwrap();
        assert_eq!(averaged.step_at(&Sums, course.rate(step)).unwrap(), found, "the rates of the course, given");
    }
    let weights = fingerprint(plain.model());
    assert_eq!((fingerprint(plain.average()), fingerprint(averaged.model())), (weights, weights));
    assert_ne!(fingerprint(averaged.average()), weights);

    let folder = tempfile::tempdir().unwrap();
    plain.save(folder.path()).unwrap();
    assert!(!folder.path().join(TRAINER_FILES[1]).exists(), "there is no average to write");
    assert!(matches!(begin(Some(0.9)).load(folder.path(), 6), Err(DescentError::Io { .. })));
    let mut loaded = begin(None);
    loaded.load(folder.path(), 6).unwrap();
    assert_eq!(loaded.step(&Sums).unwrap(), plain.step(&Sums).unwrap());
    assert_eq!(fingerprint(loaded.model()), fingerprint(plain.model()));
    // A module changed otherwise is what the next step begins from.
    loaded.set_model(module.clone());
    plain.restore(module.clone(), [module.clone(), module.clone()], 7);
    assert_eq!(loaded.step_at(&Sums, 0.0).unwrap().loss, plain.step(&Sums).unwrap().loss);
}

#[test]
fn rules_are_followed() {
    let module = TwoLayers::new();
    let [decayed, kept] = [module.first.weight.id, module.second.weight.id];
    let groups = ParamGroups::all(&module, UpdateRule::AdamW).with([decayed], UpdateRule::DecayedAdamW);
    let mut optimiser = Optimiser::new(&module, groups, CONSTANTS);
    let mut zeros = GradientsParams::new();
    zeros.register(decayed, module.first.weight.val().zeros_like());
    zeros.register(kept, module.second.weight.val().zeros_like());
    let after = optimiser.step(module.clone(), zeros, 0.5);
    let entries = |layer: &Linear| layer.weight.val().into_data().iter::<f32>().collect::<Vec<_>>();
    let expected: Vec<f32> = entries(&module.first).iter().map(|weight| 0.95 * weight).collect();
    let close = |(one, other): (&f32, &f32)| (one - other).abs() < 1e-6;
    assert!(entries(&after.first).iter().zip(&expected).all(close), "0.5 · 0.1 of each weight is lost");
    assert_eq!(entries(&after.second), entries(&module.second));
}

#[test]
#[should_panic(expected = "no rule for the parameter")]
fn groups_of_another_module_are_refused() {
    let _ = Optimiser::new(&TwoLayers::new(), TwoLayers::new().groups(), CONSTANTS);
}

#[test]
#[should_panic(expected = "Muon is for matrices")]
fn a_vector_does_not_follow_muon() {
    let module = TwoLayers::new();
    let _ = Optimiser::new(&module, ParamGroups::all(&module, UpdateRule::Muon), CONSTANTS);
}
