//! The outcome of the tries of one call. The SDK tells of the last try alone, but an earlier one may have been carried out.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use aws_smithy_runtime_api::{
    box_error::BoxError,
    client::{
        interceptors::{Intercept, context::FinalizerInterceptorContextRef},
        runtime_components::RuntimeComponents,
    },
};
use aws_smithy_types::config_bag::ConfigBag;

/// Whether one of the tries may have taken effect although it failed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tries(Arc<AtomicBool>);

impl Tries {
    pub(crate) fn may_have_taken_effect(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

impl Intercept for Tries {
    fn name(&self) -> &'static str {
        "Tries"
    }

    fn read_after_attempt(
        &self,
        context: &FinalizerInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // Only a refusal says that nothing was done.
        let is_refused = context.response().is_some_and(|response| response.status().is_client_error());
        if !is_refused {
            self.0.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}
