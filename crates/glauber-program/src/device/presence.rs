//! Availability of devices.

use std::any::Any;
use std::panic::{self, AssertUnwindSafe, resume_unwind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::ScopedJoinHandle;

use anyhow::bail;
use burn::tensor::distributed::{ReduceOperation, all_reduce};
use burn::tensor::{Device, Tensor};

use super::name::Name;

/// Runs a first operation on a device. The libraries report a missing device only by a panic.
pub fn check(name: Name, device: &Device) -> anyhow::Result<()> {
    if name == Name::Cpu {
        return Ok(());
    }
    let first = || Tensor::<1>::from_floats([1.0, 2.0], device).add_scalar(1.0).into_data().iter::<f32>().collect();
    match quietly::<Vec<f32>>(first) {
        Ok(values) if values == [2.0, 3.0] => Ok(()),
        Ok(values) => bail!("`--device {name}`: 1 + 1 and 2 + 1 are {values:?} on this device: its driver is broken"),
        Err(why) => {
            tracing::info!(why, "the device cannot be used");
            bail!("`--device {name}`: {}; or use `--device cpu`", reason(name, &why))
        }
    }
}

/// Tests an all-reduce of one number per device; returns the failure, if any.
pub fn check_sums(devices: &[Device]) -> Result<(), String> {
    let sum = |device: &Device| -> Vec<f32> {
        let own = Tensor::<1>::ones([1], device);
        all_reduce(own, ReduceOperation::Sum, devices.to_vec()).resolve().into_data().iter::<f32>().collect()
    };
    let sums = quietly(|| {
        std::thread::scope(|scope| {
            let ranks: Vec<_> = devices.iter().map(|device| scope.spawn(|| sum(device))).collect();
            let sum = |rank: ScopedJoinHandle<'_, _>| rank.join().unwrap_or_else(|panic| resume_unwind(panic));
            ranks.into_iter().flat_map(sum).collect::<Vec<f32>>()
        })
    });
    match sums.map_err(|why| shortened(&why))? {
        sums if sums == vec![devices.len() as f32; devices.len()] => Ok(()),
        sums => Err(format!("each contributed 1, and the sums are {sums:?}")),
    }
}

/// The name that a device reports.
pub fn describe(_device: &Device) -> Option<String> {
    #[cfg(any(feature = "wgpu", feature = "cuda"))]
    return quietly(|| _device.identity().map(|identity| identity.name)).ok().flatten();
    #[cfg(not(any(feature = "wgpu", feature = "cuda")))]
    None
}

/// The fix for a panic of a first operation.
fn reason(name: Name, why: &str) -> String {
    match name {
        Name::Cpu => why.into(),
        Name::Wgpu if why.contains("dapter") => {
            "no graphics device was found: install a driver for Vulkan (on Debian, `mesa-vulkan-drivers` has one for many \
             cards, and one in software)"
                .into()
        }
        Name::Cuda(_) if why.contains("shared library") => {
            "no NVIDIA driver was found (libcuda): install it, and see that `nvidia-smi` lists the card".into()
        }
        Name::Cuda(_) if why.contains("NO_DEVICE") => "the NVIDIA driver is there and finds no card".into(),
        Name::Cuda(index) if why.contains("INVALID_DEVICE") => {
            format!("there is no card {index}: `nvidia-smi` lists them, counted from 0")
        }
        _ => format!("the device cannot be used ({})", shortened(why)),
    }
}

/// The first words of a message.
fn shortened(text: &str) -> String {
    const MOST: usize = 160;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Runs a closure. A panic, here or on a thread that it waits for, becomes its first message and is not printed.
fn quietly<T>(run: impl FnOnce() -> T) -> Result<T, String> {
    // The hook is the program's, not the thread's: one at a time.
    static HOOK: Mutex<()> = Mutex::new(());
    let _hook = HOOK.lock().unwrap_or_else(PoisonError::into_inner);
    let said = Arc::new(Mutex::new(None));
    let first = Arc::clone(&said);
    let before = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        let mut first = first.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert_with(|| message(info.payload()));
    }));
    let done = panic::catch_unwind(AssertUnwindSafe(run));
    panic::set_hook(before);
    done.map_err(|payload| {
        let first = said.lock().unwrap_or_else(PoisonError::into_inner).take();
        first.unwrap_or_else(|| message(&*payload))
    })
}

/// The message of a panic.
fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no reason was given").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_panic_is_told_and_the_hook_is_put_back() {
        assert_eq!(quietly(|| 3), Ok(3));
        let threads = || {
            let below = std::thread::spawn(|| panic!("no {}", "driver"));
            below.join().expect("what went wrong below");
        };
        assert_eq!(quietly(threads), Err("no driver".into()));
        assert_eq!(quietly(|| panic!("plain")), Err::<(), _>("plain".into()));
    }

    #[test]
    fn absences_are_told_apart() {
        let cuda = Name::Cuda(2);
        let library = "Unable to dynamically load the \"cuda\" shared library - searched for library names: [..]";
        assert!(reason(cuda, library).contains("libcuda"));
        assert!(reason(cuda, "DriverError(CUDA_ERROR_INVALID_DEVICE, \"\")").contains("no card 2"));
        assert!(reason(Name::Wgpu, "AdapterUnavailable { device: .. }").contains("Vulkan"));
        let unknown = reason(Name::Wgpu, &"long\nwords ".repeat(90));
        assert!(unknown.contains("long words") && unknown.len() < 220 && !unknown.contains('\n'), "{unknown}");
    }
}
