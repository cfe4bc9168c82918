//! Provenance beside promotions: who may have written it, and that tools of others verify it.

use std::process::Command;

use serde_json::Value;

use super::{MODEL, audit, deploy, words};
use crate::bench::{Bench, read_json};

const KEY: &str = include_str!("../../golden/attest/rfc8032-test1.pem");
const PUBLIC: &str = include_str!("../../golden/attest/rfc8032-test1.pub.pem");
const OTHER: &str = include_str!("../../golden/attest/rfc8032-test2.pem");

fn bench() -> Bench {
    let bench = Bench::new();
    bench.write("configs/project.yaml", "signing_key: configs/keys/signing.pem\n");
    bench.write("configs/keys/signing.pem", KEY);
    bench.write("configs/keys/signing.pub.pem", PUBLIC);
    bench
}

fn beside(bench: &Bench) -> (std::path::PathBuf, std::path::PathBuf) {
    let folder = bench.path("artifacts/store/registry/synthetic-quality/provenance");
    (folder.join("00000000000000000000.json"), folder.join("00000000000000000000.dsse.json"))
}

#[test]
fn a_promotion_is_signed_and_whoever_changes_it_is_found() {
    let bench = bench();
    deploy(&bench);
    let (call, report) = audit(&bench, &[MODEL, "--verify-signature", "--key", "configs/keys/signing.pub.pem"]);
    assert_eq!(call.code, Some(0), "{report:#}");
    assert!(words(&report, "verified").contains(&"signature synthetic-quality, slot 0".to_owned()), "{report:#}");

    // a key of somebody else
    let mut other = Bench::new();
    other.copy_store(&bench);
    other.write("other.pem", OTHER);
    other.set("WALKFORWARD_SIGNING_KEY", "other.pem");
    let (call, report) = audit(&other, &[MODEL, "--verify-signature"]);
    assert_eq!(call.code, Some(3));
    assert_eq!(words(&report, "mismatch"), ["signature synthetic-quality, slot 0"]);

    // a statement that says something else
    let (statement, envelope) = beside(&bench);
    let text = std::fs::read_to_string(&statement).unwrap();
    std::fs::write(&statement, text.replace("\"pipeline\":\"synthetic\"", "\"pipeline\":\"other\"")).unwrap();
    let (call, report) = audit(&bench, &[MODEL, "--verify-signature"]);
    assert_eq!(call.code, Some(3));
    let both = ["provenance synthetic-quality, slot 0", "signature synthetic-quality, slot 0"];
    assert_eq!(words(&report, "mismatch"), both);

    // no signature at all
    std::fs::write(&statement, text).unwrap();
    std::fs::remove_file(envelope).unwrap();
    let (call, report) = audit(&bench, &[MODEL, "--verify-signature"]);
    assert_eq!((call.code, words(&report, "mismatch").len()), (Some(3), 1), "{report:#}");
}

#[test]
fn provenance_that_a_killed_run_did_not_write_is_written_by_the_next_one_with_the_same_bytes() {
    let bench = bench();
    deploy(&bench);
    let (statement, envelope) = beside(&bench);
    let written = [&statement, &envelope].map(|path| std::fs::read(path).unwrap());
    std::fs::remove_file(&statement).unwrap();
    std::fs::remove_file(&envelope).unwrap();
    let (call, report) = audit(&bench, &[MODEL]);
    assert_eq!((call.code, words(&report, "cannot_tell").len()), (Some(0), 1), "{report:#}");
    assert!(bench.run(super::SYNTHETIC, &[]).all("reused"));
    assert_eq!([&statement, &envelope].map(|path| std::fs::read(path).unwrap()), written);
}

