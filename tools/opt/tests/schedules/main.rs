//! Every schedule of the GPU's products, on several architectures: assembled by ptxas where it is installed, run on the
//! simulator with its checks, and compared with the evaluator. Sizes leave edges on all sides of tiles.

mod attention;
mod codes;
mod groups;
mod harness;
mod products;
