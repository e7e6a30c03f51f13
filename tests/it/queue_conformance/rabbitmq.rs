//! RabbitMQ: the claims, and what only a broker can do wrong. Faults that nobody else may feel have a broker of
//! their own; everything else shares one, each test with a virtual host.

mod bench;
mod endurance;
mod faults;
mod returned;

use bench::VhostBench;

super::queue_conformance!(VhostBench::new().await);