#[test]
fn the_provenance_names_pipeline_params_sources_strategy_and_program_by_digest() {
    let bench = bench();
    deploy(&bench);
    let statement = read_json(&beside(&bench).0);
    let build = &statement["predicate"]["buildDefinition"];
    assert_eq!(build["externalParameters"]["params"]["seed"], 42);
    let dependencies = build["resolvedDependencies"].as_array().unwrap();
    let names: Vec<&str> = dependencies.iter().map(|resource| resource["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["pipeline", "sources.bars", "sources.strategy", "strategy", "walkforward"]);
    let start = bench.stored("runs").into_iter().find(|path| path.ends_with("start.json")).unwrap();
    assert_eq!(build["resolvedDependencies"][0]["digest"]["sha256"], read_json(&start)["body"]["definition"]);
    assert_eq!(statement["predicate"]["runDetails"]["metadata"]["invocationId"], bench.shown().0["start"]["run"]);
}

#[test]
fn a_signing_key_that_cannot_be_used_stops_the_run_before_it_begins() {
    let bench = Bench::new();
    bench.write("configs/project.yaml", "signing_key: configs/keys/signing.pem\n");
    let call = bench.call(&["run", super::SYNTHETIC]);
    assert_eq!(call.code, Some(2));
    assert!(
        call.stderr.contains("the signing key `configs/keys/signing.pem` (configs/project.yaml)"),
        "{}",
        call.stderr
    );
    bench.write("configs/keys/signing.pem", include_str!("../../golden/attest/p256.pem"));
    let call = bench.call(&["run", super::SYNTHETIC]);
    assert!(call.stderr.contains("expected an Ed25519 key"), "{}", call.stderr);
    assert!(!bench.path("artifacts/store").exists());
}

/// What `openssl` says of the envelope beside the promotion, by way of a script of a few lines that knows DSSE.
#[test]
fn openssl_verifies_what_was_signed() {
    if Command::new("openssl").arg("version").output().is_err() {
        return;
    }
    let bench = bench();
    deploy(&bench);
    let (statement, envelope) = beside(&bench);
    let envelope = read_json(&envelope);
    let payload = decoded(&bench, envelope["payload"].as_str().unwrap());
    assert_eq!(payload, std::fs::read(statement).unwrap(), "the statement beside the entry is what is signed");
    let kind = envelope["payloadType"].as_str().unwrap();
    let mut signed = format!("DSSEv1 {} {kind} {} ", kind.len(), payload.len()).into_bytes();
    signed.extend(&payload);
    bench.write("signed", &signed);
    bench.write("signature", decoded(&bench, envelope["signatures"][0]["sig"].as_str().unwrap()));
    let verify = ["pkeyutl", "-verify", "-pubin", "-inkey", "configs/keys/signing.pub.pem", "-rawin", "-in", "signed"];
    let verdict = |bench: &Bench| {
        let call =
            Command::new("openssl").current_dir(bench.path("")).args(verify).args(["-sigfile", "signature"]).output();
        String::from_utf8(call.unwrap().stdout).unwrap()
    };
    assert!(verdict(&bench).contains("Signature Verified Successfully"));
    signed[40] ^= 1;
    bench.write("signed", &signed);
    assert!(!verdict(&bench).contains("Signature Verified Successfully"));
}

/// Base64 by openssl.
fn decoded(bench: &Bench, text: &str) -> Vec<u8> {
    bench.write("base64", text);
    let call =
        Command::new("openssl").current_dir(bench.path("")).args(["base64", "-d", "-A", "-in", "base64"]).output();
    call.unwrap().stdout
}

#[test]
fn an_audit_is_signed_with_the_configured_key() {
    let bench = bench();
    deploy(&bench);
    let text = bench.ok(&["audit", MODEL, "--format", "envelope"]);
    let envelope: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(envelope["payloadType"], "application/vnd.in-toto+json");
    let statement: Value = serde_json::from_slice(&decoded(&bench, envelope["payload"].as_str().unwrap())).unwrap();
    assert_eq!(statement["predicateType"], "https://in-toto.io/attestation/svr/v0.1");
    let call = Bench::new().call(&["audit", MODEL, "--format", "envelope"]);
    assert!(call.code != Some(0));
}
