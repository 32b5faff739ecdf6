//! The programs in the README and the guide, as tests of the documentation.

macro_rules! pages {
    ($($name:ident = $path:literal;)*) => {$(
        #[doc = include_str!($path)]
        mod $name {}
    )*};
}

pages! {
    readme = "../../../README.md";
    store_and_handles = "../../../docs/guide/store-and-handles.md";
    host_functions = "../../../docs/guide/host-functions.md";
    linking = "../../../docs/guide/linking.md";
    traps = "../../../docs/guide/traps.md";
    limits = "../../../docs/guide/limits.md";
    interruption = "../../../docs/guide/interruption.md";
    instances = "../../../docs/guide/instances.md";
    tiers = "../../../docs/guide/tiers.md";
    giving_back = "../../../docs/guide/giving-back.md";
    snapshots = "../../../docs/guide/snapshots.md";
}
