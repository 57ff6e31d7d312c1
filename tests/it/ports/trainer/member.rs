//! What a trainer's test needs of it: the trainer, and control over its provider.

use std::ops::Range;

use async_trait::async_trait;
use harness::faults::Fault;
use shared::{
    kernel::id::TenantId,
    platform::object_store::Files,
    training::trainers::{Order, Parameters, Trainer, TrainerConnection},
};

/// A trainer, and the other side of it.
#[async_trait(?Send)]
pub(super) trait Member {
    fn trainer(&self) -> &dyn Trainer;

    fn files(&self) -> &Files;

    fn connection(&self) -> TrainerConnection {
        TrainerConnection::default()
    }

    fn base_model(&self) -> &'static str {
        "a-model"
    }

    /// Whose orders these are.
    fn tenant_id(&self) -> TenantId {
        TenantId::new()
    }

    fn parameters(&self) -> Parameters {
        Parameters::default()
    }

    /// Where the order itself says how its training ends: makes it one that fails because the data is bad.
    fn doom(&self, _order: &mut Order) {}

    /// Whether this is the loss that was measured on what was held out.
    fn measured(&self, loss: f64) -> bool {
        (loss - 1.25).abs() < f64::EPSILON
    }

    /// Has the provider train an order for some steps.
    async fn train(&self, order: &Order, steps: Range<i64>);
    async fn succeed(&self, order: &Order);
    async fn fail(&self, order: &Order);
    /// How many jobs the provider has of an order.
    async fn jobs(&self, order: &Order) -> usize;
    /// As if the provider had lost all that it knew.
    async fn forget(&self, order: &Order);

    /// Whether the curve is reported during the training, or only at the end.
    fn reports_steps(&self) -> bool {
        true
    }

    /// Lets the next call to the provider for this order meet a fault; the part of the claim is left out where such a
    /// call cannot.
    fn meets(&self, _order: &mut Order, _call: Call, _fault: Fault) -> bool {
        false
    }
}

/// The calls that faults are let happen to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Call {
    Upload,
    Create,
    Observe,
    Cancel,
}
