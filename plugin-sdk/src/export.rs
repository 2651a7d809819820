//! The macro that makes a component of a plugin.

/// Exports a [`Plugin`](crate::Plugin) as the component's two functions.
///
/// On the host it exports nothing, because a native linker rejects the `:` in the names of a component's exports; it
/// still makes sure that the type is a plugin. Use it once a crate, in its root.
///
/// A panic costs the one event, at this one destination; its message is kept with the event's trace.
#[macro_export]
macro_rules! export {
    ($plugin:ty) => {
        const _: () = {
            const fn is_a_plugin<P: $crate::Plugin>() {}
            is_a_plugin::<$plugin>();
        };

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            struct Exported;

            impl $crate::__types::Guest for Exported {
                fn transform(
                    event: $crate::Event,
                    ctx: $crate::Context,
                ) -> ::core::result::Result<::std::vec::Vec<$crate::Request>, $crate::Rejection> {
                    $crate::panic::watch();
                    <$plugin as $crate::Plugin>::transform(event, ctx)
                }

                fn classify(response: $crate::Response, count: u32, ctx: $crate::Context) -> $crate::Verdict {
                    $crate::panic::watch();
                    <$plugin as $crate::Plugin>::classify(response, count, ctx)
                }
            }

    $crate::__export_destination!(Exported with_types_in $crate::bindings);
        };
    };
}
