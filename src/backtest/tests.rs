mod conformance;
mod golden;
mod laws;
