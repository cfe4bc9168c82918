mod conformance;
mod golden;
mod laws;
mod oracle;
mod order;
