//! What the tests of several sources share.

pub(crate) mod peers;
