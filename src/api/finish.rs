//! What was begun is finished: a handler that changes something goes on when its caller hangs up. actix drops
//! the future of a request whose connection is reset; a deed would be done by half, or not recorded.

use actix_web::Handler;
use futures_util::future::LocalBoxFuture;

/// A handler that runs in a task of its own.
#[derive(Clone)]
pub struct Finishing<F>(pub F);

impl<F, Args> Handler<Args> for Finishing<F>
where
    F: Handler<Args>,
    F::Output: 'static,
    F::Future: 'static,
{
    type Output = F::Output;
    type Future = LocalBoxFuture<'static, F::Output>;

    fn call(&self, args: Args) -> Self::Future {
        let task = actix_web::rt::spawn(self.0.call(args));
        Box::pin(async move {
            match task.await {
                Ok(answer) => answer,
                Err(ended) => match ended.try_into_panic() {
                    Ok(panic) => std::panic::resume_unwind(panic),
                    // The worker is ending: nobody is left to answer.
                    Err(_) => std::future::pending().await,
                },
            }
        })
    }
}
